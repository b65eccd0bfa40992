//! What reading the durable core has found and no other test would have: waits
//! that nobody ends, runs that are taken up without what they see, cancels that
//! meet natural ends, signals that meet a stop. `limits` has what a step could
//! fill for free.

mod limits;

use super::service::Service;
use super::{PROBE, gave, log, output, probe, probing, publish, put_away};
use crate::server::{Server, text};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Guests that wait leave memory at once.
const NO_GRACE: [&str; 2] = ["--wait-grace", "0s"];

/// Guests that wait stay in memory.
const LONG_GRACE: [&str; 2] = ["--wait-grace", "1h"];

/// Longer than anything takes that is looked at again and again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same server with the workflow `probe`, also under the name `below`.
fn with_probe(server: Server) -> Server {
    server.push("probe", "probe@1.0.0");
    server.apply(PROBE);
    server.apply(&PROBE.replacen("workflow: probe", "workflow: below", 1));
    server
}

/// The workflow `hostile` with these limits, and nothing that is tried again.
fn with_hostile(limits: &str) -> Server {
    let server = Server::start();
    server.push("hostile", "hostile@1.0.0");
    server.apply(&format!(
        "workflow: hostile\nparams: {{ input: {{ type: json }} }}\nsteps:\n  - id: misbehave\n    \
         component: hostile@1\n    limits: {{ {limits} }}\n    retry: {{ user: 2, platform: 0 }}\n    \
         params: \"${{params.input}}\"\n"
    ));
    server
}

/// How the only step of a failed run failed: reason, message, and at which
/// attempt.
fn failure(server: &Server, run: &str) -> (String, String, u64) {
    let ended = server.end_of(run);
    assert_eq!(ended["status"], "failed", "{ended}");
    let step = &ended["steps"][0];
    let part = |name: &str| step["failure"][name].as_str().expect("a text").to_owned();
    (part("reason"), part("message"), step["attempt"].as_u64().expect("a number"))
}

/// Looks again and again until something holds; looking takes the server a
/// moment.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
    }
}

/// What a GET or a POST below the tenant is answered, whatever its status.
fn ask(server: &Server, path: &str, body: Option<&Value>) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let url = format!("{}/v1/tenants/default/{path}", server.url);
    let answer = match body {
        Some(body) => agent.post(&url).send_json(body),
        None => agent.get(&url).call(),
    };
    let mut answer = answer.expect("the server answers");
    let text = answer.body_mut().with_config().limit(64 << 20).read_to_string();
    (answer.status().as_u16(), text.expect("answers are text"))
}

#[test]
fn a_step_cannot_wait_for_a_run_of_another_step() {
    let server = with_probe(Server::start());
    server.apply(
        r#"
workflow: relay
steps:
  - id: first
    component: probe@1
    params: { calls: [{ start: { workflow: below, params: { calls: [{ answer: never }] } } }] }
  - id: second
    needs: [first]
    component: probe@1
    params: { calls: [{ join: "${steps.first.output.gave[0]}" }] }
"#,
    );
    let run = server.start_run("relay", json!({}));
    let ended = server.end_of(&run);
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("failed"), &json!("invalid")));
    let given = output(&server, &run, "first")["gave"].clone();
    let child = given[0].as_str().expect("an id");
    let message = ended["steps"][1]["failure"]["message"].as_str().expect("a text");
    let said = format!("{child} is no run that step `second` started");
    assert!(message.contains(&said), "{message}");
    assert_eq!(server.get(&format!("runs/{child}"))["status"], "running");
}

const FAMILIES: &str = r#"
workflow: families
params: { word: { type: string } }
steps:
  - id: before
    component: probe@1
    params: { calls: [] }
  - id: each
    needs: [before]
    foreach: { item: "${[1, 2, 3]}", concurrency: 3 }
    steps:
      - id: probe
        component: probe@1
        params:
          calls:
            - start: { workflow: below, params: { calls: [{ wait: { name: go, match: { n: "${loop.item}" } } }] } }
            - join: 0
      - id: behind
        needs: [probe]
        when: "params.word == 'right' && steps.before.output.rounds == 1"
        component: probe@1
        params: { calls: [{ log: "${params.word + ' ' + string(loop.item)}" }] }
"#;

