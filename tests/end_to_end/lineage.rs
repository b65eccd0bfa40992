//! What led to what, through the command line: a schedule starts a run, whose
//! step publishes, which starts another run and releases a step of a third. Both
//! ways are read: back from a run, and on from a signal.

use crate::server::{Server, text};
use serde_json::{Value, json};

/// Started by a schedule; its step publishes with every attempt.
const COLLECT: &str = r#"
workflow: collect
steps:
  - id: load
    component: hello
    params: { name: seattle }
    signals: [{ name: landed, params: { station: seattle }, payload: "${self.output}" }]
"#;

/// Started by what `collect` publishes, and publishes in turn.
const REPORT: &str = r#"
workflow: report
params: { landed: { type: int } }
triggers:
  - id: landed
    signal: { name: landed, match: { station: seattle } }
    params: { landed: "${signal.sequence}" }
steps:
  - { id: write, noop: true, signals: [{ name: written, params: { landed: "${params.landed}" } }] }
"#;

/// Started by what both runs of `report` publish.
const ARCHIVE: &str = r#"
workflow: archive
triggers:
  - id: two
    signals: [{ name: written, match: { landed: 1 } }, { name: written, match: { landed: 2 } }]
steps: [{ id: one, noop: true }]
"#;

/// Released by the first that `collect` publishes.
const WAITER: &str = r#"
workflow: waiter
steps: [{ id: hears, wait: { signal: landed, match: { station: seattle } } }]
"#;

/// The runs of the scenario.
struct Scene {
    server: Server,
    collect: String,
    waiter: String,
    /// One for each attempt of `collect`.
    reports: [String; 2],
    archive: String,
}

/// Everything has happened: the step of `collect` was done twice.
fn scene() -> Scene {
    let server = Server::start();
    server.push("hello", "hello@1.0.0");
    [COLLECT, REPORT, ARCHIVE, WAITER].iter().for_each(|definition| {
        server.apply(definition);
    });
    let waiter = server.start_run("waiter", json!({}));
    server.event(&waiter, |event| event["type"] == "wait_started");
    // It fires on leap days only.
    let words = ["schedule", "create", "nightly", "--workflow", "collect", "--cron", "0 0 29 2 *"];
    server.json(&words);
    let started = server.json(&["--user", "eve", "schedule", "trigger", "nightly"]);
    let collect = run_of(&started);
    assert_eq!(server.end_of(&collect)["status"], "succeeded");
    let first = run_of_firing(&server, "report/landed", 1);
    // The first report has to be the first that tells of itself.
    assert_eq!(server.end_of(&first)["status"], "succeeded");
    server.json(&["run", "retry", &collect, "--step", "load"]);
    let second = run_of_firing(&server, "report/landed", 2);
    let archive = run_of_firing(&server, "archive/two", 1);
    for run in [&collect, &waiter, &second, &archive] {
        assert_eq!(server.end_of(run)["status"], "succeeded");
    }
    Scene { server, collect, waiter, reports: [first, second], archive }
}

fn run_of(answer: &Value) -> String {
    answer["run"].as_str().unwrap_or_else(|| panic!("{answer} names no run")).to_owned()
}

/// The run of a trigger's firing, once there is one.
fn run_of_firing(server: &Server, trigger: &str, number: u64) -> String {
    let begin = std::time::Instant::now();
    loop {
        let firings = server.json(&["trigger", "firings", trigger]);
        let mut listed = firings.as_array().expect("a list").iter();
        if let Some(firing) = listed.find(|firing| firing["number"] == number) {
            return run_of(firing);
        }
        assert!(begin.elapsed().as_secs() < 60, "{trigger} has only {firings}");
    }
}

