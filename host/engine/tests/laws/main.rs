//! The laws: what holds for every workflow and every order of commands, wanted
//! or not. Each is one property over random histories; a failure is shrunk to
//! the shortest list of numbers that shows it.

mod action;
#[path = "../catalog/mod.rs"]
mod catalog;
mod durable;
mod expectation;
mod history;
#[path = "../picture/mod.rs"]
mod picture;
#[path = "../plan/mod.rs"]
mod plan;
#[path = "../wish/mod.rs"]
mod wish;

use expectation::{Asked, OVER, answer, ask, deadlines, due, is_awaited, outstanding, rank};
use history::{History, Turn, stray_event};
use picture::Picture;
use plan::Choices;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use segno_engine::command::{Command, Rejection};
use segno_engine::decide::{Refusal, decide};
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::StepIndex;
use segno_engine::run::{Run, RunStatus, StepRun, StepState, Surroundings};
use segno_engine::settle::settle;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Any history.
fn histories() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 0..2_000)
}

/// The same cases every time, so that a failure is not a matter of luck.
/// `SEGNO_CASES=5000` tries more, `SEGNO_SEED=2` others.
fn config() -> ProptestConfig {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: number("SEGNO_CASES").unwrap_or(300) as u32,
        rng_seed: RngSeed::Fixed(number("SEGNO_SEED").unwrap_or(1)),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_fold_of_the_records_is_the_run(numbers in histories()) {
        let history = History::random(numbers);
        let History { surroundings, run, records, .. } = &history;
        let decoded = records.iter().map(|record| {
            let decoded = Record::decode(&record.encode()).expect("it was just encoded");
            assert_eq!(&decoded, record);
            decoded
        });
        let records: Vec<Record> = decoded.collect();
        let events = records.iter().flat_map(|record| record.events.iter().map(|e| (record.at, e)));
        let replay = |surroundings| {
            let workflow = Arc::clone(run.workflow());
            let mut replayed = Run::replay(run.id(), workflow, surroundings, events.clone())
                .expect("the records are of this run");
            history.tell(&mut replayed);
            replayed
        };
        let replayed = replay(surroundings.clone());
        assert_eq!(Picture::of(&replayed), Picture::of(run));
        // What cannot be seen from outside is the same too.
        assert_eq!(format!("{replayed:?}"), format!("{run:?}"));
        // Only an open run needs to know what is around it.
        assert_eq!(Picture::of(&replay(Surroundings::unknown())), Picture::of(run));
    }

    #[test]
    fn outstanding_is_what_was_asked_for_and_not_answered(numbers in histories()) {
        let history = History::random(numbers);
        let mut asked = Asked::new();
        ask(&mut asked, &history.begun, &history.records[0].events);
        for turn in &history.turns {
            if let Ok((_, events)) = &turn.result {
                answer(&mut asked, &turn.command);
                ask(&mut asked, &turn.after, events);
            }
            assert_eq!(outstanding(&turn.after), asked, "after {:?}", turn.command);
            assert_eq!(turn.after.outstanding().len(), asked.len(), "one effect for each slot");
        }
    }

    #[test]
    fn what_nobody_waits_for_is_rejected_and_changes_nothing(numbers in histories()) {
        for turn in History::random(numbers).turns {
            let Turn { before, command, now, result, after } = turn;
            let is_awaited = is_awaited(&before, &command);
            match &result {
                Ok(_) => assert!(is_awaited != Some(false), "{command:?}"),
                Err(Refusal::Rejected(_)) => {
                    assert!(is_awaited != Some(true), "{command:?}");
                    assert_eq!(format!("{before:?}"), format!("{after:?}"));
                }
                Err(Refusal::Corrupt(corrupt)) => panic!("{command:?}: {corrupt}"),
            }
            let is_answer = matches!(
                command,
                Command::FinishAttempt { .. }
                    | Command::EndIteration { .. }
                    | Command::Suspend { .. }
                    | Command::Wake { .. }
                    | Command::Continue { .. }
                    | Command::EndChild { .. }
            );
            let mut again = after.clone();
            if is_answer {
                let refusal = again.handle(&command, now).expect_err("it was already answered");
                assert!(matches!(refusal, Refusal::Rejected(_)), "{refusal}");
                assert_eq!(Picture::of(&again), Picture::of(&after));
            }
        }
    }

    #[test]
    fn deciding_and_settling_only_look(numbers in histories()) {
        for Turn { before, command, now, result, after } in History::random(numbers).turns {
            let at = now.max(before.updated_at());
            let decided = decide(&before, &command, at);
            assert_eq!(decided, decide(&before.clone(), &command, at));
            match (&decided, &result) {
                (Ok(first), Ok((_, all))) => assert!(all.starts_with(first)),
                (Err(one), Err(Refusal::Rejected(other))) => assert_eq!(one, other),
                _ => panic!("{decided:?} and {result:?}"),
            }
            // Looking at the time takes in what somebody said of the run.
            if command != Command::CheckDeadlines {
                assert_eq!(settle(&before), []);
            }
            assert_eq!(settle(&after), []);
            let mut again = before;
            assert_eq!(again.handle(&command, now), result);
            assert_eq!(Picture::of(&again), Picture::of(&after));
        }
    }

    #[test]
    fn a_run_that_is_over_is_silent(numbers in histories()) {
        for Turn { before, command, result, after, .. } in History::random(numbers).turns {
            let Some(end) = before.result() else {
                continue;
            };
            assert_eq!(before.outstanding(), []);
            assert_eq!(before.next_deadline(), None);
            if !matches!(command, Command::Retry(_)) {
                assert_eq!(after.result(), Some(end));
            }
            let by_hand = matches!(command, Command::Retry(_) | Command::Unblock { .. });
            match result {
                _ if by_hand => {}
                Ok((_, events)) => assert_eq!((command, events), (Command::CheckDeadlines, vec![])),
                Err(refusal) => {
                    let status = before.status().as_str();
                    assert_eq!(refusal, Refusal::Rejected(Rejection::Over { status }));
                }
            }
        }
    }

    #[test]
    fn an_open_run_waits_for_something(numbers in histories()) {
        let history = History::random(numbers);
        for run in history.turns.iter().map(|turn| &turn.after).chain([&history.begun]) {
            let waits = |step: &StepRun| {
                matches!(
                    step.state,
                    StepState::BackingOff { .. }
                        | StepState::Suspended { .. }
                        | StepState::Waiting { .. }
                        | StepState::Paused
                )
            };
            let waits = !run.outstanding().is_empty()
                || run.steps().iter().any(waits)
                || (run.is_on_hold() && run.status().is_open())
                || *run.status() == RunStatus::Queued;
            assert_eq!(waits, run.status().is_open(), "{:#?}", Picture::of(run));
            assert_eq!(run.next_deadline(), deadlines(run).min());
        }
    }

    #[test]
    fn deadlines_are_kept_and_never_early(numbers in histories()) {
        for Turn { before, command, now, result, after } in History::random(numbers).turns {
            let Ok((at, events)) = result else {
                continue;
            };
            assert_eq!(at, now.max(before.updated_at()), "history does not go back");
            for event in &events {
                if let Some(due) = due(&before, event) {
                    assert!(due <= at, "{event:?} at {at:?} was due at {due:?}");
                    assert_eq!(command, Command::CheckDeadlines);
                }
            }
            if command == Command::CheckDeadlines {
                let next = after.next_deadline();
                assert!(next.is_none_or(|next| next > at), "{events:?} {:#?}", Picture::of(&after));
            }
        }
    }

    #[test]
    fn a_step_only_goes_forward(numbers in histories()) {
        for Turn { before, command, result, after, .. } in History::random(numbers).turns {
            let events = result.map(|(_, events)| events).unwrap_or_default();
            let named: Vec<StepIndex> = events.iter().flat_map(named_by_retry).collect();
            for (place, (old, new)) in before.steps().iter().zip(after.steps()).enumerate() {
                assert!(new.attempt >= old.attempt, "{old:?} became {new:?}");
                assert!(new.sequence >= old.sequence || is_continue(&command), "{new:?}");
                assert!(new.since >= old.since, "{old:?} became {new:?}");
                // Somebody may go on without what failed, or past a breakpoint;
                // what could not be evaluated is looked at again.
                let is_named = named.contains(&(place as StepIndex));
                let begins_again = matches!(old.state, StepState::Paused | StepState::BackingOff { .. });
                let is_gone_without = matches!(
                    (&old.state, &new.state),
                    (StepState::Failed { .. } | StepState::Cancelled, StepState::Skipped { .. })
                );
                if is_named || begins_again || is_gone_without {
                    continue;
                }
                assert!(rank(&new.state) >= rank(&old.state), "{old:?} became {new:?}");
                if rank(&old.state) == OVER {
                    // The end of its subworkflow may still become known.
                    let old = {
                        let mut old = old.clone();
                        old.below = new.below;
                        old
                    };
                    assert_eq!(&old, new);
                }
            }
        }
    }

    #[test]
    fn a_damaged_record_never_panics(
        numbers in histories(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let History { run, records, .. } = History::random(numbers);
        for record in &records {
            let mut bytes = record.encode();
            Record::decode(&bytes[..cut.index(bytes.len())]).expect_err("the end is missing");
            let longer = [&bytes[..], &[0]].concat();
            Record::decode(&longer).expect_err("something follows it");
            for (place, mask) in &damage {
                let place = place.index(bytes.len());
                bytes[place] ^= mask;
            }
            if let Ok(Record { at, events }) = Record::decode(&bytes) {
                let mut run = run.clone();
                let _ = events.iter().try_for_each(|event| run.apply(at, event));
            }
        }
    }

    #[test]
    fn a_stray_event_never_panics(
        numbers in histories(),
        stray in prop::collection::vec(any::<u32>(), 40),
    ) {
        let history = History::random(numbers);
        let mut choices = Choices::new(stray.into_iter());
        for turn in &history.turns {
            let mut run = turn.after.clone();
            for _ in 0..3 {
                let event = stray_event(&mut choices);
                if run.apply(turn.now, &event).is_ok() {
                    run.effects_of(&event);
                    run.outstanding();
                }
            }
            // Whatever it was, the run can still say yes or no.
            let _ = run.handle(&turn.command, turn.now);
        }
    }

    #[test]
    fn the_history_of_another_workflow_never_panics(
        numbers in histories(),
        others in histories(),
    ) {
        let History { surroundings, run, records, .. } = History::random(numbers);
        let workflow = Arc::clone(History::random(others).run.workflow());
        let events = records.iter().flat_map(|record| record.events.iter().map(|e| (record.at, e)));
        let _ = Run::replay(run.id(), workflow, surroundings, events);
    }
}

/// The steps that a retry lets go on.
fn named_by_retry(event: &Event) -> Vec<StepIndex> {
    match event {
        Event::RunRetried { steps, inner, .. } => {
            steps.iter().copied().chain(inner.step()).collect()
        }
        _ => Vec::new(),
    }
}

fn is_continue(command: &Command) -> bool {
    matches!(command, Command::Continue { .. })
}

/// Every kind of event, and what else a history may be.
const WORTH_IT: [&str; 54] = [
    "AttemptFailed",
    "AttemptHeld",
    "AttemptPutAway",
    "AttemptReleased",
    "AttemptResumed",
    "AttemptStarted",
    "AttemptSuspended",
    "ChildEnded",
    "ChildStarted",
    "ForeachStarted",
    "IterationEnded",
    "IterationRetried",
    "IterationsStarted",
    "LoopStopRequested",
    "LoopStopped",
    "LoopSucceeded",
    "RunCreated",
    "RunFailed",
    "RunPaused",
    "RunResumed",
    "RunRetried",
    "RunStarted",
    "RunStopped",
    "RunSucceeded",
    "RunUnblocked",
    "StepCancelled",
    "StepContinued",
    "StepFailed",
    "StepKilled",
    "StepPaused",
    "StepPublished",
    "StepPublishing",
    "StepReady",
    "StepResumed",
    "StepSkipped",
    "StepStarted",
    "StepSucceeded",
    "StepUnready",
    "StepUnsatisfied",
    "StopRequested",
    "SubworkflowStarted",
    "WaitBypassed",
    "WaitStarted",
    "WhileContinued",
    "WhileStarted",
    "of a run that a step started",
    "of an iteration",
    "of an iteration in a workflow with a timeout",
    "rejected",
    "stopped with open children",
    "timed out while it waited",
    "woken by a moment",
    "woken by command",
    "woken by the end of a run",
];

#[test]
fn the_histories_are_worth_it() {
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..500 {
        let mut generator = fastrand::Rng::with_seed(seed);
        let numbers = (0..2_000).map(|_| generator.u32(..)).collect();
        let History { run, records, turns, .. } = History::random(numbers);
        let mut meet = |what: &str| *met.entry(what.to_owned()).or_default() += 1;
        for event in records.iter().flat_map(|record| &record.events) {
            let text = format!("{event:?}");
            meet(text.split([' ', '{']).next().unwrap_or_default());
        }
        for turn in &turns {
            if turn.result.is_err() {
                meet("rejected");
            }
            if turn.after.stop().is_some() && !turn.after.children().is_empty() {
                meet("stopped with open children");
            }
            let events = turn.result.as_ref().map_or(&[][..], |(_, events)| events);
            events.iter().filter_map(|event| met_of_wait(turn, event)).for_each(&mut meet);
        }
        if matches!(run.origin(), Origin::Child { .. }) {
            meet("of a run that a step started");
        }
        if matches!(run.origin(), Origin::Iteration { .. }) {
            meet("of an iteration");
            if run.timeout_ms().is_some() {
                meet("of an iteration in a workflow with a timeout");
            }
        }
    }
    for what in WORTH_IT {
        assert!(met.get(what).is_some_and(|often| *often >= 5), "{what} is too rare in {met:?}");
    }
}

/// What became of a wait.
fn met_of_wait(turn: &Turn, event: &Event) -> Option<&'static str> {
    match (event, &turn.command) {
        (Event::AttemptResumed { .. }, Command::CheckDeadlines) => Some("woken by a moment"),
        (Event::AttemptResumed { .. }, Command::EndChild { .. }) => {
            Some("woken by the end of a run")
        }
        (Event::AttemptResumed { .. }, _) => Some("woken by command"),
        (Event::AttemptFailed { step, .. }, _) if turn.before.wait_of(*step).is_some() => {
            Some("timed out while it waited")
        }
        _ => None,
    }
}
