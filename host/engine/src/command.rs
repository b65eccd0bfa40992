//! What someone wants of a run (imperative), and the engine's ways to say no.

use crate::event::IterationResult;
use crate::failure::Failure;
use crate::id::{Attempt, StepIndex};
use crate::payload::Payload;
use crate::usage::Usage;

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
}
