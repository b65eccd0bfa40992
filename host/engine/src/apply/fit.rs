//! Which event can follow which state.

use super::Corrupt;
use crate::command::RetryTarget;
use crate::event::Event;
use crate::id::StepIndex;
use crate::run::{Run, RunStatus, StepState};
use crate::settle::ITERATIONS_MAX;
use crate::workflow::StepKind;

impl Run {
    /// Every pair of state and event that can happen; anything else is corrupt.
    pub(super) fn check_fit(&self, event: &Event) -> Result<(), Corrupt> {
        let status = &self.status;
        let fits = match event {
            Event::RunCreated { .. } => false,
            Event::RunStarted => *status == RunStatus::Queued && self.stop.is_none(),
            Event::StepStarted { step, .. } | Event::StepUnsatisfied { step, .. } => {
                self.is_ready(*step)
            }
            Event::ForeachStarted { step, count, .. } => {
                self.is_ready(*step) && *count as usize <= ITERATIONS_MAX
            }
            Event::WhileStarted { step, .. } | Event::StepPaused { step } => self.is_ready(*step),
            Event::StepUnready { step, attempt, .. } => {
                self.is_ready(*step) && self.steps[*step as usize].attempt + 1 == *attempt
            }
            Event::AttemptStarted { step, attempt } => {
                self.steps.get(*step as usize).is_some_and(|run| {
                    // It has its input, and no attempt yet.
                    let waits =
                        matches!(run.state, StepState::Running | StepState::BackingOff { .. });
                    waits && run.attempt + 1 == *attempt
                })
            }
            Event::StepReady { step } => {
                matches!(self.state_of(*step), Some(StepState::BackingOff { .. }))
            }
            Event::WaitStarted { step, .. }
            | Event::SubworkflowStarted { step, .. }
            | Event::ChildStarted { step, .. } => self.state_of(*step) == Some(&StepState::Running),
            Event::AttemptFailed { step, attempt, .. } => {
                self.is_under_way(*step, *attempt) || self.is_without_guest(*step, *attempt)
            }
            Event::AttemptPutAway { step, attempt, .. } => self.is_under_way(*step, *attempt),
            Event::StepSucceeded { step, attempt, .. }
            | Event::StepPublishing { step, attempt, output: Some(_), .. } => {
                self.is_running(*step, *attempt) || self.is_without_guest(*step, *attempt)
            }
            Event::StepPublished { step, attempt, sequences } => {
                let counts = |state: &StepState| matches!(state, StepState::Publishing { signals, .. } if signals.len() == sequences.len());
                self.state_of(*step).is_some_and(counts)
                    && self.steps[*step as usize].attempt == *attempt
            }
            Event::AttemptSuspended { step, attempt, .. }
            | Event::AttemptHeld { step, attempt, .. } => self.is_running(*step, *attempt),
            Event::AttemptReleased { step, attempt } => {
                let held = matches!(self.state_of(*step), Some(StepState::Queued { .. }));
                held && self.steps[*step as usize].attempt == *attempt
            }
            Event::StepContinued { step, attempt, .. } => {
                attempt.checked_sub(1).is_some_and(|before| self.is_running(*step, before))
            }
            Event::AttemptResumed { step, attempt, .. } => {
                self.wait_of(*step).is_some() && self.is_under_way(*step, *attempt)
            }
            Event::ChildEnded { step, child, .. } => self.children.get(child) == Some(step),
            Event::StepFailed { step, .. } => matches!(
                self.state_of(*step),
                Some(StepState::Pending { waiting_for: 0 } | StepState::Looping)
            ),
            _ => self.fits_loop(event) || self.fits_wish(event),
        };
        if fits {
            return Ok(());
        }
        let step = event.step();
        let state = step.and_then(|step| self.state_of(step)).map(StepState::as_str);
        Err(Corrupt::Misfit {
            step,
            state: state.unwrap_or_else(|| status.as_str()),
            event: format!("{event:?}").chars().take(200).collect(),
        })
    }

