//! Triggers with signals from outside: what is shown of them, and that each set
//! starts one run however often the host is killed.

use crate::server::{Server, text};
use segno_engine::definition::read_moment;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

const PAIR: &str = r#"
workflow: pair
params: { got: { type: json } }
triggers:
  - id: both
    signals:
      - { name: left, join: [day] }
      - { name: right, match: { ok: true }, join: [date] }
    when: "signals[1].payload.n < 100"
    params: { got: "${signals.map(it, it.sequence)}" }
steps:
  - { id: one, noop: true }
"#;

fn publish(server: &Server, name: &str, params: &Value, payload: &Value) {
    server.post("signals", &json!({ "name": name, "params": params, "payload": payload }));
}

/// A trigger, once it has looked at everything up to here.
fn until_seen(server: &Server, places: [u64; 2]) -> Value {
    loop {
        let trigger = server.get("triggers/pair/both");
        let place = |part: usize| trigger["signals"][part]["place"].as_u64();
        if [place(0), place(1)] == places.map(Some) {
            return trigger;
        }
        std::thread::yield_now();
    }
}

/// Everything on all pages.
fn all(server: &Server, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{path}?limit=1000{cursor}"));
        items.extend(page["items"].as_array().expect("a list").iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[test]
fn a_trigger_is_shown_with_what_became_of_its_signals() {
    let server = Server::start();
    assert_eq!(server.get("triggers")["items"], json!([]));
    server.apply(PAIR);
    publish(&server, "left", &json!({ "day": 1 }), &json!(null));
    publish(&server, "left", &json!({ "day": 2 }), &json!(null));
    publish(&server, "left", &json!({ "day": 3 }), &json!(null));
    publish(&server, "right", &json!({ "date": 1, "ok": true }), &json!({ "n": 1 }));
    publish(&server, "right", &json!({ "date": 2, "ok": true }), &json!({ "n": 100 }));
    let trigger = until_seen(&server, [3, 2]);
    let expected =
        json!({ "version": 1, "subscribed": true, "pending": 1, "dropped": 0, "firings": 2 });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&trigger[key], value, "{key} of {trigger}");
    }
    assert_eq!(trigger["signals"][1]["match"], json!({ "ok": true }));
    assert_eq!(server.json(&["trigger", "get", "pair/both"]), trigger);
    assert_eq!(server.json(&["trigger", "list"]), json!([trigger]));
    let table = text(&server.segno(&["trigger", "list"]).stdout);
    assert!(table.contains("pair/both") && table.contains("left, right"), "{table}");
    let firings = server.json(&["trigger", "firings", "pair/both"]);
    assert_eq!((&firings[0]["number"], &firings[0]["outcome"]), (&json!(2), &json!("false")));
    assert_eq!(firings[1]["outcome"], "run");
    let signals = json!([{ "name": "left", "sequence": 1 }, { "name": "right", "sequence": 1 }]);
    assert_eq!(firings[1]["signals"], signals);
    let run = firings[1]["run"].as_str().expect("a run");
    assert_eq!(server.end_of(run)["status"], "succeeded");
    assert_eq!(server.get("runs")["items"][0]["trigger"], "pair/both");
    assert!(text(&server.segno(&["run", "list"]).stdout).contains("pair/both"));
    let page = server.get("triggers/pair/both/firings?limit=1");
    assert_eq!(page["items"], json!([firings[0]]));
    let next = page["next"].as_str().expect("there is more");
    let rest = server.get(&format!("triggers/pair/both/firings?limit=1&cursor={next}"));
    assert_eq!(rest["items"], json!([firings[1]]));
    let shown = text(&server.segno(&["trigger", "firings", "pair/both"]).stdout);
    assert!(shown.contains("condition is false") && shown.contains("pair#1"), "{shown}");
    let shown = text(&server.segno(&["trigger", "get", "pair/both"]).stdout);
    assert!(shown.contains("waits since") && shown.contains("date"), "{shown}");
    let unknown = server.segno(&["trigger", "get", "pair/other"]);
    assert!(text(&unknown.stderr).contains("segno trigger list"), "{unknown:?}");
    server.json(&["workflow", "deactivate", "pair"]);
    assert_eq!(server.get("triggers/pair/both")["subscribed"], false);
}

