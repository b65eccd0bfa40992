//! The example components, built once for all tests by the verb that users have.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program under test.
pub const SEGNO: &str = env!("CARGO_BIN_EXE_segno");

/// Where the examples are.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples")
}

/// The built component of one of the examples.
pub fn component(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = BUILT.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("components");
        let crates = [
            "hello",
            "noop",
            "hostile",
            "probe",
            "order-fulfilment",
            "approval",
            "drip",
            "saga",
            "weather/load",
            "weather/aggregate",
            "weather/report",
        ];
        let built = Command::new(SEGNO)
            .args(["component", "build", "--out"])
            .arg(&out)
            .args(crates.map(|name| examples().join(name)))
            .output()
            .expect("the program can be started");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        out
    });
    let path = directory.join(format!("{}.wasm", name.replace(['/', '-'], "_")));
    assert!(path.exists(), "{} is not among the built components", path.display());
    path
}
