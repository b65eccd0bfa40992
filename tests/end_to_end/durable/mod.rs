//! Steps that wait, end to end: the examples as their READMEs tell, what users
//! see of a step that waits, and what holds when it is cancelled, tried again,
//! or when the host is killed meanwhile.

mod again;
mod calls;
mod cancelled;
mod cheats;
mod examples;
mod many;
mod outside;
mod reviewed;
pub mod service;
mod shown;

use crate::server::Server;
use serde_json::{Value, json};
use service::Service;

/// The example `probe` makes the calls that its input lists. Its own workflow,
/// with less time between attempts.
const PROBE: &str = r#"
workflow: probe
params: { calls: { type: list<json> } }
steps:
  - id: probe
    component: probe@1
    params: { calls: "${params.calls}" }
    grants: { http: ["http://127.0.0.1:*"], secrets: [PAY_KEY] }
    retry: { user: 2, platform: 0, timeout: 0, backoff: { initial: 10ms, factor: 1, max: 10ms } }
"#;

/// A server that lets steps reach the service.
fn server_beside(service: &Service) -> Server {
    Server::start_with(&["--grant-http", &service.url()])
}

/// The same with the workflow `probe`.
fn probing(service: &Service) -> Server {
    let server = server_beside(service);
    server.push("probe", "probe@1.0.0");
    server.apply(PROBE);
    server
}

/// Starts a run that makes these calls.
fn probe(server: &Server, calls: Value) -> String {
    server.start_run("probe", json!({ "calls": calls }))
}

/// What the calls of a run gave, once it has succeeded.
fn gave(server: &Server, run: &str) -> Vec<Value> {
    let ended = server.end_of(run);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    output(server, run, "probe")["gave"].as_array().expect("a list").clone()
}

/// What a step gave.
fn output(server: &Server, run: &str, step: &str) -> Value {
    server.get(&format!("runs/{run}/steps/{step}"))["output"].clone()
}

/// The only step of a run, once its guest has left memory to wait for the
/// `nth` time.
fn put_away(server: &Server, run: &str, nth: usize) -> Value {
    let mut events = server.events(run).filter(|event| event["type"] == "attempt_put_away");
    events.nth(nth - 1).expect("it waits before it ends");
    let step = server.get(&format!("runs/{run}"))["steps"][0].clone();
    assert_eq!(step["status"], "suspended", "{step}");
    step
}

/// What the steps of a run have logged.
fn log(server: &Server, run: &str) -> Vec<String> {
    let page = server.get(&format!("runs/{run}/logs?limit=1000"));
    assert!(page.get("next").is_none(), "there is more");
    let lines = page["items"].as_array().expect("a list").iter();
    lines.map(|line| line["message"].as_str().expect("a text").to_owned()).collect()
}

/// Publishes a signal for everyone.
fn publish(server: &Server, name: &str, params: Value, payload: Value) {
    server.post("signals", &json!({ "name": name, "params": params, "payload": payload }));
}
