//! What the shell must do for a run, now. Effects are implied by the run's
//! state and never stored: after a crash `Run::outstanding` names them again,
//! and each may be performed twice without harm.

use crate::event::{Event, IterationResult, Origin};
use crate::failure::FailureKind;
use crate::id::{Attempt, RunId, StepIndex};
use crate::run::{Run, RunStatus, StepState};

/// Something that must be in flight.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run this attempt, and come back with `Command::FinishAttempt`.
    RunAttempt {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
    },
    /// End this attempt if it is running; nobody waits for its result.
    AbortAttempt {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
    },
    /// See that this iteration runs, and come back with `Command::EndIteration`.
    StartIteration {
        /// The `foreach` step.
        step: StepIndex,
        /// Which iteration.
        index: u32,
    },
    /// Cancel this iteration, and come back with `Command::EndIteration`.
    CancelIteration {
        /// The `foreach` step.
        step: StepIndex,
        /// Which iteration.
        index: u32,
    },
    /// Tell the parent that this run is over.
    ReportEnd {
        /// The run to tell.
        parent: RunId,
        /// Its `foreach` step.
        step: StepIndex,
        /// Which of its iterations this run is.
        index: u32,
        /// How it ended.
        result: IterationResult,
    },
    /// See how this run is doing, which a step started, and come back with
    /// `Command::EndChild` when it is over.
    WatchChild {
        /// The step.
        step: StepIndex,
        /// The run.
        child: RunId,
    },
    /// Cancel this run, which a step started, and come back with
    /// `Command::EndChild`.
    CancelChild {
        /// The step.
        step: StepIndex,
        /// The run.
        child: RunId,
    },
    /// Tell the run whose step started this one that it is over.
    ReportChild {
        /// The run to tell.
        parent: RunId,
        /// Its step.
        step: StepIndex,
    },
}

impl Run {
    /// What has to be done because `event` was just applied to this run.
    pub fn effects_of(&self, event: &Event) -> Vec<Effect> {
        match event {
            Event::AttemptStarted { step, attempt }
            | Event::AttemptResumed { step, attempt, .. }
            | Event::StepContinued { step, attempt, .. } => {
                vec![Effect::RunAttempt { step: *step, attempt: *attempt }]
            }
            // A time-out may have been noticed here while the guest still runs.
            Event::AttemptFailed { step, attempt, failure, .. }
                if failure.kind == FailureKind::Timeout =>
            {
                vec![Effect::AbortAttempt { step: *step, attempt: *attempt }]
            }
            Event::IterationsStarted { step, first, count } => (*first..first + count)
                .map(|index| Effect::StartIteration { step: *step, index })
                .collect(),
            Event::ForeachStopRequested { step, .. } => self.iteration_effects(*step).collect(),
            // It may be over already: an earlier attempt may have started it.
            Event::ChildStarted { step, child } => {
                vec![Effect::WatchChild { step: *step, child: *child }]
            }
            Event::StopRequested { .. } => self.abort_all(),
            Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped => {
                self.report_end().into_iter().collect()
            }
            Event::RunCreated { .. }
            | Event::RunStarted
            | Event::AttemptFailed { .. }
            | Event::StepStarted { .. }
            | Event::StepSucceeded { .. }
            | Event::StepFailed { .. }
            | Event::StepUnsatisfied { .. }
            | Event::ForeachStarted { .. }
            | Event::IterationEnded { .. }
            | Event::ForeachSucceeded { .. }
            | Event::ForeachStopped { .. }
            | Event::AttemptSuspended { .. }
            | Event::AttemptPutAway { .. }
            | Event::ChildEnded { .. } => Vec::new(),
        }
    }

    /// What must be in flight for a run in this state: the effects of its
    /// history that nothing has answered yet.
    pub fn outstanding(&self) -> Vec<Effect> {
        let mut effects: Vec<_> = self.child_effects().collect();
        for (place, step) in self.steps.iter().enumerate() {
            let index = place as StepIndex;
            match &step.state {
                StepState::Running => {
                    effects.push(Effect::RunAttempt { step: index, attempt: step.attempt });
                }
                StepState::Looping => effects.extend(self.iteration_effects(index)),
                StepState::Pending { .. }
                | StepState::BackingOff { .. }
                | StepState::Suspended { .. }
                | StepState::Succeeded { .. }
                | StepState::Failed { .. }
                | StepState::Unsatisfied { .. }
                | StepState::Cancelled => {}
            }
        }
        effects
    }

    fn iteration_effects(&self, step: StepIndex) -> impl Iterator<Item = Effect> {
        self.looping(step).into_iter().flat_map(move |iterations| {
            let stopping = self.stop.is_some() || iterations.stopping;
            iterations.in_flight.iter().map(move |index| match stopping {
                true => Effect::CancelIteration { step, index: *index },
                false => Effect::StartIteration { step, index: *index },
            })
        })
    }

    fn child_effects(&self) -> impl Iterator<Item = Effect> {
        let stopping = self.stop.is_some();
        self.children.iter().map(move |(child, step)| match stopping {
            true => Effect::CancelChild { step: *step, child: *child },
            false => Effect::WatchChild { step: *step, child: *child },
        })
    }

    fn abort_all(&self) -> Vec<Effect> {
        let mut effects: Vec<_> = self.child_effects().collect();
        for (place, step) in self.steps.iter().enumerate() {
            let index = place as StepIndex;
            match &step.state {
                StepState::Cancelled if step.attempt > 0 => {
                    effects.push(Effect::AbortAttempt { step: index, attempt: step.attempt });
                }
                StepState::Looping => effects.extend(self.iteration_effects(index)),
                _ => {}
            }
        }
        effects
    }

    fn report_end(&self) -> Option<Effect> {
        let (parent, path, index) = match self.origin() {
            Origin::Iteration { parent, path, index, .. } => (parent, path, index),
            Origin::Child { parent, step, .. } => {
                return Some(Effect::ReportChild { parent: *parent, step: *step });
            }
            Origin::Start { .. } => return None,
        };
        let result = self.iteration_result()?;
        let step = *path.last()?;
        Some(Effect::ReportEnd { parent: *parent, step, index: *index, result })
    }

    /// What this run's parent is to be told, once the run is over.
    pub fn iteration_result(&self) -> Option<IterationResult> {
        match &self.status {
            RunStatus::Queued | RunStatus::Running => None,
            RunStatus::Succeeded { output } => Some(IterationResult::Succeeded(output.clone())),
            RunStatus::Failed { failure } => Some(IterationResult::Failed(failure.clone())),
            RunStatus::Cancelled | RunStatus::TimedOut => Some(IterationResult::Cancelled),
        }
    }
}
