//! What kind of file it is, by its first bytes.

use super::{BUILD, Refused};

/// A file that can be looked into further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Component,
    CoreModule,
}

/// The kind of `file`.
///
/// # Errors
/// If it is nothing that could become a step; says what it is.
pub(super) fn of(file: &[u8]) -> Result<Format, Refused> {
    match file {
        [] => Err(Refused::new("the file is empty", BUILD)),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(Format::CoreModule),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(Format::Component),
        [0, b'a', b's', b'm', _, _, _, _, ..] => Err(Refused::new(
            "it is WebAssembly in a version that this host does not know",
            "build it with a present toolchain",
        )),
        [0, b'a', b's', b'm', ..] => {
            Err(Refused::new("it ends within its first 8 bytes", "check that it arrived whole"))
        }
        _ => Err(foreign(file)),
    }
}

fn foreign(file: &[u8]) -> Refused {
    if wasmtime::Engine::detect_precompiled(file).is_some() {
        return Refused::new(
            "it is compiled already (.cwasm), and machine code is never taken from outside",
            "push the .wasm that it was compiled from",
        );
    }
    let starts = |magic: &[u8]| file.starts_with(magic);
    if starts(b"\x7fELF") {
        return Refused::new("it is a native program or library, not WebAssembly", BUILD);
    }
    if starts(&[0x1f, 0x8b]) || starts(b"PK\x03\x04") || starts(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Refused::new(
            "it is compressed (gzip, zip or zstd)",
            "unpack it, and push the .wasm",
        );
    }
    let start = String::from_utf8_lossy(&file[..file.len().min(256)]).to_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml") {
        return Refused::new(
            "it is a web page",
            "check the address that it was fetched from; it often means that a login was missing",
        );
    }
    if start.starts_with('(') || start.starts_with(";;") {
        return Refused::new(
            "it is WebAssembly as text (.wat)",
            "turn it into binary with `wasm-tools parse`",
        );
    }
    let first: Vec<_> = file.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Refused::new(format!("it is not WebAssembly: it starts with {}", first.join(" ")), BUILD)
}
