//! Workflow definitions, case by case and at random. Each file under
//! `definitions/` is a definition, a line of four dashes, and what comes of it:
//! the problems, or the workflow in a form that people can read. `UPDATE=1`
//! rewrites what comes of it; read the difference before you keep it.

mod shown;

use proptest::prelude::*;
use segno_engine::definition::{Catalog, PROBLEMS_MAX, check};
use segno_engine::workflow::{Limits, Pin};
use serde_json::{Value, json};
use shown::show;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The components and limits that the cases count on.
struct Shelf;

impl Catalog for Shelf {
    fn component(&self, name: &str, requirement: Option<&str>) -> Result<Pin, String> {
        let shelf = [
            ("weather/load", "1.4.2"),
            ("weather/aggregate", "1.0.0"),
            ("weather/report", "2.1.0"),
            ("hello", "0.1.0"),
        ];
        let Some((name, version)) = shelf.iter().find(|(known, _)| *known == name) else {
            return Err(format!("there is no component {name:?}"));
        };
        if requirement.is_some_and(|wanted| !version.starts_with(wanted)) {
            return Err(format!("there is no such version of {name}; the newest is {version}"));
        }
        let (name, version) = ((*name).to_owned(), (*version).to_owned());
        Ok(Pin { digest: format!("sha256:{}", &name[..2]), name, version })
    }

    fn ceiling(&self) -> Limits {
        Limits {
            memory_bytes: Some(1 << 30),
            cpu_ms: Some(10_000),
            handles: Some(1_000),
            ..Limits::default()
        }
    }
}

/// What comes of a definition, as text.
fn outcome(source: &str) -> String {
    match check(source, &Shelf) {
        Ok(workflow) => show(&workflow),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

/// A file of a case, the definition in it, and what is expected.
struct Case {
    path: PathBuf,
    source: String,
    expected: String,
}

const DIVIDER: &str = "\n----\n";

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions");
    let mut cases: Vec<_> = std::fs::read_dir(directory)
        .expect("the cases are there")
        .map(|entry| entry.expect("the directory is readable").path())
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a case is text");
            let (source, expected) = text.split_once(DIVIDER).unwrap_or((&text, ""));
            Case { source: format!("{source}\n"), expected: expected.to_owned(), path }
        })
        .collect();
    cases.sort_by(|one, other| one.path.cmp(&other.path));
    cases
}

fn is_good(case: &Case) -> bool {
    case.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("good-"))
}

#[test]
fn every_case_comes_out_as_expected() {
    let mut failed = Vec::new();
    for case in cases() {
        let actual = outcome(&case.source);
        let is_workflow = actual.starts_with("workflow ");
        if actual == case.expected && is_workflow == is_good(&case) {
            continue;
        }
        if is_workflow == is_good(&case) && std::env::var_os("UPDATE").is_some() {
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
    let (good, bad): (Vec<_>, Vec<_>) = cases().into_iter().partition(is_good);
    assert!(good.len() >= 15 && bad.len() >= 60, "{} good, {} bad", good.len(), bad.len());
}

#[test]
fn every_problem_says_what_to_do() {
    for case in cases() {
        for problem in check(&case.source, &Shelf).err().unwrap_or_default() {
            let shown = problem.to_string();
            assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{shown}");
            assert!(!shown.contains('\n') && !shown.ends_with('.'), "{shown}");
            let message = problem.message.chars().next().unwrap_or('a');
            assert!(!message.is_uppercase(), "{shown}");
        }
    }
}

#[test]
fn line_ends_and_byte_order_marks_make_no_difference() {
    for case in cases().iter().filter(|case| is_good(case) && !case.source.contains(": |")) {
        let windows = case.source.replace('\n', "\r\n");
        assert_eq!(outcome(&windows), case.expected, "{}", case.path.display());
        let marked = format!("\u{feff}{}", case.source);
        assert_eq!(outcome(&marked), case.expected, "{}", case.path.display());
    }
}

#[test]
fn a_flood_of_problems_is_cut_off() {
    let steps: Vec<_> = (0..500).map(|number| json!({"id": "same", "nedes": number})).collect();
    let problems = check(&json!({"workflow": "w", "steps": steps}).to_string(), &Shelf);
    let problems = problems.expect_err("it is wrong");
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert!(problems.last().is_some_and(|last| last.message.contains("more problems")));
}

#[test]
fn hostile_definitions_are_refused_quickly() {
    let laughs = (1..30).fold("a0: &a0 [x, x, x, x]\n".to_owned(), |text, number| {
        let inner = number - 1;
        text + &format!("a{number}: &a{number} [*a{inner}, *a{inner}, *a{inner}, *a{inner}]\n")
    });
    let chain: Vec<_> = (0..1_000)
        .map(|number| json!({"id": format!("s{number}"), "needs": [format!("s{}", (number + 1) % 1_000)]}))
        .collect();
    let strangers: Vec<_> = (0..900)
        .map(|number| json!({"id": format!("s{number}"), "needs": (0..40).map(|it| format!("t{it}{number}")).collect::<Vec<_>>()}))
        .collect();
    let cases = [
        laughs,
        "x".repeat((1 << 20) + 1),
        "[".repeat(200_000),
        "{a: ".repeat(100_000),
        "- ".repeat(200_000),
        "? ".repeat(200_000),
        "&a ".repeat(100_000),
        "a: ".repeat(100_000),
        "'".repeat(500_000),
        "\"\\".repeat(200_000),
        "#".repeat(1_000_000),
        "\n".repeat(1_000_000),
        "[1,".repeat(60) + &"1,".repeat(400_000),
        json!({"workflow": "w", "steps": chain}).to_string(),
        json!({"workflow": "w", "steps": strangers}).to_string(),
        json!({"workflow": "w", "steps": [], "description": "${".repeat(100_000)}).to_string(),
        json!({"workflow": "w", "steps": [], "output": "${".repeat(100_000)}).to_string(),
        json!({"workflow": "w", "steps": [], "output": "${1}".repeat(100_000)}).to_string(),
    ];
    for source in cases {
        let started = std::time::Instant::now();
        let shown: String = source.chars().take(30).collect();
        assert!(check(&source, &Shelf).is_err(), "{shown:?}");
        assert!(started.elapsed().as_secs() < 60, "{shown:?} took {:?}", started.elapsed());
    }
}

/// The value in block YAML.
fn to_yaml(value: &Value, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let _ = write!(out, "\n{margin}{key}:");
                to_yaml(value, indent + 2, out);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for element in elements {
                let _ = write!(out, "\n{margin}-");
                to_yaml(element, indent + 2, out);
            }
        }
        _ => {
            let _ = write!(out, " {value}");
        }
    }
}

