//! Schedules that fire every second under three overlap policies, and a backfill
//! beside them: each instant comes to one run, or to a reason for none.

use super::mortal::Mortal;
use super::{Sweep, check_starts};
use crate::durable::service::Service;
use segno_engine::definition::read_moment;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One is over at once, one when it is let go, one not by itself.
pub const WORKFLOWS: [&str; 3] = [
    "workflow: quick\nsteps: [{ id: one, noop: true }]\n",
    "workflow: held\nsteps: [{ id: gate, wait: { signal: let/go } }]\n",
    "workflow: stays\nsteps: [{ id: gate, wait: { signal: never } }]\n",
];

/// Name, workflow and overlap policy of what fires every second.
const EVERY_SECOND: [(&str, &str, &str); 3] = [
    ("each", "quick", "allow_all"),
    ("skips", "held", "skip"),
    ("newest", "stays", "cancel_other"),
];

/// So many instants each of them has at least.
const INSTANTS: u64 = 3;

/// What is filled afterwards: six instants of a rule that is over.
const FROM: &str = "2019-12-31T18:00:00Z";
const UNTIL: &str = "2020-01-01T00:00:00Z";
const FILLED: u64 = 6;
const HOUR_MS: u64 = 60 * 60 * 1_000;

const POINTS: [&str; 3] = ["backfill goes on", "instant ordered", "schedule decided"];

/// Where the host that takes up dies as well.
const TAKING_UP: [&str; 3] = ["backfill goes on#1", "instant ordered#1", "schedule decided#1"];

#[test]
fn every_instant_comes_to_one_thing_wherever_the_host_is_killed() {
    Sweep { grace: "1h", again: &[], late_at: &[], points: &POINTS, play }.run();
}

#[test]
fn every_instant_comes_to_one_thing_if_a_kill_comes_when_the_disk_has_it() {
    Sweep { grace: "1h", again: &TAKING_UP, late_at: &POINTS, points: &POINTS, play }.run();
}

fn play(mortal: &mut Mortal, service: &Service) {
    let hourly = json!({ "name": "hourly", "workflow": "quick", "cron": "@hourly", "end": UNTIL });
    create(mortal, "schedules", &hourly);
    for (name, workflow, overlap) in EVERY_SECOND {
        let schedule =
            json!({ "name": name, "workflow": workflow, "every": "1s", "overlap": overlap });
        create(mortal, "schedules", &schedule);
    }
    let backfill = json!({ "from": FROM, "until": UNTIL, "concurrency": 2 });
    create(mortal, "schedules/hourly/backfills", &backfill);
    mortal.until_at(service, "schedules/hourly/backfills", |page| {
        let mut backfills = page["items"].as_array().expect("a list").iter();
        backfills.all(|backfill| backfill["status"] == "done")
    });
    for (name, _, _) in EVERY_SECOND {
        mortal.until_at(service, &format!("schedules/{name}"), |view| {
            unix_ms(&view["decided_until"]) >= unix_ms(&view["created_at"]) + INSTANTS * 1_000
        });
        mortal.post(&format!("schedules/{name}/pause"), "", &json!({}));
    }
    mortal.post("signals", "let-go", &json!({ "name": "let/go" }));
    // The one that nothing cancels waits on.
    mortal.until_at(service, "runs?limit=1000", |page| {
        let runs = page["items"].as_array().expect("a list").iter();
        let mut open = runs.filter(|run| run.get("ended_at").is_none());
        open.next().is_some_and(|run| run["schedule"] == "newest") && open.next().is_none()
    });
    judge(mortal);
}

/// Makes something, once. Whoever did not hear that it was made may be told so,
/// or makes it again.
fn create(mortal: &mut Mortal, path: &str, body: &Value) {
    let path = format!("/v1/tenants/default/{path}");
    let (status, answer) = mortal.ask(&path, Some((body, "once")));
    let was_there = matches!(status, 200 | 409) && !mortal.deaths().is_empty();
    assert!(status == 201 || was_there, "{status}: {answer}");
}

