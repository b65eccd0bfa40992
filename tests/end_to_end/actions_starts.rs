//! What runs are started with: batches, params for single steps, and what is
//! wrong with them.

use crate::actions::{ask, at_the_gate, post, server};
use crate::server::text;
use serde_json::{Value, json};

/// A run with a param of its own, and a step with two.
const SAYS: &str = "workflow: says\nparams: { n: { type: int, value: 1 } }\nsteps:\n  - id: say\n    noop: true\n    params:\n      a: { type: int, value: 1 }\n      b: { type: int, value: 2 }\n";

#[test]
fn a_batch_starts_all_of_its_runs_or_none() {
    let server = server(SAYS);
    let batch = json!({ "workflow": "says", "runs": [
        { "params": { "n": 1 }, "idempotency_key": "one" },
        { "step_params": { "say": { "a": 5 } } },
    ] });
    let (status, started) = ask(&server, "POST", "runs/batch", &batch);
    assert_eq!(status, 201, "{started}");
    let numbers = |answer: &Value| [0, 1].map(|place| answer["runs"][place]["number"].clone());
    assert_eq!(numbers(&started), [json!(1), json!(2)]);
    server.end_of("says%232");
    assert_eq!(server.get("runs/says%232/steps/say")["output"]["a"], 5);
    let (status, again) = ask(&server, "POST", "runs/batch", &batch);
    assert_eq!((status, numbers(&again)), (201, [json!(1), json!(3)]), "{again}");
    assert_eq!(again["runs"][0]["run"], started["runs"][0]["run"]);
    let repeated = |place: usize| &again["runs"][place]["repeated"];
    assert_eq!((repeated(0), repeated(1)), (&json!(true), &json!(false)));

    let wrong = json!({ "workflow": "says", "runs": [
        {}, { "params": { "n": "x" }, "step_params": { "say": { "c": 1 } } },
    ] });
    let (status, problem) = ask(&server, "POST", "runs/batch", &wrong);
    assert_eq!((status, &problem["code"]), (422, &json!("bad_params")));
    let path = |place: usize| &problem["problems"][place]["path"];
    assert_eq!(path(0), "runs[1].params", "{problem}");
    assert_eq!(path(1), "runs[1].step_params.say.c", "{problem}");
    let none = json!({ "workflow": "says", "runs": [] });
    assert_eq!(ask(&server, "POST", "runs/batch", &none).0, 400);
    assert_eq!(post(&server, "runs/says#4/cancel").0, 404, "none of them has started");
}

#[test]
fn a_file_starts_a_run_for_each_line() {
    let server = server(SAYS);
    let path = server.data_dir().join("batch.jsonl");
    std::fs::write(&path, "{\"n\": 7}\n{}\n").expect("it can be written");
    let path = path.to_str().expect("it is text");
    let output = server.segno(&["run", "start", "says", "--batch", path]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.starts_with("started says#1  run_") && said.contains("\nstarted says#2  run_"));
    assert_eq!(server.end_of("says%231")["params"][0]["value"], 7);
    let output = server.segno(&["run", "start", "says", "--batch", path, "--param", "n=1"]);
    assert!(!output.status.success());
}

