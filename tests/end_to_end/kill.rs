//! A host that dies at any moment: what it has answered stays, what it was
//! doing goes on, and nothing that was finished is done again.

use crate::server::Server;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ITERATIONS: u64 = 500;
const KILLS: u64 = 20;

const MANY: &str = r#"
workflow: many
params:
  items: { type: list<int> }
steps:
  - id: each
    foreach: { item: "${params.items}", concurrency: 8 }
    steps:
      - id: greet
        component: hello
        params: { name: "${'no ' + string(loop.item)}" }
output: "${steps.each.output}"
"#;

#[test]
fn a_killed_server_finishes_every_iteration_once() {
    let mut server = Server::start();
    server.push("hello", "hello@1.0.0");
    server.apply(MANY);
    let items: Vec<u64> = (0..ITERATIONS).collect();
    let run = server.start_run("many", json!({ "items": items }));
    // How far the run must have come before each kill, so that the kills are
    // spread over it; the exact moment is up to the machine.
    for kill in 1..=KILLS {
        let enough = ITERATIONS * kill / (KILLS + 1);
        wait_for_iterations(&server, &run, enough);
        server = server.kill_and_restart();
    }
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let outputs = ended["output"].as_array().expect("a list").clone();
    assert_eq!(outputs.len() as u64, ITERATIONS);
    for (item, output) in outputs.iter().enumerate() {
        assert!(output.to_string().contains(&format!("no {item}!")), "{output}");
    }
    // Every attempt whose result was kept has left its line, in the same commit.
    let lines = greetings(&server, &run);
    assert_eq!(lines.len() as u64, ITERATIONS);
    let twice: Vec<_> = lines.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "these ran again after their result was kept: {twice:?}");
}

#[test]
fn acknowledged_runs_survive_a_kill() {
    let mut server = Server::start();
    server.push("hello", "hello@1.0.0");
    server.apply(
        "workflow: one\nparams: { name: { type: string } }\nsteps:\n  - { id: greet, component: hello, params: { name: \"${params.name}\" } }\n",
    );
    let mut runs = Vec::new();
    for round in 0..5 {
        for number in 0..20 {
            runs.push(server.start_run("one", json!({ "name": format!("{round}-{number}") })));
        }
        server = server.kill_and_restart();
    }
    for run in &runs {
        assert_eq!(server.end_of(run)["status"], "succeeded");
    }
    let listed = server.get("runs?limit=1000");
    let numbers: Vec<_> = listed["items"].as_array().expect("a list").iter().collect();
    assert_eq!(numbers.len(), runs.len());
    let mut distinct: Vec<_> = numbers.iter().map(|run| run["number"].as_u64()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), runs.len(), "a number was given twice");
}

/// Returns once so many iterations have ended. It looks again and again, and
/// lets the server do the waiting in between.
fn wait_for_iterations(server: &Server, run: &str, enough: u64) {
    loop {
        let view = server.get(&format!("runs/{run}?wait=0.002"));
        let succeeded = view["steps"][0]["iterations"]["succeeded"].as_u64().unwrap_or(0);
        if succeeded >= enough || view.get("ended_at").is_some() {
            return;
        }
    }
}

/// How often each greeting is in the log.
fn greetings(server: &Server, run: &str) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page: Value = server.get(&format!("runs/{run}/logs?limit=100{cursor}"));
        for line in page["items"].as_array().expect("a list") {
            *lines.entry(line["message"].to_string()).or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return lines,
        }
    }
}
