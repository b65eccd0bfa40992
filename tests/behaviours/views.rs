//! What can be seen of runs: counts, the timeline, and events as they happen.

use crate::samples;
use crate::stage::{BY, Stage, place_of};
use segno_engine::command::StepAction;
use segno_engine::event::{Event, Record, Stop};
use segno_host::driver::RunAction;
use std::collections::BTreeMap;

#[test]
fn every_leaf_below_a_run_is_counted_once_by_its_status() {
    let stage = Stage::new();
    samples::apply_mixed(&stage);
    let run = stage.start("mixed");
    // Of three runs in turn the second and third have not begun.
    let begun = [("pending", 30), ("succeeded", 42), ("waiting", 16)];
    let begun = begun.map(|(status, count)| (status.to_owned(), count));
    stage.comes_to(BTreeMap::from(begun), || stage.rollup(run));
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(stage.rollup(run), BTreeMap::from([("succeeded".to_owned(), 196)]));
}

/// An event in a word, with the step and who wanted it.
fn word(event: &Event) -> String {
    match event {
        Event::RunPaused { by } => format!("paused by {by}"),
        Event::RunResumed { by } => format!("resumed by {by}"),
        Event::StepSkipped { step, by } => format!("{step} skipped by {by}"),
        Event::StepResumed { step, by } => format!("{step} resumed by {by}"),
        Event::StepKilled { step, by } => format!("{step} killed by {by}"),
        Event::WaitBypassed { step, by } => format!("{step} bypassed by {by}"),
        Event::RunRetried { by, generation, .. } => format!("retry {generation} by {by}"),
        Event::StopRequested { stop: Stop::Cancelled { by } } => format!("cancelled by {by}"),
        Event::StopRequested { .. } => "stop".to_owned(),
        Event::RunCreated { .. } => "created".to_owned(),
        Event::RunStarted => "started".to_owned(),
        Event::RunStopped => "stopped".to_owned(),
        Event::RunFailed { .. } => "failed".to_owned(),
        Event::StepStarted { step, .. } => format!("{step} begins"),
        Event::WaitStarted { step, .. } => format!("{step} waits"),
        Event::StepPaused { step } => format!("{step} held"),
        Event::StepSucceeded { step, .. } => format!("{step} succeeds"),
        other => format!("{other:?}"),
    }
}

#[test]
fn everything_that_happens_is_in_the_timeline_once_with_who_wanted_it() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: line
steps:
  - { id: gate, wait: { signal: go } }
  - { id: held, noop: true, needs: [gate] }
  - { id: nap, sleep: 1h, needs: [held] }
  - { id: last, sleep: 1h, needs: { nap: 'true' } }
",
    );
    let set = stage.driver().set_breakpoint(&stage.tenant, ("line", "held"), None, BY);
    stage.block(set).expect("there is such a step");
    let run = stage.start("line");
    stage.until_step(run, "gate", "waiting");
    stage.advance(1.0);
    for _ in 0..2 {
        // Wanting it twice is harmless, and happens once.
        stage.act(run, RunAction::Pause);
    }
    stage.act_on(run, "gate", StepAction::Bypass);
    stage.advance(1.0);
    stage.act(run, RunAction::Resume);
    stage.until_step(run, "held", "paused");
    stage.advance(1.0);
    stage.act_on(run, "held", StepAction::Resume);
    stage.until_step(run, "nap", "waiting");
    stage.act_on(run, "nap", StepAction::Skip);
    stage.until_step(run, "last", "waiting");
    stage.advance(1.0);
    stage.act(run, RunAction::Cancel);
    assert_eq!(stage.end(run), "cancelled");
    stage.retry(run, None);
    stage.until_step(run, "last", "waiting");
    stage.act_on(run, "last", StepAction::Kill);
    assert_eq!(stage.end(run), "failed");
    let history = stage.history(run);
    let line: Vec<_> =
        history.iter().map(|moment| format!("{} {}", moment.at, word(&moment.event))).collect();
    let expected = [
        "0 created",
        "0 started",
        "0 0 begins",
        "0 0 waits",
        "1 paused by ada",
        "1 0 bypassed by ada",
        "2 resumed by ada",
        "2 1 held",
        "3 1 resumed by ada",
        "3 1 begins",
        "3 1 succeeds",
        "3 2 begins",
        "3 2 waits",
        "3 2 skipped by ada",
        "3 3 begins",
        "3 3 waits",
        "4 cancelled by ada",
        "4 stopped",
        "4 retry 1 by ada",
        "4 3 begins",
        "4 3 waits",
        "4 3 killed by ada",
        "4 failed",
    ];
    assert_eq!(line, expected);
    assert_eq!(place_of(&stage.run(run), "last"), 3);
}

#[test]
fn a_reader_of_events_that_comes_back_loses_none() {
    let mut stage = Stage::with(&["noop"]);
    stage.apply(
        "
workflow: stream
steps:
  - { id: first, component: noop@1 }
  - { id: nap, sleep: 10s, needs: [first] }
  - id: each
    needs: [nap]
    foreach: { n: [1, 2, 3, 4, 5], concurrency: 1 }
    steps:
      - { id: say, component: noop@1, params: { n: '${loop.n}' } }
  - { id: last, component: noop@1, needs: [each] }
",
    );
    let run = stage.start("stream");
    let mut seen: Vec<Record> = Vec::new();
    for turn in 0.. {
        let more = stage.driver().wait_for_more(&stage.tenant, run, seen.len() as u64);
        // A step sleeps until somebody moves the time.
        let waited = stage.block(async {
            tokio::time::timeout(std::time::Duration::from_millis(20), more).await
        });
        if waited.is_err() {
            stage.advance(10.0);
        }
        let page = stage.driver().store().events(&stage.tenant, run, seen.len() as u64, 2);
        for (number, bytes) in page.expect("the store answers") {
            assert_eq!(number, seen.len() as u64, "without a gap");
            seen.push(Record::decode(&bytes).expect("it is ours"));
        }
        let last = seen.last().and_then(|record| record.events.last());
        if matches!(last, Some(Event::RunSucceeded { .. })) {
            break;
        }
        assert!(turn < 1_000, "{seen:?}");
        if turn % 3 == 1 {
            stage.restart();
        }
    }
    assert_eq!(seen, stage.records(run), "what was seen has not changed");
}
