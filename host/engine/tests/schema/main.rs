//! The published JSON Schema against the reader of definitions. The schema takes
//! whatever the reader takes; what the reader refuses the schema refuses too,
//! but for what no schema can tell ([`BEYOND`]). Both know the same keys, the
//! same defaults, and the words of the README.

#[path = "../catalog/mod.rs"]
mod catalog;
mod probe;
mod yaml;

use boon::{Compiler, SchemaIndex, Schemas};
use catalog::check;
use probe::{full, texts, values};
use segno_engine::definition::{CONCURRENCY_DEFAULT, MAX_ITERATIONS_DEFAULT, SCHEMA};
use segno_engine::retry::Retry;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Parts of the reader's messages about what no schema can tell: how steps
/// depend on each other, what an expression says, how long a time is, how deep
/// things are nested.
const BEYOND: [&str; 59] = [
    "in a circle",
    "the field for the",
    "of the field for",
    "fits no day",
    "is no name of a rule",
    " fields; write five",
    "unknown time zone",
    "is no moment",
    "is not after the start",
    "is too short; use at least \"1s\"",
    "is too short; use at least \"10s\"",
    "is not there when a schedule fires",
    "schedule is read outside",
    "is taken by the trigger",
    "is taken by the step",
    "wait for itself",
    "unknown step",
    "in each iteration of",
    "outside of this loop",
    "may not be complete",
    "runs only after this one",
    "reads its own result",
    "the loop that this runs in",
    "outside of a loop",
    "unknown loop variable",
    "unknown parameter",
    "has a variable",
    "nested deeper",
    "a condition on a need reads",
    "reads as minus",
    "`${",
    "has ${…} in it",
    "is not CEL",
    "unknown name",
    "unknown function",
    "outside of quotes",
    "message type",
    "more than the 4096 allowed",
    "is too long; use at most",
    "the first wait is longer",
    "more problems from here on",
    "value: [0] is",
    "in a parameter of the workflow",
    "in a setting",
    "outside of the named params",
    "is not known when params get their values",
    "does not show its type",
    "the param of that name",
    "unknown param self",
    "with types or `self`",
    "ends a sleep of",
    "iterations, more than the",
    "has no field named like a loop variable",
    "waits for a run of its own workflow",
    "and the first of the list joins",
    "a trigger waits before there is a run",
    "is never tried again",
    "when this trigger fires",
    "outside of a trigger with signals",
];

/// The schema, ready to be used.
struct Compiled {
    schemas: Schemas,
    root: SchemaIndex,
}

static SCHEMA_JSON: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(SCHEMA).expect("the schema is JSON"));

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| compile(""));

/// The part of the schema at this pointer.
fn compile(pointer: &str) -> Compiled {
    let mut compiler = Compiler::new();
    let mut schemas = Schemas::new();
    compiler.add_resource("urn:schema", SCHEMA_JSON.clone()).expect("the address is new");
    let root = compiler.compile(&format!("urn:schema#{pointer}"), &mut schemas);
    let root = root.unwrap_or_else(|error| panic!("{pointer} is no schema: {error:#}"));
    Compiled { schemas, root }
}

impl Compiled {
    /// What is wrong with `value`, if anything is.
    fn refusal(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.root).err().map(|error| error.to_string())
    }
}

/// Where the reader and the schema part; `None` if they agree as far as they can.
fn disagreement(definition: &Value) -> Option<String> {
    match (check(&definition.to_string()), COMPILED.refusal(definition)) {
        (Ok(_), None) | (Err(_), Some(_)) => None,
        (Ok(_), Some(refusal)) => Some(format!("only the schema refuses {definition}:\n{refusal}")),
        (Err(problems), None) => {
            let is_beyond = |problem: &String| BEYOND.iter().any(|part| problem.contains(part));
            let structural: Vec<_> = problems.into_iter().filter(|it| !is_beyond(it)).collect();
            let shown = structural.join("\n  ");
            (!structural.is_empty())
                .then(|| format!("only the reader refuses {definition}:\n  {shown}"))
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The definitions of the cases whose names begin so, by name.
fn cases(beginning: &str) -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions");
    let entries = fs::read_dir(directory).expect("the cases are there");
    let mut cases = BTreeMap::new();
    for path in entries.map(|entry| entry.expect("the directory is readable").path()) {
        let name = path.file_name().expect("a case has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a case is text");
        let source = text.split("\n----\n").next().unwrap_or_default();
        if name.starts_with(beginning) {
            cases.insert(name, format!("{source}\n"));
        }
    }
    cases
}

/// The workflows of the examples, by path.
fn examples() -> BTreeMap<PathBuf, String> {
    let directory = repository().join("guest-examples");
    let entries = fs::read_dir(directory).expect("the examples are there");
    entries
        .map(|entry| entry.expect("the directory is readable").path().join("workflow.yaml"))
        .filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?)))
        .collect()
}

