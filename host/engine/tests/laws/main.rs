//! The laws: what holds for every workflow and every order of commands, wanted
//! or not. Each is one property over random histories; a failure is shrunk to
//! the shortest list of numbers that shows it.

#[path = "../catalog/mod.rs"]
mod catalog;
mod history;
#[path = "../picture/mod.rs"]
mod picture;
#[path = "../plan/mod.rs"]
mod plan;

use history::{History, Turn, stray_event};
use picture::Picture;
use plan::Choices;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use segno_engine::command::{Command, Rejection};
use segno_engine::decide::{Refusal, decide};
use segno_engine::effect::Effect;
use segno_engine::event::{Event, Origin, Record, Stop};
use segno_engine::failure::Failure;
use segno_engine::id::Timestamp;
use segno_engine::run::{Run, StepRun, StepState, Surroundings};
use segno_engine::settle::settle;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Any history.
fn histories() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 0..1_500)
}

/// The same cases every time, so that a failure is not a matter of luck.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_fold_of_the_records_is_the_run(numbers in histories()) {
        let History { surroundings, run, records, .. } = History::random(numbers);
        let decoded = records.iter().map(|record| {
            let decoded = Record::decode(&record.encode()).expect("it was just encoded");
            assert_eq!(&decoded, record);
            decoded
        });
        let records: Vec<Record> = decoded.collect();
        let events = records.iter().flat_map(|record| record.events.iter().map(|e| (record.at, e)));
        let replay = |surroundings| {
            Run::replay(run.id(), Arc::clone(run.workflow()), surroundings, events.clone())
                .expect("the records are of this run")
        };
        let replayed = replay(surroundings);
        assert_eq!(Picture::of(&replayed), Picture::of(&run));
        // What cannot be seen from outside is the same too.
        assert_eq!(format!("{replayed:?}"), format!("{run:?}"));
        // Only an open run needs to know what is around it.
        assert_eq!(Picture::of(&replay(Surroundings::unknown())), Picture::of(&run));
    }

    #[test]
    fn outstanding_is_what_was_asked_for_and_not_answered(numbers in histories()) {
        let history = History::random(numbers);
        let mut asked = BTreeSet::new();
        ask(&mut asked, &history.begun, &history.records[0].events);
        for turn in &history.turns {
            if let Ok((_, events)) = &turn.result {
                answer(&mut asked, &turn.command);
                ask(&mut asked, &turn.after, events);
            }
            let outstanding = turn.after.outstanding();
            assert_eq!(outstanding.len(), asked.len(), "{outstanding:?}");
            let outstanding: BTreeSet<String> = outstanding.iter().map(key).collect();
            assert_eq!(outstanding, asked, "after {:?}", turn.command);
        }
    }

    #[test]
    fn what_nobody_waits_for_is_rejected_and_changes_nothing(numbers in histories()) {
        for turn in History::random(numbers).turns {
            let Turn { before, command, now, result, after } = turn;
            let is_awaited = is_awaited(&before, &command);
            match &result {
                Ok(_) => assert!(is_awaited, "{command:?}"),
                Err(Refusal::Rejected(_)) => {
                    assert!(!is_awaited, "{command:?}");
                    assert_eq!(format!("{before:?}"), format!("{after:?}"));
                }
                Err(Refusal::Corrupt(corrupt)) => panic!("{command:?}: {corrupt}"),
            }
            let is_answer =
                matches!(command, Command::FinishAttempt { .. } | Command::EndIteration { .. });
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
            assert_eq!(settle(&before), []);
            assert_eq!(settle(&after), []);
            let mut again = before;
            assert_eq!(again.handle(&command, now), result);
            assert_eq!(Picture::of(&again), Picture::of(&after));
        }
    }

    #[test]
    fn a_run_that_is_over_is_silent(numbers in histories()) {
        for Turn { before, command, result, after, .. } in History::random(numbers).turns {
            let Some(end) = before.iteration_result() else {
                continue;
            };
            assert_eq!(before.outstanding(), []);
            assert_eq!(before.next_deadline(), None);
            assert_eq!(after.iteration_result(), Some(end));
            match result {
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
            let backs_off =
                run.steps().iter().any(|step| matches!(step.state, StepState::BackingOff { .. }));
            let waits = !run.outstanding().is_empty() || backs_off;
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
                assert!(after.next_deadline().is_none_or(|next| next > at));
            }
        }
    }

    #[test]
    fn a_step_only_goes_forward(numbers in histories()) {
        for Turn { before, after, .. } in History::random(numbers).turns {
            for (old, new) in before.steps().iter().zip(after.steps()) {
                assert!(new.attempt >= old.attempt, "{old:?} became {new:?}");
                assert!(new.since >= old.since, "{old:?} became {new:?}");
                assert!(rank(&new.state) >= rank(&old.state), "{old:?} became {new:?}");
                if rank(&old.state) == OVER {
                    assert_eq!(old, new);
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

/// Every kind of event, and what else a history may be.
const WORTH_IT: [&str; 21] = [
    "AttemptFailed",
    "AttemptStarted",
    "ForeachStarted",
    "ForeachStopRequested",
    "ForeachStopped",
    "ForeachSucceeded",
    "IterationEnded",
    "IterationsStarted",
    "RunCreated",
    "RunFailed",
    "RunStarted",
    "RunStopped",
    "RunSucceeded",
    "StepFailed",
    "StepStarted",
    "StepSucceeded",
    "StepUnsatisfied",
    "StopRequested",
    "of an iteration",
    "of an iteration in a workflow with a timeout",
    "rejected",
];

#[test]
fn the_histories_are_worth_it() {
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..300 {
        let mut generator = fastrand::Rng::with_seed(seed);
        let numbers = (0..1_500).map(|_| generator.u32(..)).collect();
        let History { run, records, turns, .. } = History::random(numbers);
        let mut meet = |what: &str| *met.entry(what.to_owned()).or_default() += 1;
        for event in records.iter().flat_map(|record| &record.events) {
            let text = format!("{event:?}");
            meet(text.split([' ', '{']).next().unwrap_or_default());
        }
        turns.iter().filter(|turn| turn.result.is_err()).for_each(|_| meet("rejected"));
        if matches!(run.origin(), Origin::Iteration { .. }) {
            meet("of an iteration");
            if run.workflow().timeout_ms.is_some() {
                meet("of an iteration in a workflow with a timeout");
            }
        }
    }
    for what in WORTH_IT {
        assert!(met.get(what).is_some_and(|often| *often >= 5), "{what} is too rare in {met:?}");
    }
}

/// Enters the effects of `events`.
fn ask(asked: &mut BTreeSet<String>, run: &Run, events: &[Event]) {
    for effect in events.iter().flat_map(|event| run.effects_of(event)) {
        match effect {
            Effect::AbortAttempt { step, attempt } => {
                asked.remove(&key(&Effect::RunAttempt { step, attempt }));
            }
            Effect::CancelIteration { step, index } => {
                asked.remove(&key(&Effect::StartIteration { step, index }));
                asked.insert(key(&effect));
            }
            Effect::RunAttempt { .. } | Effect::StartIteration { .. } => {
                asked.insert(key(&effect));
            }
            // It wants no answer.
            Effect::ReportEnd { .. } => {}
        }
    }
}

/// Strikes out what `command` answers.
fn answer(asked: &mut BTreeSet<String>, command: &Command) {
    for effect in answered(command) {
        asked.remove(&key(&effect));
    }
}

fn key(effect: &Effect) -> String {
    format!("{effect:?}")
}

/// The effects that may have asked for this command.
fn answered(command: &Command) -> Vec<Effect> {
    match *command {
        Command::FinishAttempt { step, attempt, .. } => vec![Effect::RunAttempt { step, attempt }],
        Command::EndIteration { step, index, .. } => {
            vec![Effect::StartIteration { step, index }, Effect::CancelIteration { step, index }]
        }
        Command::CheckDeadlines | Command::Cancel { .. } => Vec::new(),
    }
}

fn is_awaited(run: &Run, command: &Command) -> bool {
    match command {
        Command::CheckDeadlines => true,
        Command::Cancel { .. } => run.status().is_open(),
        Command::FinishAttempt { .. } | Command::EndIteration { .. } => {
            let outstanding = run.outstanding();
            answered(command).iter().any(|effect| outstanding.contains(effect))
        }
    }
}

/// Every deadline of a run, from what can be seen of it.
fn deadlines(run: &Run) -> impl Iterator<Item = Timestamp> {
    let goes_on = run.status().is_open() && run.stop().is_none();
    let of_run = match run.origin() {
        Origin::Start { .. } => run.workflow().timeout_ms,
        Origin::Iteration { .. } => None,
    };
    let of_run = of_run.and_then(|timeout| Some(run.started_at()?.plus_ms(timeout)));
    let of_step = |(place, step): (usize, &StepRun)| {
        let timeout = || Some(step.since.plus_ms(run.body().steps[place].timeout_ms?));
        match &step.state {
            StepState::Running => timeout(),
            StepState::Looping if !is_stopping(step) => timeout(),
            StepState::BackingOff { until } => Some(*until),
            _ => None,
        }
    };
    let of_steps = run.steps().iter().enumerate().filter_map(of_step);
    of_run.into_iter().chain(of_steps).filter(move |_| goes_on)
}

fn is_stopping(step: &StepRun) -> bool {
    step.iterations.as_ref().is_some_and(|iterations| iterations.stopping)
}

/// When something that only a deadline brings about was due.
fn due(before: &Run, event: &Event) -> Option<Timestamp> {
    let since = |step: u32| {
        let timeout = before.body().steps[step as usize].timeout_ms;
        before.steps()[step as usize].since.plus_ms(timeout.unwrap_or(u64::MAX))
    };
    match event {
        Event::AttemptStarted { step, attempt } if *attempt > 1 => {
            match before.steps()[*step as usize].state {
                StepState::BackingOff { until } => Some(until),
                _ => panic!("attempt {attempt} did not follow a wait"),
            }
        }
        Event::AttemptFailed { step, failure: Failure { reason, .. }, .. }
            if reason == "timeout" =>
        {
            Some(since(*step))
        }
        Event::ForeachStopRequested { step, .. } => Some(since(*step)),
        Event::StopRequested { stop: Stop::TimedOut } => {
            let timeout = before.workflow().timeout_ms.unwrap_or(u64::MAX);
            before.started_at().map(|started| started.plus_ms(timeout))
        }
        _ => None,
    }
}

/// The rank of a state that a step keeps.
const OVER: u8 = 2;

fn rank(state: &StepState) -> u8 {
    match state {
        StepState::Pending { .. } => 0,
        StepState::Running | StepState::BackingOff { .. } | StepState::Looping => 1,
        StepState::Succeeded { .. }
        | StepState::Failed { .. }
        | StepState::Unsatisfied { .. }
        | StepState::Cancelled => OVER,
    }
}
