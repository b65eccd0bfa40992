//! The example `probe`, with every kind of durable call in one step: values, a
//! run below, signals to the run in a queue, a signal of its own, a one-time URL.

use super::mortal::Mortal;
use super::{COMMIT, Sweep, check_events, effects};
use crate::durable::service::Service;
use serde_json::{Value, json};

/// The run, and the one that it starts.
pub const WORKFLOWS: [&str; 2] = [
    r#"
workflow: above
params: { calls: { type: list<json> } }
steps:
  - id: probe
    component: probe@1
    params: { calls: "${params.calls}" }
    grants: { http: ["http://127.0.0.1:*"], signals: [done] }
    signals: [{ name: over, params: { calls: "${size(self.output.gave)}" } }, { name: over }]
"#,
    r#"
workflow: below
params: { calls: { type: list<json> } }
steps:
  - id: probe
    component: probe@1
    params: { calls: "${params.calls}" }
    grants: { http: ["http://127.0.0.1:*"] }
output: "${steps.probe.output.gave}"
"#,
];

const POINTS: [&str; 9] = [
    "alarm fires",
    "child ordered",
    "child reports",
    "guest goes on",
    "run signal is answered",
    "run signal ordered",
    "signal of a step is ordered",
    "step is about to publish",
    "url is answered",
];

#[test]
fn calls_are_made_once_wherever_the_host_is_killed() {
    Sweep { grace: "1h", again: &[], late_at: &[], points: &POINTS, play }.run();
}

#[test]
fn calls_of_a_step_that_leaves_memory_are_made_once_wherever_the_host_is_killed() {
    Sweep { grace: "0s", again: &[], late_at: &[], points: &POINTS, play }.run();
}

#[test]
fn no_call_leaves_the_host_before_the_disk_has_it() {
    Sweep { grace: "0s", again: &[], late_at: &[COMMIT], points: &[COMMIT], play }.run();
}

fn play(mortal: &mut Mortal, service: &Service) {
    let post = |path: &str| json!({ "post": { "url": format!("{}{path}", service.url()) } });
    let below = json!({ "calls": [{ "log": "below" }, { "sleep": "30ms" }, post("/below")] });
    let go = json!({ "answer": "go" });
    let calls = json!([
        { "log": "begins" }, { "memo": "drawn" }, { "set": ["k", [1, 2]] }, post("/above"),
        { "start": { "workflow": "below", "params": below } }, go, go, go,
        { "publish": { "name": "done", "payload": 8 } }, { "wait": { "name": "done" } },
        { "sleep": "30ms" }, { "join": 4 }, { "get": "k" }, { "url": "approve" },
        { "answer": "approve" }, { "log": "ends" },
    ]);
    let start = json!({ "workflow": "above", "params": { "calls": calls } });
    let started = mortal.post("runs", "start", &start);
    let run = started["run"].as_str().expect("a run has an identifier").to_owned();
    mortal.until(service, &run, |view| view["steps"][0]["reason"] == "signal:go");
    for number in 1..=3 {
        let body = json!({ "name": "go", "payload": number });
        let sent = mortal.post(&format!("runs/{run}/signals"), &format!("go-{number}"), &body);
        assert_eq!(sent["sequence"], number, "signals to a run are in one order");
    }
    mortal.until(service, &run, |view| view["steps"][0]["reason"] == "signal:approve");
    let log = mortal.log(&run);
    let url = log.last().expect("the URL is in the log");
    let token = &url[url.find("/v1/waitpoints/").expect("it is a URL")..];
    let decision = json!({ "approved": true });
    let (status, answer) = mortal.ask(token, Some((&decision, "")));
    // Whoever did not hear that the answer was taken is told that it was.
    let was_taken = status == 200 || (status == 410 && !mortal.deaths().is_empty());
    assert!(was_taken, "{status}: {answer}");
    let ended = mortal.until(service, &run, |view| view.get("ended_at").is_some());
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["steps"][0]["attempt"], 1, "a kill is no failure of the step");
    let (status, answer) = mortal.ask(token, Some((&json!({ "approved": false }), "")));
    assert_eq!(status, 410, "{answer}");
    judge(mortal, service, &run, url);
}

fn judge(mortal: &mut Mortal, service: &Service, run: &str, url: &str) {
    let output = mortal.get(&format!("runs/{run}/steps/probe"))["output"].clone();
    let gave = output["gave"].as_array().expect("a list");
    let child = gave[4].as_str().expect("a run has an identifier").to_owned();
    let drawn = gave[1].clone();
    let answer = |path: &str, number| json!({ "path": path, "number": number, "heard": "" });
    let expected = json!([
        null, drawn, null, answer("/above", 1), child, 1, 2, 3, 1, 8, null,
        [null, null, answer("/below", 2)], [1, 2], null, { "approved": true }, null,
    ]);
    assert_eq!(output["gave"], expected);
    assert!(drawn.is_u64(), "{drawn}");

    let done = effects(service, &[run, &child], mortal.deaths().len());
    let effect = |path: &str, place: &str| (path.to_owned(), place.to_owned(), Value::Null);
    assert_eq!(done, [effect("/above", "probe/2"), effect("/below", "probe/1")]);
    let lines = ["begins".to_owned(), format!("drawn: {drawn}"), url.to_owned(), "ends".to_owned()];
    assert_eq!(mortal.log(run), lines);
    assert_eq!(mortal.log(&child), ["below"]);

    let above = mortal.list("runs?workflow=above");
    let below = mortal.list("runs?workflow=below");
    assert_eq!((above.len(), below.len(), mortal.list("runs").len()), (1, 1, 2));
    assert_eq!((&above[0]["run"], &below[0]["run"]), (&json!(run), &json!(child)));
    assert_eq!(mortal.get(&format!("runs/{child}"))["parent"], run);
    let signals = mortal.list("signals/done");
    assert_eq!(signals.len(), 1, "{signals:?}");
    let id = signals[0]["id"].as_str().expect("a signal has an id");
    assert!(id.starts_with(&format!("{run}/probe/7/")), "{id}");
    let over = mortal.list("signals/over");
    let publisher = json!({ "kind": "step", "run": run, "step": "probe", "attempt": 1 });
    assert!(over.iter().all(|signal| signal["publisher"] == publisher), "{over:?}");
    let params: Vec<_> = over.iter().map(|signal| &signal["params"]).collect();
    assert_eq!(params, [&json!({ "calls": 16 }), &json!({})], "each is published once, in order");
    check_events(mortal, run);
    check_events(mortal, &child);
}
