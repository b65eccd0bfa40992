//! What people do with runs and steps, at random, and what the laws say of it.

use crate::history::{History, Turn};
use crate::picture::Picture;
use crate::plan::Choices;
use crate::{config, histories};
use proptest::prelude::*;
use segno_engine::command::{Command, Rejection, Retry, RetryTarget, StepAction};
use segno_engine::decide::Refusal;
use segno_engine::event::{Event, Given};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, RunStatus, StepRun, StepState};
use serde_json::json;

/// Something that somebody may want, be it sensible or not.
pub fn random(run: &Run, choices: &mut Choices) -> Command {
    let by = "somebody".to_owned();
    let stray = u32::from(choices.chance(5));
    let step = choices.below(run.steps().len() as u32 + stray);
    let wanted = |step: &StepRun| match step.state {
        StepState::Paused => Some(StepAction::Resume),
        StepState::Waiting { .. } => Some(StepAction::Bypass),
        _ => None,
    };
    let place = run.steps().iter().position(|step| wanted(step).is_some());
    if let Some(place) = place
        && let Some(action) = wanted(&run.steps()[place])
        && choices.chance(30)
    {
        return Command::Step { step: place as StepIndex, action, by };
    }
    match choices.below(20) {
        0 if choices.chance(30) => Command::Cancel { by },
        1 if choices.chance(30) => Command::Kill { by },
        2 if choices.chance(30) => Command::Replace { by: RunId::new(Timestamp(1), 9) },
        3..=4 => Command::Pause { by },
        5..=7 => Command::Resume { by },
        8 => Command::Admit,
        9 => Command::Unblock { by },
        10..=14 => Command::Retry(Box::new(retry(run, step, choices))),
        _ => {
            let all = [
                StepAction::Resume,
                StepAction::Bypass,
                StepAction::Skip,
                StepAction::Cancel,
                StepAction::Kill,
            ];
            let action = *choices.pick(&all).expect("there are some");
            Command::Step { step, action, by }
        }
    }
}

/// A retry of something.
pub fn retry(run: &Run, step: StepIndex, choices: &mut Choices) -> Retry {
    let target = match choices.below(8) {
        0..=2 => RetryTarget::Incomplete,
        3..=4 => RetryTarget::From(step),
        5 => RetryTarget::Skip(step),
        6 => RetryTarget::Child(step, Box::default()),
        _ => iteration(run, choices).unwrap_or_default(),
    };
    let other = choices.chance(20).then(|| json!({ "k": choices.below(3) }));
    let given = other.map(|params| Given::params(Payload::from(params)));
    Retry { by: "somebody".to_owned(), target, given, queued: choices.chance(20) }
}

fn iteration(run: &Run, choices: &mut Choices) -> Option<RetryTarget> {
    let failed = run.steps().iter().enumerate().flat_map(|(place, step)| {
        let failed = step.iterations.iter().flat_map(|all| all.failed.iter().copied());
        failed.map(move |index| (place as StepIndex, index))
    });
    let failed: Vec<_> = failed.collect();
    let (step, index) = choices.pick(&failed)?;
    Some(RetryTarget::Iteration(*step, *index, Box::default()))
}

/// The name of an action, the step that it is about, and what may be done there.
fn named(run: &Run, command: &Command) -> Option<(&'static str, Vec<&'static str>)> {
    Some(match command {
        Command::Pause { .. } => ("pause", run.allowed_actions()),
        Command::Resume { .. } => ("resume", run.allowed_actions()),
        Command::Cancel { .. } => ("cancel", run.allowed_actions()),
        Command::Kill { .. } => ("kill", run.allowed_actions()),
        Command::Unblock { .. } => ("unblock", run.allowed_actions()),
        Command::Step { step, action, .. } => (action.as_str(), run.allowed_step_actions(*step)),
        Command::Retry(retry) => match retry.target {
            RetryTarget::From(step) => ("retry", run.allowed_step_actions(step)),
            RetryTarget::Incomplete if !run.status().is_open() => ("retry", run.allowed_actions()),
            _ => return None,
        },
        _ => return None,
    })
}