    /// The same, for what happens to loops.
    fn fits_loop(&self, event: &Event) -> bool {
        match event {
            Event::WhileContinued { step, index, .. } => self
                .looping(*step)
                .is_some_and(|all| all.next == *index && all.in_flight.is_empty()),
            Event::IterationRetried { step, index } => {
                self.looping(*step).is_some_and(|all| all.again.contains(index))
            }
            Event::IterationsStarted { step, first, count } => self
                .looping(*step)
                .is_some_and(|all| all.next == *first && *count <= all.count - all.next),
            Event::IterationEnded { step, index, .. } => {
                self.looping(*step).is_some_and(|all| all.in_flight.contains(index))
            }
            Event::LoopSucceeded { step } | Event::StepPublishing { step, output: None, .. } => {
                self.looping(*step)
                    .is_some_and(|all| all.in_flight.is_empty() && all.failed.is_empty())
            }
            Event::LoopStopRequested { step, .. } => {
                self.looping(*step).is_some_and(|all| all.ending.is_none())
            }
            Event::LoopStopped { step } => {
                self.looping(*step).is_some_and(|all| all.in_flight.is_empty())
            }
            _ => false,
        }
    }

    /// The same, for what somebody wants, and for the run as a whole.
    fn fits_wish(&self, event: &Event) -> bool {
        let status = &self.status;
        match event {
            Event::StepResumed { step, .. } => self.state_of(*step) == Some(&StepState::Paused),
            Event::StepSkipped { step, .. } => self
                .state_of(*step)
                .is_some_and(|state| !state.is_complete() && *state != StepState::Looping),
            Event::StepCancelled { step, .. } | Event::StepKilled { step, .. } => self
                .state_of(*step)
                .is_some_and(|state| !state.is_over() && *state != StepState::Looping),
            Event::WaitBypassed { step, .. } => {
                matches!(self.state_of(*step), Some(StepState::Waiting { .. }))
            }
            Event::RunPaused { .. } => *status == RunStatus::Running && self.stop.is_none(),
            Event::RunResumed { .. } => *status == RunStatus::Paused,
            Event::RunRetried { steps, inner, .. } => self.can_retry(steps, inner),
            Event::RunUnblocked { .. } => matches!(status, RunStatus::Failed { .. }),
            Event::StopRequested { .. } => status.is_open() && self.stop.is_none(),
            Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped => {
                let running = *status == RunStatus::Running || self.stop.is_some();
                running && status.is_open() && self.active == 0 && self.waits_for_no_child()
            }
            _ => false,
        }
    }

    /// Whether the steps and the iteration of a retry are those of this run, and
    /// over if it is open.
    fn can_retry(&self, steps: &[StepIndex], inner: &RetryTarget) -> bool {
        let open = self.status.is_open();
        let fits = |step: &StepIndex| {
            self.state_of(*step)
                .is_some_and(|state| !open || (state.is_over() && !state.is_complete()))
        };
        let has = match inner {
            RetryTarget::Iteration(step, index, _) => {
                let step = self.steps.get(*step as usize);
                let iterations = step.and_then(|step| step.iterations.as_deref());
                iterations
                    .is_some_and(|all| matches!(all.status_of(*index), "failed" | "succeeded"))
            }
            RetryTarget::Child(step, _) => steps.contains(step),
            _ => true,
        };
        steps.iter().all(fits) && has
    }

    /// Whether the step waits itself, or for its subworkflow.
    fn is_without_guest(&self, step: StepIndex, attempt: u32) -> bool {
        let waits = matches!(
            self.state_of(step),
            Some(StepState::Waiting { .. } | StepState::Delegated { .. })
        );
        let is_noop =
            matches!(self.body().steps.get(step as usize).map(|it| &it.kind), Some(StepKind::Noop))
                && self.state_of(step) == Some(&StepState::Running);
        (waits || is_noop) && self.steps[step as usize].attempt == attempt
    }
}
