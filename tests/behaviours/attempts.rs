//! Attempts of steps: their results, the next one after a failure, their time,
//! and hosts that end under them.

use crate::graph::texts;
use crate::history::Moment;
use crate::stage::Stage;
use segno_engine::event::Event;
use segno_engine::failure::FailureKind;
use segno_engine::id::{RunId, StepIndex};
use segno_host::driver::RunAction;
use segno_host::sandbox::Phase;
use serde_json::json;

/// When the attempts of the first step began, and the waits that were promised
/// after those that failed, all in seconds.
fn attempts(history: &[Moment]) -> (Vec<f64>, Vec<f64>) {
    let (mut begun, mut waits) = (Vec::new(), Vec::new());
    for Moment { at, event } in history {
        match event {
            Event::AttemptStarted { step: 0, .. } => begun.push(*at),
            Event::AttemptFailed { step: 0, retry_at: Some(_), .. } => waits.push(*at),
            _ => {}
        }
    }
    let waits = begun.iter().skip(1).zip(waits).map(|(begun, failed)| begun - failed).collect();
    (begun, waits)
}

#[test]
fn every_result_of_a_step_has_its_status_and_is_its_own() {
    let stage = Stage::with(&["hostile", "probe"]);
    stage.apply(
        "
workflow: results
steps:
  - { id: done, component: hostile@1, params: { case: ok }, retry: { user: 0, platform: 0 } }
  - { id: user, component: hostile@1, params: { case: fails }, retry: { user: 0, platform: 0 } }
  - { id: fatal, component: hostile@1, params: { case: fatal } }
  - { id: trap, component: hostile@1, params: { case: traps }, retry: { user: 0, platform: 0 } }
  - { id: limit, component: hostile@1, params: { case: eats-memory }, limits: { memory: 16MiB }, retry: { user: 0, platform: 0 } }
  - { id: ignored, component: hostile@1, params: { case: fatal }, failure_mode: ignore_failure }
  - { id: waits, component: probe@1, params: { calls: [{ sleep: 1h }] } }
  - { id: late, component: probe@1, params: { calls: [{ sleep: 1h }] }, timeout: 10s }
  - { id: pruned, noop: true, when: 'false' }
",
    );
    let run = stage.start("results");
    stage.until_step(run, "limit", "failed");
    stage.play_until(run, "time is up", |run| run.steps()[7].state.as_str() == "timed_out");
    let expected = texts([
        ("done", "succeeded"),
        ("user", "failed"),
        ("fatal", "failed"),
        ("trap", "failed"),
        ("limit", "failed"),
        ("ignored", "completed_with_error"),
        ("waits", "suspended"),
        ("late", "timed_out"),
        ("pruned", "unsatisfied"),
    ]);
    assert_eq!(stage.statuses(run), expected);
    let known = stage.run(run);
    let reasons = known
        .steps()
        .iter()
        .map(|step| step.last_failure.as_ref().map_or("", |failure| failure.reason.as_str()));
    let reasons = reasons.collect::<Vec<_>>();
    let expected = ["", "user", "fatal", "trap", "limit:memory", "fatal", "", "timeout", ""];
    assert_eq!(reasons, expected);
    stage.act(run, RunAction::Cancel);
    assert_eq!(stage.end(run), "cancelled");
    assert_eq!(stage.statuses(run)["waits"], "cancelled");
}

#[test]
fn failed_attempts_back_off_by_kind() {
    let stage = Stage::with(&["hostile"]);
    stage.apply(
        "
workflow: tries
params: { case: fails }
steps:
  - id: step
    component: hostile@1
    params: { case: '${params.case}' }
    retry: { user: 2, platform: 1, timeout: 0, backoff: { initial: 60s, factor: 2, max: 10m } }
",
    );
    let between = |wait: f64, most: f64| (most / 2.0..=most).contains(&wait);
    let run = stage.start("tries");
    assert_eq!(stage.play(run), "failed");
    let (begun, waits) = attempts(&stage.history(run));
    assert_eq!((begun.len(), waits.len()), (3, 2), "{waits:?}");
    assert!(between(waits[0], 60.0) && between(waits[1], 120.0), "{waits:?}");
    let run = stage.start_with("tries", json!({ "case": "traps" }));
    assert_eq!(stage.play(run), "failed");
    let (begun, waits) = attempts(&stage.history(run));
    assert_eq!((begun.len(), waits.len()), (2, 1), "{waits:?}");
    assert!(between(waits[0], 60.0), "{waits:?}");
    let run = stage.start_with("tries", json!({ "case": "fatal" }));
    assert_eq!(stage.play(run), "failed");
    assert_eq!(attempts(&stage.history(run)).0.len(), 1);
}

