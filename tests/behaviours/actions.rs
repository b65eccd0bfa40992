//! What people do with runs and steps: stop, skip, try again, hold, and what
//! they are told when it does not fit.

use crate::stage::{BY, Stage, start_of, statuses_of};
use segno_engine::command::StepAction;
use segno_engine::event::{Event, Record, Stop};
use segno_engine::id::{RunId, StepIndex};
use segno_host::driver::{RetryRun, RunAction};
use segno_host::store::{Paging, Write};
use serde_json::{Value, json};

/// A run with everything below it that there can be.
struct Family {
    root: RunId,
    /// A subworkflow that is waited for.
    waited: RunId,
    /// One that is not.
    loose: RunId,
    iteration: RunId,
    /// A subworkflow of the iteration.
    deep: RunId,
}

impl Family {
    fn start(stage: &Stage) -> Self {
        stage.apply("{ workflow: below, steps: [{ id: nap, sleep: 1h }] }");
        stage.apply(
            "
workflow: family
steps:
  - { id: waited, workflow: below }
  - { id: loose, workflow: below, sync: false }
  - id: each
    foreach: { n: [1, 2] }
    steps:
      - { id: nap, sleep: 1h }
      - { id: deep, workflow: below }
  - { id: code, component: probe@1, params: { calls: [{ sleep: 1h }] } }
  - { id: behind, noop: true, needs: { waited: 'true' } }
",
        );
        let root = stage.start("family");
        stage.until_step(root, "code", "suspended");
        stage.until_step(root, "loose", "succeeded");
        let iteration = stage.iteration(root, "each", 1);
        let loose = stage.output(root, "loose")["run"].as_str().map(str::parse);
        Self {
            root,
            waited: stage.child(root, "waited"),
            loose: loose.expect("it is text").expect("it is a run"),
            iteration,
            deep: stage.child(iteration, "deep"),
        }
    }

    /// Waits until everything is cancelled that is waited for.
    fn all_below_are_cancelled(&self, stage: &Stage) {
        for run in [self.waited, self.iteration, self.deep] {
            assert_eq!(stage.end(run), "cancelled");
        }
        assert_eq!(stage.run(self.loose).status().as_str(), "running", "nobody waits for it");
    }
}

#[test]
fn what_ends_a_run_ends_all_below_that_is_waited_for() {
    let stage = Stage::with(&["probe"]);
    let family = Family::start(&stage);
    stage.act(family.root, RunAction::Cancel);
    assert_eq!(stage.end(family.root), "cancelled");
    family.all_below_are_cancelled(&stage);
    assert_eq!(stage.rollup(family.root)["cancelled"], 7);

    let family = Family::start(&stage);
    stage.act(family.root, RunAction::Kill);
    assert_eq!(stage.end(family.root), "failed");
    family.all_below_are_cancelled(&stage);

    let family = Family::start(&stage);
    stage.act_on(family.root, "waited", StepAction::Skip);
    stage.until_step(family.root, "behind", "succeeded");
    assert_eq!(stage.end(family.waited), "cancelled");
    stage.act_on(family.root, "each", StepAction::Skip);
    stage.until_step(family.root, "each", "skipped");
    stage.act_on(family.root, "code", StepAction::Kill);
    assert_eq!(stage.end(family.root), "failed");
    assert_eq!(stage.statuses(family.root)["code"], "failed");
    family.all_below_are_cancelled(&stage);
}

/// The steps that were given an input after the last retry of a run.
fn started_since_retry(stage: &Stage, run: RunId) -> Vec<StepIndex> {
    let history = stage.history(run);
    let retried =
        history.iter().rposition(|moment| matches!(moment.event, Event::RunRetried { .. }));
    let since = &history[retried.map_or(0, |at| at + 1)..];
    let started = since.iter().filter_map(|moment| match moment.event {
        Event::StepStarted { step, .. } => Some(step),
        _ => None,
    });
    started.collect()
}

