//! What is set for workflows beside their definitions: the active version,
//! properties and their history, deletion, limits of tags, breakpoints.

use crate::server::{Server, text};
use serde_json::{Value, json};

/// A definition whose versions differ in what they give.
fn definition(mark: u32) -> String {
    format!(
        "workflow: report\nowner: weather-team\nsteps: [{{ id: load, component: noop, params: {{ mark: {mark} }} }}]\n"
    )
}

/// A server that has `report` in one version.
fn server() -> Server {
    let server = Server::start();
    server.push("noop", "noop@1.0.0");
    server.apply(&definition(1));
    server
}

/// A workflow whose runs stay open until they are cancelled.
fn push_endless(server: &Server) {
    server.push("hostile", "hostile@1.0.0");
    server.apply(
        "workflow: endless\nsteps: [{ id: spin, component: hostile, params: { case: spins }, limits: { cpu: 10m, wall: 10m } }]\n",
    );
}

/// Fails unless the command line was refused with a message that has all parts.
fn refused(server: &Server, words: &[&str], parts: &[&str]) {
    let output = server.segno(words);
    let message = text(&output.stderr);
    assert!(!output.status.success(), "{words:?} was accepted: {}", text(&output.stdout));
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in {message:?}");
    }
}

/// The status and the body of a request without a body.
fn ask(server: &Server, method: &str, path: &str) -> (u16, Value) {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}/v1/tenants/default/{path}", server.url));
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent.run(request.body(()).expect("a request")).expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_json().expect("answers are JSON"))
}

/// The version that a start gets, with these words behind it.
fn started(server: &Server, words: &[&str]) -> Value {
    server.json(&[&["run", "exec", "report"], words].concat())["version"].clone()
}

#[test]
fn a_start_gets_the_version_that_it_asks_for() {
    let server = server();
    let file = server.data_dir().join("next.yaml");
    std::fs::write(&file, definition(2)).expect("the directory is writable");
    let file = file.to_string_lossy().into_owned();
    let applied = server.json(&["workflow", "apply", "--inactive", &file]);
    assert_eq!((&applied["version"], &applied["active_version"]), (&json!(2), &json!(1)));
    assert_eq!(started(&server, &[]), 1);
    assert_eq!(started(&server, &["--version", "latest"]), 2);
    assert_eq!(started(&server, &["--version", "active"]), 1);
    assert_eq!(started(&server, &["--version", "2"]), 2);

    server.json(&["workflow", "deactivate", "report"]);
    assert_eq!(started(&server, &[]), 2);
    refused(&server, &["run", "start", "report", "--version", "active"], &["no active version"]);
    refused(&server, &["run", "start", "report", "--version", "3"], &["no version 3"]);
    refused(&server, &["run", "start", "report", "--version", "newest"], &["latest, active"]);
    refused(&server, &["workflow", "get", "report", "--version", "0"], &["latest, active"]);

    server.json(&["workflow", "activate", "report", "1"]);
    assert_eq!(started(&server, &["--version", "default"]), 1);
    assert_eq!(server.get("workflows/report")["version"], 1);
    assert_eq!(server.get("workflows/report?version=latest")["version"], 2);
    refused(&server, &["workflow", "activate", "report", "9"], &["no version 9"]);
    let again = server.json(&["workflow", "apply", &file]);
    let shown = (&again["unchanged"], &again["version"], &again["active_version"]);
    assert_eq!(shown, (&json!(true), &json!(2), &json!(2)), "the same definition is activated");
    let versions = server.json(&["workflow", "versions", "report"]);
    let versions: Vec<_> = versions.as_array().expect("a list").iter().collect();
    let shown = versions.iter().map(|item| (item["version"].clone(), item["active"].clone()));
    assert!(shown.eq([(json!(2), json!(true)), (json!(1), json!(false))]), "{versions:?}");
}