#[test]
fn an_attempt_never_begins_before_its_back_off_is_over() {
    let stage = Stage::with(&["hostile"]);
    stage.apply(
        "
workflow: tries
steps:
  - id: step
    component: hostile@1
    params: { case: fails-until, attempt: 2 }
    retry: { user: 1, backoff: { initial: 60s } }
",
    );
    let run = stage.start("tries");
    let waiting = stage.until_step(run, "step", "waiting");
    let moment = waiting.next_deadline().expect("it backs off");
    let left = moment.since(waiting.updated_at()) as f64 / 1e3;
    stage.advance(left - 0.001);
    // Anything else that happens would come after what the clock has woken.
    stage.apply("{ workflow: other, steps: [{ id: a, noop: true }] }");
    assert_eq!(stage.end(stage.start("other")), "succeeded");
    assert_eq!(stage.statuses(run)["step"], "waiting");
    stage.advance(0.001);
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "step"), json!({ "attempt": 2 }));
}

#[test]
fn a_step_that_takes_too_long_is_really_ended() {
    let stage = Stage::with(&["hostile", "probe"]);
    stage.apply(
        "
workflow: late
steps:
  - { id: spins, component: hostile@1, params: { case: spins }, timeout: 1s, retry: { timeout: 1, backoff: { initial: 5s } } }
",
    );
    let run = stage.start("late");
    let free = || stage.driver().sandbox().slots_free();
    stage.wait_for("its guest runs", || free() == 31);
    stage.advance(1.0);
    let waiting = stage.until_step(run, "spins", "waiting");
    let failure = waiting.steps()[0].last_failure.clone().expect("it was too late");
    assert_eq!(failure.reason, "timeout");
    stage.wait_for("its guest is gone", || free() == 32);
    stage.advance(5.0);
    stage.until(run, "its second attempt", |run| run.steps()[0].attempt == 2);
    stage.advance(1.0);
    assert_eq!(stage.end(run), "failed");
    assert_eq!(stage.statuses(run)["spins"], "timed_out");
    stage.wait_for("its guest is gone", || free() == 32);
}

/// How an attempt stands: whether it waits for a slot or runs.
fn phase(stage: &Stage, run: RunId, step: StepIndex) -> Option<Phase> {
    stage.attempt(run, step).map(|watch| watch.phase())
}

fn runs(stage: &Stage, run: RunId, step: StepIndex) -> bool {
    matches!(phase(stage, run, step), Some(Phase::Running { .. }))
}

#[test]
fn a_step_that_gives_no_heartbeat_is_ended_and_one_that_does_lives() {
    let stage = Stage::with(&["hostile", "probe"]);
    stage.apply(
        "
workflow: hearts
steps:
  - { id: beats, component: probe@1, params: { calls: [{ beat: 100s }] }, heartbeat_timeout: 30s }
  - { id: stalls, component: hostile@1, params: { case: spins }, heartbeat_timeout: 30s, retry: { timeout: 1, backoff: { initial: 5s } } }
",
    );
    let run = stage.start("hearts");
    let heart = || stage.attempt(run, 0).and_then(|watch| watch.heartbeat_ms());
    let beats =
        || stage.wait_for("a heartbeat", || heart() == Some(stage.driver().clock().now().0));
    let later = |seconds: f64| {
        stage.advance(seconds);
        beats();
    };
    stage.wait_for("its guests run", || runs(&stage, run, 0) && runs(&stage, run, 1));
    beats();
    later(20.0);
    assert_eq!(stage.statuses(run)["stalls"], "running");
    later(20.0);
    let known = stage.until_step(run, "stalls", "waiting");
    let failure = known.steps()[1].last_failure.clone().expect("it gave no heartbeat");
    assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Timeout, "timeout"));
    assert!(failure.message.starts_with("gave no heartbeat for 30s"), "{failure:?}");

    later(5.0);
    stage.until(run, "its second attempt", |run| run.steps()[1].attempt == 2);
    stage.wait_for("its guest runs", || runs(&stage, run, 1));
    later(20.0);
    assert_eq!(stage.statuses(run)["stalls"], "running");
    later(20.0);
    stage.until_step(run, "stalls", "timed_out");
    stage.advance(20.0);
    assert_eq!(stage.end(run), "failed");
    assert_eq!(stage.statuses(run)["beats"], "succeeded");
}

