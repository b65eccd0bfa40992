//! Imports, case by case. Each file in this folder is a definition of the other
//! system, a line of four dashes, and what comes of it: our definition, a line
//! of four dashes and the notes; or what is wrong. `UPDATE=1` rewrites what
//! comes of it; read the difference before you keep it.

use segno_engine::definition::{Catalog, SOURCE_BYTES_MAX, check};
use segno_engine::import::{Imported, NoteKind, maestro};
use segno_engine::workflow::{Limits, Pin};
use std::path::{Path, PathBuf};

const DIVIDER: &str = "\n----\n";

/// A file of a case, the source in it, and what is expected.
struct Case {
    path: PathBuf,
    source: String,
    expected: String,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let mut cases: Vec<_> = std::fs::read_dir(directory)
        .expect("the cases are there")
        .map(|entry| entry.expect("the directory is readable").path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a case is text");
            let (source, expected) = text.split_once(DIVIDER).unwrap_or((&text, ""));
            Case { source: format!("{source}\n"), expected: expected.to_owned(), path }
        })
        .collect();
    cases.sort_by(|one, other| one.path.cmp(&other.path));
    cases
}

/// What comes of a source, as text.
fn outcome(source: &str) -> String {
    match maestro(source) {
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        Ok(Imported { workflows, notes }) => {
            let texts: Vec<_> = workflows.into_iter().map(|(_, text)| text).collect();
            let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
            format!("{}----\n{notes}", texts.join("----\n"))
        }
    }
}

#[test]
fn every_case_comes_out_as_expected() {
    let mut failed = Vec::new();
    for case in cases() {
        let actual = outcome(&case.source);
        if actual == case.expected {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            let text = format!("{}{DIVIDER}{actual}", case.source.trim_end_matches('\n'));
            std::fs::write(&case.path, text).expect("the case is writable");
        } else {
            failed.push(format!("{}\n{actual}", case.path.display()));
        }
    }
    assert!(failed.is_empty(), "UPDATE=1 accepts these:\n\n{}", failed.join("\n"));
}

#[test]
fn there_are_enough_cases() {
    assert!(cases().len() >= 25, "{} cases", cases().len());
}

/// A place in which every component exists.
struct Shelf;

impl Catalog for Shelf {
    fn component(&self, name: &str, _: Option<&str>) -> Result<Pin, String> {
        let digest = format!("sha256:{}", "0".repeat(64));
        Ok(Pin { name: name.to_owned(), version: "1.0.0".to_owned(), digest })
    }

    fn ceiling(&self) -> Limits {
        Limits::default()
    }
}

#[test]
fn every_import_is_a_definition() {
    let mut wrong = String::new();
    for case in cases() {
        let Ok(Imported { workflows, .. }) = maestro(&case.source) else { continue };
        for (name, text) in workflows {
            for problem in check(&text, &Shelf).err().unwrap_or_default() {
                wrong.push_str(&format!("{} {name}: {problem}\n", case.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_comment_that_needs_somebody_is_a_note() {
    for case in cases() {
        let Ok(Imported { workflows, notes }) = maestro(&case.source) else { continue };
        let has_notes = notes.iter().any(|note| note.kind == NoteKind::NeedsYou);
        let asks = workflows.iter().any(|(_, text)| text.contains("# needs you"));
        assert!(has_notes || !asks, "{}", case.path.display());
    }
}

#[test]
fn hostile_sources_are_refused_or_read_but_never_a_panic() {
    let deep = format!("{{\"workflow\":{}", "[".repeat(5_000));
    let long = "x".repeat(SOURCE_BYTES_MAX + 1);
    for source in ["", "{", "[]", "- a", "a: &a [*a]", "? [a]\n: b", "\u{feff}", &deep, &long] {
        assert!(maestro(source).is_err(), "{}", &source[..source.len().min(40)]);
    }
    for expression in ["((((", "'", "a.b.c.d(", "-", "new", "if (", "{{{", "$ $$ ${", "1e", "0x"] {
        let source = serde_json::json!({"id": "w", "steps": [{"step": {"id": "a", "type": "NoOp",
            "params": {"x": {"type": "STRING", "expression": expression}}}}]});
        assert!(maestro(&source.to_string()).is_ok(), "{expression}");
    }
}
