//! That `EXPRESSIONS.md` tells the truth: every example on it is evaluated, and
//! every function and macro has one.

use super::*;
use crate::scope::tests::Given;
use serde_json::Value as Json;
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../EXPRESSIONS.md");

/// The rows of every table of functions: what they are about, and their examples.
fn rows() -> Vec<(&'static str, &'static str)> {
    let cells = PAGE.lines().filter_map(|line| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<_> = line.split(" | ").collect();
        match cells[..] {
            [functions, _, examples] if functions.starts_with('`') => Some((functions, examples)),
            _ => {
                let is_shown = line.contains("` = `") || line.contains("` fails: `");
                assert!(!is_shown, "has to have three cells: {line}");
                None
            }
        }
    });
    cells.collect()
}

/// An expression and what it gives, or the message with which it fails.
fn example(text: &str) -> (String, Result<Json, String>) {
    let text = text.replace("\\|", "|");
    let code = |part: &str| {
        let part = part.strip_prefix('`').and_then(|part| part.strip_suffix('`'));
        part.unwrap_or_else(|| panic!("code is between backticks: {text}")).to_owned()
    };
    if let Some((source, message)) = text.split_once(" fails: ") {
        return (code(source), Err(code(message)));
    }
    let (source, result) = text.split_once(" = ").unwrap_or_else(|| panic!("no result: {text}"));
    let result = code(result);
    let json = serde_json::from_str(&result).unwrap_or_else(|error| panic!("{result}: {error}"));
    (code(source), Ok(json))
}

/// What the examples read.
fn scope() -> Given {
    let block = PAGE.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    Given::new(serde_json::from_str(block.expect("the page shows its params")).expect("is JSON"))
        .with_step("skipped", None)
        .with_step("load", Some(serde_json::json!({})))
        .with_given("load", serde_json::json!({"day": "2026-01-31"}))
        .with_loop(serde_json::json!({"year": 2012}))
        .with_own(serde_json::json!({"base": 21}))
}

#[test]
fn every_example_gives_what_the_page_says() {
    let scope = scope();
    let mut wrong = Vec::new();
    for (functions, examples) in rows() {
        assert!(!examples.is_empty(), "{functions} has no example");
        for text in examples.split("<br>") {
            let (source, expected) = example(text);
            let actual = Expression::compile(&source).and_then(|it| it.evaluate(&scope));
            if actual != expected {
                wrong.push(format!("{source}\n  gives {actual:?}\n  not   {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_function_is_on_the_page_with_an_example() {
    let mut shown = BTreeSet::new();
    for (functions, examples) in rows() {
        for name in function::names() {
            let named = |text: &str| {
                text.match_indices(&format!("{name}(")).any(|(place, _)| {
                    let before = text[..place].chars().next_back();
                    !before.is_some_and(|c| c == '_' || c.is_ascii_alphanumeric())
                })
            };
            if named(functions) {
                assert!(named(examples), "{name} has a row, but no example");
                shown.insert(name);
            }
        }
    }
    let missing: Vec<_> = function::names().filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    assert!(rows().len() > 50, "the tables are no longer read");
}
