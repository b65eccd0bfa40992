//! The example components, built once for all tests by the verb that users have.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program under test, which also compiles components.
pub const SEGNO: &str = env!("CARGO_BIN_EXE_segno");

/// What the stage has at hand.
const EXAMPLES: [&str; 3] = ["noop", "hostile", "probe"];

/// The bytes of one of the examples.
pub fn component(name: &str) -> Vec<u8> {
    let path = built().join(format!("{name}.wasm"));
    std::fs::read(&path).expect("it is among the built components")
}

fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("behaviours");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples");
        let built = Command::new(SEGNO)
            .args(["component", "build", "--out"])
            .arg(&out)
            .args(EXAMPLES.map(|name| examples.join(name)))
            .output()
            .expect("the program can be started");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        out
    })
}