/// A field of a run that it shows to nobody.
fn hidden(run: &Run, field: &str) -> String {
    let text = format!("{run:?}");
    let (_, rest) = text.split_once(&format!(" {field}: ")).expect("a run has this field");
    let end = match rest.starts_with('{') {
        true => rest.find('}').map(|end| end + 1),
        false => rest.find(','),
    };
    rest[..end.expect("the field ends")].to_owned()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_allowed_is_not_refused_and_what_is_not_changes_nothing(numbers in histories()) {
        for Turn { before, command, result, .. } in History::random(numbers).turns {
            let Some((action, allowed)) = named(&before, &command) else {
                continue;
            };
            match result {
                Ok((_, events)) => {
                    assert!(events.is_empty() || allowed.contains(&action), "{command:?}");
                }
                Err(Refusal::Rejected(Rejection::NotAllowed { allowed: said, .. })) => {
                    assert!(said == allowed || said == before.allowed_actions(), "{said:?}");
                    assert!(!allowed.contains(&action), "{command:?}: {:#?}", Picture::of(&before));
                }
                Err(Refusal::Rejected(Rejection::NoSuchStep { .. } | Rejection::Over { .. })) => {}
                Err(other) => panic!("{command:?}: {other}"),
            }
        }
    }

    #[test]
    fn nothing_begins_while_a_run_is_paused(numbers in histories()) {
        for Turn { before, command, result, after, .. } in History::random(numbers).turns {
            let Ok((_, events)) = result else {
                continue;
            };
            if *before.status() != RunStatus::Paused || *after.status() != RunStatus::Paused {
                continue;
            }
            let starts = |event: &Event| matches!(
                event,
                Event::StepStarted { .. }
                    | Event::AttemptStarted { .. }
                    | Event::IterationsStarted { .. }
                    | Event::IterationRetried { .. }
                    | Event::WhileContinued { .. }
                    | Event::ForeachStarted { .. }
            );
            assert!(!events.iter().any(starts), "{command:?} gave {events:?}");
        }
    }

    #[test]
    fn a_run_knows_what_is_active_and_leaves_nothing_undecided(numbers in histories()) {
        for Turn { command, after, .. } in History::random(numbers).turns {
            let is_active = |state: &StepState| {
                !state.is_over() && !matches!(state, StepState::Pending { .. })
            };
            let active = after.steps().iter().filter(|step| is_active(&step.state)).count();
            assert_eq!(hidden(&after, "active"), active.to_string(), "after {command:?}");
            let waits = after.holds_iterations() || *after.status() == RunStatus::Queued;
            if !waits {
                assert_eq!(hidden(&after, "agenda"), "{}", "after {command:?}");
            }
        }
    }

    #[test]
    fn a_rollup_counts_every_leaf(numbers in histories()) {
        for Turn { after, .. } in History::random(numbers).turns {
            let mut asked = 0;
            let rollup = after.rollup(&mut |_| {
                asked += 1;
                Default::default()
            });
            let is_leaf = |step: StepIndex| {
                let kind = after.body().steps[step as usize].kind.as_str();
                !matches!(kind, "foreach" | "while" | "workflow")
            };
            let steps = 0..after.steps().len() as StepIndex;
            let leaves = steps.filter(|step| is_leaf(*step)).count();
            let (counted, own) = (rollup.total() as usize, leaves);
            assert!(counted >= own, "{rollup:?} misses some of {own}");
            let under_way = after.steps().iter().map(|step| match &step.state {
                StepState::Looping => step.iterations.as_ref().map_or(0, |all| all.in_flight.len()),
                StepState::Delegated { .. } => 1,
                _ => 0,
            });
            assert_eq!(asked, under_way.sum::<usize>(), "runs below are asked once each");
        }
    }
}
