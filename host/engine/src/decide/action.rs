//! What somebody wants of a run or of one of its steps. Wanting it twice is
//! harmless; wanting what does not fit says what would.

use super::retry;
use crate::command::{Command, Rejection, StepAction};
use crate::event::{Ending, Event, Stop};
use crate::id::StepIndex;
use crate::run::{Run, RunStatus, StepState};
use crate::settle::killed;
use crate::workflow::StepKind;

/// The events that follow from one of these commands.
pub(super) fn decide(run: &Run, command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Admit => match run.status() {
            RunStatus::Queued if run.stop().is_none() => Ok(vec![Event::RunStarted]),
            _ => Ok(Vec::new()),
        },
        Command::Cancel { by } => Ok(stop(run, Stop::Cancelled { by: by.clone() })),
        Command::Kill { by } => Ok(stop(run, Stop::Killed { by: by.clone() })),
        Command::Replace { by } => Ok(stop(run, Stop::Strategy { run: *by })),
        Command::Pause { by } => match run.status() {
            RunStatus::Paused => Ok(Vec::new()),
            RunStatus::Running if run.stop().is_none() => {
                Ok(vec![Event::RunPaused { by: by.clone() }])
            }
            _ => Err(not_allowed(run, "pause")),
        },
        Command::Resume { by } => match run.status() {
            RunStatus::Paused => Ok(vec![Event::RunResumed { by: by.clone() }]),
            RunStatus::Running => Ok(Vec::new()),
            _ => Err(not_allowed(run, "resume")),
        },
        Command::Step { step, action, by } => on_step(run, *step, *action, by),
        Command::Retry(retry) => retry::decide(run, retry),
        Command::Unblock { by } => match run.status() {
            RunStatus::Failed { .. } => Ok(vec![Event::RunUnblocked { by: by.clone() }]),
            _ => Err(not_allowed(run, "unblock")),
        },
        // `decide` sends no others here.
        _ => Ok(Vec::new()),
    }
}

fn stop(run: &Run, stop: Stop) -> Vec<Event> {
    match run.stop() {
        Some(_) => Vec::new(),
        None => vec![Event::StopRequested { stop }],
    }
}

pub(crate) fn not_allowed(run: &Run, action: &'static str) -> Rejection {
    Rejection::NotAllowed {
        what: "the run".to_owned(),
        status: run.status().as_str(),
        action,
        allowed: run.allowed_actions(),
    }
}

fn on_step(
    run: &Run,
    step: StepIndex,
    action: StepAction,
    by: &str,
) -> Result<Vec<Event>, Rejection> {
    let state = run.state_of(step).ok_or(Rejection::NoSuchStep { step })?;
    let by = by.to_owned();
    let is_looping = matches!(state, StepState::Looping);
    if run.stop().is_some() || is_ending(run, step) {
        return Ok(Vec::new());
    }
    Ok(match (action, state) {
        (StepAction::Cancel, StepState::Cancelled)
        | (StepAction::Skip, StepState::Skipped { .. }) => Vec::new(),
        (StepAction::Kill, StepState::Failed { failure }) if failure.reason == "killed" => {
            Vec::new()
        }
        (StepAction::Resume, StepState::Paused) => vec![Event::StepResumed { step, by }],
        (StepAction::Bypass, StepState::Waiting { .. }) if is_gate(run, step) => {
            vec![Event::WaitBypassed { step, by }]
        }
        (StepAction::Cancel, state) if !state.is_over() => match is_looping {
            true => vec![Event::LoopStopRequested { step, ending: Ending::Cancelled { by } }],
            false => vec![Event::StepCancelled { step, by }],
        },
        (StepAction::Kill, state) if !state.is_over() => match is_looping {
            true => {
                let ending = Ending::Failed(killed("the step", &by));
                vec![Event::LoopStopRequested { step, ending }]
            }
            false => vec![Event::StepKilled { step, by }],
        },
        (StepAction::Skip, state) if !state.is_complete() => match is_looping {
            true => vec![Event::LoopStopRequested { step, ending: Ending::Skipped { by } }],
            false => vec![Event::StepSkipped { step, by }],
        },
        _ => return Err(step_not_allowed(run, step, action.as_str())),
    })
}

fn is_ending(run: &Run, step: StepIndex) -> bool {
    run.looping(step).is_some_and(|iterations| iterations.ending.is_some())
}

fn is_gate(run: &Run, step: StepIndex) -> bool {
    matches!(run.body().steps[step as usize].kind, StepKind::Wait(_))
}

pub(crate) fn step_not_allowed(run: &Run, step: StepIndex, action: &'static str) -> Rejection {
    Rejection::NotAllowed {
        what: format!("step `{}`", run.body().steps[step as usize].id),
        status: run.state_of(step).map_or("unknown", StepState::as_str),
        action,
        allowed: run.allowed_step_actions(step),
    }
}

impl Run {
    /// What may be done with it as it stands.
    pub fn allowed_actions(&self) -> Vec<&'static str> {
        match self.status() {
            // It ends already.
            status if status.is_open() && self.stop().is_some() => Vec::new(),
            RunStatus::Queued => vec!["cancel", "kill"],
            RunStatus::Running => vec!["pause", "cancel", "kill"],
            RunStatus::Paused => vec!["resume", "cancel", "kill"],
            RunStatus::Succeeded { .. } => vec!["retry from a step", "fork"],
            RunStatus::Failed { .. } => vec!["retry", "fork", "unblock"],
            RunStatus::Cancelled | RunStatus::TimedOut => vec!["retry", "fork"],
        }
    }

    /// What may be done with one of its steps as it stands.
    pub fn allowed_step_actions(&self, step: StepIndex) -> Vec<&'static str> {
        let Some(state) = self.state_of(step) else { return Vec::new() };
        if !self.status().is_open() {
            return match state.is_complete() {
                true => vec!["retry"],
                false => vec!["retry", "skip"],
            };
        }
        if self.stop().is_some() || is_ending(self, step) {
            return Vec::new();
        }
        match state {
            StepState::Paused => vec!["resume", "cancel", "kill", "skip"],
            StepState::Waiting { .. } if is_gate(self, step) => {
                vec!["bypass", "cancel", "kill", "skip"]
            }
            StepState::Failed { .. } | StepState::Cancelled
                if *self.status() == RunStatus::Queued =>
            {
                vec!["skip"]
            }
            StepState::Failed { .. } | StepState::Cancelled => vec!["retry", "skip"],
            state if state.is_over() => Vec::new(),
            _ => vec!["cancel", "kill", "skip"],
        }
    }
}
