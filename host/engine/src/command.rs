//! What someone wants of a run (imperative), and the engine's ways to say no.

use crate::event::IterationResult;
use crate::failure::Failure;
use crate::id::{Attempt, RunId, StepIndex};
use crate::payload::Payload;
use crate::usage::Usage;
use crate::wait::{Wait, Wake};

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
        /// The `foreach` step.
        step: StepIndex,
        /// Which iteration.
        index: u32,
        /// How it ended.
        result: IterationResult,
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
        /// The run.
        child: RunId,
    },
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