#[test]
fn iterations_with_runs_of_their_own_see_the_same_after_a_kill() {
    let server = with_probe(Server::start_with(&NO_GRACE));
    server.apply(FAMILIES);
    let run = server.start_run("families", json!({ "word": "right" }));
    server.event(&run, |event| event["type"] == "iterations_started");
    let iterations = items(&server, &format!("runs/{run}/steps/each/iterations"));
    assert_eq!(iterations.len(), 3);
    for iteration in &iterations {
        put_away(&server, iteration["run"].as_str().expect("an id"), 1);
    }
    for child in items(&server, "runs?workflow=below") {
        put_away(&server, child["run"].as_str().expect("an id"), 1);
    }
    let server = server.kill_and_restart();
    publish(&server, "go", json!({ "n": 1 }), json!(null));
    server.end_of(iterations[0]["run"].as_str().expect("an id"));
    // Once more, with one that is over.
    let server = server.kill_and_restart();
    publish(&server, "go", json!({ "n": 2 }), json!(null));
    publish(&server, "go", json!({ "n": 3 }), json!(null));
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    for iteration in &iterations {
        let ended = server.end_of(iteration["run"].as_str().expect("an id"));
        let statuses = [0, 1].map(|step| ended["steps"][step]["status"].clone());
        assert_eq!(statuses, ["succeeded", "succeeded"], "{ended}");
    }
    let mut lines = log(&server, &run);
    lines.sort();
    assert_eq!(lines, ["right 1", "right 2", "right 3"]);
}