/// What a command line shows to people, and what it says beside that.
fn table(server: &Server, words: &[&str]) -> (String, String) {
    let output = server.segno(words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// The lines of a text: how far each is indented, and its words.
fn lines(shown: &str) -> Vec<(usize, String)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    shown.lines().map(|line| (indent(line), words(line))).collect()
}

/// Fails unless the lines are these: how deep each is, and how it begins.
fn assert_lines(shown: &str, expected: &[(usize, String)]) {
    let lines = lines(shown);
    assert_eq!(lines.len(), expected.len(), "{shown}");
    for ((depth, line), (wanted, begin)) in lines.iter().zip(expected) {
        assert_eq!(*depth, 2 * wanted, "{line:?} in\n{shown}");
        assert!(line.starts_with(begin.as_str()), "{begin:?} is not the begin of {line:?}");
    }
}

#[test]
fn from_a_run_lineage_goes_back_to_the_schedule() {
    let Scene { server, collect, waiter, reports, archive } = scene();
    let found = server.json(&["run", "lineage", "archive#1"]);
    assert_eq!(found["complete"], true);
    let link = |place: usize| {
        let item = &found["items"][place];
        (
            item["run"].clone(),
            item["workflow"].clone(),
            item["number"].clone(),
            item["depth"].clone(),
        )
    };
    let expected = [
        (&archive, "archive", 1, 0),
        (&reports[0], "report", 1, 1),
        (&reports[1], "report", 2, 1),
        (&collect, "collect", 1, 2),
    ];
    assert_eq!(found["items"].as_array().map(Vec::len), Some(expected.len()), "{found}");
    for (place, (run, workflow, number, depth)) in expected.into_iter().enumerate() {
        assert_eq!(link(place), (json!(run), json!(workflow), json!(number), json!(depth)));
    }
    let signal = |name: &str, (sequence, step): (u64, &str), (run, attempt): (&String, u64)| {
        let kept = server.get(&format!("signals/{name}?after={}&limit=1", sequence - 1));
        let more = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
        json!({
            "name": name, "sequence": sequence, "published_at": kept["items"][0]["published_at"],
            "by": format!("step {step} of {run}{more}"), "run": run, "step": step,
        })
    };
    let cause = |place: usize| found["items"][place]["cause"].clone();
    let both = [1, 2].map(|at| signal("written", (at, "write"), (&reports[at as usize - 1], 1)));
    assert_eq!(cause(0), json!({ "kind": "signal", "trigger": "archive/two", "signals": both }));
    for attempt in [1, 2] {
        let landed = [signal("landed", (attempt, "load"), (&collect, attempt))];
        let expected = json!({ "kind": "signal", "trigger": "report/landed", "signals": landed });
        assert_eq!(cause(attempt as usize), expected);
    }
    let shown = server.get(&format!("runs/{collect}"))["cause"].clone();
    assert_eq!((&shown["kind"], &shown["schedule"]), (&json!("schedule"), &json!("nightly")));
    assert_eq!(cause(3), shown);
    assert_eq!(shown["by"], "eve");
    let by_hand = server.json(&["run", "lineage", &waiter]);
    assert_eq!(by_hand["items"].as_array().map(Vec::len), Some(1), "{by_hand}");
    assert_eq!(by_hand["items"][0]["cause"], json!({ "kind": "manual", "by": "api" }));
}

#[test]
fn lineage_is_shown_as_a_tree_that_says_where_it_is_cut() {
    let Scene { server, collect, reports, archive, .. } = scene();
    let run = |depth: usize, name: &str, run: &str| (depth, format!("run {name} {run} 20"));
    let says = |depth: usize, what: &str| (depth, what.to_owned());
    let (shown, note) = table(&server, &["run", "lineage", &archive]);
    assert_lines(
        &shown,
        &[
            run(0, "archive#1", &archive),
            says(1, "trigger archive/two"),
            says(2, "signal written 1 20"),
            run(3, "report#1", &reports[0]),
            says(4, "trigger report/landed"),
            says(5, "signal landed 1 20"),
            run(6, "collect#1", &collect),
            says(7, "schedule nightly for 20"),
            says(2, "signal written 2 20"),
            run(3, "report#2", &reports[1]),
            says(4, "trigger report/landed"),
            says(5, "signal landed 2 20"),
            says(6, "run collect#1, as above"),
        ],
    );
    assert!(shown.contains("published by step load"), "{shown}");
    assert_eq!(note, "");
    let cut = [
        says(0, "run archive#1"),
        says(1, "trigger archive/two"),
        says(2, "signal written 1 20"),
        run(3, "report#1", &reports[0]),
        says(4, "trigger report/landed"),
        says(5, "signal landed 1 20"),
        says(6, &format!("run {collect}")),
        says(2, "signal written 2 20"),
    ];
    let (shown, note) = table(&server, &["run", "lineage", &archive, "--depth", "1"]);
    assert_lines(
        &shown,
        &[
            &cut[..],
            &[
                run(3, "report#2", &reports[1]),
                says(4, "trigger report/landed"),
                says(5, "signal landed 2 20"),
                says(6, &format!("run {collect}")),
            ],
        ]
        .concat(),
    );
    assert!(note.contains("--depth"), "{note:?}");
    let (shown, note) = table(&server, &["run", "lineage", &archive, "--limit", "2"]);
    assert_lines(&shown, &[&cut[..], &[says(3, &format!("run {}", reports[1]))]].concat());
    assert!(note.contains("--limit"), "{note:?}");
    let cut = server.json(&["run", "lineage", &archive, "--limit", "2"]);
    assert_eq!((cut["items"].as_array().map(Vec::len), &cut["complete"]), (Some(2), &json!(false)));
    let unknown = server.segno(&["run", "lineage", "archive#2"]);
    assert!(text(&unknown.stderr).contains("has no run number 2"), "{unknown:?}");
}

#[test]
fn from_a_signal_lineage_goes_on_to_whom_it_served() {
    let Scene { server, collect, waiter, reports, archive } = scene();
    let lineage = |name: &str, sequence: &str| server.json(&["signal", "lineage", name, sequence]);
    let first = lineage("landed", "1");
    let publisher = json!({ "kind": "step", "run": collect, "step": "load", "attempt": 1 });
    assert_eq!((&first["publisher"], &first["sequence"]), (&publisher, &json!(1)));
    assert_eq!(first["by"], format!("step load of {collect}"));
    let used = |item: &Value| {
        let mut item = item.clone();
        let at = item.as_object_mut().expect("an object").remove("at");
        assert!(at.is_some_and(|at| at.as_str().is_some_and(|at| at.starts_with("20"))));
        item
    };
    let uses = |lineage: &Value| -> Vec<Value> {
        lineage["items"].as_array().expect("a list").iter().map(used).collect()
    };
    let released = json!({ "run": waiter, "workflow": "waiter", "number": 1, "step": "hears" });
    let started = |number: usize| {
        json!({ "run": reports[number - 1], "workflow": "report", "number": number,
            "trigger": "report/landed" })
    };
    assert_eq!(uses(&first), [released.clone(), started(1)]);
    assert_eq!(first.get("next"), None);
    let second = lineage("landed", "2");
    assert_eq!((&second["publisher"]["attempt"], uses(&second)), (&json!(2), vec![started(2)]));
    let archived = json!({ "run": archive, "workflow": "archive", "number": 1,
        "trigger": "archive/two" });
    for sequence in ["1", "2"] {
        assert_eq!(uses(&lineage("written", sequence)), std::slice::from_ref(&archived));
    }

    let page = server.get("signals/landed/1/lineage?limit=1");
    assert_eq!(uses(&page), [released]);
    let next = page["next"].as_str().expect("there is more");
    let rest = server.get(&format!("signals/landed/1/lineage?limit=1&cursor={next}"));
    assert_eq!((uses(&rest), rest.get("next")), (vec![started(1)], None));

    let head = |sequence: u64, by: &str| {
        [(0, format!("signal landed {sequence} 20")), (1, format!("published by {by}"))]
    };
    let of_waiter = (1, format!("released step hears of waiter#1 {waiter} 20"));
    let of_report = |number: usize| {
        let run = &reports[number - 1];
        (1, format!("trigger report/landed started report#{number} {run} 20"))
    };
    let (shown, note) = table(&server, &["signal", "lineage", "landed", "1"]);
    let begin = head(1, &format!("step load of {collect}"));
    assert_lines(&shown, &[&begin[..], &[of_waiter.clone(), of_report(1)]].concat());
    assert_eq!(note, "");
    let (shown, note) = table(&server, &["signal", "lineage", "landed", "1", "--limit", "1"]);
    assert_lines(&shown, &[&begin[..], &[of_waiter]].concat());
    assert!(note.contains("--limit"), "{note:?}");
    let (shown, _) = table(&server, &["signal", "lineage", "landed", "2"]);
    let begin = head(2, &format!("step load of {collect}, attempt 2"));
    assert_lines(&shown, &[&begin[..], &[of_report(2)]].concat());

    server.json(&["--user", "ada", "signal", "publish", "other"]);
    let (shown, _) = table(&server, &["signal", "lineage", "other", "1"]);
    assert!(shown.contains("published by ada") && shown.contains("nobody has used it"), "{shown}");
    let unknown = server.segno(&["signal", "lineage", "landed", "3"]);
    assert!(text(&unknown.stderr).contains("no signal \"landed\" number 3"), "{unknown:?}");
}

#[test]
fn triggers_and_firings_are_listed_in_pages() {
    let Scene { server, reports, archive, .. } = scene();
    let listed = server.json(&["trigger", "list"]);
    let names = |listed: &Value| -> Vec<String> {
        let triggers = listed.as_array().expect("a list").iter();
        let name = |it: &Value| format!("{} {} {}", it["workflow"], it["id"], it["firings"]);
        triggers.map(|it| name(it).replace('"', "")).collect()
    };
    assert_eq!(names(&listed), ["archive two 1", "report landed 2"]);
    assert_eq!(names(&server.json(&["trigger", "list", "--limit", "1"])), ["archive two 1"]);
    let page = server.get("triggers?limit=1");
    let next = page["next"].as_str().expect("there is more");
    let rest = server.get(&format!("triggers?limit=1&cursor={next}"));
    assert_eq!((&rest["items"][0], rest.get("next")), (&listed[1], None));
    let (shown, _) = table(&server, &["trigger", "list"]);
    let row = |place: usize| lines(&shown)[place].1.clone();
    assert_eq!(row(0), "TRIGGER SIGNALS WAITS PENDING FIRINGS");
    assert_eq!(row(1), "archive/two written, written yes 0 1");
    assert_eq!(row(2), "report/landed landed yes 0 2");

    let firing = |trigger: &str, words: &[&str]| -> Vec<(Value, Value, Value)> {
        let listed = server.json(&[&["trigger", "firings", trigger], words].concat());
        let one = |it: &Value| (it["number"].clone(), it["run"].clone(), it["signals"].clone());
        listed.as_array().expect("a list").iter().map(one).collect()
    };
    let signal = |name: &str, sequence: usize| json!({ "name": name, "sequence": sequence });
    let landed = |number: usize| {
        (json!(number), json!(reports[number - 1]), json!([signal("landed", number)]))
    };
    assert_eq!(firing("report/landed", &[]), [landed(2), landed(1)]);
    assert_eq!(firing("report/landed", &["--limit", "1"]), [landed(2)]);
    let both = json!([signal("written", 1), signal("written", 2)]);
    assert_eq!(firing("archive/two", &[]), [(json!(1), json!(archive), both)]);
    let (shown, _) = table(&server, &["trigger", "firings", "archive/two"]);
    assert_eq!(lines(&shown)[0].1, "NUMBER AT SIGNALS CAME OF IT");
    let row = lines(&shown)[1].1.clone();
    assert!(row.starts_with("1 20"), "{row}");
    assert!(row.ends_with("written 1, written 2 archive#1"), "{row}");
}
