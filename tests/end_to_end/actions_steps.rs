//! What somebody does with one step of a run, also inside of loops.

use crate::actions::{ask, post, server};
use crate::server::{Server, text};
use serde_json::{Value, json};

/// Two iterations that wait, and a step after them.
const LOOP: &str = "workflow: looped\nsteps:\n  - id: each\n    foreach: { n: \"${[1, 2]}\" }\n    steps: [{ id: gate, wait: { signal: go, match: { n: \"${loop.n}\" } } }]\n  - { id: last, needs: [each], noop: true }\n";

/// One step that waits, and one after it.
const GATE: &str = "workflow: gated\nsteps:\n  - { id: gate, wait: { signal: go } }\n  - { id: last, needs: [gate], noop: true }\n";

fn gated(server: &Server) -> String {
    let run = server.start_run("gated", json!({}));
    server.event(&run, |event| event["type"] == "wait_started");
    run
}

#[test]
fn each_action_has_its_end() {
    let server = server(GATE);
    for (action, step, run_status, last) in [
        ("cancel", "cancelled", "cancelled", "pending"),
        ("kill", "failed", "failed", "pending"),
        ("skip", "skipped", "succeeded", "succeeded"),
        ("bypass", "succeeded", "succeeded", "succeeded"),
    ] {
        let run = gated(&server);
        let (status, shown) = post(&server, &format!("runs/{run}/steps/gate/{action}"));
        assert_eq!((status, &shown["status"]), (202, &json!(step)), "{action}: {shown}");
        let ended = server.end_of(&run);
        let statuses = (&ended["status"], &ended["steps"][1]["status"]);
        assert_eq!(statuses, (&json!(run_status), &json!(last)), "{action}: {ended}");
        let told = server.get(&format!("runs/{run}/timeline?step=gate"));
        let by = |entry: &Value| entry["by"] == "ada";
        assert!(told["items"].as_array().expect("a list").iter().any(by), "{action}: {told}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let server = server(GATE);
    let run = gated(&server);
    let (status, problem) = post(&server, &format!("runs/{run}/steps/gate/resume"));
    assert_eq!((status, &problem["code"]), (409, &json!("not_allowed")));
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("bypass, cancel, kill, skip"), "{detail}");
    assert_eq!(post(&server, &format!("runs/{run}/steps/gaet/skip")).0, 404);
    assert_eq!(post(&server, &format!("runs/{run}/steps/gate/stop")).0, 404);
    assert_eq!(post(&server, "runs/gated#9/steps/gate/skip").0, 404);
    let shown = server.get(&format!("runs/{run}"));
    assert_eq!(shown["steps"][0]["allowed"], json!(["bypass", "cancel", "kill", "skip"]));
}

#[test]
fn a_path_leads_into_an_iteration() {
    let server = server(LOOP);
    let run = server.start_run("looped", json!({}));
    server.event(&run, |event| event["type"] == "iterations_started");
    let (status, shown) = post(&server, &format!("runs/{run}/steps/each[0].gate/bypass"));
    assert_eq!((status, &shown["output"]["bypassed_by"]), (202, &json!("ada")), "{shown}");
    let output = server.segno(&["--user", "bob", "run", "skip", "looped#1", "each[1].gate"]);
    assert_eq!(text(&output.stdout), "skipped step each[1].gate of looped#1\n");
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    let (_, gate) = ask(&server, "GET", &format!("runs/{run}/steps/each[1].gate"), &json!({}));
    assert_eq!((&gate["status"], &gate["reason"]), (&json!("skipped"), &json!("by:bob")));
    let (status, problem) = post(&server, &format!("runs/{run}/steps/each.gate/skip"));
    let detail = problem["detail"].as_str().expect("a text");
    assert!(status == 404 && detail.contains("each[0]"), "{detail}");
}

#[test]
fn a_path_ends_at_an_iteration_for_a_retry() {
    let server = server(LOOP);
    let run = server.start_run("looped", json!({}));
    server.event(&run, |event| event["type"] == "iterations_started");
    post(&server, &format!("runs/{run}/steps/each[0].gate/bypass"));
    post(&server, &format!("runs/{run}/steps/each[1].gate/kill"));
    assert_eq!(server.end_of(&run)["status"], "failed");
    let refused = |path: &str, part: &str| {
        let body = json!({ "step": path });
        let (status, problem) = ask(&server, "POST", &format!("runs/{run}/retry"), &body);
        let detail = problem["detail"].as_str().expect("a text");
        assert!(status == 404 && detail.contains(part), "{detail}");
    };
    refused("each[7]", "each has 2 iterations, each[0] to each[1]");
    refused("each[7].gate", "each has 2 iterations");
    refused("last[0]", "last is no loop");
    refused("last.gate", "last has no steps inside");
    let (status, problem) = post(&server, &format!("runs/{run}/steps/each[1]/skip"));
    let detail = problem["detail"].as_str().expect("a text");
    assert!(status == 404 && detail.contains("as in each[1].load"), "{detail}");
    let (status, goes_on) = post(&server, &format!("runs/{run}/steps/each[1]/retry"));
    assert_eq!((status, &goes_on["retries"]), (202, &json!(1)), "{goes_on}");
    server.event(&run, |event| event["type"] == "iteration_retried");
    let (status, problem) = post(&server, &format!("runs/{run}/steps/each[1]/retry"));
    let detail = problem["detail"].as_str().expect("a text");
    let said = "iteration 1 of step `each` is running, and retry does nothing there";
    assert!(status == 409 && detail.contains(said), "{detail}");
    // One that succeeded runs again, from its beginning.
    let (status, _) = post(&server, &format!("runs/{run}/steps/each[0]/retry"));
    assert_eq!(status, 202);
    for index in [0, 1] {
        let (status, shown) = post(&server, &format!("runs/{run}/steps/each[{index}].gate/bypass"));
        assert_eq!(status, 202, "{shown}");
    }
    assert_eq!(server.end_of(&run)["status"], "succeeded");
}

#[test]
fn a_path_into_a_subworkflow_names_its_run() {
    let server = server(GATE);
    server.apply("workflow: outer\nsteps: [{ id: sub, workflow: gated }]\n");
    let outer = server.start_run("outer", json!({}));
    let started = server.event(&outer, |event| event["type"] == "subworkflow_started");
    let child = started["run"].as_str().expect("it has a run");
    let (status, problem) = post(&server, &format!("runs/{outer}/steps/sub.gate/skip"));
    let detail = problem["detail"].as_str().expect("a text");
    let way = format!("it runs workflow gated as {child}; name that run");
    assert!(status == 404 && detail.contains(&way), "{detail}");
}

#[test]
fn a_step_goes_past_its_breakpoint() {
    let server = server(GATE);
    server.json(&["breakpoint", "set", "gated", "last"]);
    let run = gated(&server);
    post(&server, &format!("runs/{run}/steps/gate/bypass"));
    server.event(&run, |event| event["type"] == "step_paused");
    let shown = server.get(&format!("runs/{run}"));
    let last = &shown["steps"][1];
    assert_eq!((&last["status"], &last["reason"]), (&json!("paused"), &json!("breakpoint")));
    let output = server.segno(&["run", "get", &run]);
    assert!(text(&output.stdout).contains("segno run resume gated#1 --step last"));
    server.json(&["run", "resume", &run, "--step", "last"]);
    assert_eq!(server.end_of(&run)["status"], "succeeded");
}

#[test]
fn a_step_of_a_run_that_is_over_is_retried_or_skipped() {
    let server = server(GATE);
    let run = gated(&server);
    post(&server, &format!("runs/{run}/steps/gate/kill"));
    assert_eq!(server.end_of(&run)["status"], "failed");
    let (status, goes_on) = post(&server, &format!("runs/{run}/steps/gate/retry"));
    assert_eq!((status, &goes_on["retries"]), (202, &json!(1)), "{goes_on}");
    // The second time that it waits.
    let mut waits = server.events(&run).filter(|event| event["type"] == "wait_started");
    assert!(waits.nth(1).is_some());
    post(&server, &format!("runs/{run}/steps/gate/kill"));
    assert_eq!(server.end_of(&run)["status"], "failed");
    assert_eq!(post(&server, &format!("runs/{run}/steps/gate/skip")).0, 202);
    let ended = server.end_of(&run);
    assert_eq!((&ended["status"], &ended["retries"]), (&json!("succeeded"), &json!(2)));
}
