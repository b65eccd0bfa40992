//! What users see of a step that waits, and that its log has each line once.

use super::service::Service;
use super::{log, probe, probing, publish, put_away};
use crate::guests::SEGNO;
use crate::server::{Server, text};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A run that logs, waits for the signal `go`, logs, and sleeps for a moment.
fn waiting(server: &Server) -> String {
    let calls = json!([
        { "log": "before" }, { "wait": { "name": "go", "timeout": "1h" } }, { "log": "between" },
        { "sleep": "2s" }, { "log": "behind" },
    ]);
    probe(server, calls)
}

/// `segno run watch`, as it prints.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn start(server: &Server, more: &[&str]) -> Self {
        let mut command = Command::new(SEGNO);
        command.args(["--server", &server.url, "run", "watch", "probe#1"]).args(more);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it can be started");
        let lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        Self { child, lines }
    }

    /// The lines up to the first one with this text.
    fn until(&mut self, part: &str) -> Vec<String> {
        let mut seen = Vec::new();
        for line in &mut self.lines {
            seen.push(line.expect("it prints text"));
            if seen.last().is_some_and(|line| line.contains(part)) {
                return seen;
            }
        }
        panic!("{part:?} is missing in {seen:#?}");
    }

    /// The rest, once it has ended well.
    fn rest(mut self) -> Vec<String> {
        let rest = self.lines.by_ref().map(|line| line.expect("it prints text")).collect();
        assert!(self.child.wait().expect("it ends").success());
        rest
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn whoever_looks_sees_what_a_step_waits_for() {
    let service = Service::start();
    let server = probing(&service);
    let run = waiting(&server);
    let step = put_away(&server, &run, 1);
    assert_eq!(step["reason"], "signal:go");
    assert!(step["until"].as_str() > step["since"].as_str(), "{step}");
    assert!(step["since"].as_str() >= step["started_at"].as_str(), "{step}");
    assert_eq!((&step["attempt"], &step["usage"]["host_calls"]), (&json!(1), &json!(2)), "{step}");

    let shown = server.json(&["run", "get", "probe#1"]);
    assert_eq!((&shown["status"], &shown["run"]), (&json!("running"), &json!(run)));
    for field in ["status", "reason", "since", "until", "attempt"] {
        assert_eq!(shown["steps"][0][field], step[field], "{field}");
    }
    let table = text(&server.segno(&["run", "get", "probe#1"]).stdout);
    let row = table.lines().find(|line| line.starts_with("probe ")).expect(&table);
    assert!(row.contains("suspended") && row.contains("waits for signal go, until 2"), "{table}");

    let listed = server.json(&["run", "list"]);
    assert_eq!((&listed[0]["run"], &listed[0]["status"]), (&json!(run), &json!("running")));
    let table = text(&server.segno(&["run", "list"]).stdout);
    assert!(table.lines().any(|line| line.starts_with("probe#1 ") && line.contains("running")));

    // What it said before is there while it waits.
    let lines = server.json(&["run", "logs", "probe#1"]);
    assert_eq!((&lines[0]["message"], &lines[1]), (&json!("before"), &Value::Null));
    let printed = text(&server.segno(&["run", "logs", "probe#1"]).stdout);
    assert!(printed.trim_end().ends_with("probe  before"), "{printed}");

    publish(&server, "go", json!({}), json!(null));
    let step = put_away(&server, &run, 2);
    let reason = step["reason"].as_str().unwrap();
    assert_eq!(reason, format!("timer:{}", step["until"].as_str().unwrap()));
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "succeeded");
    assert!(ended["steps"][0].get("reason").is_none(), "{ended}");
}

#[test]
fn whoever_watches_is_told_of_waits() {
    let service = Service::start();
    let server = probing(&service);
    let run = waiting(&server);
    put_away(&server, &run, 1);
    let mut people = Watching::start(&server, &[]);
    let mut programs = Watching::start(&server, &["-o", "json"]);
    let seen = people.until("suspended");
    assert!(seen.last().unwrap().contains("waits for signal go"), "{seen:?}");
    programs.until("attempt_put_away");
    publish(&server, "go", json!({}), json!(null));
    let rest = people.rest();
    let tells =
        |what: &str, why: &str| rest.iter().any(|line| line.contains(what) && line.contains(why));
    assert!(tells("goes on", "signal go") && tells("suspended", "sleeps until 2"), "{rest:?}");
    assert!(rest.last().unwrap().contains("succeeded"), "{rest:?}");
    let rest: Vec<Value> = programs
        .rest()
        .iter()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    let kinds: Vec<_> = rest.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let wanted = [
        "attempt_resumed",
        "attempt_suspended",
        "attempt_put_away",
        "attempt_resumed",
        "step_succeeded",
        "run_succeeded",
    ];
    assert_eq!(kinds, wanted, "{rest:#?}");
    assert!(rest[1]["reason"].as_str().unwrap().starts_with("timer:"));
}

#[test]
fn a_log_has_each_line_once() {
    let service = Service::start();
    let server = probing(&service);
    service.keep_silent("/slow");
    let calls = json!([
        { "log": "one" }, { "answer": "first" }, { "log": "two" }, { "answer": "go" }, { "log": "three" },
        { "post": { "url": format!("{}/slow", service.url()) } }, { "log": "four" },
    ]);
    let run = probe(&server, calls);
    put_away(&server, &run, 1);
    assert_eq!(log(&server, &run), ["one"]);
    let server = server.kill_and_restart();
    assert_eq!(log(&server, &run), ["one"]);
    server.json(&["run", "signal", "probe#1", "first"]);
    put_away(&server, &run, 2);
    assert_eq!(log(&server, &run), ["one", "two"]);
    let server = server.kill_and_restart();
    server.json(&["run", "signal", "probe#1", "go"]);
    // In the middle of a request, which is sent again with the same key.
    service.wait_for("/slow", 1);
    let server = server.kill_and_restart();
    let requests = service.wait_for("/slow", 2);
    assert_eq!(requests[0].key, requests[1].key);
    assert_eq!(log(&server, &run), ["one", "two", "three"]);
    service.speak();
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    assert_eq!(log(&server, &run), ["one", "two", "three", "four"]);
    let server = server.kill_and_restart();
    assert_eq!(log(&server, &run), ["one", "two", "three", "four"]);
    assert_eq!(service.done(), 1);
}
