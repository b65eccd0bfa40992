//! What people do with runs and steps, at random, be it sensible or not.

use crate::plan::Choices;
use segno_engine::command::{Command, Retry, RetryTarget, StepAction};
use segno_engine::event::Given;
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, StepRun, StepState};
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
    Retry { by: "somebody".to_owned(), target, given, queued: choices.chance(20), generation: None }
}

fn iteration(run: &Run, choices: &mut Choices) -> Option<RetryTarget> {
    let over = run.steps().iter().enumerate().flat_map(|(place, step)| {
        let all = step.iterations.as_deref();
        let begun = all.into_iter().flat_map(|all| (0..all.next).map(|at| (at, all.status_of(at))));
        begun.map(move |(index, status)| (place as StepIndex, index, status))
    });
    let over: Vec<_> =
        over.filter(|(.., status)| ["failed", "succeeded"].contains(status)).collect();
    let (step, index, _) = choices.pick(&over)?;
    Some(RetryTarget::Iteration(*step, *index, Box::default()))
}
