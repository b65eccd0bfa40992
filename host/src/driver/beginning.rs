//! How a run began: what executes, where it comes from, and when. It never
//! changes, so it is read without the rest of the history.

use super::Driver;
use crate::store;
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::{RunId, StepIndex, TenantId, Timestamp};
use segno_engine::workflow::{Step, Workflow};

/// How a run began.
pub(super) struct Beginning {
    pub(super) workflow: String,
    pub(super) version: u64,
    pub(super) origin: Origin,
    pub(super) at: Timestamp,
}

impl Beginning {
    /// The run with a number that `run`, which began so, is or is an iteration
    /// of.
    pub(super) fn numbered(&self, run: RunId) -> RunId {
        match self.origin {
            Origin::Iteration { root, .. } => root,
            Origin::Start { .. } | Origin::Child { .. } => run,
        }
    }

    /// One of its steps, in the definition that it executes.
    pub(super) fn step<'w>(&self, workflow: &'w Workflow, step: StepIndex) -> Option<&'w Step> {
        let path = match &self.origin {
            Origin::Iteration { path, .. } => path.as_slice(),
            Origin::Start { .. } | Origin::Child { .. } => &[],
        };
        workflow.body_at(path)?.steps.get(step as usize)
    }
}

impl Driver {
    /// How a run began, as the store has it.
    pub(super) fn stored_beginning(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<Option<Beginning>, store::Error> {
        let page = self.0.store.events(tenant, run, 0, 1)?;
        let Some((_, bytes)) = page.into_iter().next() else { return Ok(None) };
        let record = Record::decode(&bytes)
            .map_err(|error| store::Error::corrupt(format!("the beginning of {run}: {error}")))?;
        let Record { at, events } = record;
        Ok(events.into_iter().next().and_then(|event| match event {
            Event::RunCreated { workflow, version, origin } => {
                Some(Beginning { workflow, version, origin, at })
            }
            _ => None,
        }))
    }
}
