//! A webhook's delivery sets a trigger off: it starts a run whose steps publish,
//! which sets others off, and somebody waits for what comes of that. One set fails
//! its condition.

use super::mortal::Mortal;
use super::{Sweep, check_starts};
use crate::durable::service::Service;
use segno_engine::webhook::Form;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One is begun by `go`, one by each pair, one by each pair that is done, and
/// one waits for that.
pub const WORKFLOWS: [&str; 4] = [
    r#"
workflow: giver
params: { days: { type: list<int> } }
triggers: [{ id: begin, signal: { name: go }, params: { days: "${signal.payload.days}" } }]
steps:
  - id: lefts
    noop: true
    signals: "${params.days.map(day, {'name': 'left', 'params': {'day': day}, 'payload': day * 10})}"
  - id: rights
    needs: [lefts]
    noop: true
    signals: "${params.days.map(day, {'name': 'right', 'params': {'date': day}, 'payload': day * 100})}"
"#,
    r#"
workflow: pair
params: { day: { type: int }, got: { type: list<int> } }
triggers:
  - id: both
    signals: [{ name: left, join: [day] }, { name: right, join: [date] }]
    when: "signals[0].payload < 30"
    params: { day: "${signals[0].params.day}", got: "${signals.map(it, it.payload)}" }
steps:
  - id: tell
    noop: true
    signals: [{ name: pair/done, params: { day: "${params.day}" }, payload: "${params.got}" }]
"#,
    r#"
workflow: report
params: { got: { type: list<int> } }
triggers: [{ id: done, signal: { name: pair/done }, params: { got: "${signal.payload}" } }]
steps: [{ id: one, noop: true }]
output: "${params.got}"
"#,
    r#"
workflow: listener
steps: [{ id: hears, wait: { signal: pair/done, match: { day: 2 } } }]
"#,
];

/// Where `go` comes from. Whoever delivers does it again until it is answered.
pub const WEBHOOK: &str = "name: gos\nkind: github\nsecret: GO_KEY\nsignal: go\n";
pub const SECRET: (&str, &str) = ("GO_KEY", "between the two");

/// Days with a signal on either side; the last fails the condition.
const DAYS: [u64; 3] = [1, 2, 3];
const FIRED: [u64; 2] = [1, 2];

const POINTS: [&str; 7] = [
    "run ordered",
    "signal of a step is ordered",
    "signal ordered",
    "step is about to publish",
    "trigger fired",
    "trigger looks",
    "trigger waits",
];

/// Where the host that catches up dies as well.
const CATCHING_UP: [&str; 5] = [
    "signal of a step is ordered#1",
    "step is about to publish#1",
    "trigger fired#1",
    "trigger looks#1",
    "trigger waits#1",
];

#[test]
fn every_set_starts_one_run_wherever_the_host_is_killed() {
    Sweep { grace: "1h", again: &[], late_at: &[], points: &POINTS, play }.run();
}

#[test]
fn every_set_starts_one_run_if_the_host_that_catches_up_is_killed_too() {
    Sweep { grace: "0s", again: &CATCHING_UP, late_at: &[], points: &POINTS, play }.run();
}

#[test]
fn every_set_starts_one_run_if_a_kill_comes_when_the_disk_has_it() {
    Sweep { grace: "1h", again: &CATCHING_UP, late_at: &POINTS, points: &POINTS, play }.run();
}

fn play(mortal: &mut Mortal, service: &Service) {
    let started = mortal.post("runs", "listener", &json!({ "workflow": "listener" }));
    let listener = started["run"].as_str().expect("a run has an identifier").to_owned();
    mortal.until(service, &listener, |view| view["steps"][0]["reason"] == "signal:pair/done");
    let body = json!({ "days": DAYS }).to_string();
    let mut headers = Form::Github.sign(SECRET.1.as_bytes(), 0, body.as_bytes());
    headers.push(("X-GitHub-Delivery".to_owned(), "go-1".to_owned()));
    let (status, delivered) = mortal.deliver("/hooks/default/gos", &headers, body.as_bytes());
    assert_eq!((status, &delivered["sequence"]), (200, &json!(1)), "{delivered}");
    let seen: [(&str, &[u64]); 3] =
        [("giver/begin", &[1]), ("pair/both", &[3, 3]), ("report/done", &[2])];
    for (trigger, places) in seen {
        mortal.until_at(service, &format!("triggers/{trigger}"), |view| {
            let mut parts = view["signals"].as_array().expect("a list").iter().zip(places);
            parts.all(|(part, place)| part["place"].as_u64() >= Some(*place))
        });
    }
    mortal.until_at(service, "runs", |page| {
        let mut runs = page["items"].as_array().expect("a list").iter();
        runs.all(|run| run.get("ended_at").is_some())
    });
    judge(mortal, &listener);
}

