//! What someone wants of a run (imperative), and the engine's ways to say no.

use crate::event::{Given, IterationResult};
use crate::failure::Failure;
use crate::id::{Attempt, RunId, StepIndex};
use crate::payload::Payload;
use crate::rollup::Rollup;
use crate::usage::Usage;
use crate::wait::{Wait, Wake};
use serde::{Deserialize, Serialize};

/// Something that is wanted of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Take the result of an attempt.
    FinishAttempt {
        /// The step.
        step: StepIndex,
        /// The attempt that has the result.
        attempt: Attempt,
        /// The result.
        outcome: Outcome,
        /// What the attempt used.
        usage: Usage,
    },
    /// Take the end of an iteration.
    EndIteration {
        /// The loop.
        step: StepIndex,
        /// Which iteration.
        index: u32,
        /// How it ended.
        end: RunEnd,
    },
    /// See which deadlines have passed.
    CheckDeadlines,
    /// Stop the run.
    Cancel {
        /// Who wants it.
        by: String,
    },
    /// Let an attempt wait.
    Suspend {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// For what.
        wait: Wait,
    },
    /// Let a suspended attempt go on.
    Wake {
        /// The step.
        step: StepIndex,
        /// The place of its wait in the journal.
        sequence: u64,
        /// What has come.
        wake: Wake,
    },
    /// Take in that the guest of a suspended attempt has left memory.
    PutAway {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// What it used since it was last played.
        usage: Usage,
    },
    /// Start the step afresh with another input.
    Continue {
        /// The step.
        step: StepIndex,
        /// The attempt that ends.
        attempt: Attempt,
        /// The input of the next.
        input: Payload,
        /// Where the next journal begins.
        sequence: u64,
        /// The last signal of each name that the step was given.
        signals_taken: Vec<(String, u64)>,
        /// What the attempt used.
        usage: Usage,
    },
    /// Take in that an attempt started a run.
    StartChild {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// The run.
        child: RunId,
    },
    /// Take in that a run which a step started is over.
    EndChild {
        /// The step.
        step: StepIndex,
        /// How it ended.
        end: RunEnd,
    },
    /// Let a run that waited for its turn begin.
    Admit,
    /// Stop the run for the sake of another of the same workflow.
    Replace {
        /// The other run.
        by: RunId,
    },
    /// End the run as failed.
    Kill {
        /// Who wants it.
        by: String,
    },
    /// Let nothing new start.
    Pause {
        /// Who wants it.
        by: String,
    },
    /// Let the run go on.
    Resume {
        /// Who wants it.
        by: String,
    },
    /// Do something with one step.
    Step {
        /// The step.
        step: StepIndex,
        /// What.
        action: StepAction,
        /// Who wants it.
        by: String,
    },
    /// Take in that the signal has come that a step waits for without a guest.
    EndWait {
        /// The step.
        step: StepIndex,
        /// What it gives.
        output: Payload,
    },
    /// Take in that an attempt cannot begin before others give permits back.
    Hold {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// The permit that is short.
        permit: String,
    },
    /// Let an attempt begin that has its permits.
    Release {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
    },
    /// Go on with a run that is over, or with a step of it.
    Retry(Box<Retry>),
    /// Let a failed run no longer keep others from starting.
    Unblock {
        /// Who wants it.
        by: String,
    },
    /// Take in that the signals of a step are published.
    EndPublishing {
        /// The step.
        step: StepIndex,
        /// The attempt that gave them.
        attempt: Attempt,
        /// Which of its attempts to publish it is, from 1.
        publication: u32,
        /// The sequence that each of them has.
        sequences: Vec<u64>,
    },
}

/// What somebody may do with one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepAction {
    /// Stop it; what needs it does not start.
    Cancel,
    /// End it as failed.
    Kill,
    /// Go on without it.
    Skip,
    /// Let it go on past its breakpoint.
    Resume,
    /// Take the signal that it waits for as come.
    Bypass,
}