#[test]
fn everything_that_is_wrong_with_a_start_is_said_at_once() {
    let server = server(SAYS);
    let wrong = json!({ "workflow": "says", "params": { "n": "x", "m": 1 },
        "step_params": { "say": { "a": "y" }, "sya": {} } });
    let (status, problem) = ask(&server, "POST", "runs", &wrong);
    assert_eq!(status, 422);
    let items = problem["problems"].as_array().expect("a list");
    let paths: Vec<_> = items.iter().map(|item| item["path"].clone()).collect();
    assert_eq!(paths, ["params", "params", "step_params.say.a", "step_params.sya"], "{problem}");
    let typed = ["--param", "m=1", "--param", "n=x", "--step-param", "say.a=@"];
    let output = server.segno(&[&["run", "start", "says"], &typed[..]].concat());
    let said = text(&output.stderr);
    for part in ["no param \"m\"", "--param n is of type int", "say.a=@ names no file"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_fork_keeps_the_params_of_steps_that_its_version_still_has() {
    let server = server(SAYS);
    let start = json!({ "workflow": "says", "step_params": { "say": { "a": 5, "b": 6 } } });
    let (_, first) = ask(&server, "POST", "runs", &start);
    let run = first["run"].as_str().expect("it has a run").to_owned();
    server.end_of(&run);
    let path = format!("runs/{run}/fork");
    let said = |body: Value| {
        let (status, made) = ask(&server, "POST", &path, &body);
        assert_eq!(status, 201, "{made}");
        let made = made["run"].as_str().expect("it has a run");
        server.end_of(made);
        server.get(&format!("runs/{made}/steps/say"))["output"].clone()
    };
    // One param of a step that is given leaves the others as they were.
    assert_eq!(said(json!({ "step_params": { "say": { "a": 7 } } })), json!({ "a": 7, "b": 6 }));
    // What no longer fits, and what the version does not have, is left out.
    server.apply(&SAYS.replace("a: { type: int, value: 1 }", "a: { type: string, value: x }"));
    let latest = json!({ "version": "latest" });
    assert_eq!(said(latest.clone()), json!({ "a": "x", "b": 6 }));
    server.apply(&SAYS.replace("      b: { type: int, value: 2 }\n", ""));
    assert_eq!(said(latest.clone()), json!({ "a": 5 }));
    server.apply(&SAYS.replace("id: say", "id: tell"));
    let (status, made) = ask(&server, "POST", &path, &latest);
    assert_eq!(status, 201, "{made}");
    let once = SAYS.replace("value: 1 }\n      b", "value: 1, mode: mutable_on_start }\n      b");
    server.apply(&once);
    assert_eq!(said(latest), json!({ "a": 5, "b": 6 }));
    let given = json!({ "version": "latest", "step_params": { "say": { "a": 7 } } });
    let (status, problem) = ask(&server, "POST", &path, &given);
    assert_eq!(status, 422, "a fork may not change it: {problem}");
}

#[test]
fn what_is_so_already_is_no_mistake() {
    let server = server(
        "workflow: gated\nsteps: [{ id: gate, wait: { signal: go } }, { id: last, needs: [gate], wait: { signal: never } }]\n",
    );
    for (verb, other) in [("cancel", "kill"), ("kill", "cancel")] {
        let run = at_the_gate(&server);
        post(&server, &format!("runs/{run}/{verb}"));
        let ended = server.end_of(&run);
        let (status, again) = post(&server, &format!("runs/{run}/{verb}"));
        assert_eq!((status, &again), (202, &ended), "{verb} twice");
        for refused in [other, "pause", "resume"] {
            let (status, problem) = post(&server, &format!("runs/{run}/{refused}"));
            assert_eq!((status, &problem["code"]), (409, &json!("not_allowed")));
            let detail = problem["detail"].as_str().expect("a text");
            assert!(detail.contains("use retry, fork"), "{detail}");
        }
    }
    let run = at_the_gate(&server);
    for verb in ["pause", "resume"] {
        for _ in 0..2 {
            assert_eq!(post(&server, &format!("runs/{run}/{verb}")).0, 202, "{verb}");
        }
    }
    let gate = format!("runs/{run}/steps/gate");
    assert_eq!(post(&server, &format!("{gate}/bypass")).0, 202);
    assert_eq!(post(&server, &format!("{gate}/bypass")).0, 202, "it has gone on because of it");
    assert_eq!(post(&server, &format!("{gate}/resume")).0, 409);
    post(&server, &format!("runs/{run}/cancel"));
    server.end_of(&run);
    assert_eq!(post(&server, &format!("{gate}/bypass")).0, 202, "also once the run is over");
    let (status, problem) = post(&server, &format!("runs/{run}/steps/last/bypass"));
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().expect("a text").contains("use retry, skip"), "{problem}");
}
