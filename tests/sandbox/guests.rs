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
    let (package, _) = resolve.push_dir(repository().join("wit")).expect("the contract is valid");
    let world = resolve.select_world(&[package], Some("step")).expect("it has a world `step`");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the module gets a section more");
    module
}

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

/// The example `name`, built from source, once for all tests.
pub(crate) fn example(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--target", "wasm32-wasip2", "--lib"])
            .args(["-p", "hello", "-p", "noop", "-p", "hostile"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(repository())
            .status()
            .expect("cargo runs these tests, so it can be started");
        assert!(built.success(), "the examples do not build");
        target.join("wasm32-wasip2/release")
    });
    let path = folder.join(format!("{}.wasm", name.replace('-', "_")));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
