//! Plays the scripts of this folder: workflows, commands, and below `----` what
//! came of them. `UPDATE=1 cargo test -p segno-engine --test scripts` writes
//! down what comes of them now; read the diff before you commit it.
//!
//! A script is a list of blocks with an empty line after each. A block that
//! begins with `workflow:` defines one; in all others each line is a command,
//! see `stage.rs`. `#` begins a comment.

mod action;
#[path = "../catalog/mod.rs"]
mod catalog;
mod control;
mod durable;
#[path = "../picture/mod.rs"]
mod picture;
mod stage;
mod wording;

use stage::Stage;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_script_plays_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut scripts: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder of scripts can be read")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "there are no scripts in {}", folder.display());
    let is_update = std::env::var_os("UPDATE").is_some();
    let mut failures = Vec::new();
    for path in scripts {
        let written = fs::read_to_string(&path).expect("a script is text");
        let played = play(&written);
        if played == written {
            continue;
        }
        if is_update {
            fs::write(&path, played).expect("a script can be written");
        } else {
            let name = path.file_name().unwrap_or_default().display();
            failures.push(format!("{name}, {}", first_difference(&written, &played)));
        }
    }
    let failures = failures.join("\n\n");
    assert!(failures.is_empty(), "{failures}\n\nUPDATE=1 writes down what comes of them now");
}

/// The script with what comes of it now.
fn play(script: &str) -> String {
    let mut stage = Stage::default();
    let mut played = String::new();
    let mut lines = script.lines().peekable();
    let mut block = Vec::new();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line != "----" {
            let is_comment = line.is_empty() || line.starts_with('#');
            block.extend((!is_comment).then_some(line));
            continue;
        }
        played.push_str(&stage.play(&block));
        block.clear();
        while lines.next_if(|line| !line.is_empty()).is_some() {}
    }
    assert!(block.is_empty(), "no ---- follows on {block:?}");
    played
}

fn first_difference(written: &str, played: &str) -> String {
    let mut lines = written.lines().zip(played.lines()).enumerate();
    match lines.find(|(_, (written, played))| written != played) {
        Some((place, (written, played))) => {
            format!("line {}:\n  it says  {written}\n  it gives {played}", place + 1)
        }
        None => "it is shorter or longer than what it gives".to_owned(),
    }
}
