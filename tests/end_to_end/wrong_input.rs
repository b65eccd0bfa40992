//! Whatever is wrong with what somebody types: one clear message, an exit code
//! that is not 0, and never a panic.

use crate::guests::component;
use crate::server::{Server, segno, text};
use std::fs;
use std::process::Output;

/// Fails unless the command line was refused with a message that has `part`.
fn refused(output: &Output, part: &str) {
    let message = text(&output.stderr);
    assert!(!output.status.success(), "it was accepted: {}", text(&output.stdout));
    assert!(message.contains(part), "{part:?} is missing in {message:?}");
    for bad in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!message.contains(bad), "{message}");
    }
}

#[test]
fn files_that_are_not_there_or_no_definitions() {
    let server = Server::start();
    let file = |name: &str, bytes: &[u8]| {
        let path = server.data_dir().join(name);
        fs::write(&path, bytes).expect("the directory is writable");
        path.to_string_lossy().into_owned()
    };
    refused(&server.segno(&["workflow", "apply", "nowhere.yaml"]), "nowhere.yaml");
    refused(&server.segno(&["workflow", "apply", "."]), "directory");
    refused(
        &server.segno(&["workflow", "apply", &file("a.yaml", b"workflow: [")]),
        "neither YAML nor JSON",
    );
    refused(&server.segno(&["workflow", "apply", &file("b.yaml", b"\xff\xfe\x00")]), "UTF-8");
    let cycle = b"workflow: c\nsteps:\n  - { id: a, component: x, needs: [b] }\n  - { id: b, component: x, needs: [a] }\n";
    let output = server.segno(&["workflow", "apply", &file("c.yaml", cycle)]);
    refused(&output, "a -> b -> a");
    refused(&output, "there is no component");
    refused(&server.segno(&["workflow", "validate", &file("d.yaml", cycle)]), "d.yaml:");
}

#[test]
fn components_that_are_none() {
    let server = Server::start();
    let whole = fs::read(component("hello")).expect("it was built");
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty.wasm", b"", "empty"),
        ("text.wasm", b"(component)", "text"),
        ("page.wasm", b"<!doctype html><html></html>", "web page"),
        ("half.wasm", &whole[..whole.len() / 2], "end-of-file"),
        ("elf.wasm", b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00", "native"),
        ("module.wasm", b"\0asm\x01\0\0\0", "core module"),
    ];
    for (name, bytes, part) in cases {
        let path = server.data_dir().join(name);
        fs::write(&path, bytes).expect("the directory is writable");
        let output = server.segno(&["component", "push", &path.to_string_lossy(), "x@1.0.0"]);
        refused(&output, "");
        let message = text(&output.stderr).to_lowercase();
        assert!(message.contains(&part.to_lowercase()), "{name}: {message}");
    }
    let good = component("hello");
    let good = good.to_string_lossy();
    refused(&server.segno(&["component", "push", &good, "X@1.0.0"]), "name");
    refused(&server.segno(&["component", "push", &good, "x@one"]), "version");
    assert!(server.json(&["component", "list"]).as_array().is_some_and(Vec::is_empty));
}

#[test]
fn params_and_names_that_do_not_fit() {
    let server = Server::start();
    server.push("noop", "noop@1.0.0");
    server
        .apply("workflow: w\nparams: { n: { type: int } }\nsteps: [{ id: s, component: noop }]\n");
    refused(&server.segno(&["run", "start", "v"]), "there is no workflow");
    refused(&server.segno(&["run", "start", "w"]), "n");
    refused(&server.segno(&["run", "start", "w", "--param", "n=many"]), "n");
    refused(&server.segno(&["run", "start", "w", "--param", "m=1"]), "m");
    refused(&server.segno(&["run", "start", "w", "--param", "n=1.5"]), "n");
    refused(&server.segno(&["run", "start", "w", "--version", "9", "--param", "n=1"]), "version 9");
    refused(&server.segno(&["run", "get", "run_nonsense"]), "run");
    refused(&server.segno(&["run", "get", "w#7"]), "7");
    refused(&server.segno(&["run", "list", "--limit", "0"]), "limit");
    refused(&server.segno(&["--tenant", "A B", "run", "list"]), "tenant");
}

#[test]
fn servers_that_cannot_start_or_are_not_there() {
    let server = Server::start();
    let address = server.url.trim_start_matches("http://");
    let other = tempfile::tempdir().expect("a directory");
    let store = other.path().join("store").to_string_lossy().into_owned();
    refused(
        &segno(&["server", "--data-dir", &store, "--listen", address]),
        "another process listens",
    );
    let taken = server.data_dir().join("store").to_string_lossy().into_owned();
    refused(&segno(&["server", "--data-dir", &taken, "--listen", "127.0.0.1:0"]), "in use");
    let file = other.path().join("file");
    fs::write(&file, "not a directory").expect("the directory is writable");
    let file = file.to_string_lossy().into_owned();
    refused(&segno(&["server", "--data-dir", &file, "--listen", "127.0.0.1:0"]), "directory");
    refused(&segno(&["--server", "http://127.0.0.1:1", "run", "list"]), "segno dev");
}
