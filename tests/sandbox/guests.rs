//! Guests for the tests of the sandbox: written by hand in WebAssembly's text
//! format where no compiler would produce such code, and built from the examples
//! where it would.

use segno_host::sandbox::{AdmissionLimits, admit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// A core module that is a step: `parts` are its further fields, among them
/// a function `$step (param $in i32) (param $len i32) (result i32)`. It gets the
/// input, and returns where its result lies.
///
/// The module has a memory, an allocator, and these functions for results:
/// `$ok (param ptr len) (result i32)`.
pub(crate) fn step_module(imports: &str, parts: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {imports}
            (memory (export "memory") 2)
            (global $heap (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.set $heap (i32.add (local.get $at) (local.get $size)))
                (local.get $at))
            (func $ok (param $at i32) (param $len i32) (result i32)
                (i32.store8 (i32.const 0) (i32.const 0))
                (i32.store (i32.const 8) (local.get $at))
                (i32.store (i32.const 12) (local.get $len))
                (i32.const 0))
            (func (export "segno:step/guest@0.1.0#run")
                (param i32 i32 i32 i32 i32) (param $in i32) (param $len i32) (result i32)
                (call $step (local.get $in) (local.get $len)))
            {parts})"#
    );

    let module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    with_world(module)
}

/// `module` with the types of the step world.
pub(crate) fn with_world(mut module: Vec<u8>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(repository().join("wit")).expect("the contract is valid");
    let package = resolve.push_str("tests.wit", WORLD).expect("so is this world");
    let world = resolve.select_world(&[package], Some("step")).expect("there it is");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the module gets a section more");
    module
}

/// A step with the part of WASI that guests in these tests call.
const WORLD: &str = "
    package segno:tests;

    world step {
        include segno:step/step@0.1.0;
        import wasi:clocks/monotonic-clock@0.2.0;
        import wasi:cli/stdout@0.2.0;
        import wasi:random/random@0.2.0;
    }
    package wasi:io@0.2.0 {
        interface error { resource error; }
        interface poll { resource pollable { block: func(); } }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream {
                write: func(contents: list<u8>) -> result<_, stream-error>;
            }
        }
    }
    package wasi:clocks@0.2.0 {
        interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            type duration = u64;
            subscribe-duration: func(when: duration) -> pollable;
        }
    }
    package wasi:cli@0.2.0 {
        interface stdout {
            use wasi:io/streams@0.2.0.{output-stream};
            get-stdout: func() -> output-stream;
        }
    }
    package wasi:random@0.2.0 {
        interface random { get-random-bytes: func(len: u64) -> list<u8>; }
    }
";

/// A step without imports whose `$step` has this body.
pub(crate) fn step(body: &str) -> Vec<u8> {
    component("", &format!("(func $step (param $in i32) (param $len i32) (result i32) {body})"))
}

/// A step with imports and further parts.
pub(crate) fn component(imports: &str, parts: &str) -> Vec<u8> {
    let admitted = admit(step_module(imports, parts), &AdmissionLimits::default());
    admitted.unwrap_or_else(|refused| panic!("{refused}")).component
}

/// A step that returns its input.
pub(crate) fn echo() -> Vec<u8> {
    step("(call $ok (local.get $in) (local.get $len))")
}

/// A step that computes for ever.
pub(crate) fn spins() -> Vec<u8> {
    step("(loop $again (br $again)) (unreachable)")
}

/// The example `name`, built from source by the verb that users have, once for
/// all tests.
pub(crate) fn example(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-components");
        let examples = repository().join("guest-examples");
        let built = Command::new(env!("CARGO_BIN_EXE_segno"))
            .args(["component", "build", "--out"])
            .arg(&out)
            .args(["hello", "noop", "hostile"].map(|name| examples.join(name)))
            .output()
            .expect("the program can be started");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        out
    });
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