#[test]
fn properties_change_without_a_version_and_leave_a_history() {
    let server = server();
    let set = server.json(&[
        "--user",
        "ada",
        "workflow",
        "set",
        "report",
        "--run-strategy",
        "parallel(3)",
        "--tags",
        "nightly,weather",
        "--step-concurrency",
        "5",
    ]);
    let expected = json!({
        "owner": "weather-team", "tags": ["nightly", "weather"], "run_strategy": "parallel(3)",
        "step_concurrency": 5, "paused": false,
    });
    assert_eq!(set["properties"], expected);
    assert_eq!(set["latest_version"], 1);
    let words = ["workflow", "set", "report", "--owner", "me", "--reset", "tags,step-concurrency"];
    server.json(&words);
    // The definition names its owner, and nothing else.
    server.apply(&definition(2));
    let server = server.kill_and_restart();
    let properties = &server.get("workflows/report")["properties"];
    let expected = json!({
        "owner": "weather-team", "run_strategy": "parallel(3)", "paused": false,
    });
    assert_eq!(*properties, expected);

    let history = server.json(&["workflow", "history", "report"]);
    let history = history.as_array().expect("a list");
    let actions: Vec<_> = history.iter().map(|change| change["action"].clone()).collect();
    assert_eq!(actions, ["pushed", "changed", "changed", "pushed"]);
    let by: Vec<_> = history.iter().map(|change| change["by"].clone()).collect();
    assert_eq!(by, ["api", "api", "ada", "api"]);
    assert_eq!(history[2]["before"]["run_strategy"], Value::Null);
    assert_eq!(history[2]["after"]["run_strategy"], "parallel(3)");
    assert!(history[2]["after"].get("owner").is_none(), "{}", history[2]);
    assert_eq!(
        (&history[0]["before"]["owner"], &history[0]["after"]["owner"]),
        (&json!("me"), &json!("weather-team"))
    );
    let page = server.get("workflows/report/history?limit=1");
    assert_eq!((&page["items"][0]["number"], page["next"].is_string()), (&json!(4), true));
}

