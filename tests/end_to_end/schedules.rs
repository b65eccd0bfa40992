//! Schedules as users see them: made, shown, previewed, changed, refused with a
//! reason; and a server that is killed again and again while they fire.

use crate::server::{Server, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const QUICK: &str = "workflow: quick\nparams: { day: { type: string, value: none } }\nsteps: [{ id: end, noop: true }]\noutput: { day: \"${params.day}\" }\n";

const NIGHTLY: [&str; 9] = [
    "schedule",
    "create",
    "nightly",
    "--workflow",
    "quick",
    "--cron",
    "30 2 * * *",
    "--timezone",
    "America/Los_Angeles",
];

fn server() -> Server {
    let server = Server::start();
    server.apply(QUICK);
    server
}

/// What a command line says that has to be refused.
fn refusal(server: &Server, words: &[&str]) -> String {
    let output = server.segno(words);
    assert!(!output.status.success(), "{words:?} was taken");
    text(&output.stderr)
}

/// What a command line shows to people.
fn table(server: &Server, words: &[&str]) -> String {
    let output = server.segno(words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Asks again and again until an answer is as wanted.
fn until(ask: impl Fn() -> Value, holds: impl Fn(&Value) -> bool) -> Value {
    let begin = std::time::Instant::now();
    loop {
        let answer = ask();
        if holds(&answer) {
            return answer;
        }
        assert!(begin.elapsed().as_secs() < 60, "it never came to be: {answer}");
    }
}

fn is_day(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 10)
}

#[test]
fn a_schedule_is_made_shown_changed_and_deleted() {
    let server = server();
    let more = ["--jitter", "30s", "--param", "day=${schedule.local_date}", "--note", "the board"];
    let made = server.json(&[&NIGHTLY[..], &more].concat());
    assert_eq!((&made["schedule"], &made["status"]), (&json!("nightly"), &json!("active")));
    assert_eq!((&made["version"], &made["rule"]), (&json!("active"), &json!("30 2 * * *")));
    assert_eq!(made["next"].as_array().expect("a list").len(), 5);
    let local = made["next"][0]["local"].as_str().expect("a moment");
    assert!(local.contains("T02:30:00-0"), "{local}");
    let shown = server.json(&["schedule", "get", "nightly"]);
    assert_eq!((&shown["spec"]["jitter"], &shown["note"]), (&json!("30s"), &json!("the board")));
    let people = table(&server, &["schedule", "get", "nightly"]);
    for part in ["30 2 * * * (America/Los_Angeles)", "the board", "LOCAL", "active"] {
        assert!(people.contains(part), "{part} is missing in\n{people}");
    }
    let listed = table(&server, &["schedule", "list"]);
    assert!(listed.contains("nightly") && listed.lines().count() == 2, "{listed}");
    assert_eq!(server.json(&["schedule", "list", "--workflow", "other"]), json!([]));

    let words = ["schedule", "update", "nightly", "--every", "2h", "--reset", "jitter,note"];
    let changed = server.json(&words);
    assert_eq!((&changed["rule"], changed.get("note")), (&json!("every 2h"), None));
    assert_eq!(changed["spec"].get("jitter"), None);
    let triggered = server.json(&["--user", "eve", "schedule", "trigger", "nightly"]);
    let run = triggered["run"].as_str().expect("a run").to_owned();
    let ended = server.end_of(&run);
    assert!(is_day(&ended["output"]["day"]), "{ended}");
    assert_eq!(
        (&ended["cause"]["schedule"], &ended["cause"]["by"]),
        (&json!("nightly"), &json!("eve"))
    );
    assert_eq!(ended["params"][0]["source"], "schedule");
    let people = table(&server, &["run", "get", &run]);
    assert!(
        people.contains("schedule nightly at ") && people.contains("asked for by eve"),
        "{people}"
    );
    let people = table(&server, &["run", "list"]);
    assert!(people.contains("nightly 20"), "{people}");
    let ticks = table(&server, &["schedule", "ticks", "nightly"]);
    assert!(ticks.contains("by eve"), "{ticks}");

    server.json(&["--user", "ada", "schedule", "pause", "nightly", "--note", "we move"]);
    let paused = server.json(&["schedule", "get", "nightly"]);
    assert_eq!(paused["status"], "paused");
    let reason = paused["reason"].as_str().expect("it says why");
    assert!(reason.contains("by ada") && reason.ends_with(": we move"), "{reason}");
    let server = server.kill_and_restart();
    let resumed = server.json(&["schedule", "resume", "nightly", "--note", "we moved"]);
    assert_eq!(
        (&resumed["status"], &resumed["last_pause"]["by"]),
        (&json!("active"), &json!("ada"))
    );
    let people = table(&server, &["schedule", "get", "nightly"]);
    assert!(people.contains("by ada: we move\n") && people.contains(": we moved\n"), "{people}");
    server.json(&["schedule", "delete", "nightly"]);
    assert_eq!(server.json(&["schedule", "list"]), json!([]));
    let gone = refusal(&server, &["schedule", "get", "nightly"]);
    assert!(gone.contains("there is no schedule \"nightly\"; `segno schedule list`"), "{gone}");
}

/// Changes some of a schedule over HTTP; the status.
fn patch(url: &str, name: &str, body: Value) -> u16 {
    let url = format!("{url}/v1/tenants/default/schedules/{name}");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    agent.patch(&url).send_json(body).expect("the server answers").status().as_u16()
}

#[test]
fn changes_by_several_at_once_are_all_kept() {
    let server = server();
    server.json(&NIGHTLY);
    let keys = ["jitter", "catch_up", "note", "overlap"];
    for round in 10..20 {
        let change = |key: &str| match key {
            "overlap" => json!(["skip", "strategy"][round % 2]),
            _ => json!(format!("{round}m")),
        };
        std::thread::scope(|scope| {
            for key in keys {
                let (url, value) = (&server.url, change(key));
                scope.spawn(move || assert_eq!(patch(url, "nightly", json!({ key: value })), 200));
            }
        });
        let shown = server.get("schedules/nightly");
        for key in keys {
            let spec = if key == "note" { &shown } else { &shown["spec"] };
            let default = key == "overlap" && spec.get(key).is_none();
            assert!(spec[key] == change(key) || default && round % 2 == 1, "{key} in {shown}");
        }
    }
    assert_eq!(patch(&server.url, "nightly", json!({ "paused": true })), 200);
    assert_eq!(server.get("schedules/nightly")["status"], "paused");
    assert_eq!(patch(&server.url, "nightly", json!({ "paused": null, "note": "n" })), 200);
    assert_eq!(server.get("schedules/nightly")["status"], "paused");
    assert_eq!(patch(&server.url, "nightly", json!({ "name": "daily", "paused": false })), 422);
    assert_eq!(server.get("schedules/nightly")["status"], "paused");
    let file = server.data_dir().join("schedule.yaml");
    let write = |name: &str| {
        let source = format!("name: {name}\nworkflow: quick\nevery: 3h\npaused: false\n");
        std::fs::write(&file, source).expect("the directory is writable");
    };
    let words = ["schedule", "update", "nightly", "--file", &file.to_string_lossy()];
    write("daily");
    let refused = refusal(&server, &words);
    assert!(refused.contains("cannot become \"daily\"; leave `name` out"), "{refused}");
    write("nightly");
    assert_eq!(server.json(&words)["status"], "active");
}

#[test]
fn the_schedules_of_a_workflow_are_listed_in_full_pages() {
    let server = server();
    server.apply("workflow: rare\nsteps: [{ id: end, noop: true }]\n");
    for (name, workflow) in [("a", "quick"), ("b", "rare"), ("c", "quick"), ("d", "rare")] {
        let words = ["schedule", "create", name, "--workflow", workflow, "--cron", "0 0 29 2 *"];
        server.json(&words);
    }
    let names = |listed: &Value| -> Vec<String> {
        let schedules = listed.as_array().expect("a list").iter();
        schedules.map(|it| it["schedule"].as_str().expect("a name").to_owned()).collect()
    };
    let page = server.get("schedules?workflow=rare&limit=1");
    assert_eq!(names(&page["items"]), ["b"]);
    let next = page["next"].as_str().expect("there is more");
    let rest = server.get(&format!("schedules?workflow=rare&limit=1&cursor={next}"));
    assert_eq!((names(&rest["items"]), rest.get("next")), (vec!["d".to_owned()], None));
    let list = ["schedule", "list", "--workflow", "rare"];
    assert_eq!(names(&server.json(&list)), ["b", "d"]);
    assert_eq!(names(&server.json(&[&list[..], &["--limit", "1"]].concat())), ["b"]);
    assert_eq!(names(&server.json(&["schedule", "list"])), ["a", "b", "c", "d"]);
}

#[test]
fn a_preview_shows_both_zones_and_changes_of_the_clocks() {
    let server = server();
    server.json(&NIGHTLY);
    let from = ["--from", "2027-03-13T00:00:00Z", "--count", "3"];
    let preview = server.json(&[&["schedule", "preview", "nightly"][..], &from].concat());
    let expected = [
        ("2027-03-13T10:30:00.000Z", "2027-03-13T02:30:00-08:00", Value::Null),
        ("2027-03-14T10:00:00.000Z", "2027-03-14T03:00:00-07:00", json!("gap")),
        ("2027-03-15T09:30:00.000Z", "2027-03-15T02:30:00-07:00", Value::Null),
    ];
    for (instant, (at, local, note)) in
        preview["instants"].as_array().expect("a list").iter().zip(expected)
    {
        assert_eq!((&instant["at"], &instant["local"]), (&json!(at), &json!(local)));
        assert_eq!(instant.get("note").cloned().unwrap_or_default(), note);
    }
    let rule =
        ["--cron", "30 1 * * *", "--timezone", "America/Los_Angeles", "--ambiguous", "twice"];
    let from = ["--from", "2027-11-07T00:00:00Z", "--count", "2", "--jitter", "10m"];
    let words = [&["schedule", "preview"][..], &rule, &from].concat();
    let people = table(&server, &words);
    assert!(people.contains("2027-11-07 01:30:00 -07:00"), "{people}");
    assert!(people.contains("2027-11-07 01:30:00 -08:00"), "{people}");
    assert!(people.contains("the clocks show this time twice"), "{people}");
    assert_eq!(server.json(&words)["instants"], server.json(&words)["instants"], "jitter stays");
    assert_eq!(server.json(&["schedule", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_wrong_with_a_schedule_is_said_at_once() {
    let server = server();
    let file = server.data_dir().join("schedule.yaml");
    let write = |source: &str| std::fs::write(&file, source).expect("the directory is writable");
    write(
        "name: odd\ncron: \"61 * * * *\"\ntimezone: Amerika/Los_Angeles\noverlap: never\ncach_up: 1d\nversion: soon\n",
    );
    let path = file.to_string_lossy();
    let refused = refusal(&server, &["schedule", "create", "--file", &path]);
    for part in [
        "workflow",
        ":2:",
        "minute",
        ":3:",
        "America/Los_Angeles",
        ":4:",
        "overlap",
        ":5:",
        "did you mean",
        ":6:",
        "has 6 problems",
    ] {
        assert!(refused.contains(part), "{part} is missing in\n{refused}");
    }
    write("name: good\nworkflow: quick\nevery: 1h\nparams: { day: \"${schedule.timezone}\" }\n");
    assert_eq!(server.json(&["schedule", "create", "-f", &path])["schedule"], "good");
    write("workflow: quick\nevery: 3h\nstart: 2030-01-01T00:00:00+02:00\n");
    let changed = server.json(&["schedule", "update", "good", "--file", &path]);
    assert_eq!(changed["next"][0]["at"], "2029-12-31T22:00:00.000Z");
    let create = |name: &str, more: &[&str]| {
        refusal(&server, &[&["schedule", "create", name][..], more].concat())
    };
    let cases = [
        (create("good", &["--workflow", "quick", "--every", "1h"]), "there is a schedule \"good\""),
        (create("No/pe", &["--workflow", "quick", "--every", "1h"]), "is no name of a schedule"),
        (create("a", &["--workflow", "absent", "--every", "1h"]), "no workflow \"absent\""),
        (create("a", &["--workflow", "quick"]), "does not say what it waits for"),
        (create("a", &["--workflow", "quick", "--every", "1h", "--param", "x=1"]), "x"),
        (
            create("a", &["--workflow", "quick", "--every", "1h", "--param", "day=${params.day}"]),
            "schedule",
        ),
        (refusal(&server, &["schedule", "update", "good"]), "nothing to change"),
        (
            refusal(&server, &["schedule", "update", "gone", "--every", "1h"]),
            "no schedule \"gone\"",
        ),
        (refusal(&server, &["schedule", "preview"]), "name a schedule, or say when"),
        (refusal(&server, &["schedule", "backfill", "get", "good", "3"]), "no backfill 3"),
        (
            refusal(
                &server,
                &["schedule", "backfill", "create", "good", "--from", "soon", "--until", "later"],
            ),
            "\"soon\" is no moment",
        ),
    ];
    for (refused, part) in cases {
        assert!(refused.contains(part), "{part:?} is missing in {refused}");
    }
    server.apply(&format!("{QUICK}triggers: [{{ cron: \"@daily\", id: own }}]\n"));
    let own = server.json(&["schedule", "get", "quick/own"]);
    assert_eq!((&own["trigger"], &own["workflow"]), (&json!("own"), &json!("quick")));
    let refused = refusal(&server, &["schedule", "delete", "quick/own"]);
    assert!(refused.contains("belongs to the definition of quick"), "{refused}");
}

#[test]
fn a_backfill_shows_how_far_it_is() {
    let server = server();
    server.apply("workflow: slow\nsteps: [{ id: gate, wait: { signal: go } }]\n");
    server.json(&["schedule", "create", "hourly", "--workflow", "slow", "--cron", "@hourly"]);
    let range = ["--from", "2020-01-01T00:00:00Z", "--until", "2020-01-01T04:00:00Z"];
    let words = ["schedule", "backfill", "create", "hourly"];
    let made = server.json(&[&words[..], &range, &["--concurrency", "2"]].concat());
    assert_eq!((&made["backfill"], &made["instants"]), (&json!(1), &json!(4)));
    let get = || server.json(&["schedule", "backfill", "get", "hourly", "1"]);
    let begun = until(get, |it| it["open"].as_array().is_some_and(|open| open.len() == 2));
    assert_eq!((&begun["left"], &begun["status"]), (&json!(2), &json!("running")));
    let people = table(&server, &["run", "get", begun["open"][0].as_str().expect("a run")]);
    assert!(people.contains("schedule hourly at 2020-01-01 00:00:00 UTC, backfill 1"), "{people}");
    let paused = server.json(&["schedule", "backfill", "pause", "hourly", "1", "--note", "lunch"]);
    assert_eq!((&paused["status"], &paused["note"]), (&json!("paused"), &json!("lunch")));
    server.json(&["schedule", "backfill", "resume", "hourly", "1"]);
    server.json(&["signal", "publish", "go"]);
    let done = until(get, |it| it["status"] == "done");
    assert_eq!((&done["succeeded"], &done["left"]), (&json!(4), &json!(0)));
    let listed = table(&server, &["schedule", "backfill", "list", "hourly"]);
    assert!(listed.contains("4/4 100%"), "{listed}");
    let over = refusal(&server, &["schedule", "backfill", "cancel", "hourly", "1"]);
    assert!(over.contains("is done"), "{over}");
}

const NAMES: [&str; 3] = ["one", "two", "three"];
const KILLS: usize = 10;

#[test]
fn a_killed_server_starts_every_instant_once() {
    let mut server = server();
    let mut made = BTreeMap::new();
    for name in NAMES {
        let words = ["schedule", "create", name, "--workflow", "quick", "--every", "1s"];
        made.insert(name, unix_ms(&server.json(&words)["created_at"]));
    }
    for _ in 0..KILLS {
        let before = decided(&server, "one");
        until(|| server.get("schedules/one"), |it| unix_ms(&it["decided_until"]) > before);
        server = server.kill_and_restart();
    }
    let enough = made["one"] + 1_000 * KILLS as u64;
    until(|| server.get("schedules/three"), |it| unix_ms(&it["decided_until"]) > enough);
    for name in NAMES {
        server.json(&["schedule", "pause", name]);
    }
    for name in NAMES {
        let until = decided(&server, name);
        let expected: BTreeSet<u64> =
            (made[name] / 1_000 + 1..=until / 1_000).map(|second| second * 1_000).collect();
        let (runs, ticks) = (instants_of_runs(&server, name), instants_of_ticks(&server, name));
        assert_eq!(runs, expected.iter().copied().collect::<Vec<_>>(), "{name}");
        assert_eq!(ticks, runs, "{name}");
    }
}

fn decided(server: &Server, name: &str) -> u64 {
    unix_ms(&server.get(&format!("schedules/{name}"))["decided_until"])
}

fn unix_ms(moment: &Value) -> u64 {
    let moment = moment.as_str().expect("a moment");
    segno_engine::definition::read_moment(moment).expect("in RFC 3339").0
}

/// The instants of a schedule's runs, in order.
fn instants_of_runs(server: &Server, name: &str) -> Vec<u64> {
    let runs = all(server, "runs");
    let own = runs.iter().filter(|run| run["schedule"] == name);
    let mut instants: Vec<_> = own.map(|run| unix_ms(&run["scheduled_at"])).collect();
    instants.sort_unstable();
    instants
}

fn instants_of_ticks(server: &Server, name: &str) -> Vec<u64> {
    let ticks = all(server, &format!("schedules/{name}/ticks"));
    assert!(ticks.iter().all(|tick| tick["outcome"] == "run"), "{ticks:?}");
    let mut instants: Vec<_> = ticks.iter().map(|tick| unix_ms(&tick["at"])).collect();
    instants.sort_unstable();
    instants
}

/// Every entry of a list.
fn all(server: &Server, path: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("{path}?limit=1000{cursor}"));
        entries.extend(page["items"].as_array().expect("a list").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return entries,
        }
    }
}
