//! Maestro's samples, rebuilt: what each of them shows holds here, too.
//!
//! | Maestro | here |
//! |---|---|
//! | `sample-dag-test-1` | `two-diamonds` |
//! | `sample-dag-test-2` | `fixed-params` |
//! | `sample-dag-test-3` | `reading-on` |
//! | `sample-dag-test-4` | `many-joins` |
//! | `sample-dag-test-5` | `first-and-gated` |
//! | `sample-dag-test-6` | `fan` |
//! | `sample-dag-test-7` | `two-parts` |
//! | `sample-dag-test-8` | `pruned` |
//! | `sample-dag-test-9` | `nine-steps` |
//! | `sample-dag-test-10` | `patience` |
//! | `sample-conditional-wf` | `branches` |
//! | `sample-foreach-wf` | `each-day` |
//! | `sample-large-foreach-wf` | `each-day-and-part` |
//! | `sample-nested-foreach-wf` | `nested-lists` |
//! | `sample-while-wf` | `until-a-day` |
//! | `sample-subworkflow-wf` | `six-below`, which runs `busy` |
//! | `sample-nested-foreach-subworkflow-wf` | `each-with-another` |
//! | `sample-nested-subworkflow-foreach-wf` | `three-in-turn` |
//! | `sample-mixed-wf` | `mixed` |
//! | `sample-kubernetes-output-wf` | `output-decides` |
//! | `sample-dag-with-cycle-wf` | `circle` |
//! | `sample-invalid-wf-dry-run-failure` | `no-value` |

use crate::graph::{begin, end, texts};
use crate::stage::{Stage, start_of};
use segno_engine::event::Event;
use segno_engine::id::RunId;
use segno_engine::payload::Payload;
use segno_engine::signal::Params;
use segno_host::driver::{ApplyError, Publish, StartError};
use segno_host::store::Paging;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

fn source(name: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/behaviours/samples");
    std::fs::read_to_string(samples.join(format!("{name}.yaml"))).expect("there is such a sample")
}

/// Pushes these samples, and starts the last of them.
fn start(stage: &Stage, names: &[&str]) -> RunId {
    for name in names {
        stage.apply(&source(name));
    }
    stage.start(names.last().expect("one at least"))
}

/// Pushes the sample that has all others below it.
pub fn apply_mixed(stage: &Stage) {
    for name in ["reading-on", "each-day", "each-with-another", "three-in-turn", "mixed"] {
        stage.apply(&source(name));
    }
}

/// All leaves of a run have succeeded, and there are so many.
fn succeeds(stage: &Stage, run: RunId, leaves: u64) {
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(stage.rollup(run), BTreeMap::from([("succeeded".to_owned(), leaves)]));
}

/// Each of these steps begins after the other has ended.
fn in_order(stage: &Stage, run: RunId, pairs: &[(&str, &str)]) {
    let history = stage.history(run);
    let known = stage.run(run);
    let place = |step| crate::stage::place_of(&known, step);
    for (before, after) in pairs {
        assert!(end(&history, place(before)) < begin(&history, place(after)), "{before} {after}");
    }
}

#[test]
fn two_diamonds() {
    let stage = Stage::new();
    let run = start(&stage, &["two-diamonds"]);
    succeeds(&stage, run, 6);
    in_order(
        &stage,
        run,
        &[("two", "three"), ("five", "three"), ("three", "four"), ("six", "four")],
    );
    let params = stage.run(run).given().map(|given| given.params.value().clone());
    assert_eq!(params, Some(json!({ "month": "September" })));
}

#[test]
fn fixed_params() {
    let stage = Stage::new();
    let run = start(&stage, &["fixed-params"]);
    for name in ["mark", "half"] {
        let refused = stage.try_start(start_of("fixed-params", json!({ name: "x" })));
        assert!(matches!(refused, Err(StartError::BadParams(_))), "{refused:?}");
    }
    succeeds(&stage, run, 4);
    assert_eq!(stage.seconds(), 99.0);
    assert_eq!(stage.input(run, "begin"), json!({ "mark": format!("{run}-half") }));
}

