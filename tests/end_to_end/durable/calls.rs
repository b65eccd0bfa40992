//! What durable calls give: runs that a step starts, work that is done once,
//! and values that outlive runs.

use super::service::Service;
use super::{PROBE, gave, log, probe, probing, publish, put_away};
use serde_json::{Value, json};

#[test]
fn a_step_starts_runs_and_waits_for_them() {
    let service = Service::start();
    let server = probing(&service);
    server.apply(&PROBE.replacen("workflow: probe", "workflow: below", 1));
    let below =
        |calls: Value| json!({ "start": { "workflow": "below", "params": { "calls": calls } } });
    let calls = json!([
        below(json!([{ "set": ["n", 1] }, { "log": "below" }, { "answer": "go" }])),
        below(json!([{ "fatal": "no room" }])),
        { "join": 0 },
        { "try": { "join": 1 } },
        { "try": { "start": { "workflow": "missing" } } },
        { "try": { "start": { "workflow": "below", "params": { "colour": "red" } } } },
    ]);
    let run = probe(&server, calls);
    let step = put_away(&server, &run, 1);
    let reason = step["reason"].as_str().unwrap();
    let child = reason.strip_prefix("run:").expect("it waits for a run").to_owned();
    put_away(&server, &child, 1);
    let server = server.kill_and_restart();
    let view = server.get(&format!("runs/{child}"));
    assert_eq!((&view["parent"], &view["workflow"]), (&json!(run), &json!("below")));
    assert_eq!((&view["number"], &view["steps"][0]["status"]), (&json!(1), &json!("suspended")));
    server.json(&["run", "signal", "below#1", "go", "[1, 2]"]);
    let given = gave(&server, &run);
    assert_eq!(given[0], json!(child));
    let from_below = given[2].to_string();
    assert!(from_below.contains("[1,2]"), "{from_below}");
    let other = given[1].as_str().unwrap();
    assert_eq!(given[3]["error"], format!("{other} has no output: step `probe`: no room"));
    assert_eq!(server.get(&format!("runs/{other}"))["status"], "failed");
    assert!(given[4]["error"].as_str().unwrap().contains("there is no workflow \"missing\""));
    let error = given[5]["error"].as_str().unwrap();
    assert!(error.contains("do not fit \"below\"") && error.contains("colour"), "{error}");
    assert_eq!(server.get("runs?workflow=below")["items"].as_array().unwrap().len(), 2);
    // A run that a step starts has a log of its own.
    assert_eq!((log(&server, &child).len(), log(&server, &run).len()), (1, 0));
}

#[test]
fn work_is_done_once_and_time_is_read_once() {
    let service = Service::start();
    let server = probing(&service);
    let calls = json!([
        { "now": null }, { "memo": "lots" }, { "random": null }, { "sleep": "2s" }, { "memo": "lots" },
        { "now": null }, { "answer": "go" }, { "now": null },
    ]);
    let run = probe(&server, calls);
    put_away(&server, &run, 1);
    let drawn = log(&server, &run);
    put_away(&server, &run, 2);
    let server = server.kill_and_restart();
    server.json(&["run", "signal", &run, "go", "null"]);
    let given = gave(&server, &run);
    assert_eq!(drawn, [format!("lots: {}", given[1])]);
    let lines = [drawn[0].clone(), format!("lots: {}", given[4])];
    assert_eq!(log(&server, &run), lines, "work was done again");
    assert_ne!((&given[1], &given[2]), (&given[4], &given[1]));
    let clock = [0, 5, 7].map(|call| given[call].as_u64().unwrap());
    assert!(clock[1] - clock[0] >= 2_000 && clock[2] > clock[1], "{clock:?}");
}

#[test]
fn values_outlive_runs_and_belong_to_a_workflow() {
    let service = Service::start();
    let server = probing(&service);
    server.apply(&PROBE.replacen("workflow: probe", "workflow: other", 1));
    let set = json!([{ "get": "k" }, { "set": ["k", { "n": [1, "ü"] }] }, { "get": "k" }]);
    assert_eq!(
        gave(&server, &probe(&server, set)),
        [json!(null), json!(null), json!({ "n": [1, "ü"] })]
    );
    let server = server.kill_and_restart();
    // What was read stays read, whoever writes meanwhile.
    let run = probe(&server, json!([{ "get": "k" }, { "wait": { "name": "go" } }, { "get": "k" }]));
    put_away(&server, &run, 1);
    gave(&server, &probe(&server, json!([{ "set": ["k", 2] }])));
    publish(&server, "go", json!({}), json!("went"));
    assert_eq!(gave(&server, &run), [json!({ "n": [1, "ü"] }), json!("went"), json!(2)]);
    let calls = json!([{ "unset": "k" }, { "unset": "k" }, { "get": "k" }]);
    assert_eq!(gave(&server, &probe(&server, calls)), [json!(null), json!(null), json!(null)]);

    gave(&server, &probe(&server, json!([{ "set": ["k", 3] }])));
    let calls =
        json!([{ "get": "k" }, { "try": { "get-shared": "k" } }, { "try": { "set": ["", 1] } }]);
    let run = server.start_run("other", json!({ "calls": calls }));
    let given = gave(&server, &run);
    assert_eq!(given[0], json!(null), "a workflow's values are its own");
    let denied = given[1]["error"].as_str().unwrap();
    assert!(denied.contains("add `grants: { kv: [shared] }` to the step"), "{denied}");
    assert!(given[2]["error"].as_str().is_some(), "{given:?}");

    server.apply(&PROBE.replace("secrets: [PAY_KEY]", "kv: [shared]"));
    assert_eq!(gave(&server, &probe(&server, json!([{ "get-shared": "k" }]))), [json!(null)]);
}

#[test]
fn a_signal_is_given_to_a_step_once() {
    let service = Service::start();
    let server = probing(&service);
    publish(&server, "go", json!({ "n": 1 }), json!("old"));
    let wait = json!({ "wait": { "name": "go" } });
    let timed = json!({ "wait": { "name": "go", "match": { "n": 3 }, "timeout": "50ms" } });
    let calls = json!([wait, { "publish": { "name": "went", "payload": 1 } }, wait, timed, { "answer": "own" }]);
    let run = probe(&server, calls);
    put_away(&server, &run, 1);
    let server = server.kill_and_restart();
    // This one was sent before it is waited for, and is kept until then.
    server.json(&["run", "signal", &run, "own", "5"]);
    publish(&server, "go", json!({ "n": 2 }), json!("new"));
    assert_eq!(gave(&server, &run), [json!("old"), json!(1), json!("new"), json!(null), json!(5)]);
    let listed = server.get("signals/went")["items"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1, "however often it is played, a step publishes once");
    assert_eq!(listed[0]["by"], format!("step probe of {run}"));
    let publisher = &listed[0]["publisher"];
    assert_eq!((&publisher["run"], &publisher["step"]), (&json!(run), &json!("probe")));
    let id = listed[0]["id"].as_str().unwrap();
    assert!(id.starts_with(&format!("{run}/probe/1/")), "{id}");
}
