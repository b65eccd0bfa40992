//! Guests that cheat with durable calls. The table of the example `hostile` says
//! how each ends; here is what must not happen besides.

use super::log;
use crate::guests::examples;
use crate::server::{Server, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// How long a neighbour may take whose step does next to nothing: far more than
/// it needs on an idle machine, far less than it would wait behind a cheat.
const NEIGHBOUR_MS_MAX: u64 = 10_000;

/// A server with the example and `hello` for its neighbour.
fn with_hostile() -> Server {
    let server = Server::start();
    server.push_with_workflow("hostile");
    server.push_with_workflow("hello");
    server
}

/// The same with other limits and no second try.
fn with_limits(limits: &str) -> Server {
    let server = with_hostile();
    server.apply(&format!(
        "workflow: hostile\nparams: {{ input: {{ type: json }}, case: {{ type: string, value: ok }} }}\n\
         steps:\n  - id: misbehave\n    component: hostile@1\n    limits: {{ {limits} }}\n    \
         retry: {{ platform: 0 }}\n    params: \"${{params.input}}\"\n"
    ));
    server
}

fn assert_neighbour_is_well(server: &Server) {
    let took_ms = neighbour_ms(server);
    assert!(took_ms < NEIGHBOUR_MS_MAX, "{took_ms} ms");
}

/// Runs the neighbour to its end, and says how long that took.
fn neighbour_ms(server: &Server) -> u64 {
    let neighbour = server.json(&["run", "exec", "hello", "--param", "name=Ada"]);
    assert_eq!(neighbour["status"], "succeeded", "{neighbour}");
    neighbour["duration_ms"].as_u64().expect("a number")
}

/// How the case ended: reason and message.
fn failure(server: &Server, input: Value) -> (String, String) {
    let run = server.start_run("hostile", json!({ "input": input }));
    assert_neighbour_is_well(server);
    let ended = server.end_of(&run);
    assert_eq!(ended["status"], "failed", "{ended}");
    let failure = &ended["steps"][0]["failure"];
    let part = |name: &str| failure[name].as_str().expect("a text").to_owned();
    (part("reason"), part("message"))
}

#[test]
fn another_turn_has_no_effect_and_is_not_tried_again() {
    let server = with_hostile();
    for (case, was, is) in [
        ("diverges", "timers.sleep(1200 ms)", "signals.publish(hostile.diverged {})"),
        ("wavers", "timers.sleep(1200 ms)", "timers.sleep(1201 ms)"),
    ] {
        let run = server.start_run("hostile", json!({ "case": case }));
        let ended = server.end_of(&run);
        let step = &ended["steps"][0];
        assert_eq!(
            (&step["reason"], &step["attempt"]),
            (&json!("nondeterminism"), &json!(1)),
            "{ended}"
        );
        let message = step["failure"]["message"].as_str().unwrap();
        let said = format!("at call 1 the journal has {was}, and the step now called {is}.");
        assert!(message.contains(&said), "{message}");
    }
    assert_eq!(server.json(&["signal", "list"]), json!([]));
    assert_neighbour_is_well(&server);
}

#[test]
fn nothing_of_a_guest_runs_before_its_wake_up() {
    let server = with_hostile();
    let run = server.start_run("hostile", json!({ "case": "catches-all" }));
    server.event(&run, |event| event["type"] == "attempt_put_away");
    assert_eq!(log(&server, &run), ["before the wait"]);
    let server = server.kill_and_restart();
    assert_eq!(server.end_of(&run)["status"], "succeeded");
    let lines = [
        "before the wait",
        "the guard is dropped",
        "behind the wait: Ok(())",
        "the guard is dropped",
    ];
    assert_eq!(log(&server, &run), lines);
}

#[test]
fn a_sleep_until_the_end_of_time_can_be_cancelled() {
    let server = with_hostile();
    let run = server.start_run("hostile", json!({ "case": "sleeps-for-ever" }));
    let event = server.event(&run, |event| event["type"] == "attempt_suspended");
    let (year, until) = (&event["at"].as_str().unwrap()[..4], event["reason"].as_str().unwrap());
    let ten_years_later = year.parse::<u32>().unwrap() + 10;
    assert!(until.starts_with(&format!("timer:{ten_years_later}-")), "{event}");
    let server = server.kill_and_restart();
    let step = &server.get(&format!("runs/{run}"))["steps"][0];
    assert_eq!((&step["status"], &step["reason"]), (&json!("suspended"), &event["reason"]));
    assert_eq!(server.json(&["run", "cancel", &run])["status"], "cancelled");
}

#[test]
fn a_journal_has_an_end() {
    let server = with_limits("wall: 10m, cpu: 5m");
    let (reason, message) = failure(&server, json!({ "case": "naps" }));
    assert_eq!(reason, "limit:journal", "{message}");
    assert!(message.contains("more than 10000 durable calls"), "{message}");
    assert!(message.contains("`continue-as-new`"), "{message}");
}

#[test]
fn a_wait_for_too_much_ends_the_attempt() {
    let server = with_limits("memory: 1GiB, cpu: 1m, wall: 10m");
    for (input, reason, part) in [
        (json!({ "case": "waits-for-many", "things": 1_000_000 }), "limit:host_call", "host_call:"),
        (
            json!({ "case": "waits-for-many", "things": 101 }),
            "trap",
            "takes 1 to 100 conditions, not 101",
        ),
        (json!({ "case": "long-signal-name" }), "limit:host_call", "host_call:"),
        (json!({ "case": "long-signal-name", "bytes": 129 }), "invalid", "1 to 128 bytes"),
    ] {
        let (found, message) = failure(&server, input.clone());
        assert_eq!(found, reason, "{input}: {message}");
        assert!(message.contains(part) && message.len() < 2_000, "{input}: {message}");
    }
    assert_eq!(server.json(&["signal", "list"]), json!([]));
}

#[test]
fn runs_that_start_themselves_have_a_last_one() {
    let server = with_hostile();
    let run = server.start_run("hostile", json!({ "case": "nests" }));
    let ended = server.end_of(&run);
    assert_eq!(
        (&ended["status"], &ended["reason"]),
        (&json!("failed"), &json!("fatal")),
        "{ended}"
    );
    let message = ended["failure"]["message"].as_str().unwrap();
    assert!(message.contains("may be 10 deep"), "{message}");
    let listed = server.get("runs?workflow=hostile");
    assert_eq!(listed["items"].as_array().unwrap().len(), 11);
}

/// How long an answer of the API may take that waits for half a second.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How many runs may be open below one, and that one.
const FAMILY: u64 = 10_001;

/// How long these may take to appear: many times what they take.
const FAMILY_MAX_TIME: Duration = Duration::from_secs(900);

#[test]
fn a_thousand_runs_of_a_thousand_are_stopped() {
    let server = with_hostile();
    // On a slow machine a thousand starts may take longer than the others get.
    let workflow = std::fs::read_to_string(examples().join("hostile/workflow.yaml")).unwrap();
    server.apply(&workflow.replace("cpu: 2s, wall: 20s", "cpu: 5m, wall: 10m"));
    let run = server.start_run("hostile", json!({ "case": "forks" }));
    let newest = || server.get("runs?workflow=hostile&limit=1")["items"][0]["number"].as_u64();
    let began = Instant::now();
    while newest() < Some(FAMILY) {
        assert!(began.elapsed() < FAMILY_MAX_TIME, "only {:?} runs", newest());
        // The server does the waiting, and answers at once afterwards.
        let asked = Instant::now();
        let view = server.get(&format!("runs/{run}?wait=0.5"));
        assert!(asked.elapsed() < ANSWER_MAX, "{:?}", asked.elapsed());
        assert_eq!(view["status"], "running", "{view}");
        // A neighbour is served too, behind the attempts that queued before.
        neighbour_ms(&server);
    }
    // For some, no room was left. The deepest may start none anyway.
    let said = format!("10000 runs are open below {run}");
    let was_refused = |item: Value| {
        let run = item["run"].as_str().expect("a text");
        server.event(run, |event| event["type"] == "attempt_suspended");
        log(&server, run).iter().any(|line| line.contains(&said))
    };
    assert!(forks(&server).any(was_refused), "nobody was told that there are too many");
    assert_eq!(newest(), Some(FAMILY));
    server.json(&["run", "cancel", &run]);
    assert_eq!(server.end_of(&run)["status"], "cancelled");
    assert_neighbour_is_well(&server);
    // Those that the end had not reached took the places of those it had.
    let mut runs = 0;
    for item in forks(&server) {
        let status = match item.get("ended_at") {
            Some(_) => item["status"].clone(),
            None => server.end_of(item["run"].as_str().unwrap())["status"].clone(),
        };
        assert_eq!(status, "cancelled", "{item}");
        runs += 1;
    }
    assert!(runs >= FAMILY, "{runs} runs");
}

/// All runs of the workflow, newest first.
fn forks(server: &Server) -> impl Iterator<Item = Value> {
    let mut cursor = Some(String::new());
    let pages = std::iter::from_fn(move || {
        let page = server.get(&format!("runs?workflow=hostile&limit=1000{}", cursor.take()?));
        cursor = page["next"].as_str().map(|next| format!("&cursor={next}"));
        Some(page["items"].as_array().expect("a list").clone())
    });
    pages.flatten()
}

/// A component that sleeps while it is set up, which no compiler would write.
fn sleeper() -> Vec<u8> {
    let mut module = wat::parse_str(
        r#"(module
            (import "segno:step/timers@0.1.0" "sleep" (func $sleep (param i64)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "segno:step/guest@0.1.0#run") (param i32 i32 i32 i32 i32 i32 i32)
                (result i32) (unreachable))
            (func $start (call $sleep (i64.const 10)))
            (start $start))"#,
    )
    .expect("it is a module");
    let mut resolve = Resolve::default();
    let contract = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_dir(contract).expect("the contract is valid");
    let world = resolve.select_world(&[package], Some("step")).expect("there it is");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the module gets a section more");
    module
}

#[test]
fn nobody_waits_while_a_component_is_set_up() {
    let server = with_hostile();
    let file = server.data_dir().join("sleeper.wasm");
    std::fs::write(&file, sleeper()).expect("the directory is writable");
    let pushed = server.segno(&["component", "push", &file.to_string_lossy(), "sleeper@1.0.0"]);
    assert!(pushed.status.success(), "{}", text(&pushed.stderr));
    server.apply("workflow: sleeper\nsteps:\n  - { id: nap, component: sleeper@1, retry: { platform: 0 } }\n");
    let run = server.start_run("sleeper", json!({}));
    let ended = server.end_of(&run);
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("failed"), &json!("trap")), "{ended}");
    let message = ended["failure"]["message"].as_str().unwrap();
    let said = "timers.sleep(10 ms) was called while the component was set up";
    assert!(message.contains(said), "{message}");
    assert_neighbour_is_well(&server);
}
