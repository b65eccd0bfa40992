//! Everything that happened to a run, in the past tense. Events are the truth:
//! a run is the fold of its events, and history, timeline and replay read the
//! same log. Variants are only ever added at the end, and never change.

use crate::failure::Failure;
use crate::id::{Attempt, RunId, StepIndex, Timestamp};
use crate::payload::Payload;
use crate::usage::Usage;
use crate::wait::{Wait, Wake};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run exists. Always the first event.
    RunCreated {
        /// The name of its workflow.
        workflow: String,
        /// The version that it keeps until its end.
        version: u64,
        /// Where it comes from.
        origin: Origin,
    },
    /// Its first steps may start.
    RunStarted,
    /// The step was given its input, which all its attempts share.
    StepStarted {
        /// The step.
        step: StepIndex,
        /// What its component gets.
        input: Payload,
    },
    /// An attempt is due to run, now.
    AttemptStarted {
        /// The step.
        step: StepIndex,
        /// Its number.
        attempt: Attempt,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The step.
        step: StepIndex,
        /// Its number.
        attempt: Attempt,
        /// Why.
        failure: Failure,
        /// When the next attempt starts; without it the step has failed.
        retry_at: Option<Timestamp>,
        /// What the attempt used.
        usage: Usage,
    },
    /// The step gave its result.
    StepSucceeded {
        /// The step.
        step: StepIndex,
        /// The attempt that gave it.
        attempt: Attempt,
        /// The result.
        output: Payload,
        /// What the attempt used.
        usage: Usage,
    },
    /// The step failed without an attempt: an expression could not be
    /// evaluated, or an iteration failed.
    StepFailed {
        /// The step.
        step: StepIndex,
        /// Why.
        failure: Failure,
    },
    /// No condition let the step run: its branch ends here.
    StepUnsatisfied {
        /// The step.
        step: StepIndex,
        /// Which condition it was.
        unsatisfied: Unsatisfied,
    },
    /// A `foreach` knows what it runs over.
    ForeachStarted {
        /// The step.
        step: StepIndex,
        /// An object with one list for each loop variable, in the order of the
        /// definition.
        items: Payload,
        /// The number of iterations.
        count: u32,
    },
    /// The next iterations of a `foreach` are due to run, now.
    IterationsStarted {
        /// The step.
        step: StepIndex,
        /// The first of them.
        first: u32,
        /// How many.
        count: u32,
    },
    /// An iteration is over.
    IterationEnded {
        /// The step.
        step: StepIndex,
        /// Which one.
        index: u32,
        /// How it ended.
        result: IterationResult,
    },
    /// Every iteration succeeded; their outputs are the step's.
    ForeachSucceeded {
        /// The step.
        step: StepIndex,
    },
    /// No more iterations start, and those under way are cancelled.
    ForeachStopRequested {
        /// The step.
        step: StepIndex,
        /// What the step will have failed with.
        failure: Failure,
    },
    /// All iterations of a `foreach` in a stopped run are over.
    ForeachStopped {
        /// The step.
        step: StepIndex,
    },
    /// Nothing new starts any more, and what runs is cancelled.
    StopRequested {
        /// Why.
        stop: Stop,
    },
    /// The run is over, and well.
    RunSucceeded {
        /// The value of the body's `output`, where it has one.
        output: Option<Payload>,
    },
    /// The run is over: a step failed.
    RunFailed {
        /// Why.
        failure: Failure,
    },
    /// The run is over: everything in it has stopped.
    RunStopped,
    /// An attempt waits, and its guest may leave memory.
    AttemptSuspended {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// For what.
        wait: Wait,
    },
    /// What the attempt waited for has come: it goes on.
    AttemptResumed {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// What has come.
        wake: Wake,
    },
    /// The guest of a suspended attempt has left memory.
    AttemptPutAway {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// What it used since it was last played.
        usage: Usage,
    },
    /// The step starts afresh with another input and an empty journal, because
    /// it asked to.
    StepContinued {
        /// The step.
        step: StepIndex,
        /// The attempt that begins.
        attempt: Attempt,
        /// Its input.
        input: Payload,
        /// Where its journal begins: no sequence is used twice.
        sequence: u64,
        /// The last signal of each name that the step was given.
        signals_taken: Vec<(String, u64)>,
        /// What the attempt before used.
        usage: Usage,
    },
    /// The step started a run.
    ChildStarted {
        /// The step.
        step: StepIndex,
        /// The run.
        child: RunId,
    },
    /// A run that the step started is over.
    ChildEnded {
        /// The step.
        step: StepIndex,
        /// The run.
        child: RunId,
    },
}