/// Runs once a second, beside the signals.
const TICK: &str = r#"
workflow: tick
triggers: [{ id: second, every: 1s }]
steps: [{ id: one, noop: true }]
"#;

/// How many signals of each name are published, and how often the host dies.
const SIGNALS: u64 = 600;
const KILLS: u64 = 50;

/// Publishes with an id until the server has answered, whichever process it is.
fn publish_surely(url: &dyn Fn() -> String, name: &str, number: u64) {
    let param = if name == "left" { "day" } else { "date" };
    let params = json!({ param: number, "ok": true });
    let id = number.to_string();
    let body = json!({ "name": name, "id": id, "params": params, "payload": { "n": 1 } });
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    loop {
        let url = format!("{}/v1/tenants/default/signals", url());
        let answer = agent.post(&url).send_json(&body);
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        std::thread::yield_now();
    }
}

/// Each second from the first to the last has one run.
fn assert_every_second(runs: &[Value]) {
    let own = runs.iter().filter(|run| run["schedule"] == "tick/second");
    let moment = |run: &Value| run["scheduled_at"].as_str().and_then(read_moment);
    let mut seconds: Vec<_> = own.map(|run| moment(run).expect("a moment").0 / 1_000).collect();
    seconds.sort_unstable();
    assert!(!seconds.is_empty());
    assert!(seconds.windows(2).all(|two| two[1] == two[0] + 1), "{seconds:?}");
}

#[test]
fn every_set_starts_one_run_however_often_the_host_is_killed() {
    let server = Server::start();
    server.apply(PAIR);
    server.apply(TICK);
    let url = std::sync::Mutex::new(server.url.clone());
    let published = AtomicU64::new(0);
    let current = || url.lock().expect("nobody panics with it").clone();
    let server = std::thread::scope(|scope| {
        let (published, current) = (&published, &current);
        for (name, thread) in [("left", 0), ("left", 1), ("right", 0), ("right", 1)] {
            scope.spawn(move || {
                for number in (0..SIGNALS).filter(|number| number % 2 == thread) {
                    publish_surely(current, name, number);
                    published.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut server = server;
        // Each process dies when so much more was published, at whatever moment.
        for kill in 1..=KILLS {
            while published.load(Ordering::SeqCst) < 2 * SIGNALS * kill / (KILLS + 1) {
                std::thread::yield_now();
            }
            server = server.kill_and_restart();
            url.lock().expect("nobody panics with it").clone_from(&server.url);
        }
        server
    });
    let trigger = until_seen(&server, [SIGNALS, SIGNALS]);
    assert_eq!((&trigger["firings"], &trigger["pending"]), (&json!(SIGNALS), &json!(0)));
    let day_of = |name: &str, param: &str| -> BTreeMap<u64, u64> {
        let signals = server.get(&format!("signals/{name}?limit=1000"));
        let signals = signals["items"].as_array().expect("a list").iter();
        let number = |value: &Value| value.as_u64().expect("a number");
        signals
            .map(|signal| (number(&signal["sequence"]), number(&signal["params"][param])))
            .collect()
    };
    let (lefts, rights) = (day_of("left", "day"), day_of("right", "date"));
    server.json(&["schedule", "pause", "tick/second"]);
    let runs = all(&server, "runs");
    let of_signals = runs.iter().filter(|run| run["workflow"] == "pair").count();
    assert_eq!(of_signals as u64, SIGNALS, "as many runs as days");
    assert_every_second(&runs);
    let mut days = BTreeSet::new();
    for firing in all(&server, "triggers/pair/both/firings") {
        let sequence =
            |part: usize| firing["signals"][part]["sequence"].as_u64().expect("a number");
        let (left, right) = (lefts[&sequence(0)], rights[&sequence(1)]);
        assert_eq!(left, right, "{firing}");
        assert!(days.insert(left), "day {left} has two runs");
    }
    assert_eq!(days.len() as u64, SIGNALS);
}
