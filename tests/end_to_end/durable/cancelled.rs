//! A run that is cancelled while its steps wait: nothing of them runs any more,
//! and what they started ends with them.

use super::service::Service;
use super::{PROBE, gave, log, probe, probing, publish, put_away};
use crate::server::{Server, text};
use serde_json::{Value, json};

/// What `segno run cancel` leaves behind at once.
fn cancel(server: &Server, run: &str) -> Value {
    let view = server.json(&["run", "cancel", run]);
    assert_eq!(
        (&view["status"], &view["steps"][0]["status"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    view
}

#[test]
fn a_step_that_waits_is_cancelled_at_once() {
    let service = Service::start();
    let server = probing(&service);
    let post = |path: &str| json!({ "post": { "url": format!("{}{path}", service.url()) } });
    let wait = json!({ "wait": { "name": "go" } });
    let calls =
        json!([post("/before"), { "log": "waits" }, wait, { "log": "goes on" }, post("/behind")]);
    // One whose guest is still in memory, one whose is not, and one from before
    // a kill.
    let old = probe(&server, calls.clone());
    put_away(&server, &old, 1);
    let server = server.kill_and_restart();
    cancel(&server, &old);
    let away = probe(&server, calls.clone());
    put_away(&server, &away, 1);
    cancel(&server, &away);
    let parked = probe(&server, calls.clone());
    server.event(&parked, |event| event["type"] == "attempt_suspended");
    let view = cancel(&server, &parked);
    assert!(view.get("ended_at").is_some(), "{view}");
    // Whatever the signal could set going would be before this one.
    let witness = probe(&server, json!([{ "wait": { "name": "go" } }, post("/witness")]));
    publish(&server, "go", json!({}), json!(null));
    gave(&server, &witness);
    assert_eq!(service.paths(), ["/before", "/before", "/before", "/witness"]);
    for run in [&old, &away, &parked] {
        assert_eq!(log(&server, run), ["waits"]);
        let again = server.segno(&["run", "cancel", run]);
        assert!(again.status.success(), "it is so already: {again:?}");
        let late = server.segno(&["run", "signal", run, "go"]);
        assert!(text(&late.stderr).contains("is over"), "{late:?}");
    }
}

#[test]
fn a_step_in_a_request_is_cancelled_too() {
    let service = Service::start();
    let server = probing(&service);
    service.keep_silent("/slow");
    let post = |path: &str| json!({ "post": { "url": format!("{}{path}", service.url()) } });
    let run = probe(&server, json!([post("/slow"), post("/behind")]));
    service.wait_for("/slow", 1);
    server.json(&["run", "cancel", &run]);
    assert_eq!(server.end_of(&run)["status"], "cancelled");
    service.speak();
    let server = server.kill_and_restart();
    gave(&server, &probe(&server, json!([post("/witness")])));
    assert_eq!(service.paths(), ["/slow", "/witness"]);
    assert_eq!(server.end_of(&run)["status"], "cancelled");
}

#[test]
fn cancelling_reaches_what_a_step_has_started() {
    let service = Service::start();
    let server = probing(&service);
    server.apply(&PROBE.replacen("workflow: probe", "workflow: below", 1));
    let below =
        |calls: Value| json!({ "start": { "workflow": "below", "params": { "calls": calls } } });
    let grandchild = below(json!([{ "answer": "never" }]));
    let calls = json!([
        below(json!([{ "sleep": "10 days" }])),
        below(json!([grandchild, { "join": 0 }])),
        { "join": 0 },
    ]);
    let run = probe(&server, calls);
    let step = put_away(&server, &run, 1);
    assert!(step["reason"].as_str().unwrap().starts_with("run:run_"), "{step}");
    let below =
        || -> Vec<Value> { server.get("runs?workflow=below")["items"].as_array().unwrap().clone() };
    for child in &below() {
        put_away(&server, child["run"].as_str().unwrap(), 1);
    }
    assert_eq!(below().len(), 3);
    let view = server.json(&["run", "cancel", &run]);
    assert_eq!(view["steps"][0]["status"], "cancelled", "{view}");
    assert_eq!(server.end_of(&run)["status"], "cancelled");
    for child in &below() {
        assert_eq!(server.end_of(child["run"].as_str().unwrap())["status"], "cancelled");
    }
}