#[test]
fn good_definitions_fit() {
    let good = cases("good-");
    assert!(good.len() >= 15, "{} good cases", good.len());
    for (name, source) in good {
        let value = yaml::value(&source).unwrap_or_else(|| panic!("{name} is no YAML"));
        assert_eq!(COMPILED.refusal(&value), None, "{name}");
    }
}

#[test]
fn workflows_of_the_examples_fit_and_name_the_schema() {
    let examples = examples();
    assert!(examples.len() >= 9, "{} examples", examples.len());
    for (path, source) in examples {
        let value = yaml::value(&source).unwrap_or_else(|| panic!("{} is no YAML", path.display()));
        assert_eq!(COMPILED.refusal(&value), None, "{}", path.display());
        let first = source.lines().next().unwrap_or_default();
        let named = first.strip_prefix("# yaml-language-server: $schema=");
        let named = named.unwrap_or_else(|| panic!("{} does not name it", path.display()));
        let schema = path.parent().expect("it is in a folder").join(named);
        assert_eq!(fs::read_to_string(schema).expect("it is there"), SCHEMA, "{}", path.display());
    }
}

#[test]
fn bad_definitions_are_refused_unless_no_schema_can_tell() {
    let mut refused = 0;
    let mut problems = Vec::new();
    for (name, source) in cases("bad-") {
        let Some(value) = yaml::value(&source) else { continue };
        refused += usize::from(COMPILED.refusal(&value).is_some());
        let found = check(&source).err().and_then(|_| disagreement(&value));
        problems.extend(found.map(|found| format!("{name}: {found}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(refused >= 25, "only {refused} are refused");
}

/// The places of everything in `value`.
fn places(value: &Value, place: &str, into: &mut Vec<String>) {
    into.push(place.to_owned());
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(number, value)| (number.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (key, value) in inner {
        places(value, &format!("{place}/{key}"), into);
    }
}

#[test]
fn schema_and_reader_agree_on_every_value_in_every_place() {
    let full = full();
    assert_eq!((check(&full.to_string()).err(), COMPILED.refusal(&full)), (None, None));
    let mut all = Vec::new();
    places(&full, "", &mut all);
    let mut problems = Vec::new();
    for place in &all {
        for value in values() {
            let mut changed = full.clone();
            *changed.pointer_mut(place).expect("the place is there") = value.clone();
            problems
                .extend(disagreement(&changed).map(|found| format!("{place} = {value}: {found}")));
        }
    }
    assert!(problems.is_empty(), "{} times:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn schema_and_reader_agree_on_every_name_of_a_key() {
    let full = full();
    let mut all = Vec::new();
    places(&full, "", &mut all);
    let mut problems = Vec::new();
    for (map, key) in all.iter().filter_map(|place| place.rsplit_once('/')) {
        for name in texts().into_iter().map(Some).chain([None]) {
            let mut changed = full.clone();
            let Some(Value::Object(entries)) = changed.pointer_mut(map) else { continue };
            let value = entries.remove(key).expect("the key is there");
            entries.extend(name.clone().map(|name| (name, value)));
            let found = disagreement(&changed);
            problems.extend(found.map(|found| format!("{map}: {key} to {name:?}: {found}")));
        }
    }
    assert!(problems.is_empty(), "{} times:\n{}", problems.len(), problems.join("\n"));
}

/// The keys that the reader says it knows, when it meets one in `definition` that
/// it does not know.
fn known_keys(definition: &Value) -> BTreeSet<String> {
    let problems = check(&definition.to_string()).expect_err("it has an unknown key");
    let known = problems.iter().find_map(|problem| {
        let (_, remedy) = problem.split_once("unknown key \"qqqqqqqq\"; ")?;
        remedy.split_once(" has ").map(|(_, keys)| keys)
    });
    known.expect("the keys are listed").split(", ").map(str::to_owned).collect()
}

#[test]
fn both_know_the_same_keys() {
    let maps = [
        ("", ""),
        ("/params/p", "/$defs/param"),
        ("/steps/1", "/$defs/step"),
        ("/triggers/0", "/$defs/trigger"),
        ("/triggers/2", "/$defs/signalTrigger"),
        ("/triggers/2/signal", "/$defs/signalSingle"),
        ("/triggers/3/signals/0", "/$defs/signalPart"),
        ("/run_strategy", "/$defs/runStrategy"),
        ("/steps/1/retry", "/$defs/retry"),
        ("/steps/1/retry/backoff", "/$defs/backoff"),
        ("/steps/1/limits", "/$defs/limits"),
        ("/steps/1/grants", "/$defs/grants"),
        ("/steps/5/wait", "/$defs/wait"),
        ("/steps/1/signals/0", "/$defs/signalOutput"),
    ];
    for (place, part) in maps {
        let mut definition = full();
        let map = definition.pointer_mut(place).and_then(Value::as_object_mut);
        map.expect("it is a map").insert("qqqqqqqq".to_owned(), json!(1));
        let part = SCHEMA_JSON.pointer(part).expect("the schema has this part");
        assert_eq!(part["additionalProperties"], false, "{place}");
        let properties = part["properties"].as_object().expect("it has keys");
        let keys: BTreeSet<_> = properties.keys().cloned().collect();
        assert_eq!(keys, known_keys(&definition), "{place}");
    }
}

#[test]
fn both_have_the_same_defaults() {
    let default = |pointer: &str| {
        SCHEMA_JSON.pointer(&format!("/$defs/{pointer}/default")).expect("it has a default").clone()
    };
    let mut definition = full();
    let retry = &mut definition["steps"][1]["retry"];
    for key in ["user", "platform", "timeout"] {
        retry[key] = default(&format!("retry/properties/{key}"));
    }
    for key in ["initial", "factor", "max", "jitter"] {
        retry["backoff"][key] = default(&format!("backoff/properties/{key}"));
    }
    let workflow = check(&definition.to_string()).expect("defaults are allowed");
    assert_eq!(workflow.body.steps[1].retry.fixed, Retry::default());
    assert_eq!(default("foreach/properties/concurrency"), json!(CONCURRENCY_DEFAULT));
    assert_eq!(default("while/properties/max_iterations"), json!(MAX_ITERATIONS_DEFAULT));
}

/// The properties that the schema describes, with the pointers to them. What
/// only narrows them under a condition is left out.
fn described<'s>(part: &'s Value, pointer: &str, into: &mut Vec<(String, &'s Value)>) {
    for (word, inner) in part.as_object().into_iter().flatten() {
        if ["if", "then", "else", "anyOf", "allOf"].contains(&word.as_str()) {
            continue;
        }
        let pointer = format!("{pointer}/{word}");
        if word == "properties" {
            let properties = inner.as_object().expect("properties have names");
            into.extend(properties.iter().map(|(key, it)| (format!("{pointer}/{key}"), it)));
        }
        described(inner, &pointer, into);
    }
}

#[test]
fn every_key_is_described_and_its_defaults_and_examples_fit() {
    let mut properties = Vec::new();
    described(&SCHEMA_JSON, "", &mut properties);
    assert!(properties.len() >= 70, "{} properties", properties.len());
    for (pointer, property) in properties {
        assert!(property["description"].is_string(), "{pointer} has no description");
        let compiled = compile(&pointer.replace('$', "%24"));
        let examples = property["examples"].as_array().into_iter().flatten();
        for value in examples.chain(property.get("default")) {
            assert_eq!(compiled.refusal(value), None, "{pointer}");
        }
    }
}

#[test]
fn keys_are_described_in_the_words_of_the_readme() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("it is there");
    let (_, table) = readme.split_once("| key | what it says |\n|---|---|\n").expect("the table");
    let rows = table.lines().map_while(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let rows: Vec<_> = rows.filter_map(|row| row.split_once("` | ")).collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for (key, words) in rows {
        let places = [format!("/properties/{key}"), format!("/$defs/step/properties/{key}")];
        let described = places.iter().filter_map(|place| SCHEMA_JSON.pointer(place));
        let described: Vec<_> = described.map(|property| &property["description"]).collect();
        assert!(described.iter().any(|it| **it == words), "{key}: {words}\n{described:?}");
    }
}
