//! What the views of runs say: why something waits, what happened, how many
//! steps stand how, what a definition would come to.

use crate::actions::{ask, post, server};
use crate::server::{Server, text};
use serde_json::{Value, json};

const LOOP: &str = "workflow: looped\nparams:\n  years: { type: list<int>, value: [2012, 2013, 2014] }\n  note: { type: string, optional: true, mode: constant }\nsteps:\n  - id: each\n    foreach: { year: \"${params.years}\", concurrency: 2 }\n    failure_mode: ignore_failure\n    steps: [{ id: gate, wait: { signal: go, match: { year: \"${loop.year}\" } } }]\n";

fn items(answer: &Value) -> &Vec<Value> {
    answer["items"].as_array().expect("a list")
}

#[test]
fn a_run_shows_its_params_and_where_they_come_from() {
    let server = server(LOOP);
    let words = ["--user", "eve", "run", "start", "looped", "--param", "years=[2020]"];
    let run = server.json(&words);
    let expected = json!([
        { "name": "years", "type": "list<int>", "mode": "mutable", "value": [2020], "source": "start" },
        { "name": "note", "type": "string", "mode": "constant" },
    ]);
    assert_eq!(run["params"], expected);
    assert_eq!(run["cause"], json!({ "kind": "manual", "by": "eve" }));
}

#[test]
fn iterations_are_listed_from_either_end_with_their_variables() {
    let server = server(LOOP);
    let run = server.start_run("looped", json!({}));
    server.event(&run, |event| event["type"] == "iterations_started");
    let path = format!("runs/{run}/steps/each/iterations");
    let of = |query: &str| server.get(&format!("{path}?{query}"));
    let indices =
        |page: &Value| items(page).iter().map(|item| item["index"].clone()).collect::<Vec<_>>();
    assert_eq!(indices(&of("")), [0, 1], "only what has started");
    let page = of("order=last&limit=1");
    assert_eq!((indices(&page), &page["next"]), (vec![json!(1)], &json!("0")));
    assert_eq!(items(&page)[0]["variables"], json!({ "year": 2013 }));
    let page = of("order=last&limit=1&cursor=0");
    assert_eq!((indices(&page), page.get("next")), (vec![json!(0)], None));
    post(&server, &format!("runs/{run}/steps/each[1].gate/kill"));
    server.event(&run, |event| event["type"] == "iteration_ended" && event["index"] == 1);
    assert_eq!(indices(&of("status=failed")), [1]);
    assert!(!indices(&of("status=running")).contains(&json!(1)));
    assert_eq!(ask(&server, "GET", &format!("{path}?status=lost"), &json!({})).0, 400);
    let child = items(&of("status=failed"))[0]["run"].as_str().expect("a run").to_owned();
    let shown = server.get(&format!("runs/{child}"));
    assert_eq!(shown["loop_variables"], json!({ "year": 2013 }));
    assert_eq!(shown["cause"], json!({ "kind": "iteration", "run": run, "step": "each" }));
}

#[test]
fn the_timeline_tells_what_happened_page_by_page() {
    let server = server(LOOP);
    let run = server.start_run("looped", json!({ "years": [2012] }));
    server.event(&run, |event| event["type"] == "iterations_started");
    post(&server, &format!("runs/{run}/pause"));
    post(&server, &format!("runs/{run}/resume"));
    post(&server, &format!("runs/{run}/steps/each[0].gate/bypass"));
    server.end_of(&run);
    let whole = server.get(&format!("runs/{run}/timeline"));
    let told: Vec<_> =
        items(&whole).iter().map(|entry| entry["what"].as_str().expect("a text")).collect();
    let expected = [
        "was created, of version 1",
        "began",
        "started, with 1 iteration",
        "iteration 0 started",
        "was paused",
        "was resumed",
        "iteration 0 succeeded",
        "succeeded",
        "succeeded",
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (&items(&whole)[4]["by"], &items(&whole)[2]["step"]),
        (&json!("ada"), &json!("each"))
    );
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("runs/{run}/timeline?limit=2{cursor}"));
        paged.extend(items(&page).clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(&paged, items(&whole));
    let output = text(&server.segno(&["run", "timeline", &run]).stdout);
    assert!(output.contains("run   ada  was paused"), "{output}");
}

#[test]
fn a_rollup_counts_what_is_below() {
    let server = server(LOOP);
    let run = server.start_run("looped", json!({}));
    server.event(&run, |event| event["type"] == "iterations_started");
    for index in 0..3 {
        server.event(&run, |event| {
            event["type"] == "iterations_started"
                && event["first"].as_u64() >= Some(index).filter(|index| *index > 1)
        });
        post(&server, &format!("runs/{run}/steps/each[{index}].gate/skip"));
    }
    server.end_of(&run);
    let rollup = server.get(&format!("runs/{run}/rollup"));
    assert_eq!(rollup, json!({ "total": 3, "steps": { "skipped": 3 } }));
}

#[test]
fn a_step_that_waits_for_a_permit_says_for_which() {
    let server = Server::start();
    server.push("hello", "hello@1.0.0");
    server.json(&["tag", "set", "warehouse", "0"]);
    server.apply("workflow: tagged\nsteps: [{ id: load, component: hello, tags: [warehouse], params: { name: you } }]\n");
    let run = server.start_run("tagged", json!({}));
    server.event(&run, |event| event["type"] == "attempt_held");
    let shown = server.get(&format!("runs/{run}"));
    let step = &shown["steps"][0];
    let permit = json!({ "name": "tag:warehouse", "limit": 0, "held": 0, "waiting": 1 });
    assert_eq!((&step["reason"], &step["permit"]), (&json!("permit:tag:warehouse"), &permit));
    assert_eq!(step["tags"], json!(["warehouse"]));
    let tags = server.get("tags");
    assert_eq!((&items(&tags)[0]["held"], &items(&tags)[0]["waiting"]), (&json!(0), &json!(1)));
    let output = text(&server.segno(&["run", "get", &run]).stdout);
    assert!(
        output.contains("waits for a permit of tag warehouse (0 of 0 in use, 1 waiting)"),
        "{output}"
    );
    server.json(&["tag", "set", "warehouse", "1"]);
    server.end_of(&run);
}

#[test]
fn a_definition_is_refused_that_could_only_fail() {
    let server = Server::start();
    let file = server.data_dir().join("wrong.yaml");
    let definition = "workflow: wrong\nparams:\n  day: soon\n  year: { type: int, value: \"${int(params.day)}\" }\nsteps: [{ id: load, noop: true }]\n";
    std::fs::write(&file, definition).expect("the directory is writable");
    let file = file.to_string_lossy().into_owned();
    for verb in ["apply", "validate"] {
        let output = server.segno(&["workflow", verb, &file]);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains("wrong.yaml:4:"), "{verb}: {said}");
        assert!(said.contains("params.year"), "{verb}: {said}");
    }
    assert!(items(&server.get("workflows")).is_empty());
}
