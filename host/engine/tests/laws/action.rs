//! What the laws say of what people do with runs and steps.

use crate::history::{History, Turn};
use crate::picture::Picture;
use crate::{config, histories};
use proptest::prelude::*;
use segno_engine::command::{Command, Rejection, RetryTarget};
use segno_engine::decide::Refusal;
use segno_engine::event::Event;
use segno_engine::id::StepIndex;
use segno_engine::run::{Run, RunStatus, StepState};

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
            let waits = after.is_on_hold() || *after.status() == RunStatus::Queued;
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