impl StepAction {
    /// Its name, as users say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::Skip => "skip",
            Self::Resume => "resume",
            Self::Bypass => "bypass",
        }
    }
}

/// How a run ended that a step started, an iteration among them.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// The run.
    pub run: RunId,
    /// Which retry of the run ended, 0 for none. The same end may be told again
    /// when the run goes on already.
    pub generation: u32,
    /// How it ended.
    pub result: IterationResult,
    /// How its steps ended.
    pub rollup: Rollup,
}

impl RunEnd {
    /// The end of a run that never was.
    pub fn absent(run: RunId, generation: u32, result: IterationResult) -> Self {
        Self { run, generation, result, rollup: Rollup::default() }
    }
}

/// How a run goes on that is over, or a step of one that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Who wants it.
    pub by: String,
    /// What goes on.
    pub target: RetryTarget,
    /// The params from now on, if they are others.
    pub given: Option<Given>,
    /// Whether the run waits for its turn first.
    pub queued: bool,
    /// Which retry of the run it is, if whoever waits for it counts; else the
    /// next.
    pub generation: Option<u32>,
}

/// What goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryTarget {
    /// Every step that is not complete.
    #[default]
    Incomplete,
    /// This step, from scratch if it was complete, and all that depend on it.
    From(StepIndex),
    /// This iteration of this loop, in it this, and what depends on the loop.
    Iteration(StepIndex, u32, Box<RetryTarget>),
    /// In the subworkflow of this step this, and what depends on the step.
    Child(StepIndex, Box<RetryTarget>),
    /// This step counts as skipped, and everything else that is not complete.
    Skip(StepIndex),
    /// Every step of an iteration that has succeeded, from scratch.
    Beginning,
}

impl RetryTarget {
    /// The step of the run that it begins at, if it is one.
    pub fn step(&self) -> Option<StepIndex> {
        match self {
            Self::Incomplete | Self::Beginning => None,
            Self::From(step)
            | Self::Iteration(step, ..)
            | Self::Child(step, _)
            | Self::Skip(step) => Some(*step),
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// This output.
    Succeeded(Payload),
    /// No output.
    Failed {
        /// Why.
        failure: Failure,
        /// The step asks to wait at least so long before the next attempt.
        delay_ms: Option<u64>,
    },
}

/// Why a command does not fit the state of the run: the caller's business.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The run is over.
    #[error("the run is already over: {status}")]
    Over {
        /// How it ended.
        status: &'static str,
    },
    /// The result is of an attempt that is not running (any more).
    #[error("attempt {attempt} of step {step} is not running")]
    Stale {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
    },
    /// The action does not fit how the run or step stands.
    #[error("{what} is {status}, and {action} does nothing there; {}", one_of(.allowed))]
    NotAllowed {
        /// The run or the step, for a message.
        what: String,
        /// How it stands.
        status: &'static str,
        /// What was wanted.
        action: &'static str,
        /// What would fit.
        allowed: Vec<&'static str>,
    },
    /// There is no such step in the run.
    #[error("the run has no step {step}")]
    NoSuchStep {
        /// The step.
        step: StepIndex,
    },
    /// The iteration is not running.
    #[error("iteration {index} of step {step} is not running")]
    StaleIteration {
        /// The step.
        step: StepIndex,
        /// The iteration.
        index: u32,
    },
    /// The step does not wait for this (any more).
    #[error("step {step} does not wait for this any more")]
    NotWaiting {
        /// The step.
        step: StepIndex,
    },
    /// The run that is over was not started by this step, or it was told before.
    #[error("{child} is not an open run of step {step}")]
    StaleChild {
        /// The step.
        step: StepIndex,
        /// The run.
        child: RunId,
    },
}

fn one_of(actions: &[&str]) -> String {
    match actions {
        [] => "nothing does".to_owned(),
        _ => format!("use {}", actions.join(", ")),
    }
}
