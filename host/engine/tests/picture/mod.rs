//! Everything that can be seen of a run: two runs with the same picture cannot
//! be told apart from outside.

use segno_engine::effect::Effect;
use segno_engine::event::{Origin, Stop};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::run::{Run, RunStatus, StepRun};
use std::collections::BTreeMap;

/// The picture of a run.
#[derive(Debug, PartialEq)]
pub struct Picture<'a> {
    id: RunId,
    version: u64,
    origin: &'a Origin,
    status: &'a RunStatus,
    stop: Option<&'a Stop>,
    steps: &'a [StepRun],
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    updated_at: Timestamp,
    next_deadline: Option<Timestamp>,
    children: &'a BTreeMap<RunId, StepIndex>,
    outstanding: Vec<Effect>,
}

impl<'a> Picture<'a> {
    /// The picture of `run`.
    pub fn of(run: &'a Run) -> Self {
        Self {
            id: run.id(),
            version: run.version(),
            origin: run.origin(),
            status: run.status(),
            stop: run.stop(),
            steps: run.steps(),
            created_at: run.created_at(),
            started_at: run.started_at(),
            updated_at: run.updated_at(),
            next_deadline: run.next_deadline(),
            children: run.children(),
            outstanding: run.outstanding(),
        }
    }
}