fn judge(mortal: &mut Mortal) {
    let mut runs = BTreeMap::<String, Vec<Value>>::new();
    for run in mortal.list("runs?limit=1000") {
        let schedule = run["schedule"].as_str().expect("each is of a schedule").to_owned();
        runs.entry(schedule).or_default().push(run);
    }
    for runs in runs.values_mut() {
        runs.sort_by_key(|run| unix_ms(&run["scheduled_at"]));
    }
    for run in runs.values().flatten().filter(|run| run["status"] == "succeeded") {
        check_starts(mortal, run["run"].as_str().expect("it has an identifier"));
    }
    assert_eq!(runs.len(), EVERY_SECOND.len() + 1, "{:?}", runs.keys());
    check_backfills(mortal, &runs["hourly"]);
    for (name, _, overlap) in EVERY_SECOND {
        let reasons = check_every_second(mortal, name, &runs[name]);
        let (last, earlier) = runs[name].split_last().expect("there is one");
        let are = |status: &str| earlier.iter().all(|run| run["status"] == status);
        let (is_fine, is_reason_fine) = match overlap {
            "skip" => (
                earlier.is_empty() && last["status"] == "succeeded",
                reasons.iter().skip(1).all(|why| why == "overlap"),
            ),
            "cancel_other" => (
                are("cancelled") && last.get("ended_at").is_none(),
                reasons.iter().all(|why| why == "run"),
            ),
            _ => (
                are("succeeded") && last["status"] == "succeeded",
                reasons.iter().all(|why| why == "run"),
            ),
        };
        assert!(is_fine, "{name} has {:#?}", runs[name]);
        assert!(is_reason_fine && reasons[0] == "run", "{name} has {reasons:?}");
    }
}

/// Every second since the schedule was made has one tick, up to its pause; the
/// runs are those of the ticks. Gives for each whether there is a `run`, or why
/// not.
fn check_every_second(mortal: &mut Mortal, name: &str, runs: &[Value]) -> Vec<String> {
    let made = unix_ms(&mortal.get(&format!("schedules/{name}"))["created_at"]);
    let ticks = ticks(mortal, name);
    let mut came = Vec::new();
    let mut started = Vec::new();
    for tick in ticks.iter().filter(|tick| tick["reason"] != "paused") {
        let (first, last) = span(tick);
        let next = (made / 1_000 + 1 + came.len() as u64) * 1_000;
        assert_eq!(first, next, "{name} leaves out or repeats an instant: {ticks:#?}");
        let count = tick["count"].as_u64().expect("a number");
        assert_eq!(last, first + (count - 1) * 1_000, "{tick}");
        let what = if tick["outcome"] == "run" { "run".to_owned() } else { said(&tick["reason"]) };
        came.extend((0..count).map(|_| what.clone()));
        if let Some(run) = tick.get("run") {
            started.push((first, run.clone()));
        }
    }
    assert!(came.len() as u64 >= INSTANTS, "{ticks:#?}");
    let runs: Vec<_> =
        runs.iter().map(|run| (unix_ms(&run["scheduled_at"]), run["run"].clone())).collect();
    assert_eq!(runs, started, "{name} has other runs than ticks");
    came
}

/// Every instant of the backfill has one run. Whoever did not hear that it was
/// made asks again with the same key.
fn check_backfills(mortal: &mut Mortal, runs: &[Value]) {
    let backfills = mortal.list("schedules/hourly/backfills");
    assert_eq!(backfills.len(), 1, "{backfills:?}");
    let all = ticks(mortal, "hourly");
    let from = read_moment(FROM).expect("it is a moment").0;
    let instants: Vec<_> = (0..FILLED).map(|hour| from + hour * HOUR_MS).collect();
    let mut started = Vec::new();
    for backfill in &backfills {
        for (key, value) in [("instants", FILLED), ("started", FILLED), ("succeeded", FILLED)] {
            assert_eq!(backfill[key], value, "{backfill}");
        }
        assert_eq!((&backfill["failed"], &backfill["left"]), (&json!(0), &json!(0)), "{backfill}");
        let own = all.iter().filter(|tick| tick["backfill"] == backfill["backfill"]);
        let own: Vec<_> = own.map(|tick| (span(tick).0, said(&tick["run"]))).collect();
        assert_eq!(own.iter().map(|(at, _)| *at).collect::<Vec<_>>(), instants, "{all:#?}");
        started.extend(own);
    }
    assert_eq!(all.len(), started.len(), "{all:#?}");
    let runs = runs.iter().map(|run| (unix_ms(&run["scheduled_at"]), said(&run["run"])));
    let mut runs: Vec<_> = runs.collect();
    runs.sort_unstable();
    started.sort_unstable();
    assert_eq!(runs, started, "other runs than ticks");
}

/// What became of a schedule's instants, oldest first.
fn ticks(mortal: &mut Mortal, name: &str) -> Vec<Value> {
    let mut ticks = mortal.list(&format!("schedules/{name}/ticks?limit=1000"));
    ticks.reverse();
    ticks
}

/// The first and the last instant of a tick.
fn span(tick: &Value) -> (u64, u64) {
    let first = unix_ms(&tick["at"]);
    (first, tick.get("last").map_or(first, unix_ms))
}

fn unix_ms(moment: &Value) -> u64 {
    read_moment(&said(moment)).expect("in RFC 3339").0
}

fn said(text: &Value) -> String {
    text.as_str().unwrap_or_else(|| panic!("{text} is no text")).to_owned()
}