#[test]
fn properties_that_cannot_be_are_refused_with_the_remedy() {
    let server = server();
    let set = ["workflow", "set", "report"];
    let refuses = |words: &[&str], part| refused(&server, &[&set, words].concat(), &[part]);
    refuses(&[], "nothing to set");
    refuses(&["--owner", "me", "--reset", "owner"], "both set and reset");
    refuses(&["--run-strategy", "serial"], "is not a run strategy");
    refuses(&["--run-strategy", "parallel(0)"], "parallel(20)");
    refuses(&["--step-concurrency", "0"], "step_concurrency");
    refuses(&["--owner", ""], "null resets it");
    refuses(&["--tags", "a,,b"], "is no tag");
    refuses(&["--tags", "a,b,a"], "twice");
    refused(&server, &["workflow", "pause", "report", "--note", ""], &["1 to 16384 bytes"]);
    refused(&server, &["tag", "set", "a", "1", "--note", ""], &["1 to 16384 bytes"]);
    refused(&server, &["breakpoint", "set", "report", "load", "--note", ""], &["leave it out"]);
    refused(&server, &["workflow", "set", "other", "--owner", "me"], &["no workflow \"other\""]);
    assert_eq!(server.get("workflows/report/history")["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_pause_says_why_until_it_is_over() {
    let server = server();
    server.json(&["workflow", "pause", "report", "--note", "the disk is full"]);
    let properties = &server.get("workflows/report")["properties"];
    assert_eq!(
        (&properties["paused"], &properties["paused_note"]),
        (&json!(true), &json!("the disk is full"))
    );
    let list = text(&server.segno(&["workflow", "list"]).stdout);
    assert!(list.contains("paused"), "{list}");
    let resumed = server.json(&["workflow", "resume", "report"]);
    assert_eq!(
        resumed["properties"],
        json!({
            "owner": "weather-team", "run_strategy": "parallel", "paused": false,
        })
    );
    // Once more changes nothing, and is no change.
    server.json(&["workflow", "resume", "report"]);
    assert_eq!(server.get("workflows/report/history")["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(ask(&server, "POST", "workflows/report/pause").0, 200, "a note is not needed");
}

#[test]
fn a_strategy_with_room_for_one_run_is_refused_while_two_are_open() {
    let server = Server::start();
    push_endless(&server);
    let first = server.start_run("endless", json!({}));
    let set = ["workflow", "set", "endless", "--run-strategy", "first_only"];
    let second = server.start_run("endless", json!({}));
    refused(&server, &set, &["endless#1", "endless#2", "cancel"]);
    server.json(&["workflow", "set", "endless", "--run-strategy", "sequential"]);
    server.json(&["run", "cancel", &first]);
    server.end_of(&first);
    assert_eq!(server.json(&set)["properties"]["run_strategy"], "first_only");
    server.json(&["run", "cancel", &second]);
}

#[test]
fn a_deleted_workflow_leaves_its_runs_and_its_numbers() {
    let server = Server::start();
    server.push("noop", "noop@1.0.0");
    push_endless(&server);
    let run = server.start_run("endless", json!({}));
    refused(&server, &["workflow", "delete", "endless"], &["endless#1", "cancel"]);
    server.json(&["run", "cancel", &run]);
    server.end_of(&run);
    server.json(&["breakpoint", "set", "endless", "spin"]);
    server.json(&["workflow", "delete", "endless"]);
    refused(&server, &["workflow", "delete", "endless"], &["no workflow \"endless\""]);

    let server = server.kill_and_restart();
    assert_eq!(server.json(&["workflow", "list"]), json!([]));
    refused(&server, &["run", "start", "endless"], &["no workflow"]);
    refused(&server, &["run", "start", "endless", "--version", "1"], &["no workflow"]);
    assert_eq!(ask(&server, "GET", "workflows/endless/versions").0, 404);
    let shown = server.get("runs/endless%231");
    assert_eq!((&shown["run"], &shown["steps"][0]["step"]), (&json!(run), &json!("spin")));
    let history = server.get("workflows/endless/history");
    assert_eq!(history["items"][0]["action"], "deleted");

    let applied =
        server.apply("workflow: endless\nsteps: [{ id: end, component: noop, params: {} }]\n");
    assert_eq!(applied["version"], 2);
    assert_eq!(server.json(&["run", "exec", "endless"])["number"], 2);
    assert_eq!(server.json(&["breakpoint", "list", "endless"]), json!([]));
    assert_eq!(server.get("runs/endless%231")["steps"][0]["step"], "spin");
}

#[test]
fn limits_of_tags_are_set_and_taken_away() {
    let server = Server::start();
    server.json(&["--user", "ada", "tag", "set", "ware house", "2", "--note", "two licences"]);
    server.json(&["tag", "set", "gate", "0"]);
    let server = server.kill_and_restart();
    let list = server.json(&["tag", "list"]);
    let tags: Vec<_> = list.as_array().expect("a list").iter().collect();
    assert_eq!((&tags[0]["tag"], &tags[0]["limit"]), (&json!("gate"), &json!(0)));
    let named = (&tags[1]["tag"], &tags[1]["note"], &tags[1]["set_by"]);
    assert_eq!(named, (&json!("ware house"), &json!("two licences"), &json!("ada")));
    server.json(&["tag", "delete", "gate"]);
    refused(&server, &["tag", "delete", "gate"], &["no limit", "segno tag list"]);
    let (status, problem) = ask(&server, "DELETE", "tags/gate");
    assert_eq!((status, &problem["code"]), (404, &json!("tag_not_limited")));
    let other = server.json(&["--tenant", "other", "tag", "list"]);
    assert_eq!(other, json!([]));
}

#[test]
fn breakpoints_are_set_on_steps_that_there_are() {
    let server = Server::start();
    server.push("noop", "noop@1.0.0");
    server.apply(
        "workflow: loops\nsteps:\n  - id: all\n    foreach: { n: [1, 2], concurrency: 1 }\n    steps: [{ id: inner, component: noop, params: {} }]\n",
    );
    server.json(&["breakpoint", "set", "loops", "inner", "--note", "look at n"]);
    server.json(&["breakpoint", "set", "loops", "all"]);
    refused(&server, &["breakpoint", "set", "loops", "iner"], &["no step \"iner\"", "all, inner"]);
    refused(&server, &["breakpoint", "set", "loop", "inner"], &["no workflow \"loop\""]);
    let server = server.kill_and_restart();
    let list = server.json(&["breakpoint", "list", "loops"]);
    let steps: Vec<_> = list.as_array().expect("a list").iter().map(|it| &it["step"]).collect();
    assert_eq!(steps, ["all", "inner"]);
    server.json(&["breakpoint", "clear", "loops", "inner", "--resume"]);
    refused(&server, &["breakpoint", "clear", "loops", "inner"], &["no breakpoint"]);
    let list = text(&server.segno(&["breakpoint", "list", "loops"]).stdout);
    assert!(list.contains("all") && !list.contains("inner"), "{list}");
}

#[test]
fn a_user_that_cannot_be_written_down_is_refused() {
    let server = server();
    let url = format!("{}/v1/tenants/default/workflows/report/deactivate", server.url);
    let answer = ureq::post(&url)
        .config()
        .http_status_as_error(false)
        .build()
        .header("x-segno-user", "x".repeat(129))
        .send_empty();
    assert_eq!(answer.expect("an answer").status().as_u16(), 400);
    refused(&server, &["--user", "a b", "workflow", "list"], &["visible ASCII"]);
}

#[test]
fn a_default_that_is_computed_is_shown_as_it_is_written() {
    let server = Server::start();
    server.apply(
        "workflow: daily\nparams: { day: { type: string, value: '${date(run.created_at)}' } }\nsteps: [{ id: say, noop: true }]\n",
    );
    let shown = server.json(&["workflow", "get", "daily"]);
    assert_eq!(shown["params"][0]["default"], "${date(run.created_at)}");
}
