//! `segno component test`: scripts played against real components, without a
//! server and with time moved by hand.

use crate::guests::{component, examples};
use crate::server::{segno, text};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Output;
use tempfile::TempDir;

/// A script in a directory of its own.
struct Script {
    directory: TempDir,
}

impl Script {
    fn new(yaml: &str) -> Self {
        let script = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        std::fs::write(script.path(), yaml).expect("the directory is writable");
        script
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("test.yaml")
    }

    /// What the command line says to this script for one of the examples.
    fn play(&self, example: &str, more: &[&str]) -> Output {
        let (component, script) = (component(example), self.path());
        let words = ["component", "test", &component.to_string_lossy(), "--script"];
        let script = script.to_string_lossy();
        segno(&[&words[..], &[&script], more].concat())
    }

    /// The failures of the cases, in order; none for one that is ok.
    fn failures(&self, example: &str) -> Vec<Value> {
        let output = self.play(example, &["-o", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
        let cases = report["cases"].as_array().expect("a list of cases");
        let failed = cases.iter().filter(|case| case["ok"] == false).count();
        assert_eq!(report["failed"], failed);
        assert_eq!(output.status.code(), Some(i32::from(failed > 0)));
        cases.iter().map(|case| case["failure"].clone()).collect()
    }
}

fn word(failure: &Value, key: &str) -> String {
    failure[key].as_str().unwrap_or_else(|| panic!("no {key} in {failure}")).to_owned()
}

#[test]
fn the_examples_keep_what_their_scripts_say() {
    for (example, cases) in [("order-fulfilment", 4), ("approval", 3), ("drip", 3), ("saga", 4)] {
        let path = examples().join(example);
        let output = segno(&["component", "test", &path.to_string_lossy()]);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{said}{}", text(&output.stderr));
        assert_eq!(said.lines().filter(|line| line.starts_with("ok  ")).count(), cases, "{said}");
    }
}

/// Calls that the examples do not make: children, values, secrets, memos, a
/// continuation, and a try behind a wait.
const ALL_CALLS: &str = r#"
- case: children end when they say, and a failure of one is a value
  input: { calls: [{ start: { workflow: ship, params: { order: a1 } } }, { join: 0 },
                   { start: { workflow: ship } }, { try: { join: 2 } }] }
  children:
    ship: [{ output: { parcel: 7 }, takes: 2 hours }, { fails: { message: no parcel is left } }]
  steps:
    - suspended: { run: ship, left: 2h }
    - advance: 1h
    - suspended: { left: 1h }
    - started: [{ workflow: ship, params: { order: a1 } }]
    - advance: 1h
    - output: { gave: [run_child_1, { parcel: 7 }, run_child_2, { error: "run_child_2 has no output: no parcel is left" }],
                rounds: 1, attempt: 1 }
- case: values are read, written and removed
  input: { calls: [{ get: seen }, { set: [seen, 2] }, { unset: old }, { get-shared: rate }] }
  kv: { seen: 1, old: x }
  namespaces: { shared: { rate: 1.50 } }
  steps:
    - output: { gave: [1, null, null, 1.5], rounds: 1, attempt: 1 }
    - kv: { seen: 2, old: null }
- case: a secret is sent and never shown
  input: { calls: [{ post: { url: "http://127.0.0.1:7070/pay", body: 5, secret: PAY_KEY } }] }
  secrets: [PAY_KEY]
  http: [{ method: POST, url: "http://127.0.0.1:7070/pay", status: 200, json: paid }]
  steps:
    - output: { gave: [paid], rounds: 1, attempt: 1 }
    - requests: [{ json: 5, headers: { Authorization: "Bearer [secret PAY_KEY]" } }]
- case: rounds have journals of their own and signals are given once
  input: { calls: [{ wait: { name: go } }, { log: round }, { again: 3 }] }
  steps:
    - publish: { name: go, payload: 1 }
    - publish: { name: go, payload: 2 }
    - suspended: { signal: go }
    - logs: [round, round]
    - publish: { name: go, id: twice, payload: 3 }
    - publish: { name: go, id: twice, payload: 3 }
    - output: { gave: [3, null, null], rounds: 3, attempt: 1 }
- case: a try goes on behind the last wait that ended
  input: { calls: [{ answer: go }, { publish: { name: went, payload: 4 } }, { fail: no luck }] }
  steps:
    - suspended: { signal: go }
    - signal: { name: go, payload: 1 }
    - fails: { reason: user, message: no luck }
    - try_again
    - fails: { reason: user }
    - published: [{ name: went, payload: 4 }, went]
- case: a wait ends by itself and the clock shows it
  input: { calls: [{ wait: { name: go, timeout: 90m } }, { now: null }] }
  steps:
    - suspended: { signal: go, until: "2026-01-01T01:30:00Z" }
    - advance: 3 days
    - output: { gave: [null, 1767231000000], rounds: 1, attempt: 1 }
"#;

#[test]
fn every_kind_of_call_can_be_played() {
    let failures = Script::new(ALL_CALLS).failures("probe");
    assert!(failures.iter().all(Value::is_null), "{failures:#?}");
    assert_eq!(failures.len(), 6);
}

/// Each case fails in another way, but for one.
const FAILING: &str = r#"- case: the output is another
  input: { calls: [{ log: hello }] }
  steps:
    - logs: [hello]
    - output: { gave: [] }
- case: it waits for something else
  input: { calls: [{ sleep: 1h }] }
  steps:
    - suspended: { signal: paid }
- case: it never waits
  input: { calls: [] }
  steps:
    - suspended
- case: there was no such request
  input: { calls: [] }
  steps:
    - requests:
        - GET http://127.0.0.1:7070/
- case: a failure that nobody looks at
  input: { calls: [{ fatal: all is lost }] }
  steps:
    - logs: []
- case: nobody answers
  input: { calls: [{ post: { url: "http://127.0.0.1:7070/pay" } }] }
  steps:
    - advance: 1s
- case: a host that was not granted
  input: { calls: [{ post: { url: "http://127.0.0.1:7070/pay" } }] }
  grants: { http: [] }
  steps:
    - fails: { contains: "is not granted; add in the step of the workflow" }
- case: a run of which nothing is known
  input: { calls: [{ start: { workflow: ship } }] }
  steps:
    - output: {}
- case: the URL was not made
  input: { calls: [{ answer: go }] }
  steps:
    - post: { url: "https://segno.test/v1/waitpoints/1" }
"#;

#[test]
fn a_case_that_fails_shows_its_line_and_both_sides() {
    let script = Script::new(FAILING);
    let failures = script.failures("probe");
    for (place, line, expected, actual) in [
        (0, 5, r#"{"gave":[]}"#, r#"{"gave":[null],"rounds":1,"attempt":1}"#),
        (
            1,
            9,
            "it waits for the signal `paid`",
            "it waits for 1h (until 2026-01-01T01:00:00.000Z)",
        ),
        (2, 13, "it waits", r#"it returned {"gave":[],"rounds":1,"attempt":1}"#),
        (3, 17, r#"1 in all: [{"method":"GET","url":"http://127.0.0.1:7070/"}]"#, "0 in all: []"),
        (4, 22, "no failure that", "it failed for the reason fatal: all is lost"),
        (5, 26, "add `- { method: POST, url: \"http://127.0.0.1:7070/pay\"", "the script has none"),
        (7, 35, "add `ship: { output: {} }` to `children`", "the script knows no such runs"),
        (8, 39, "is a URL that the step made", "the step has made no URL"),
    ] {
        let failure = &failures[place];
        assert_eq!(failure["line"], line, "{failure}");
        assert!(word(failure, "expected").contains(expected), "{failure}");
        assert!(word(failure, "actual").contains(actual), "{failure}");
    }
    assert!(failures[6].is_null(), "{}", failures[6]);
    let output = script.play("probe", &[]);
    let said = text(&output.stdout);
    assert!(said.starts_with("FAILED  the output is another  "), "{said}");
    assert!(
        said.contains("test.yaml:5  output\n    expected  {\"gave\":[]}\n    actual  "),
        "{said}"
    );
    assert!(said.contains("\nok      a host that was not granted  "), "{said}");
    assert!(text(&output.stderr).contains("8 of 9 cases in "));
}

/// What a memo's work draws is not drawn again when the step is played again,
/// and whatever is drawn behind it is the same all the same.
#[test]
fn numbers_are_the_same_when_a_step_is_played_again() {
    let script = Script::new(
        r#"- case: drawn in a memo and behind it
  input: { calls: [{ memo: a }, { random: null }, { memo: b }, { random: null }] }
  steps:
    - logs: [{ level: info }, { level: info }]
- case: drawn before one
  input: { calls: [{ random: null }, { memo: a }, { set: [a, 1] }] }
  steps:
    - logs: [{ level: info }]
"#,
    );
    let failures = script.failures("probe");
    assert!(failures.iter().all(Value::is_null), "{failures:#?}");
}

#[test]
fn a_step_that_goes_otherwise_when_it_is_played_again_is_found() {
    let script = Script::new(
        r#"- case: it remembers that it was played before
  input: { case: wavers }
  steps:
    - advance: 1 hour
"#,
    );
    let [wavers] = &script.failures("hostile")[..] else { panic!("one case") };
    let said = word(wavers, "actual");
    assert!(said.starts_with("it failed for the reason nondeterminism: "), "{wavers}");
    assert!(said.contains("sleep(1200 ms)") && said.contains("sleep(1201 ms)"), "{wavers}");
}

#[test]
fn a_script_that_is_wrong_says_where_and_what_to_write() {
    let script = Script::new("- case: a\n  steps:\n    - advance: 3\n    - outputs: {}\n");
    let output = script.play("probe", &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("test.yaml:3:16: `advance` is 3; write a time such as 3 days"), "{said}");
    assert!(
        said.contains("test.yaml:4:7: `outputs` is no step; write one of suspended, "),
        "{said}"
    );
    assert!(said.contains("test.yaml has 2 problems"), "{said}");
    let output = script.play("probe", &["-o", "json"]);
    let problems: Value = serde_json::from_slice(&output.stdout).expect("-o json prints JSON");
    assert_eq!(problems["problems"][0]["line"], 3);
    let file = component("probe");
    let lacking = segno(&["component", "test", &file.to_string_lossy()]);
    assert!(text(&lacking.stderr).contains("--script test.yaml`"), "{}", text(&lacking.stderr));
    let wrong = Script::new("- case: a\n  steps: [suspended]\n");
    let path = wrong.path();
    let words = ["component", "test", &path.to_string_lossy(), "--script", &path.to_string_lossy()];
    let output = segno(&words);
    let said = text(&output.stderr);
    assert!(said.contains("a host would refuse this component: "), "{said}");
}
