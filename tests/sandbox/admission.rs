//! What may be pushed, and what those are told who push something else.

use crate::guests::{component, echo, example, step, step_module};
use crate::host::TestSandbox;
use segno_host::sandbox::{AdmissionLimits, Error, Refused, admit};
use std::io::Write as _;

fn refused(file: &[u8]) -> Refused {
    admit(file.to_vec(), &AdmissionLimits::default()).expect_err("the file is to be refused")
}

#[track_caller]
fn expect(refused: &Refused, words: &[&str]) {
    let message = refused.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert!(!refused.remedy.is_empty());
}

#[test]
fn a_component_is_admitted_as_it_is() {
    let bytes = echo();
    let admitted = admit(bytes.clone(), &AdmissionLimits::default()).unwrap();
    assert_eq!(admitted.component, bytes);
    assert!(!admitted.was_core_module);
    assert_eq!(admitted.exports, ["segno:step/guest@0.1.0"]);
    assert_eq!(admitted.imports, ["segno:step/types@0.1.0"]);
}

#[test]
fn a_core_module_becomes_a_component() {
    let module = step_module("", "(func $step (param i32 i32) (result i32) (unreachable))");
    let admitted = admit(module, &AdmissionLimits::default()).unwrap();
    assert!(admitted.was_core_module);
    let again = admit(admitted.component, &AdmissionLimits::default()).unwrap();
    assert!(!again.was_core_module);
}

#[test]
fn a_core_module_of_preview_1_too() {
    let module = step_module(
        r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#,
        "(func $step (param i32 i32) (result i32) (unreachable))",
    );
    let admitted = admit(module, &AdmissionLimits::default()).unwrap();
    assert!(admitted.was_core_module);
    assert!(admitted.imports.iter().any(|name| name.starts_with("wasi:random/random@0.2")));
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let mut gzip = vec![0x1f, 0x8b, 8, 0];
    gzip.extend([0; 100]);
    for (file, words) in [
        (&b""[..], &["empty", "wasm32-wasip2"][..]),
        (b"\0asm", &["ends within"]),
        (b"\0asm\x0c\0\x01\0", &["version"]),
        (b"(component)", &["text", "wasm-tools parse"]),
        (b"  ;; hello\n(module)", &["text"]),
        (b"<!DOCTYPE html><html>", &["web page"]),
        (&gzip, &["compressed"]),
        (b"PK\x03\x04....", &["compressed"]),
        (b"#!/bin/sh", &["not WebAssembly", "23 21 2f 62"]),
        (b"\0asm\x01\0\0\0", &["core module", "segno component build"]),
        (b"\0asm\x0d\0\x01\0", &["no step", "#[segno::step]"]),
    ] {
        expect(&refused(file), words);
    }
    let program = std::fs::read(env!("CARGO_BIN_EXE_segno")).unwrap();
    expect(&refused(&program[..1 << 20]), &["native program"]);
}

#[tokio::test]
async fn machine_code_is_never_taken() {
    let host = TestSandbox::new();
    host.component(&echo()).await;
    let artefacts = std::fs::read_dir(host.directory.join("artefacts")).unwrap();
    let code = artefacts.map(|entry| entry.unwrap().path());
    let code = code.filter(|path| path.extension().is_some_and(|end| end == "cwasm"));
    let code = std::fs::read(code.last().unwrap()).unwrap();
    expect(&refused(&code), &["machine code", "push the .wasm"]);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = echo();
    let limits = AdmissionLimits::default();
    let exports = admit(whole.clone(), &limits).unwrap().exports;
    for len in 0..whole.len() {
        // After the last export there are only notes about the producer.
        if let Ok(admitted) = admit(whole[..len].to_vec(), &limits) {
            assert_eq!(admitted.exports, exports);
            assert!(len > whole.len() - 500, "{len} of {}", whole.len());
        }
    }
}

#[test]
fn a_damaged_file_never_harms() {
    let whole = echo();
    for at in 0..whole.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            let _ = admit(damaged, &AdmissionLimits::default());
        }
    }
}