#[test]
fn a_failed_run_goes_on_with_what_is_incomplete_or_begins_again() {
    let stage = Stage::with(&["hostile"]);
    stage.apply(
        "
workflow: five
steps:
  - { id: one, noop: true }
  - { id: two, noop: true, needs: [one] }
  - { id: three, component: hostile@1, needs: [two], params: { case: \"${run.retries == 0 ? 'fatal' : 'ok'}\" } }
  - { id: four, noop: true, needs: [three] }
  - { id: five, noop: true, needs: [four] }
",
    );
    let run = stage.start("five");
    assert_eq!(stage.end(run), "failed");
    assert_eq!(started_since_retry(&stage, run), [0, 1, 2]);
    assert_eq!(stage.retry(run, None), run);
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(started_since_retry(&stage, run), [2, 3, 4]);
    assert_eq!(stage.rollup(run)["succeeded"], 5);
    assert_eq!(stage.run(run).generation(), 1);
    stage.retry(run, Some("one"));
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(started_since_retry(&stage, run), [0, 1, 2, 3, 4]);
    assert_eq!(stage.run(run).generation(), 2);
}

#[test]
fn a_step_is_tried_again_in_the_run_while_it_is_open_and_takes_it_up_when_it_is_over() {
    let stage = Stage::with(&["hostile"]);
    stage.apply(
        "
workflow: again
params: { minutes: 60 }
steps:
  - id: step
    component: hostile@1
    params: { case: fails-until, attempt: 2 }
    retry: { user: 0 }
  - { id: behind, noop: true, needs: [step] }
  - { id: beside, sleep: '${params.minutes * 60}' }
",
    );
    let run = stage.start("again");
    stage.until_step(run, "step", "failed");
    stage.retry(run, Some("step"));
    let known = stage.until_step(run, "behind", "succeeded");
    assert_eq!((known.steps()[0].attempt, known.generation()), (2, 0), "another attempt");
    assert_eq!(stage.play(run), "succeeded");

    let run = stage.start_with("again", json!({ "minutes": 0 }));
    assert_eq!(stage.end(run), "failed");
    stage.retry(run, Some("step"));
    assert_eq!(stage.end(run), "succeeded");
    let known = stage.run(run);
    assert_eq!((known.steps()[0].attempt, known.generation()), (2, 1), "the run once more");
    assert_eq!(started_since_retry(&stage, run), [0, 1]);
}

#[test]
fn a_breakpoint_holds_every_iteration_until_it_is_let_go() {
    let mut stage = Stage::new();
    stage.apply(
        "
workflow: held
steps:
  - id: each
    foreach: { n: [1, 2, 3] }
    steps:
      - { id: before, noop: true }
      - { id: body, noop: true, needs: [before] }
",
    );
    let set = |stage: &Stage| {
        let set = stage.driver().set_breakpoint(&stage.tenant, ("held", "body"), None, BY);
        stage.block(set).expect("there is such a step");
    };
    let remove = |stage: &Stage, resume: bool| {
        let removed = stage.driver().remove_breakpoint(&stage.tenant, "held", "body", resume);
        stage.block(removed).expect("it is set");
    };
    set(&stage);
    let run = stage.start("held");
    let bodies: Vec<_> = (0..3).map(|n| stage.iteration(run, "each", n)).collect();
    for body in &bodies {
        stage.until_step(*body, "body", "paused");
    }
    stage.restart();
    stage.act_on(run, "each[1].body", StepAction::Resume);
    assert_eq!(stage.end(bodies[1]), "succeeded");
    assert_eq!(stage.statuses(bodies[0])["body"], "paused");
    assert_eq!(stage.statuses(bodies[2])["body"], "paused");

    remove(&stage, false);
    let free = stage.start("held");
    assert_eq!(stage.end(free), "succeeded");
    assert_eq!(stage.statuses(bodies[0])["body"], "paused", "it was not let go");
    set(&stage);
    remove(&stage, true);
    assert_eq!(stage.end(run), "succeeded");
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: waits
run_strategy: sequential
steps:
  - { id: done, noop: true }
  - { id: gate, wait: { signal: go } }
  - { id: behind, noop: true, needs: [gate] }
",
    );
    let run = stage.start("waits");
    let queued = stage.start("waits");
    stage.until_step(run, "gate", "waiting");
    let on_step = |step: &str, action| {
        stage.try_act_on(run, step, action).expect_err("it does not fit").to_string()
    };
    let refused = [
        (
            on_step("done", StepAction::Skip),
            "step `done` is succeeded, and skip does nothing there; nothing does",
        ),
        (
            on_step("gate", StepAction::Resume),
            "step `gate` is waiting, and resume does nothing there; use bypass, cancel, kill, skip",
        ),
        (
            on_step("behind", StepAction::Bypass),
            "step `behind` is pending, and bypass does nothing there; use cancel, kill, skip",
        ),
    ];
    for (message, expected) in refused {
        assert_eq!(message, expected);
    }
    let message = on_step("gaet", StepAction::Skip);
    assert!(message.contains("done, gate, behind"), "{message}");
    let message =
        stage.try_act(queued, RunAction::Pause).expect_err("it has not begun").to_string();
    assert_eq!(message, "the run is queued, and pause does nothing there; use cancel, kill");
    stage.act_on(run, "gate", StepAction::Bypass);
    assert_eq!(stage.end(run), "succeeded");
    let message = stage.try_act(run, RunAction::Cancel).expect_err("it is over").to_string();
    assert_eq!(
        message,
        "the run is succeeded, and cancel does nothing there; use retry from a step, fork"
    );
    let retry = RetryRun { by: BY.to_owned(), ..Default::default() };
    let message = stage.try_retry(run, retry).expect_err("all is complete").to_string();
    assert!(message.contains("use retry from a step, fork"), "{message}");
    let unblocked = stage.block(stage.driver().unblock(&stage.tenant, run, BY));
    let message = unblocked.expect_err("it has not failed").to_string();
    assert!(message.contains("unblock does nothing there"), "{message}");
}

/// Whoever starts a run and whoever deletes its workflow at the same moment: one
/// of the two is refused.
#[test]
fn no_run_begins_of_a_workflow_that_is_deleted_meanwhile() {
    let stage = Stage::new();
    let driver = stage.driver();
    for round in 0..100 {
        let name = format!("gone-{round}");
        stage.apply(&format!("{{ workflow: {name}, steps: [{{ id: nap, sleep: 10s }}] }}"));
        let start = driver.start(&stage.tenant, start_of(&name, json!({})));
        let delete = driver.delete_workflow(&stage.tenant, &name, BY);
        let (started, deleted) = stage.block(async { tokio::join!(delete, start) });
        assert_ne!(started.is_ok(), deleted.is_ok(), "{started:?}, {deleted:?}");
    }
}

#[test]
fn a_workflow_goes_when_its_runs_are_over_and_its_numbers_stay() {
    let stage = Stage::new();
    let source = "{ workflow: gone, steps: [{ id: nap, sleep: 10s }] }";
    stage.apply(source);
    let runs: Vec<_> = (0..5).map(|_| stage.start("gone")).collect();
    let delete = || stage.block(stage.driver().delete_workflow(&stage.tenant, "gone", BY));
    let message = delete().expect_err("five are open").to_string();
    assert!((1..=5).all(|number| message.contains(&format!("gone#{number}"))), "{message}");
    for run in &runs {
        assert_eq!(stage.play(*run), "succeeded");
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let paging = Paging::first(2).after(after);
        let page = stage.driver().store().runs(&stage.tenant, Some("gone"), &paging);
        let page = page.expect("the store answers");
        assert!(page.items.len() <= 2);
        listed.extend(page.items.iter().map(|record| (record.number, record.run)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..5).rev().map(|at| (at as u64 + 1, runs[at])).collect();
    assert_eq!(listed, expected, "newest first, each once");
    delete().expect("all are over");
    assert!(stage.try_start(start_of("gone", json!({}))).is_err());
    assert_eq!(stage.run(runs[0]).status().as_str(), "succeeded", "its runs can still be read");
    assert_eq!(stage.apply(source), 2);
    let next = stage.try_start(start_of("gone", json!({}))).expect("it is back");
    assert_eq!(next.number, Some(6));
}

#[test]
fn nothing_that_was_set_beside_a_workflow_outlives_it() {
    let stage = Stage::with(&["probe"]);
    let source = |more: &str| {
        format!(
            "{{ workflow: gone, {more} steps: [{{ id: nap, component: probe@1, params: {{ calls: [{{ sleep: 10s }}] }} }}] }}"
        )
    };
    stage.apply(&source("run_strategy: sequential, step_concurrency: 1,"));
    let set = stage.driver().set_breakpoint(&stage.tenant, ("gone", "nap"), None, BY);
    stage.block(set).expect("there is such a step");
    let first = stage.start("gone");
    stage.until_step(first, "nap", "paused");
    stage.act(first, RunAction::Cancel);
    assert_eq!(stage.end(first), "cancelled");
    stage.block(stage.driver().delete_workflow(&stage.tenant, "gone", BY)).expect("none is open");
    stage.apply(&source(""));
    let runs = [stage.start("gone"), stage.start("gone")];
    for run in runs {
        stage.until_step(run, "nap", "suspended");
    }
    for run in runs {
        assert_eq!(stage.play(run), "succeeded");
    }
}

#[test]
fn a_retry_is_told_all_that_is_wrong_with_its_params_at_once() {
    let stage = Stage::with(&["hostile"]);
    stage.apply(
        "
workflow: wrong
params: { year: 2012 }
steps:
  - { id: one, component: hostile@1, params: { case: fatal } }
",
    );
    let run = stage.start("wrong");
    assert_eq!(stage.end(run), "failed");
    let object = |value: Value| value.as_object().cloned().expect("it is an object");
    let retry = RetryRun {
        params: object(json!({ "year": "soon" })),
        step_params: object(json!({ "two": { "case": "ok" } })),
        by: BY.to_owned(),
        ..RetryRun::default()
    };
    let refused = stage.try_retry(run, retry).expect_err("neither fits").to_string();
    assert!(refused.contains("year"), "{refused}");
    assert!(refused.contains("step_params.two: the workflow has no such step"), "{refused}");
}

#[test]
fn a_cancel_that_a_restart_finds_under_way_reaches_every_depth() {
    let mut stage = Stage::with(&["hostile"]);
    stage.apply(
        "
workflow: deep
steps:
  - id: outer
    foreach: { a: [1] }
    steps:
      - id: inner
        foreach: { b: [1] }
        steps:
          - { id: spin, component: hostile@1, params: { case: spins }, limits: { cpu: 10m, wall: 10m } }
",
    );
    let run = stage.start("deep");
    stage.comes_to(Some(1), || stage.rollup(run).get("running").copied());
    let outer = stage.iteration(run, "outer", 0);
    let inner = stage.iteration(outer, "inner", 0);
    // The host ends when it has only said that the run is to stop.
    let stop = Event::StopRequested { stop: Stop::Cancelled { by: BY.to_owned() } };
    let record = Record { at: stage.driver().clock().now(), events: vec![stop] };
    let place = stage.records(run).len() as u64;
    stage.driver().store().commit(vec![Write::event(&stage.tenant, run, place, record.encode())]);
    stage.restart();
    for run in [run, outer, inner] {
        assert_eq!(stage.end(run), "cancelled");
    }
}

/// There is nothing to try again in a run that succeeded.
#[test]
fn a_retry_of_a_step_whose_subworkflow_gave_something_else_says_so_again() {
    let stage = Stage::new();
    stage.apply("{ workflow: inner, steps: [{ id: say, noop: true, params: { rows: 'many' } }] }");
    stage.apply(
        "{ workflow: outer, steps: [{ id: down, workflow: inner, outputs: { rows: int }, retry: { user: 0 } }] }",
    );
    let run = stage.start("outer");
    assert_eq!(stage.end(run), "failed");
    let failure = || stage.run(run).steps()[0].last_failure.clone().expect("it has failed");
    let before = failure();
    assert_eq!(before.reason, "output");
    stage.try_retry(run, RetryRun { by: BY.to_owned(), ..RetryRun::default() }).expect("it failed");
    assert_eq!(stage.end(run), "failed");
    assert_eq!(failure(), before);
}

#[test]
fn a_pause_holds_everything_below_a_run_also_after_a_restart() {
    let mut stage = Stage::new();
    let leaf = "
workflow: leaf
steps:
  - { id: nap, sleep: 10s }
  - { id: behind, noop: true, needs: [nap] }
";
    stage.apply(leaf);
    stage.apply(
        "
workflow: middle
steps:
  - { id: each, foreach: { i: [1, 2] }, steps: [{ id: down, workflow: leaf }] }
",
    );
    stage.apply(
        "{ workflow: top, steps: [{ id: down, workflow: middle }, { id: beside, workflow: leaf, sync: false }] }",
    );
    let top = stage.start("top");
    stage.until_step(top, "down", "running");
    let middle = stage.child(top, "down");
    stage.until_step(middle, "each", "running");
    let iterations = [0, 1].map(|index| stage.iteration(middle, "each", index));
    iterations.iter().for_each(|run| drop(stage.until_step(*run, "down", "running")));
    let leaves = iterations.map(|run| stage.child(run, "down"));
    leaves.iter().for_each(|run| drop(stage.until_step(*run, "nap", "waiting")));
    let beside: RunId = serde_json::from_value(stage.output(top, "beside")["run"].clone())
        .expect("it says its run");
    stage.act(top, RunAction::Pause);
    stage.advance(10.0);
    // What it did not wait for is none of its.
    assert_eq!(stage.end(beside), "succeeded");
    let is_held = |stage: &Stage| {
        for run in leaves {
            let run = stage.until_step(run, "nap", "succeeded");
            assert_eq!(statuses_of(&run)["behind"], "pending");
        }
    };
    is_held(&stage);
    stage.restart();
    is_held(&stage);
    stage.act(top, RunAction::Resume);
    assert_eq!(stage.end(top), "succeeded");
}
