//! Guests that misbehave: each costs only its own attempt, and its failure
//! names what stopped it. The table in the example's README is what is checked.

use crate::guests::examples;
use crate::server::Server;
use serde_json::json;
use std::fs;

#[test]
fn hostile_guests_cost_only_their_own_attempt() {
    let server = Server::start();
    server.push("hostile", "hostile@1.0.0");
    server.push("hello", "hello@1.0.0");
    for example in ["hostile", "hello"] {
        let file = examples().join(example).join("workflow.yaml");
        server.json(&["workflow", "apply", &file.to_string_lossy()]);
    }
    let cases = cases();
    assert!(cases.len() >= 15, "the README lists its cases");
    // A thousand runs of a thousand have a test of their own.
    for case in cases.into_iter().filter(|case| case.name != "forks") {
        let run = server.start_run("hostile", json!({ "case": case.name }));
        let neighbour = server.json(&["run", "exec", "hello", "--param", "name=Ada"]);
        assert_eq!(neighbour["status"], "succeeded", "beside {}: {neighbour}", case.name);
        if case.status == "suspended" {
            // A step that waits for ever is there until somebody cancels it.
            server.event(&run, |event| event["type"] == "attempt_suspended");
            server.json(&["run", "cancel", &run]);
            assert_eq!(server.end_of(&run)["status"], "cancelled", "{}", case.name);
            continue;
        }
        let ended = server.end_of(&run);
        let step = &ended["steps"][0];
        let found = (ended["status"].as_str(), step["reason"].as_str());
        let expected = (Some(case.status.as_str()), case.reason.as_deref());
        assert_eq!(found, expected, "{}: {ended}", case.name);
    }
    let after = server.json(&["run", "exec", "hello", "--param", "name=Grace"]);
    assert_eq!(after["status"], "succeeded", "{after}");
}

/// One line of the README's table.
struct Case {
    name: String,
    status: String,
    reason: Option<String>,
}

/// The first two words in backticks of the last column are status and reason.
fn cases() -> Vec<Case> {
    let readme = fs::read_to_string(examples().join("hostile/README.md")).expect("it is there");
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let columns: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let words = |text: &str| -> Vec<String> {
            text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let result = words(columns.last().expect("three columns"));
        let status = result.first().expect("a status").clone();
        let reason = result.get(1).filter(|_| status == "failed").cloned();
        Case { name: words(columns[0])[0].clone(), status, reason }
    })
    .collect()
}
