//! Runs that wait for what is below them: a run that would have its turn only
//! after one of these would wait for ever.

use super::Driver;
use super::live::Live;
use crate::store;
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::workflow::StepKind;
use std::sync::Arc;

/// Where a run comes from, and what it executes.
struct Beginning {
    workflow: String,
    version: u64,
    origin: Origin,
}

/// What is said of a run that would wait for one above it.
pub(super) fn deadlock(workflow: &str, above: RunId) -> String {
    format!(
        "a run of {workflow} would wait for the end of {above}, which waits for this step; give \
         {workflow} a run strategy with room for both, or `sync: false` to the step"
    )
}

impl Driver {
    /// The run above a new run of a workflow that would have to be over before
    /// the new one begins, while it waits for its end. Nothing is said of runs
    /// that wait for each other in other ways: of those in a lane with room for
    /// several, one may still make room.
    pub(super) fn would_wait_for_ancestor(
        &self,
        parent: &Arc<Live>,
        workflow: &str,
    ) -> Result<Option<RunId>, store::Error> {
        let ancestors = self.waiting_above(parent)?;
        self.all_that_run(&parent.tenant, (workflow, &ancestors))
    }

    /// The runs with a number that wait for the end of what is below this run,
    /// itself included.
    fn waiting_above(&self, live: &Arc<Live>) -> Result<Vec<RunId>, store::Error> {
        let tenant = &live.tenant;
        let mut above = vec![live.numbered];
        let mut run = live.numbered;
        while let Some(Beginning { origin: Origin::Child { parent, step, .. }, .. }) =
            self.beginning(tenant, run)?
        {
            let Some(around) = self.beginning(tenant, parent)? else { break };
            if !self.waits_at(tenant, &around, step)? {
                break;
            }
            run = match around.origin {
                Origin::Iteration { root, .. } => root,
                Origin::Start { .. } | Origin::Child { .. } => parent,
            };
            above.push(run);
        }
        Ok(above)
    }

    /// How a run began. One that waits need not come back into memory for it.
    fn beginning(&self, tenant: &TenantId, run: RunId) -> Result<Option<Beginning>, store::Error> {
        if let Some(live) = self.live(tenant, run) {
            let state = live.lock();
            let (workflow, version) = (state.run.workflow().name.clone(), state.run.version());
            return Ok(Some(Beginning { workflow, version, origin: state.run.origin().clone() }));
        }
        let Some((_, bytes)) = self.0.store.events(tenant, run, 0, 1)?.pop() else {
            return Ok(None);
        };
        let record = Record::decode(&bytes).map_err(|it| store::Error::corrupt(it.to_string()))?;
        Ok(record.events.into_iter().next().and_then(|event| match event {
            Event::RunCreated { workflow, version, origin } => {
                Some(Beginning { workflow, version, origin })
            }
            _ => None,
        }))
    }

    /// Whether a step waits for the run that it started.
    fn waits_at(
        &self,
        tenant: &TenantId,
        of: &Beginning,
        step: StepIndex,
    ) -> Result<bool, store::Error> {
        let Some(workflow) = self.workflow(tenant, &of.workflow, of.version)? else {
            return Ok(false);
        };
        let path = match &of.origin {
            Origin::Iteration { path, .. } => path.as_slice(),
            Origin::Start { .. } | Origin::Child { .. } => &[],
        };
        let step = workflow.body_at(path).and_then(|body| body.steps.get(step as usize));
        Ok(step.is_some_and(|step| matches!(&step.kind, StepKind::Subworkflow(it) if it.sync)))
    }
}
