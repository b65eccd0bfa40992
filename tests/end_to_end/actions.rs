//! What somebody does with a whole run: pauses, stops, takes it up again, makes
//! another of it. Over HTTP, with steps that need no component.

use crate::server::Server;
use serde_json::{Value, json};

/// A run that waits at `gate` for the signal `go`.
const GATED: &str = "workflow: gated\nsteps:\n  - { id: load, noop: true }\n  - { id: gate, needs: [load], wait: { signal: go } }\n  - { id: report, needs: [gate], noop: true }\n";

/// The status and the body of a request of `ada`.
pub fn ask(server: &Server, method: &str, path: &str, body: &Value) -> (u16, Value) {
    ask_with(server, (method, path), body, ("x-none", "x"))
}

/// The same with one more header.
pub fn ask_with(
    server: &Server,
    (method, path): (&str, &str),
    body: &Value,
    (header, value): (&str, &str),
) -> (u16, Value) {
    let path = path.replace('#', "%23").replace('[', "%5B").replace(']', "%5D");
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}/v1/tenants/default/{path}", server.url))
        .header("content-type", "application/json")
        .header("x-segno-user", "ada")
        .header(header, value);
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer =
        agent.run(request.body(body.to_string()).expect("a request")).expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_json().expect("answers are JSON"))
}

/// What a POST without a body answers.
pub fn post(server: &Server, path: &str) -> (u16, Value) {
    ask(server, "POST", path, &json!({}))
}

/// A server with this definition.
pub fn server(definition: &str) -> Server {
    let server = Server::start();
    server.apply(definition);
    server
}

/// A run of `gated` that has come to its gate.
pub fn at_the_gate(server: &Server) -> String {
    let run = server.start_run("gated", json!({}));
    server.event(&run, |event| event["type"] == "wait_started");
    run
}

fn signal(server: &Server) {
    server.json(&["signal", "publish", "go"]);
}

#[test]
fn a_paused_run_starts_nothing_until_it_is_resumed() {
    let server = server(GATED);
    let run = at_the_gate(&server);
    let (status, paused) = post(&server, &format!("runs/{run}/pause"));
    assert_eq!((status, &paused["status"], &paused["by"]), (202, &json!("paused"), &json!("ada")));
    assert_eq!(paused["allowed"], json!(["resume", "cancel", "kill"]));
    signal(&server);
    server.event(&run, |event| event["type"] == "step_succeeded" && event["step"] == "gate");
    let server = server.kill_and_restart();
    let shown = server.get(&format!("runs/{run}"));
    assert_eq!((&shown["status"], &shown["by"]), (&json!("paused"), &json!("ada")));
    assert_eq!(shown["steps"][2]["status"], "pending");
    assert_eq!(post(&server, &format!("runs/{run}/resume")).0, 202);
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    let (status, problem) = post(&server, &format!("runs/{run}/pause"));
    assert_eq!((status, &problem["code"]), (409, &json!("not_allowed")));
}

#[test]
fn a_stopped_run_says_who_stopped_it() {
    let server = server(GATED);
    for (verb, status) in [("cancel", "cancelled"), ("kill", "failed")] {
        let run = at_the_gate(&server);
        assert_eq!(post(&server, &format!("runs/{run}/{verb}")).0, 202);
        let ended = server.end_of(&run);
        assert_eq!((&ended["status"], &ended["by"]), (&json!(status), &json!("ada")), "{ended}");
        assert_eq!(ended["steps"][1]["status"], "cancelled");
    }
}