#[test]
fn a_step_that_waits_for_a_slot_need_give_no_heartbeat() {
    let stage = Stage::with(&["hostile"]).with_slots(1);
    stage.apply(
        "{ workflow: spins, steps: [{ id: a, component: hostile@1, params: { case: spins } }] }",
    );
    stage.apply(
        "
workflow: patient
steps:
  - { id: a, component: hostile@1, params: { case: ok }, heartbeat_timeout: 30s }
",
    );
    let spins = stage.start("spins");
    stage.wait_for("its guest runs", || runs(&stage, spins, 0));
    let patient = stage.start("patient");
    stage.wait_for("it is handed on", || phase(&stage, patient, 0) == Some(Phase::Queued));
    for _ in 0..20 {
        stage.advance(31.0);
        assert_eq!(stage.statuses(patient)["a"], "running");
    }
    stage.act(spins, RunAction::Cancel);
    assert_eq!(stage.end(spins), "cancelled");
    assert_eq!(stage.end(patient), "succeeded");
}

#[test]
fn a_run_that_takes_too_long_ends_with_all_in_it() {
    let stage = Stage::with(&["probe"]);
    stage.apply("{ workflow: below, steps: [{ id: nap, sleep: 1h }] }");
    stage.apply(
        "
workflow: late
params: { patience: 100 }
timeout: '${params.patience}'
steps:
  - { id: first, noop: true }
  - { id: waits, needs: [first], wait: { signal: never } }
  - { id: code, component: probe@1, params: { calls: [{ sleep: 1h }] } }
  - { id: other, workflow: below }
",
    );
    let run = stage.start("late");
    stage.until_step(run, "code", "suspended");
    stage.until_step(run, "other", "running");
    let below = stage.child(run, "other");
    assert_eq!(stage.play(run), "timed_out");
    assert_eq!(stage.seconds(), 100.0);
    let expected = texts([
        ("first", "succeeded"),
        ("waits", "cancelled"),
        ("code", "cancelled"),
        ("other", "cancelled"),
    ]);
    assert_eq!(stage.statuses(run), expected);
    assert_eq!(stage.end(below), "cancelled");
}

#[test]
fn a_run_survives_fifty_ends_of_its_host() {
    let mut stage = Stage::with(&["noop"]);
    stage.apply(
        "
workflow: large
steps:
  - id: each
    foreach: { day: '${lists.range(1, 40)}', part: [1, 2, 3], concurrency: 20 }
    steps:
      - { id: first, component: noop@1, params: { x: '${loop.day}' } }
      - { id: second, component: noop@1, needs: [first], params: { x: '${steps.first.output.x}' } }
",
    );
    let run = stage.start("large");
    let ended = |run: &segno_engine::run::Run| {
        run.steps()[0].iterations.as_ref().map_or(0, |all| all.succeeded)
    };
    let mut done = 0;
    for restart in 0..50_u32 {
        // Not the same place twice: right after a restart, and later.
        let wanted = (done + restart % 4).min(119);
        let known = stage
            .until(run, "more iterations", |run| ended(run) >= wanted || !run.status().is_open());
        done = ended(&known);
        stage.restart();
        // An attempt that the end of its host has failed is made again.
        stage.advance(120.0);
    }
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.rollup(run)["succeeded"], 234);
    for index in 0..117 {
        let history = stage.history(stage.iteration(run, "each", index));
        for wanted in 0..2 {
            let ends = history.iter().filter(|moment| {
                matches!(moment.event, Event::StepSucceeded { step, .. } if step == wanted)
            });
            assert_eq!(ends.count(), 1, "step {wanted} of iteration {index}");
        }
    }
}
