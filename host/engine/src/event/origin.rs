//! Where a run comes from, and what it begins with.

use crate::failure::Failure;
use crate::id::{RunId, StepIndex, Timestamp};
use crate::params::ParamSource;
use crate::payload::Payload;
use serde::{Deserialize, Serialize};

/// Where a run comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody started it.
    Start {
        /// Its number within the workflow, from 1.
        number: u64,
        /// What it was given.
        given: Given,
        /// What led to it.
        cause: Cause,
    },
    /// It is an iteration of a loop.
    Iteration {
        /// The run with the loop.
        parent: RunId,
        /// The run that somebody started.
        root: RunId,
        /// The loop steps that lead to this body, outermost first.
        path: Vec<StepIndex>,
        /// Which iteration.
        index: u32,
        /// The loop variables of this loop and those around it.
        loop_variables: Payload,
        /// Which retry of the iteration it was created for, 0 for none: one that
        /// is cancelled at once never was.
        generation: u32,
    },
    /// A step started it.
    Child {
        /// Its number within the workflow, from 1.
        number: u64,
        /// What it was given.
        given: Given,
        /// The run whose step it was.
        parent: RunId,
        /// That step.
        step: StepIndex,
        /// The run at the beginning of the chain, which somebody started.
        root: RunId,
        /// How many runs of steps are above it, from 1.
        depth: u32,
        /// Which retry of its step it was created for, 0 for none.
        generation: u32,
        /// When the run of that step was due.
        scheduled_at: Timestamp,
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

    /// Which retry of the step above it was created for.
    pub fn generation(&self) -> u32 {
        match self {
            Self::Iteration { generation, .. } | Self::Child { generation, .. } => *generation,
            Self::Start { .. } => 0,
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

    /// When the run was due, if that was before it was created. An iteration
    /// does not know it.
    pub fn scheduled_at(&self) -> Option<Timestamp> {
        match self {
            Self::Start { cause, .. } => cause.scheduled_at(),
            Self::Child { scheduled_at, .. } => Some(*scheduled_at),
            Self::Iteration { .. } => None,
        }
    }
}

/// What a run begins with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// The workflow's params, evaluated: a JSON object.
    pub params: Payload,
    /// Where each comes from, in the order of the definition; `None` for one
    /// that is absent.
    pub sources: Vec<Option<ParamSource>>,
    /// What was given for single steps: a JSON object of objects, by step id.
    pub step_params: Payload,
}

impl Given {
    /// Params and nothing else.
    pub fn params(params: Payload) -> Self {
        Self { params, sources: Vec::new(), step_params: Payload::empty_object().clone() }
    }
}

/// What led to a run that no step started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody.
    Manual {
        /// Who.
        by: String,
    },
    /// It goes on from a step of another run.
    Fork {
        /// Who wanted it.
        by: String,
        /// The other run.
        of: RunId,
        /// The step from which it goes on.
        from: String,
        /// What it takes over.
        carried: Vec<Carried>,
        /// When the other run was due.
        scheduled_at: Timestamp,
    },
    /// A schedule, for one of its instants.
    Schedule {
        /// The schedule's name.
        schedule: String,
        /// The instant, which the run may begin behind.
        at: Timestamp,
        /// The backfill that asked for the instant, if one did.
        backfill: Option<String>,
        /// Who asked for the run beside the schedule's rule, if somebody did.
        by: Option<String>,
    },
    /// Signals that a trigger waited for.
    Signal {
        /// The trigger's name.
        trigger: String,
        /// Name and sequence of each signal, in the order that the trigger has.
        signals: Vec<(String, u64)>,
    },
}

impl Cause {
    /// When the run was due, if that was before it was created.
    pub fn scheduled_at(&self) -> Option<Timestamp> {
        match self {
            Self::Schedule { at, .. } => Some(*at),
            Self::Fork { scheduled_at, .. } => Some(*scheduled_at),
            Self::Manual { .. } | Self::Signal { .. } => None,
        }
    }
}

/// A step that a forked run takes over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// The step.
    pub step: StepIndex,
    /// What it was given.
    pub input: Option<Payload>,
    /// What came of it.
    pub kept: Kept,
}

/// What came of a step that a forked run takes over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// This output.
    Succeeded(Payload),
    /// This failure, which does not matter, and what there was of an output.
    CompletedWithError(Failure, Option<Payload>),
    /// Nothing: it was skipped.
    Skipped {
        /// Who wanted it.
        by: String,
    },
    /// Nothing: no condition let it run.
    Unsatisfied,
}