#[test]
fn a_retry_goes_on_with_other_params_and_keeps_what_is_complete() {
    let server = server(
        "workflow: fussy\nparams: { list: { type: json } }\nsteps:\n  - { id: load, noop: true }\n  - id: each\n    needs: [load]\n    foreach: { n: \"${params.list}\" }\n    steps: [{ id: inner, noop: true }]\n",
    );
    let run = server.start_run("fussy", json!({ "list": 7 }));
    let failed = server.end_of(&run);
    assert_eq!(
        (&failed["status"], &failed["steps"][0]["status"]),
        (&json!("failed"), &json!("succeeded"))
    );
    assert_eq!(failed["allowed"], json!(["retry", "fork"]), "nobody waits for it");
    let body = json!({ "params": { "list": [1, 2] } });
    let (status, goes_on) = ask(&server, "POST", "runs/fussy#1/retry", &body);
    assert_eq!((status, &goes_on["run"]), (202, &json!(run)), "{goes_on}");
    let ended = server.end_of(&run);
    assert_eq!((&ended["status"], &ended["retries"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(ended["params"][0]["source"], "retry");
    assert_eq!(ended["steps"][1]["iterations"]["succeeded"], 2);
    // Whoever watches sees the failure, and what came after it.
    let kinds: Vec<_> = server.events(&run).map(|event| event["type"].clone()).collect();
    let place = |kind: &str| kinds.iter().position(|known| known == kind).expect("it happened");
    assert!(place("run_failed") < place("run_retried"));
    assert_eq!(kinds.last(), Some(&json!("run_succeeded")));
    let loads = server
        .events(&run)
        .filter(|event| event["step"] == "load" && event["type"] == "step_started");
    assert_eq!(loads.count(), 1, "what is complete is kept");
    // A run that has succeeded goes on only from a step.
    assert_eq!(post(&server, &format!("runs/{run}/retry")).0, 409);
    let (status, _) =
        ask(&server, "POST", &format!("runs/{run}/retry"), &json!({ "step": "load" }));
    assert_eq!(status, 202);
    assert_eq!(server.end_of(&run)["retries"], 2);
}

#[test]
fn a_fork_is_another_run_that_takes_over_what_came_before() {
    let server = server(GATED);
    let run = at_the_gate(&server);
    let body = json!({ "from": "gate" });
    let path = format!("runs/{run}/fork");
    let fork = || ask_with(&server, ("POST", &path), &body, ("idempotency-key", "once"));
    let (status, made) = fork();
    assert_eq!((status, &made["number"]), (201, &json!(2)), "{made}");
    let cause = json!({ "kind": "fork", "by": "ada", "run": run, "step": "gate" });
    assert_eq!(made["cause"], cause);
    assert!(
        made["steps"][0]["status"] == "succeeded" && made["steps"][0].get("started_at").is_none()
    );
    let (status, again) = fork();
    assert_eq!((status, &again["run"]), (200, &made["run"]));
    let (status, problem) = ask(&server, "POST", &path, &json!({ "from": "gaet" }));
    assert_eq!((status, &problem["code"]), (404, &json!("step_not_found")));
    signal(&server);
    assert_eq!(server.end_of("gated%232")["status"], "succeeded");
    assert_eq!(server.end_of("gated%231")["status"], "succeeded", "the other goes its own way");
}

#[test]
fn a_failed_run_blocks_the_next_until_it_is_unblocked() {
    let server = server(&GATED.replace("steps:", "run_strategy: strict_sequential\nsteps:"));
    let first = at_the_gate(&server);
    let second = server.start_run("gated", json!({}));
    let queued = server.get(&format!("runs/{second}"));
    let reason = json!(format!("run_strategy:{first}"));
    assert_eq!((&queued["status"], &queued["reason"]), (&json!("queued"), &reason));
    post(&server, &format!("runs/{first}/kill"));
    let blocks = json!(["retry", "fork", "unblock"]);
    assert_eq!(server.end_of(&first)["allowed"], blocks);
    let queued = server.get(&format!("runs/{second}"));
    assert_eq!(queued["reason"], json!(format!("blocked:{first}")), "{queued}");
    assert_eq!(server.get("runs")["items"][0]["reason"], queued["reason"], "the list says so, too");
    let (status, unblocked) = post(&server, "workflows/gated/unblock");
    assert_eq!((status, unblocked), (202, json!({ "runs": [first] })));
    server.event(&second, |event| event["type"] == "wait_started");
    assert_eq!(server.get(&format!("runs/{first}"))["allowed"], json!(["retry", "fork"]));
    assert_eq!(post(&server, "workflows/gated/unblock").1, json!({ "runs": [] }));
    assert_eq!(post(&server, &format!("runs/{second}/unblock")).0, 409);
    post(&server, &format!("runs/{second}/kill"));
    server.end_of(&second);
    let third = server.start_run("gated", json!({}));
    assert_eq!(post(&server, &format!("runs/{second}/unblock")).0, 202);
    server.event(&third, |event| event["type"] == "wait_started");
}

#[test]
fn a_retried_subworkflow_goes_on_with_the_run_that_waits_for_it() {
    let server = server(GATED);
    server.apply("workflow: outer\nsteps: [{ id: inner, workflow: gated }, { id: last, needs: [inner], noop: true }]\n");
    let outer = server.start_run("outer", json!({}));
    let started = server.event(&outer, |event| event["type"] == "subworkflow_started");
    let child = started["run"].as_str().expect("it has a run").to_owned();
    server.event("gated%231", |event| event["type"] == "wait_started");
    let shown = server.get(&format!("runs/{outer}"));
    let expected = json!({ "run": child, "workflow": "gated", "number": 1, "status": "running" });
    assert_eq!(shown["steps"][0]["child"], expected);
    let cause = json!({ "kind": "step", "run": outer, "step": "inner" });
    assert_eq!(server.get(&format!("runs/{child}"))["cause"], cause);
    post(&server, &format!("runs/{child}/kill"));
    assert_eq!(server.end_of(&outer)["status"], "failed");
    signal(&server);
    let (status, goes_on) = post(&server, &format!("runs/{child}/retry"));
    assert_eq!((status, &goes_on["run"]), (202, &json!(outer)), "{goes_on}");
    assert_eq!(server.end_of(&outer)["status"], "succeeded");
    assert_eq!(server.end_of(&child)["status"], "succeeded");
}