#[test]
fn reading_on() {
    let stage = Stage::new();
    let run = start(&stage, &["reading-on"]);
    succeeds(&stage, run, 4);
    let expected = json!({ "seconds": 16, "appended": "161", "written": "15 + 1" });
    assert_eq!(stage.input(run, "second"), expected);
    in_order(&stage, run, &[("first", "third"), ("third", "second"), ("second", "last")]);
    assert_eq!(stage.seconds(), 47.0);
}

#[test]
fn many_joins() {
    let stage = Stage::new();
    let run = start(&stage, &["many-joins"]);
    succeeds(&stage, run, 7);
    in_order(&stage, run, &[("s3", "s6"), ("s5", "s6"), ("s4", "s7"), ("s6", "s7")]);
}

/// Publishes a signal with these params.
fn publish(stage: &Stage, name: &str, params: Value) {
    stage.publish(Publish {
        name: name.to_owned(),
        id: None,
        params: Params::parse(&params.to_string()).expect("they are plain"),
        payload: Payload::null().clone(),
        publisher: segno_engine::signal::Publisher::api("api"),
    });
}

#[test]
fn first_and_gated() {
    let stage = Stage::new();
    let run = start(&stage, &["first-and-gated"]);
    let second = stage.start("first-and-gated");
    assert_eq!(stage.end(second), "cancelled");
    stage.until_step(run, "day", "waiting");
    assert_eq!(stage.output(run, "mode"), json!({ "mode": "run" }));
    publish(&stage, "raw.landed", json!({}));
    publish(&stage, "day.landed", json!({ "day": "19991231" }));
    stage.until_step(run, "raw", "succeeded");
    assert_eq!(stage.statuses(run)["day"], "waiting");
    publish(&stage, "day.landed", json!({ "day": "20200101" }));
    succeeds(&stage, run, 4);
    stage.retry(run, Some("mode"));
    stage.until_step(run, "mode", "succeeded");
    assert_eq!(stage.output(run, "mode"), json!({ "mode": "resume" }));
}

#[test]
fn fan() {
    let stage = Stage::new();
    let first = start(&stage, &["fan"]);
    let second = stage.start("fan");
    assert_eq!(stage.end(first), "cancelled");
    succeeds(&stage, second, 8);
    let before = ["a", "b", "c", "d"].map(|step| (step, "join"));
    in_order(&stage, second, &before);
}

#[test]
fn two_parts() {
    let stage = Stage::new();
    let run = start(&stage, &["two-parts"]);
    succeeds(&stage, run, 8);
    in_order(&stage, run, &[("a4", "a6"), ("a5", "a6"), ("b1", "b2")]);
}

#[test]
fn pruned() {
    let stage = Stage::new();
    let run = start(&stage, &["pruned"]);
    assert_eq!(stage.end(run), "succeeded");
    let [yes, no] = ["succeeded", "unsatisfied"];
    let expected = texts([("j1", yes), ("j2", yes), ("j3", no), ("j4", yes), ("j5", yes)]);
    assert_eq!(stage.statuses(run), expected);
}

#[test]
fn nine_steps() {
    let stage = Stage::new();
    let run = start(&stage, &["nine-steps"]);
    succeeds(&stage, run, 9);
    let record = stage.driver().workflow_named(&stage.tenant, "nine-steps").expect("it is there");
    assert_eq!(record.properties.owner.as_deref(), Some("weather-team"));
}

#[test]
fn patience() {
    let stage = Stage::with(&["noop"]);
    let run = start(&stage, &["patience"]);
    stage.until_step(run, "gate", "waiting");
    assert_eq!(stage.play(run), "timed_out");
    assert_eq!(stage.seconds(), 100.0);
    let run = stage.start("patience");
    publish(&stage, "patience.go", json!({}));
    succeeds(&stage, run, 3);
}

#[test]
fn branches() {
    let stage = Stage::new();
    let run = start(&stage, &["branches"]);
    assert_eq!(stage.end(run), "succeeded");
    let [yes, no] = ["succeeded", "unsatisfied"];
    let steps = [("j1", yes), ("j2", yes), ("j3", yes), ("j4", no), ("j5", no), ("j6", yes)];
    assert_eq!(stage.statuses(run), texts(steps));
    assert_eq!(stage.output(run, "j2"), json!({ "double": 15 }));
}

