//! The main job: components, a workflow and a run, as users do it, and numbers
//! that a reader with a spreadsheet gets too.

use crate::guests::{component, examples};
use crate::server::{Server, segno, text};
use serde_json::{Value, json};
use std::fs;

#[test]
fn hello_goes_through_the_command_line() {
    let server = Server::start();
    server.push("hello", "hello@1.0.0");
    let applied = server.json(&[
        "workflow",
        "apply",
        &examples().join("hello/workflow.yaml").to_string_lossy(),
    ]);
    assert_eq!(applied["version"], 1);
    let run = server.json(&["run", "exec", "hello", "--param", "name=Ada"]);
    assert_eq!(run["status"], "succeeded");
    assert!(run["output"].to_string().contains("Hello, Ada!"), "{run}");
    let logs = text(&server.segno(&["run", "logs", "hello#1"]).stdout);
    assert!(logs.contains("greeting Ada"), "{logs}");
}

#[test]
fn a_run_that_fails_is_not_a_success_for_the_shell() {
    let server = Server::start();
    server.push("hello", "hello@1.0.0");
    server.apply(
        "workflow: nobody\nsteps: [{ id: greet, component: hello, params: { name: ' ' } }]\n",
    );
    let output = server.segno(&["run", "exec", "nobody", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let run: Value = serde_json::from_slice(&output.stdout).expect("-o json prints JSON");
    assert_eq!(
        (run["status"].as_str(), run["failure"]["reason"].as_str()),
        (Some("failed"), Some("fatal"))
    );
}

#[test]
fn the_weather_of_seattle_is_summed_up_right() {
    let server = Server::start();
    for step in ["load", "aggregate", "report"] {
        server.push(&format!("weather/{step}"), &format!("weather/{step}@1.0.0"));
    }
    let weather = examples().join("weather");
    server.json(&["workflow", "apply", &weather.join("workflow.yaml").to_string_lossy()]);
    let csv = weather.join("data/seattle-weather.csv");
    let parameter = format!("csv=@{}", csv.display());
    let run = server.json(&["run", "exec", "seattle-report", "--param", &parameter]);
    assert_eq!(run["status"], "succeeded", "{run}");
    let step = server.get(&format!("runs/{}/steps/per-year", run["run"].as_str().expect("an id")));
    let years = step["output"].as_array().expect("a list");
    let expected = sums(&fs::read_to_string(&csv).expect("the data is there"));
    assert_eq!(years.len(), expected.len());
    for (year, (name, days, tenths)) in years.iter().zip(expected) {
        assert_eq!(year["year"].to_string(), name);
        assert_eq!(year["days"].as_u64(), Some(days));
        let total = year["precipitation_mm"].as_f64().expect("a number");
        assert_eq!((total * 10.0).round() as u64, tenths, "{year}");
    }
    let html = run["output"]["html"].as_str().expect("a page");
    assert!(html.contains("<svg") && html.contains("</html>"));
}

/// Year, days and tenths of a millimetre of precipitation, straight from the
/// file.
fn sums(csv: &str) -> Vec<(String, u64, u64)> {
    let mut years: Vec<(String, u64, u64)> = Vec::new();
    for line in csv.lines().skip(1) {
        let mut fields = line.split(',');
        let year = fields.next().and_then(|date| date.get(..4)).expect("a date").to_owned();
        let rain: f64 = fields.next().and_then(|rain| rain.parse().ok()).expect("a number");
        if years.last().is_none_or(|last| last.0 != year) {
            years.push((year, 0, 0));
        }
        let last = years.last_mut().expect("it was just added");
        last.1 += 1;
        last.2 += (rain * 10.0).round() as u64;
    }
    years
}

#[test]
fn asking_twice_with_one_key_starts_one_run() {
    let server = Server::start();
    server.push("noop", "noop@1.0.0");
    server.apply("workflow: same\nparams: { a: 1 }\nsteps: [{ id: s, component: noop, params: { a: '${params.a}' } }]\n");
    let url = format!("{}/v1/tenants/default/runs", server.url);
    let ask = |body: Value| {
        let answer = ureq::post(&url)
            .config()
            .http_status_as_error(false)
            .build()
            .header("Idempotency-Key", "k-1")
            .send_json(body);
        let mut answer = answer.expect("the server answers");
        let status = answer.status().as_u16();
        let body: Value = answer.body_mut().read_json().expect("answers are JSON");
        (status, body)
    };
    let (first, run) = ask(json!({ "workflow": "same" }));
    let (second, again) = ask(json!({ "workflow": "same" }));
    assert_eq!((first, second), (201, 200));
    assert_eq!(run["run"], again["run"]);
    let (other, problem) = ask(json!({ "workflow": "same", "params": { "a": 2 } }));
    assert_eq!((other, problem["code"].as_str()), (422, Some("idempotency_key_reused")));
}

#[test]
fn a_run_keeps_the_component_that_its_workflow_was_pushed_with() {
    let server = Server::start();
    server.push("noop", "stage@1.0.0");
    let definition =
        "workflow: pinned\nsteps: [{ id: s, component: stage@1, params: { name: Ada } }]\n";
    server.apply(definition);
    server.push("hello", "stage@1.1.0");
    let run = server.json(&["run", "exec", "pinned"]);
    assert_eq!(run["output"], json!({ "name": "Ada" }), "the old bytes return their input");
    assert_eq!(server.apply(definition)["version"], 2, "the same text now stands for other bytes");
    let run = server.json(&["run", "exec", "pinned"]);
    assert!(run["output"].to_string().contains("Hello, Ada!"), "{run}");
}

#[test]
fn a_version_of_a_component_never_changes() {
    let server = Server::start();
    server.push("noop", "stage@1.0.0");
    server.push("noop", "stage@1.0.0");
    let other = component("hello");
    let output = server.segno(&["component", "push", &other.to_string_lossy(), "stage@1.0.0"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("versions never change"), "{}", text(&output.stderr));
}

#[test]
fn tenants_do_not_see_each_other() {
    let server = Server::start();
    server.push("noop", "noop@1.0.0");
    server.apply("workflow: mine\nsteps: [{ id: s, component: noop }]\n");
    let run = server.json(&["run", "exec", "mine"])["run"].as_str().expect("an id").to_owned();
    for words in [vec!["component", "list"], vec!["workflow", "list"], vec!["run", "list"]] {
        let other = server.json(&[&["--tenant", "other"], words.as_slice()].concat());
        assert!(
            !other.to_string().contains("noop") && !other.to_string().contains("mine"),
            "{other}"
        );
    }
    let output = server.segno(&["--tenant", "other", "run", "get", &run]);
    assert!(!output.status.success());
}

#[test]
fn cancelling_ends_what_runs_inside() {
    let server = Server::start();
    server.push("hostile", "hostile@1.0.0");
    server.apply(
        "workflow: long\nsteps:\n  - id: all\n    foreach: { n: [1, 2, 3], concurrency: 2 }\n    steps:\n      - { id: spin, component: hostile, params: { case: spins }, limits: { cpu: 10m, wall: 10m } }\n",
    );
    let run = server.start_run("long", json!({}));
    server.json(&["run", "cancel", &run]);
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "cancelled", "{ended}");
    let again = server.segno(&["run", "cancel", &run]);
    assert!(again.status.success(), "it is so already: {}", text(&again.stderr));
    let late = server.segno(&["run", "pause", &run]);
    let said = text(&late.stderr);
    assert!(!late.status.success() && said.contains("use retry, fork"), "{said}");
}

#[test]
fn the_api_describes_itself() {
    let server = Server::start();
    let mut answer =
        ureq::get(format!("{}/openapi.json", server.url)).call().expect("it is served");
    let description: Value = answer.body_mut().read_json().expect("it is JSON");
    let paths = description["paths"].as_object().expect("paths");
    assert!(paths.contains_key("/v1/tenants/{tenant}/runs"), "{paths:?}");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        }
    }
}

#[test]
fn help_names_every_verb() {
    let help = text(&segno(&["--help"]).stdout);
    for verb in ["demo", "dev", "server", "component", "workflow", "run", "bench", "doctor"] {
        assert!(help.contains(verb), "{verb} is missing in {help}");
    }
}