/// All entries of a list, over its pages.
fn items(server: &Server, path: &str) -> Vec<Value> {
    let more = if path.contains('?') { '&' } else { '?' };
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("{path}{more}limit=1000{cursor}"));
        all.extend(page["items"].as_array().expect("a list").iter().cloned());
        let Some(next) = page["next"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

const SHORT: &str = r#"
workflow: short
params: { items: { type: list<int> } }
steps:
  - id: each
    foreach: { item: "${params.items}", concurrency: 50 }
    steps:
      - id: probe
        component: probe@1
        params: { calls: [{ wait: { name: go, timeout: 20ms } }, { log: "${string(loop.item)}" }] }
"#;

/// How many runs are cancelled in each of two ways, and how many more of their
/// iterations have ended by then from one to the next.
const CANCELS: u64 = 5;
const MORE: u64 = 12;

/// Cancels runs of many iterations while these end, and judges what is left.
fn cancel_amid_ends(server: &Server) {
    server.apply(SHORT);
    for cancelled in 1..=CANCELS {
        let run = cancelled_after(server, cancelled * MORE);
        let ended = server.end_of(&run);
        assert_eq!(ended["status"], "cancelled", "{ended}");
        let iterations = items(server, &format!("runs/{run}/steps/each/iterations"));
        let of = |status: &str| iterations.iter().filter(|item| item["status"] == status).count();
        assert!(of("succeeded") > 0 && of("failed") > 0, "it was cancelled too early or too late");
        assert_eq!(of("running"), 0, "{run}");
        for iteration in &iterations {
            assert_is_over(server, iteration);
        }
    }
    // Whoever waits for that name now is given what is published now.
    let waiter = probe(server, json!([{ "wait": { "name": "go" } }]));
    server.event(&waiter, |event| event["type"] == "attempt_suspended");
    publish(server, "go", json!({}), json!("went"));
    assert_eq!(gave(server, &waiter), [json!("went")]);
}

/// A run that is cancelled when so many of its iterations have ended.
fn cancelled_after(server: &Server, count: u64) -> String {
    let mut length = 300;
    loop {
        let items: Vec<_> = (0..length).collect();
        let run = server.start_run("short", json!({ "items": items }));
        let ended_before = |run: &str| {
            let view = server.get(&format!("runs/{run}?wait=0.002"));
            view["steps"][0]["iterations"]["succeeded"].as_u64().unwrap_or(0)
        };
        until("enough of them have ended", || ended_before(&run) >= count);
        let cancel = server.segno(&["run", "cancel", &run]);
        if cancel.status.success() {
            return run;
        }
        let refusal = text(&cancel.stderr);
        assert!(refusal.contains("the run is succeeded"), "{refusal}");
        // It was over before the command had come.
        length *= 2;
    }
}

/// Whether an iteration of a cancelled run has a history that can be read, and
/// that ends.
fn assert_is_over(server: &Server, item: &Value) {
    let run = item["run"].as_str().expect("an id");
    let (status, stream) = ask(server, &format!("runs/{run}/events"), None);
    if status == 404 {
        assert_eq!(item["status"], "failed", "{run} has never been");
        return;
    }
    assert_eq!(status, 200, "{run}: {stream}");
    let ends = ["run_succeeded", "run_failed", "run_stopped"];
    let kinds = stream.lines().filter_map(|line| line.strip_prefix("event:"));
    let found: Vec<_> = kinds.map(str::trim).filter(|kind| ends.contains(kind)).collect();
    assert_eq!(found.len(), 1, "{run}: {stream}");
    if item["status"] == "succeeded" {
        assert_eq!(found, ["run_succeeded"], "{run}");
    }
    assert!(server.get(&format!("runs/{run}")).get("ended_at").is_some(), "{run}");
}

#[test]
fn cancels_meet_iterations_that_end() {
    cancel_amid_ends(&with_probe(Server::start_with(&LONG_GRACE)));
}

#[test]
fn cancels_meet_iterations_that_end_and_are_not_in_memory() {
    cancel_amid_ends(&with_probe(Server::start_with(&NO_GRACE)));
}

const PAIR: &str = r#"
workflow: pair
params: { url: { type: string } }
steps:
  - id: waits
    component: probe@1
    params: { calls: [{ answer: go }] }
  - id: works
    component: probe@1
    params: { calls: [{ post: { url: "${params.url}" } }] }
    grants: { http: ["http://127.0.0.1:*"] }
"#;

#[test]
fn a_run_leaves_memory_when_the_last_step_that_works_is_done() {
    let service = Service::start();
    let url = service.url();
    let options = [&NO_GRACE[..], &["--grant-http", &url]].concat();
    let server = with_probe(Server::start_counting(&options));
    server.apply(PAIR);
    service.keep_silent("/slow");
    let run = server.start_run("pair", json!({ "url": format!("{url}/slow") }));
    service.wait_for("/slow", 1);
    server.event(&run, |event| event["type"] == "attempt_put_away");
    let passed = |point: &str| server.passed().iter().any(|passed| passed == point);
    assert!(!passed("run leaves memory#1"), "a step of it works");
    service.speak();
    until("it leaves memory", || passed("run leaves memory#1") || server.get("signals").is_null());
    // Somebody may just have looked at it, and then it leaves a moment later.
    until("it has left memory", || {
        server.json(&["run", "signal", &run, "other", "null"]);
        passed("run is in memory again#1")
    });
    let server = server.kill_and_restart();
    let view = server.get(&format!("runs/{run}"));
    let statuses = [0, 1].map(|step| view["steps"][step]["status"].clone());
    assert_eq!(statuses, ["suspended", "succeeded"], "{view}");
    server.json(&["run", "signal", &run, "go", "1"]);
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    assert_eq!(output(&server, &run, "waits")["gave"], json!([1]));
}

/// A signal, and a request for a run to take it that is sent but for this.
struct HalfSent(TcpStream);

const LATE: &str = r#"{"name":"go","payload":"late"}"#;

impl HalfSent {
    fn to(server: &Server, run: &str) -> Self {
        let address = server.url.strip_prefix("http://").expect("a plain URL");
        let mut stream = TcpStream::connect(address).expect("the server listens");
        let head = format!(
            "POST /v1/tenants/default/runs/{run}/signals HTTP/1.1\r\nhost: {address}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            LATE.len()
        );
        stream.write_all(head.as_bytes()).expect("the server reads");
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).expect("the server answers");
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self(stream)
    }

    fn send_rest(mut self) {
        self.0.write_all(LATE.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
}

/// Stops the host, and sends the rest of these while it stops.
fn stop_amid(server: Server, watched: &str, signals: Vec<HalfSent>) -> Server {
    let events = server.events(watched);
    server.stop_and_restart(|_| {
        // Whoever watches is cut off when the host begins to stop.
        assert!(events.last().is_some());
        signals.into_iter().for_each(HalfSent::send_rest);
    })
}

#[test]
fn a_signal_that_comes_while_the_host_stops_is_not_lost() {
    for (grace, event) in [(NO_GRACE, "attempt_put_away"), (LONG_GRACE, "attempt_suspended")] {
        let server = with_probe(Server::start_with(&grace));
        let run = probe(&server, json!([{ "answer": "go" }, { "answer": "go" }]));
        server.event(&run, |known| known["type"] == event);
        let signal = HalfSent::to(&server, &run);
        let server = stop_amid(server, &run, vec![signal]);
        server.json(&["run", "signal", &run, "go", "1"]);
        assert_eq!(gave(&server, &run), [json!("late"), json!(1)], "{grace:?}");
    }
}

#[test]
fn signals_that_meet_waits_that_begin_while_the_host_stops_are_not_lost() {
    let service = Service::start();
    let url = service.url();
    let server = [&NO_GRACE[..], &["--grant-http", &url]].concat();
    let server = with_probe(Server::start_with(&server));
    service.keep_silent("/slow");
    let post = json!({ "post": { "url": format!("{url}/slow") } });
    let runs: Vec<_> = (0..20).map(|_| probe(&server, json!([post, { "answer": "go" }]))).collect();
    service.wait_for("/slow", 2);
    let signals = runs.iter().map(|run| HalfSent::to(&server, run)).collect();
    service.speak();
    let server = stop_amid(server, &runs[0], signals);
    for run in &runs {
        assert_eq!(gave(&server, run)[1], "late");
    }
}

/// Tells others to stop, however its scope is left.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// So many publish one name without a pause.
const PUBLISHERS: usize = 8;

#[test]
fn a_step_can_wait_for_a_name_that_never_stands_still() {
    let server = with_probe(Server::start());
    let (is_over, published) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let stop = Stop(&is_over);
        for _ in 0..PUBLISHERS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    publish(&server, "busy", json!({ "n": 1 }), json!(null));
                    published.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..5 {
            let before = published.load(Ordering::Relaxed);
            let calls =
                json!([{ "wait": { "name": "busy", "match": { "n": 2, "round": round } } }]);
            let run = probe(&server, calls);
            let event = server.event(&run, |event| event["type"] == "attempt_suspended");
            assert_eq!((&event["attempt"], &event["reason"]), (&json!(1), &json!("signal:busy")));
            assert!(published.load(Ordering::Relaxed) > before, "nobody publishes meanwhile");
            publish(&server, "busy", json!({ "n": 2, "round": round }), json!(round));
            assert_eq!(gave(&server, &run), [json!(round)]);
        }
        drop(stop);
    });
}