/// Without the places, which differ between the two notations.
fn without_places(source: &str) -> String {
    match check(source, &Shelf) {
        Ok(workflow) => show(&workflow),
        Err(problems) => {
            let mut lines: Vec<_> = problems
                .iter()
                .map(|problem| format!("{}: {}; {}", problem.path, problem.message, problem.remedy))
                .collect();
            lines.sort();
            lines.join("\n")
        }
    }
}

fn literals() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        "[ -~äß😀]{0,12}".prop_map(|text| json!(text.replace('$', "S"))),
        Just(json!("${params.p}")),
        Just(json!("a ${string(params.p)} $${b}")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

prop_compose! {
    /// A workflow in a chain, now and then with something wrong.
    fn workflows()(
        params in prop::collection::vec(
            (literals(), any::<bool>(), 0_u32..120, prop::option::of(0_u32..12)), 1..6
        )
    ) -> Value {
        let steps: Vec<_> = params.into_iter().enumerate().map(|(number, (params, loops, user, need))| {
            let mut step = json!({"id": format!("s{number}"), "when": "params.p > 0"});
            let call = json!({"component": "hello@0.1", "params": {"x": params}, "retry": {"user": user}});
            if loops {
                let mut inner = call;
                inner["id"] = json!(format!("i{number}"));
                step["foreach"] = json!({"v": [1, 2], "concurrency": user});
                step["steps"] = json!([inner]);
            } else {
                step.as_object_mut().expect("it is a map").extend(call.as_object().expect("it is one").clone());
            }
            if let Some(need) = need {
                step["needs"] = json!([format!("s{need}")]);
            }
            step
        }).collect();
        json!({"workflow": "w", "params": {"p": 1}, "steps": steps})
    }
}

/// A change to a text at some place of it.
fn mutate(text: &str, (place, action, other): (usize, u8, usize)) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return "a".to_owned();
    }
    let place = place % characters.len();
    let other = other % characters.len();
    match action % 6 {
        0 => drop(characters.drain(place.min(other)..place.max(other))),
        1 => characters.insert(
            place,
            ['{', '}', '[', ':', '\n', '&', '*', '$', '\'', '"', '\t', '-'][other % 12],
        ),
        2 => characters.swap(place, other),
        3 => drop(characters.remove(place)),
        4 => {
            let copied: Vec<char> = characters[place.min(other)..place.max(other)].to_vec();
            characters.splice(place..place, copied);
        }
        _ => characters[place] = characters[other],
    }
    characters.into_iter().collect()
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(cases);

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn yaml_and_json_mean_the_same(workflow in workflows()) {
        let mut yaml = String::new();
        to_yaml(&workflow, 0, &mut yaml);
        prop_assert_eq!(without_places(&yaml), without_places(&workflow.to_string()));
        let pretty = serde_json::to_string_pretty(&workflow).expect("it is JSON");
        prop_assert_eq!(without_places(&yaml), without_places(&pretty));
    }

    #[test]
    fn no_text_makes_it_panic(source in "[\\PC\\n\\t]{0,200}") {
        let _ = outcome(&source);
    }

    #[test]
    fn no_change_to_a_case_makes_it_panic(
        case in any::<prop::sample::Index>(),
        changes in prop::collection::vec(any::<(usize, u8, usize)>(), 1..6),
    ) {
        let source = &case.get(&CASES).source;
        let _ = outcome(&changes.into_iter().fold(source.clone(), |text, change| mutate(&text, change)));
    }
}