impl Event {
    /// The step that the event is about.
    pub fn step(&self) -> Option<StepIndex> {
        match self {
            Self::StepStarted { step, .. }
            | Self::AttemptStarted { step, .. }
            | Self::AttemptFailed { step, .. }
            | Self::StepSucceeded { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepUnsatisfied { step, .. }
            | Self::ForeachStarted { step, .. }
            | Self::IterationsStarted { step, .. }
            | Self::IterationEnded { step, .. }
            | Self::ForeachSucceeded { step }
            | Self::ForeachStopRequested { step, .. }
            | Self::ForeachStopped { step }
            | Self::AttemptSuspended { step, .. }
            | Self::AttemptResumed { step, .. }
            | Self::AttemptPutAway { step, .. }
            | Self::StepContinued { step, .. }
            | Self::ChildStarted { step, .. }
            | Self::ChildEnded { step, .. } => Some(*step),
            Self::RunCreated { .. }
            | Self::RunStarted
            | Self::StopRequested { .. }
            | Self::RunSucceeded { .. }
            | Self::RunFailed { .. }
            | Self::RunStopped => None,
        }
    }
}

/// Where a run comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody started it.
    Start {
        /// Its number within the workflow, from 1.
        number: u64,
        /// The workflow's params: a JSON object.
        params: Payload,
    },
    /// It is an iteration of a `foreach`.
    Iteration {
        /// The run with the `foreach`.
        parent: RunId,
        /// The run that somebody started.
        root: RunId,
        /// The `foreach` steps that lead to this body, outermost first.
        path: Vec<StepIndex>,
        /// Which iteration.
        index: u32,
        /// The loop variables of this loop and those around it.
        loop_variables: Payload,
    },
    /// A step started it.
    Child {
        /// Its number within the workflow, from 1.
        number: u64,
        /// The workflow's params: a JSON object.
        params: Payload,
        /// The run whose step it was.
        parent: RunId,
        /// That step.
        step: StepIndex,
        /// The run at the beginning of the chain, which somebody started.
        root: RunId,
        /// How many runs of steps are above it, from 1.
        depth: u32,
    },
}

impl Origin {
    /// The number within the workflow; iterations have none.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Start { number, .. } | Self::Child { number, .. } => Some(*number),
            Self::Iteration { .. } => None,
        }
    }

    /// How many runs that steps started are above this one. An iteration does
    /// not know it.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Child { depth, .. } => *depth,
            Self::Start { .. } | Self::Iteration { .. } => 0,
        }
    }
}

/// Which condition kept a step from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsatisfied {
    /// No edge that leads to it holds.
    Needs,
    /// Its `when` is false.
    When,
}

/// How an iteration ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IterationResult {
    /// With this output.
    Succeeded(Payload),
    /// For this reason.
    Failed(Failure),
    /// It was cancelled.
    Cancelled,
}

/// Why a run is stopped before its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Somebody cancelled it.
    Cancelled {
        /// Who.
        by: String,
    },
    /// It took longer than its workflow's `timeout`.
    TimedOut,
}

/// What one commit says of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// What, in order.
    pub events: Vec<Event>,
}

/// The first byte of an encoded record: the format of the rest.
const FORMAT: u8 = 1;

/// A record that is not what this version writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record of events cannot be read: {0}")]
pub struct Unreadable(String);

impl Record {
    /// The record's bytes: a format number, then postcard.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![FORMAT]).expect("a growing vector takes every record")
    }

    /// The record in these bytes.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => match postcard::take_from_bytes(rest) {
                Ok((record, [])) => Ok(record),
                Ok((_, more)) => Err(Unreadable(format!("{} bytes follow it", more.len()))),
                Err(error) => Err(Unreadable(error.to_string())),
            },
            Some((format, _)) => Err(Unreadable(format!(
                "it has format {format}, and this version knows {FORMAT}; use a newer segno"
            ))),
            None => Err(Unreadable("it is empty".to_owned())),
        }
    }
}