#[test]
fn one_signal_wakes_everybody_who_waits_for_it() {
    let server = with_probe(Server::start_with(&NO_GRACE));
    let runs: Vec<_> =
        (0..200).map(|_| probe(&server, json!([{ "wait": { "name": "go" } }]))).collect();
    for run in &runs {
        put_away(&server, run, 1);
    }
    publish(&server, "go", json!({}), json!("went"));
    for run in &runs {
        assert_eq!(gave(&server, run), [json!("went")]);
    }
}

#[test]
fn a_step_that_ends_before_its_journal_took_another_turn() {
    let server = with_hostile("cpu: 10s");
    let run = server.start_run("hostile", json!({ "input": { "case": "stops-short" } }));
    let (reason, message, attempt) = failure(&server, &run);
    assert_eq!((reason.as_str(), attempt), ("nondeterminism", 1), "{message}");
    let said = "it ended, and the journal still has call 1, timers.sleep(1200 ms)";
    assert!(message.contains(said), "{message}");
}

#[test]
fn a_secret_that_the_component_does_not_ask_for_is_denied() {
    let service = Service::start();
    let server = probing(&service);
    server.apply(&PROBE.replace("secrets: [PAY_KEY]", "secrets: [OTHER]"));
    let post = json!({ "url": format!("{}/pay", service.url()), "secret": "OTHER" });
    let given = gave(&server, &probe(&server, json!([{ "try": { "post": post } }])));
    let denied = given[0]["error"].as_str().expect("it is denied");
    let said = r#"add `secrets = ["OTHER"]` to its [package.metadata.segno] and push it again"#;
    assert!(denied.contains("probe@1.0.0") && denied.contains(said), "{denied}");
    assert!(service.requests().is_empty(), "{:?}", service.requests());
}

#[test]
fn a_run_of_a_workflow_that_cannot_be_is_refused() {
    let server = with_probe(Server::start());
    let names = [String::new(), "a\u{1}b".to_owned(), "x".repeat(200)];
    let start = |name: &String| json!({ "try": { "start": { "workflow": name } } });
    let run = probe(&server, json!(names.iter().map(start).collect::<Vec<_>>()));
    let given = gave(&server, &run);
    for (name, given) in names.iter().zip(&given) {
        assert!(
            given["error"].as_str().is_some_and(|error| !error.is_empty()),
            "{name:?}: {given}"
        );
    }
    assert_eq!(output(&server, &run, "probe")["attempt"], 1, "it is no failure of the host");
}
