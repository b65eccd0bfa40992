//! House rules that no compiler holds: who may name what, and how large things
//! may be. `host/ARCHITECTURE.md` gives the reasons.

use std::fs;
use std::path::{Path, PathBuf};

/// No file of ours is longer.
const LINES_MAX: usize = 500;

/// Names that say nothing, and so attract everything.
const BANNED: [&str; 6] = ["utils", "util", "common", "helpers", "misc", "manager"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a folder, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are text");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let folders = [
        "host/src",
        "host/engine/src",
        "host/engine/tests",
        "sdk/rust/src",
        "guest-examples",
        "tests",
    ];
    folders.into_iter().flat_map(sources).collect()
}

#[test]
fn files_are_short_say_what_they_are_for_and_have_names() {
    let mut problems = Vec::new();
    for (path, text) in all_sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{} has {lines} lines", path.display()));
        }
        if !text.starts_with("//!") {
            problems.push(format!("{} does not open with //!", path.display()));
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if BANNED.contains(&stem) {
            problems.push(format!("{} has a name that says nothing", path.display()));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Fails if a file of `folder` that is not excepted names `word`.
fn nobody_names(folder: &str, except: &str, word: &str) {
    for (path, text) in sources(folder) {
        if !except.is_empty() && path.to_string_lossy().contains(except) {
            continue;
        }
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        // A place to die in a test knows nothing, and is no part of a release.
        let code = code.filter(|line| !line.contains("crate::crash::point("));
        let line = code.into_iter().find(|line| line.contains(word));
        assert!(line.is_none(), "{} names {word}: {line:?}", path.display());
    }
}

#[test]
fn only_the_sandbox_names_wasmtime_and_only_its_backend_names_sled() {
    nobody_names("host/src", "/sandbox/", "wasmtime::");
    nobody_names("host/src", "/store/", "sled::");
}

#[test]
fn only_the_api_knows_http_statuses() {
    nobody_names("host/src", "/api/", "StatusCode");
}

#[test]
fn the_sandbox_knows_neither_store_nor_tenants() {
    nobody_names("host/src/sandbox", "", "crate::store");
    nobody_names("host/src/sandbox", "", "TenantId");
    nobody_names("host/src/sandbox", "", "crate::driver");
}

#[test]
fn the_store_knows_no_runs_but_by_name() {
    nobody_names("host/src/store", "", "segno_engine::run");
    nobody_names("host/src/store", "", "crate::");
}

#[test]
fn the_command_line_talks_to_servers_as_everybody_does() {
    nobody_names("host/src/cli", "", "crate::driver");
    nobody_names("host/src/cli", "", "crate::store");
    nobody_names("host/src/cli", "", "crate::api");
}

#[test]
fn every_folder_of_the_host_is_on_the_map() {
    let map = fs::read_to_string(root().join("host/ARCHITECTURE.md")).expect("the map is there");
    for entry in fs::read_dir(root().join("host/src")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            assert!(map.contains(&format!("host/src/{name}/")), "{name} is not on the map");
        }
    }
}
