//! What the shell must do for a run, now. Effects are implied by the run's
//! state and never stored: after a crash `Run::outstanding` names them again,
//! and each may be performed twice without harm.

use crate::command::{RetryTarget, RunEnd};
use crate::event::{Event, IterationResult, Origin};
use crate::failure::{Failure, FailureKind};
use crate::id::{Attempt, RunId, StepIndex};
use crate::rollup::Rollup;
use crate::run::{Iterations, Run, RunStatus, StepState};
use crate::workflow::StepKind;
use std::time::Duration;

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
        /// The loop.
        step: StepIndex,
        /// Which iteration.
        index: u32,
    },
    /// Cancel this iteration, and come back with `Command::EndIteration`.
    CancelIteration {
        /// The loop.
        step: StepIndex,
        /// Which iteration.
        index: u32,
        /// Which retry of it, 0 for none.
        generation: u32,
    },
    /// See that this iteration, which had ended, goes on, and come back with
    /// `Command::EndIteration`.
    RetryIteration {
        /// The loop.
        step: StepIndex,
        /// Which iteration.
        index: u32,
        /// Which retry of it this is, from 1.
        generation: u32,
        /// What of it goes on.
        target: RetryTarget,
    },
    /// See that the run of this subworkflow runs, and come back with
    /// `Command::EndChild`.
    StartSubworkflow {
        /// The step.
        step: StepIndex,
    },
    /// Come back with `Command::EndWait` when the signal is there that the step
    /// waits for.
    AwaitSignal {
        /// The step.
        step: StepIndex,
    },
    /// Publish the signals of a step whose work is done, and come back with
    /// `Command::EndPublishing`.
    PublishSignals {
        /// The step.
        step: StepIndex,
    },
    /// Come back with `Command::Release` when the attempt has its permits.
    AwaitPermits {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
    },
    /// Let the iterations and subworkflows that are under way know whether this
    /// run is paused.
    TellBelow,
    /// Tell the parent that this run is over.
    ReportEnd {
        /// The run to tell.
        parent: RunId,
        /// Its loop.
        step: StepIndex,
        /// Which of its iterations this run is.
        index: u32,
        /// How it ended.
        end: RunEnd,
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
            | Event::AttemptReleased { step, attempt }
            | Event::StepContinued { step, attempt, .. } => {
                vec![Effect::RunAttempt { step: *step, attempt: *attempt }]
            }
            Event::AttemptHeld { step, attempt, .. } => {
                vec![Effect::AwaitPermits { step: *step, attempt: *attempt }]
            }
            // A time-out may have been noticed here while the guest still runs.
            Event::AttemptFailed { step, attempt, failure, .. }
                if failure.kind == FailureKind::Timeout =>
            {
                self.abort(*step, *attempt)
            }
            Event::StepSkipped { step, .. }
            | Event::StepCancelled { step, .. }
            | Event::StepKilled { step, .. } => {
                self.abort(*step, self.steps[*step as usize].attempt)
            }
            Event::IterationsStarted { step, first, count } => (*first..first + count)
                .map(|index| Effect::StartIteration { step: *step, index })
                .collect(),
            Event::WhileContinued { step, index, .. } => {
                vec![Effect::StartIteration { step: *step, index: *index }]
            }
            Event::IterationRetried { step, index } => {
                self.looping(*step).map(|all| all.effect(*step, *index)).into_iter().collect()
            }
            Event::LoopStopRequested { step, .. } => self.iteration_effects(*step).collect(),
            // It may be over already: an earlier attempt may have started it.
            Event::ChildStarted { step, child } => {
                vec![Effect::WatchChild { step: *step, child: *child }]
            }
            Event::SubworkflowStarted { step, .. } => {
                vec![Effect::StartSubworkflow { step: *step }]
            }
            Event::WaitStarted { step, wait } if !wait.signals.is_empty() => {
                vec![Effect::AwaitSignal { step: *step }]
            }
            Event::StepPublishing { step, .. } => vec![Effect::PublishSignals { step: *step }],
            Event::StopRequested { .. } => self.abort_all(),
            Event::RunPaused { .. } | Event::RunResumed { .. } => vec![Effect::TellBelow],
            Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped => {
                self.report_end().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What must be in flight for a run in this state: the effects of its
    /// history that nothing has answered yet.
    pub fn outstanding(&self) -> Vec<Effect> {
        let mut effects: Vec<_> = self.child_effects().collect();
        if self.status == RunStatus::Queued {
            return effects;
        }
        for (place, run) in self.steps.iter().enumerate() {
            let (step, attempt) = (place as StepIndex, run.attempt);
            match &run.state {
                StepState::Running => effects.push(Effect::RunAttempt { step, attempt }),
                StepState::Queued { .. } => effects.push(Effect::AwaitPermits { step, attempt }),
                StepState::Looping => effects.extend(self.iteration_effects(step)),
                StepState::Waiting { wait } if !wait.signals.is_empty() => {
                    effects.push(Effect::AwaitSignal { step });
                }
                StepState::Publishing { .. } => effects.push(Effect::PublishSignals { step }),
                StepState::Delegated { .. } if self.stop.is_none() => {
                    effects.push(Effect::StartSubworkflow { step });
                }
                _ => {}
            }
        }
        effects
    }

    /// The guest of an attempt, and the runs that the step started, are not
    /// wanted any more.
    fn abort(&self, step: StepIndex, attempt: Attempt) -> Vec<Effect> {
        let is_call = matches!(self.body().steps[step as usize].kind, StepKind::Call(_));
        let guest = (is_call && attempt > 0).then_some(Effect::AbortAttempt { step, attempt });
        let children = self.child_effects().filter(
            |effect| matches!(effect, Effect::CancelChild { step: its, .. } if *its == step),
        );
        guest.into_iter().chain(children).collect()
    }

    fn iteration_effects(&self, step: StepIndex) -> impl Iterator<Item = Effect> {
        self.looping(step).into_iter().flat_map(move |iterations| {
            let stopping = self.stop.is_some() || iterations.ending.is_some();
            iterations.in_flight.iter().map(move |index| match stopping {
                true => Effect::CancelIteration {
                    step,
                    index: *index,
                    generation: iterations.generation(*index),
                },
                false => iterations.effect(step, *index),
            })
        })
    }

    fn child_effects(&self) -> impl Iterator<Item = Effect> {
        // Whoever sees that a subworkflow runs watches it, too.
        let is_delegated = |step: &StepIndex| {
            matches!(self.steps[*step as usize].state, StepState::Delegated { .. })
        };
        let children = self.children.iter();
        let children = children.filter(move |(child, step)| {
            self.cancels_child(**child, **step) || !is_delegated(step)
        });
        children.map(move |(child, step)| match self.cancels_child(*child, *step) {
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
        let (step, end) = (*path.last()?, self.run_end()?);
        Some(Effect::ReportEnd { parent: *parent, step, index: *index, end })
    }

    /// Whether this iteration of a loop, in this retry of it, is to be cancelled.
    pub fn cancels_iteration(&self, step: StepIndex, (index, generation): (u32, u32)) -> bool {
        self.looping(step).is_some_and(|iterations| {
            let stopping = self.stop.is_some() || iterations.ending.is_some();
            stopping && iterations.expects(index, generation)
        })
    }

    /// How it ended, once it is over.
    pub fn run_end(&self) -> Option<RunEnd> {
        Some(RunEnd {
            run: self.id,
            generation: self.generation,
            result: self.result()?,
            rollup: self.rollup(&mut |_| Rollup::default()),
        })
    }

    /// What this run's parent is to be told, once the run is over.
    pub fn result(&self) -> Option<IterationResult> {
        match &self.status {
            RunStatus::Queued | RunStatus::Running | RunStatus::Paused => None,
            RunStatus::Succeeded { output } => Some(IterationResult::Succeeded(output.clone())),
            RunStatus::Failed { failure } => Some(IterationResult::Failed(failure.clone())),
            RunStatus::TimedOut => Some(IterationResult::Failed(self.timed_out())),
            RunStatus::Cancelled => Some(IterationResult::Cancelled),
        }
    }

    /// The failure that the step above has when this run took too long.
    pub fn timed_out(&self) -> Failure {
        let timeout = Duration::from_millis(self.timeout_ms().unwrap_or_default());
        let message = format!(
            "took longer than its workflow's `timeout` of {}; give it more, or make its steps faster",
            humantime::format_duration(timeout)
        );
        Failure::new(FailureKind::Timeout, "timeout", message)
    }
}

impl Iterations {
    /// How often an iteration was retried.
    pub(crate) fn generation(&self, index: u32) -> u32 {
        self.retried.get(&index).map_or(0, |(generation, _)| *generation)
    }

    /// Whether the iteration is under way, in this retry of it.
    pub(crate) fn expects(&self, index: u32, generation: u32) -> bool {
        self.in_flight.contains(&index) && generation == self.generation(index)
    }

    /// How an iteration that is under way comes about.
    fn effect(&self, step: StepIndex, index: u32) -> Effect {
        match self.retried.get(&index) {
            Some((generation, target)) => Effect::RetryIteration {
                step,
                index,
                generation: *generation,
                target: target.clone(),
            },
            None => Effect::StartIteration { step, index },
        }
    }
}