#[test]
fn each_day() {
    let stage = Stage::new();
    let run = start(&stage, &["each-day"]);
    succeeds(&stage, run, 54);
    let fifth = stage.iteration(run, "days", 4);
    assert_eq!(stage.input(fifth, "d1"), json!({ "day": 20_200_105 }));
}

#[test]
fn each_day_and_part() {
    let stage = Stage::with(&["noop"]);
    let run = start(&stage, &["each-day-and-part"]);
    stage.patiently(run);
    succeeds(&stage, run, 2_196);
}

#[test]
fn nested_lists() {
    let stage = Stage::new();
    let run = start(&stage, &["nested-lists"]);
    succeeds(&stage, run, 12);
    let inner = |index: u64| stage.output(run, "outer")[index as usize].clone();
    assert_eq!(inner(0), json!([]));
    assert_eq!(inner(5), json!([{ "x": 1, "of": "b" }, { "x": 2, "of": "b" }]));
}

#[test]
fn until_a_day() {
    let stage = Stage::new();
    let run = start(&stage, &["until-a-day"]);
    succeeds(&stage, run, 5);
}

#[test]
fn six_below() {
    let stage = Stage::with(&["probe"]);
    let run = start(&stage, &["busy", "six-below"]);
    stage.until_step(run, "beside", "succeeded");
    let loose: RunId = stage.output(run, "loose")["run"]
        .as_str()
        .and_then(|run| run.parse().ok())
        .expect("it is a run");
    assert_eq!(stage.run(loose).status().as_str(), "running");
    stage.play(run);
    stage.play(loose);
    assert_eq!(stage.rollup(run), BTreeMap::from([("succeeded".to_owned(), 11)]));
    let runs = stage.driver().store().runs(&stage.tenant, Some("busy"), &Paging::first(10));
    let mut spans = Vec::new();
    for below in runs.expect("the store answers").items {
        let mut begun = [0.0; 2];
        for moment in stage.history(below.run) {
            match moment.event {
                Event::AttemptStarted { step, .. } | Event::AttemptReleased { step, .. } => {
                    begun[step as usize] = moment.at;
                }
                Event::StepSucceeded { step, .. } => spans.push((begun[step as usize], moment.at)),
                _ => {}
            }
        }
    }
    assert_eq!(spans.len(), 12);
    for (begin, _) in &spans {
        let meanwhile = spans.iter().filter(|(from, to)| (*from..*to).contains(begin)).count();
        assert!(meanwhile <= 3, "{meanwhile} at {begin}: {spans:?}");
    }
}

#[test]
fn each_with_another() {
    let stage = Stage::new();
    let run = start(&stage, &["reading-on", "each-with-another"]);
    succeeds(&stage, run, 30);
}

#[test]
fn three_in_turn() {
    let stage = Stage::new();
    let run = start(&stage, &["each-day", "three-in-turn"]);
    succeeds(&stage, run, 162);
    let below = ["a", "b", "c"].map(|step| stage.history(stage.child(run, step)));
    let begun = below.each_ref().map(|history| {
        history.iter().find(|it| it.event == Event::RunStarted).expect("it began").at
    });
    let ended = below.each_ref().map(|history| history.last().expect("it ended").at);
    assert_eq!((begun, ended), ([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]));
}

#[test]
fn mixed() {
    let stage = Stage::new();
    apply_mixed(&stage);
    let run = stage.start("mixed");
    succeeds(&stage, run, 196);
}

#[test]
fn output_decides() {
    let stage = Stage::with(&["noop"]);
    let run = start(&stage, &["output-decides"]);
    assert_eq!(stage.end(run), "succeeded");
    let steps = [("job", "succeeded"), ("end", "succeeded"), ("other", "unsatisfied")];
    assert_eq!(stage.statuses(run), texts(steps));
}

#[test]
fn what_cannot_run_is_refused() {
    let stage = Stage::new();
    for (name, place) in [("circle", "needs"), ("no-value", "params.number")] {
        match stage.try_apply(&source(name)) {
            Err(ApplyError::Problems(problems)) => {
                let named = problems.iter().any(|it| it.to_string().contains(place));
                assert!(named, "{problems:?}");
            }
            other => panic!("{name} was to be refused: {other:?}"),
        }
        assert!(stage.driver().workflow_named(&stage.tenant, name).is_err());
    }
}
