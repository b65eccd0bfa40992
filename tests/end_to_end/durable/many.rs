//! Many that wait: iterations of a loop, and more steps than there are slots.

use super::{PROBE, output, put_away};
use crate::server::Server;
use serde_json::{Value, json};

const LOOP: &str = r#"
workflow: loop
steps:
  - id: each
    foreach: { item: "${[1, 2, 3]}", concurrency: 3 }
    steps:
      - id: probe
        component: probe@1
        params:
          calls:
            - log: "${'waits ' + string(loop.item)}"
            - wait: { name: go, match: { n: "${loop.item}" } }
            - log: "${'goes on ' + string(loop.item)}"
output: "${steps.each.output}"
"#;

/// How long a guest that waits stays in memory, if nobody needs its place.
const GRACE_MS: f64 = 1_000.0;

/// A server with the example `probe` and two workflows for it.
fn probing(options: &[&str]) -> Server {
    let server = Server::start_with(options);
    server.push("probe", "probe@1.0.0");
    server.apply(LOOP);
    server.apply(PROBE);
    server
}

/// The runs of the iterations, once all of them wait and have left memory.
fn iterations(server: &Server, run: &str) -> Vec<String> {
    server.event(run, |event| event["type"] == "iterations_started");
    let page = server.get(&format!("runs/{run}/steps/each/iterations"));
    let items = page["items"].as_array().expect("a list").iter();
    let runs: Vec<_> = items.map(|item| item["run"].as_str().expect("a text").to_owned()).collect();
    for run in &runs {
        put_away(server, run, 1);
    }
    runs
}

fn go(server: &Server, number: u32) {
    let body =
        json!({ "name": "go", "params": { "n": number }, "payload": format!("went {number}") });
    server.post("signals", &body);
}

#[test]
fn iterations_wait_for_themselves() {
    let server = probing(&[]);
    let run = server.start_run("loop", json!({}));
    let runs = iterations(&server, &run);
    assert_eq!(runs.len(), 3);
    let server = server.kill_and_restart();
    go(&server, 2);
    assert_eq!(server.end_of(&runs[1])["status"], "succeeded");
    for other in [&runs[0], &runs[2]] {
        let step = &server.get(&format!("runs/{other}"))["steps"][0];
        assert_eq!((&step["status"], &step["reason"]), (&json!("suspended"), &json!("signal:go")));
    }
    let server = server.kill_and_restart();
    go(&server, 1);
    go(&server, 3);
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let given: Vec<_> = ended["output"].as_array().unwrap().iter().map(Value::to_string).collect();
    for (place, given) in given.iter().enumerate() {
        assert!(given.contains(&format!("\"went {}\"", place + 1)), "{given}");
    }
    let mut lines = super::log(&server, &run);
    lines.sort();
    let wanted = ["goes on 1", "goes on 2", "goes on 3", "waits 1", "waits 2", "waits 3"];
    assert_eq!(lines, wanted);
}

#[test]
fn iterations_that_wait_are_cancelled_with_their_run() {
    let server = probing(&[]);
    let run = server.start_run("loop", json!({}));
    let runs = iterations(&server, &run);
    let server = server.kill_and_restart();
    go(&server, 3);
    assert_eq!(server.end_of(&runs[2])["status"], "succeeded");
    server.json(&["run", "cancel", &run]);
    assert_eq!(server.end_of(&run)["status"], "cancelled");
    for (place, wanted) in ["cancelled", "cancelled", "succeeded"].into_iter().enumerate() {
        assert_eq!(server.end_of(&runs[place])["status"], wanted);
    }
}

#[test]
fn whoever_waits_holds_no_slot() {
    let server = probing(&["--slots", "1"]);
    let calls = json!([{ "wait": { "name": "go" } }, { "sleep": "100ms" }, { "random": null }]);
    let start = || server.start_run("probe", json!({ "calls": calls }));
    let runs: Vec<_> = (0..30).map(|_| start()).collect();
    for run in &runs {
        let step = put_away(&server, run, 1);
        // The next one needs its place: it does not stay for the moment that a
        // guest may wait in memory.
        assert!(step["usage"]["wall_ms"].as_f64() < Some(GRACE_MS), "{step}");
    }
    let quick = server.start_run("probe", json!({ "calls": [{ "now": null }] }));
    assert_eq!(server.end_of(&quick)["status"], "succeeded");
    go(&server, 1);
    for run in &runs {
        assert_eq!(server.end_of(run)["status"], "succeeded");
        assert_eq!(output(&server, run, "probe")["gave"][0], "went 1");
    }
}