#[test]
fn an_import_that_is_not_offered_is_named() {
    let bytes = wat::parse_str(
        r#"(component
            (import "vendor:thing/x@1.0.0" (instance (export "f" (func))))
            (import "segno:step/log@0.2.0" (instance))
            (import "segno:step/log@0.1.7" (instance))
            (import "wasi:http/types@0.2.0" (instance))
            (import "wasi:cli/exit@0.2.3" (instance))
            (instance $empty)
            (export "segno:step/guest@0.1.0" (instance $empty)))"#,
    )
    .unwrap();
    let refused = refused(&bytes);
    expect(
        &refused,
        &["imports vendor:thing/x@1.0.0, segno:step/log@0.2.0, wasi:http/types@0.2.0, which"],
    );
    expect(&refused, &["offers segno:step/types@0.1.0"]);
}

#[test]
fn another_version_of_the_contract_is_named() {
    let bytes = wat::parse_str(
        r#"(component (instance $empty) (export "segno:step/guest@0.4.0" (instance $empty)))"#,
    );
    let refused = refused(&bytes.unwrap());
    expect(&refused, &["segno:step/guest@0.4.0", "runs segno:step/guest@0.1.0"]);
}

#[test]
fn bombs_are_refused_before_they_are_compiled() {
    let limits = AdmissionLimits::default();
    let file = vec![0; usize::try_from(limits.file_bytes).unwrap() + 1];
    expect(&refused(&file), &["64MiB"]);

    let nested = "(component ".repeat(65) + &")".repeat(65);
    expect(&refused(&wat::parse_str(nested).unwrap()), &["components, and 64"]);

    let mut functions = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03".to_vec();
    functions.extend([0x85, 0x80, 0x80, 0x80, 0x00, 0xc0, 0x84, 0x3d, 0, 0]);
    expect(&refused(&functions), &["functions, and 100000"]);

    let memory = wat::parse_str("(module (memory 65536))").unwrap();
    expect(&refused(&memory), &["65536 pages", "1GiB"]);
    let table = wat::parse_str("(module (table 2000000 funcref))").unwrap();
    expect(&refused(&table), &["2000000 elements"]);
    let memories = wat::parse_str(format!("(module {})", "(memory 1)".repeat(5))).unwrap();
    expect(&refused(&memories), &["5 memories, and 4"]);
    let body = format!("(module (func {}))", "(drop (i32.const 1))".repeat(400_000));
    expect(&refused(&wat::parse_str(body).unwrap()), &["bytes in a function"]);
}

#[tokio::test]
async fn what_the_compiler_refuses_is_told_once_and_remembered() {
    let host = TestSandbox::new();
    let mut bytes = wat::parse_str("(component (core module (func (result i32) (i64.const 1))))");
    let bytes = bytes.as_mut().unwrap();
    bytes.flush().unwrap();
    for _ in 0..2 {
        let Err(Error::Refused(refused)) = host.try_component(bytes).await else {
            panic!("it has a type error")
        };
        expect(&refused, &["does not compile", "type mismatch"]);
    }
}

#[tokio::test]
async fn proposals_that_are_off_are_named() {
    let host = TestSandbox::new();
    for (module, word) in [
        ("(memory i64 1)", "memory64"),
        ("(memory 1 2 shared)", "threads"),
        ("(func (return_call 0))", "tail call"),
        ("(tag)", "exceptions"),
        ("(type (struct))", "gc"),
    ] {
        let text = format!("(component (core module {module}))");
        let bytes = wat::parse_str(&text).unwrap();
        let Err(Error::Refused(refused)) = host.try_component(&bytes).await else {
            panic!("{text} was accepted")
        };
        expect(&refused, &[word]);
    }
}

#[tokio::test]
async fn imports_and_exports_of_other_types_are_refused() {
    let host = TestSandbox::new();
    for text in [
        r#"(component (instance $empty) (export "segno:step/guest@0.1.0" (instance $empty)))"#,
        r#"(component
            (import "segno:step/timers@0.1.0" (instance (export "now" (func (result string))))))"#,
    ] {
        let Err(Error::Refused(refused)) = host.try_component(&wat::parse_str(text).unwrap()).await
        else {
            panic!("{text} was accepted")
        };
        expect(&refused, &["does not fit the world"]);
    }
}

#[test]
fn the_examples_are_admitted() {
    for name in ["hello", "noop", "hostile"] {
        let admitted = admit(example(name), &AdmissionLimits::default());
        admitted.unwrap_or_else(|refused| panic!("{name}: {refused}"));
    }
}

#[test]
fn steps_of_all_sorts_are_admitted() {
    component("", "(table 1 funcref) (func $step (param i32 i32) (result i32) (unreachable))");
    step("(unreachable)");
}
