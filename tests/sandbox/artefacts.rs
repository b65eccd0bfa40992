//! Compiled code: made once, in a child process, kept on disk, and never trusted
//! without a look.

use crate::guests::{component, echo, step};
use crate::host::{TestSandbox, config, digest, new_directory, output, task};
use segno_host::sandbox::{CompileLimits, Error, Limits, Sandbox, Watch};
use std::cell::Cell;
use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The artefacts in a sandbox's directory, with this ending.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory.join("artefacts")).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths.filter(|path| path.extension().is_some_and(|end| end == ending)).collect()
}

/// Runs the echo in a new sandbox on `directory`; says whether it was compiled.
async fn runs_again(directory: &Path) -> bool {
    let sandbox = Sandbox::new(config(directory)).expect("the sandbox is set up");
    let loaded = Cell::new(false);
    let bytes = echo();
    let load = || async {
        loaded.set(true);
        Ok::<_, Infallible>(bytes.clone())
    };
    let component = sandbox.component(&digest(&bytes), load).await.expect("it is admitted");
    let report = sandbox.run(task(component, "[3]", Limits::default()), &Watch::new()).await;
    assert_eq!(output(&report), "[3]");
    loaded.get()
}

#[tokio::test]
async fn a_component_is_compiled_once() {
    let host = TestSandbox::new();
    host.component(&echo()).await;
    assert!(!runs_again(&host.directory).await);
    let mode = std::fs::metadata(host.directory.join("artefacts")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn many_at_once_compile_once() {
    let host = TestSandbox::new();
    let bytes = step("(unreachable)");
    let loads = Cell::new(0);
    let digest = digest(&bytes);
    let one = || {
        host.sandbox.component(&digest, || async {
            loads.set(loads.get() + 1);
            Ok::<_, Infallible>(bytes.clone())
        })
    };
    let (a, b, c) = tokio::join!(one(), one(), one());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(loads.get(), 1);
}

#[tokio::test]
async fn a_damaged_artefact_is_compiled_anew() {
    let host = TestSandbox::new();
    host.component(&echo()).await;
    let path = files(&host.directory, "cwasm").pop().unwrap();
    let good = std::fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let longer = [&good[..], &[0; 10]].concat();
    for damaged in [&good[..good.len() / 2], &[], &flipped, &longer] {
        // A file of its own: the other one is still mapped.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, damaged).unwrap();
        assert!(runs_again(&host.directory).await);
        assert!(!runs_again(&host.directory).await);
    }
    std::fs::remove_file(files(&host.directory, "sha256").pop().unwrap()).unwrap();
    assert!(runs_again(&host.directory).await);
}

#[tokio::test]
async fn artefacts_of_another_build_are_removed() {
    let directory = new_directory();
    let folder = directory.join("artefacts");
    std::fs::create_dir(&folder).unwrap();
    for name in ["aa.0123456789abcdef.cwasm", "aa.0123456789abcdef.sha256", "draft-1", "README"] {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    Sandbox::new(config(&directory)).unwrap();
    let left: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["README"]);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn bytes_of_another_component_are_not_taken() {
    let host = TestSandbox::new();
    let asked = digest(b"something else");
    let load = || async { Ok::<_, Infallible>(echo()) };
    let error = host.sandbox.component(&asked, load).await.unwrap_err();
    assert!(matches!(error, Error::WrongBytes { .. }), "{error}");
    // Only the wrong bytes are refused: the right ones would still be taken.
    let error = host.sandbox.component(&asked, load).await.unwrap_err();
    assert!(matches!(error, Error::WrongBytes { .. }), "{error}");
}

#[tokio::test]
async fn a_compilation_that_takes_too_much_is_stopped() {
    let body = "(local.set $in (i32.div_u (local.get $len) (local.get $in)))".repeat(60_000);
    let bomb = step(&format!("{body}{body} (unreachable)"));
    // More than a second's work on any machine, however fast it becomes.
    let function = |n| {
        format!("(func $f{n} (param $in i32) (param $len i32) (result i32) {body} (unreachable))")
    };
    let functions: String = (0..12).map(function).collect();
    let step = "(func $step (param i32 i32) (result i32) (unreachable))";
    let large_bomb = component("", &format!("{functions} {step}"));
    let limits = CompileLimits::default();
    for (guest, limits, word) in [
        (&echo(), CompileLimits { output_bytes: 100, ..limits }, "artefact limit of 100B"),
        (&bomb, CompileLimits { memory_bytes: 96 << 20, ..limits }, "memory limit of 96MiB"),
        (&large_bomb, CompileLimits { cpu_s: 1, ..limits }, "processor time limit of 1s"),
    ] {
        let host = TestSandbox::with(|config| config.compile = limits);
        let Err(Error::Refused(refused)) = host.try_component(guest).await else {
            panic!("{word}: it was compiled")
        };
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[tokio::test]
async fn a_compilation_that_waits_for_too_long_may_be_tried_again() {
    let host = TestSandbox::with(|config| config.compile.wall_ms = 1);
    for _ in 0..2 {
        let error = host.try_component(&echo()).await.unwrap_err();
        assert!(matches!(error, Error::Compiler { action: "finish in time", .. }), "{error}");
    }
}

#[tokio::test]
async fn a_compiler_that_cannot_be_started_is_no_fault_of_the_component() {
    let host = TestSandbox::with(|config| config.compiler = "/nonexistent".into());
    let error = host.try_component(&echo()).await.unwrap_err();
    assert!(matches!(error, Error::Compiler { .. }), "{error}");
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let directory = new_directory();
    std::fs::write(directory.join("artefacts"), "a file").unwrap();
    let error = Sandbox::new(config(&directory)).err().unwrap();
    assert!(matches!(error, Error::Artefact { .. }), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}