fn judge(mortal: &mut Mortal, listener: &str) {
    let mut runs = BTreeMap::<String, Vec<String>>::new();
    for run in mortal.list("runs") {
        assert_eq!(run["status"], "succeeded", "{run}");
        runs.entry(said(&run["workflow"])).or_default().push(said(&run["run"]));
    }
    let counts: Vec<_> = runs.iter().map(|(name, runs)| (name.as_str(), runs.len())).collect();
    assert_eq!(counts, [("giver", 1), ("listener", 1), ("pair", 2), ("report", 2)]);
    for run in runs.values().flatten() {
        check_starts(mortal, run);
    }
    check_published(mortal, &runs);
    let pairs = check_firings(mortal, &runs);
    let reports = firings(mortal, "report/done");
    assert_eq!(reports.len(), FIRED.len(), "{reports:?}");
    for signal in mortal.list("signals/pair%2Fdone") {
        let (sequence, day) = (&signal["sequence"], signal["params"]["day"].as_u64());
        let day = day.expect("a number");
        assert_eq!(signal["payload"], json!([day * 10, day * 100]), "{signal}");
        assert_eq!(signal["publisher"]["run"], json!(pairs[&day]), "the pair of day {day} says so");
        let firing = reports.iter().find(|firing| firing["signals"][0]["sequence"] == *sequence);
        let report = said(&firing.expect("it set the trigger off")["run"]);
        let output = mortal.get(&format!("runs/{report}"))["output"].clone();
        assert_eq!(output, signal["payload"]);
        let used = mortal.get(&format!("signals/pair%2Fdone/{sequence}/lineage"));
        let used = used["items"].as_array().expect("a list").clone();
        let mut used: Vec<_> = used.iter().map(|used| said(&used["run"])).collect();
        let mut expected = if day == 2 { vec![listener.to_owned()] } else { Vec::new() };
        expected.push(report);
        used.sort_unstable();
        expected.sort_unstable();
        assert_eq!(used, expected, "who used the signal of day {day}");
    }
}

/// Each signal of a step is there once, in order, with its payload.
fn check_published(mortal: &mut Mortal, runs: &BTreeMap<String, Vec<String>>) {
    let names: Vec<_> = mortal
        .list("signals")
        .iter()
        .map(|name| (said(&name["name"]), name["last"].as_u64().expect("a number")))
        .collect();
    let expected = [("go", 1), ("left", 3), ("pair/done", 2), ("right", 3)];
    assert_eq!(names, expected.map(|(name, last)| (name.to_owned(), last)));
    let go = mortal.list("signals/go").remove(0);
    let webhook = json!({ "kind": "webhook", "source": "gos" });
    assert_eq!((&go["id"], &go["publisher"]), (&json!("go-1"), &webhook), "{go}");
    let deliveries = mortal.list("webhooks/gos/deliveries");
    let is_fine = |it: &Value| it["outcome"] == "published" || it["outcome"] == "repeated";
    assert!(!deliveries.is_empty() && deliveries.iter().all(is_fine), "{deliveries:?}");
    for (name, param, step, times) in
        [("left", "day", "lefts", 10), ("right", "date", "rights", 100)]
    {
        let signals = mortal.list(&format!("signals/{name}"));
        assert_eq!(signals.len(), DAYS.len(), "{signals:?}");
        for (signal, day) in signals.iter().zip(DAYS) {
            assert_eq!(signal["params"], json!({ param: day }), "{signal}");
            assert_eq!(signal["payload"], json!(day * times), "{signal}");
            let publisher = &signal["publisher"];
            let by = (said(&publisher["run"]), &publisher["step"]);
            assert_eq!(by, (runs["giver"][0].clone(), &json!(step)));
        }
    }
}

/// Each pair has set the trigger off once; gives the run of each day.
fn check_firings(
    mortal: &mut Mortal,
    runs: &BTreeMap<String, Vec<String>>,
) -> BTreeMap<u64, String> {
    let began = firings(mortal, "giver/begin");
    assert_eq!((began.len(), &began[0]["run"]), (1, &json!(runs["giver"][0])), "{began:?}");
    let mut days = BTreeMap::new();
    for firing in firings(mortal, "pair/both") {
        let place = |part: usize| firing["signals"][part]["sequence"].as_u64();
        let day = place(0).expect("a number");
        assert_eq!(place(1), Some(day), "a day's signals belong together: {firing}");
        let outcome = if FIRED.contains(&day) { "run" } else { "false" };
        assert_eq!(firing["outcome"], outcome, "{firing}");
        assert!(firing.get("repeated").is_none_or(|repeated| repeated == false), "{firing}");
        assert!(days.insert(day, firing["run"].clone()).is_none(), "day {day} has two");
    }
    assert!(days.keys().copied().eq(DAYS), "{days:?}");
    let pair = mortal.get("triggers/pair/both");
    assert_eq!((&pair["pending"], &pair["dropped"]), (&json!(0), &json!(0)), "{pair}");
    let of_day = |day: u64| (day, said(&days[&day]));
    let fired = BTreeMap::from(FIRED.map(of_day));
    assert!(fired.values().all(|run| runs["pair"].contains(run)), "{fired:?}");
    fired
}

fn firings(mortal: &mut Mortal, trigger: &str) -> Vec<Value> {
    mortal.list(&format!("triggers/{trigger}/firings"))
}

fn said(text: &Value) -> String {
    text.as_str().unwrap_or_else(|| panic!("{text} is no text")).to_owned()
}
