//! Runs that wait for what is below them: a run that would have its turn only
//! after one of these would wait for ever.

use super::Driver;
use super::beginning::Beginning;
use super::live::Live;
use crate::store;
use segno_engine::event::Origin;
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::workflow::StepKind;
use std::sync::Arc;

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
            run = around.numbered(parent);
            above.push(run);
        }
        Ok(above)
    }

    /// How a run began. One that waits need not come back into memory for it.
    pub(super) fn beginning(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<Option<Beginning>, store::Error> {
        if let Some(live) = self.live(tenant, run) {
            let state = live.lock();
            return Ok(Some(Beginning {
                workflow: state.run.workflow().name.clone(),
                version: state.run.version(),
                origin: state.run.origin().clone(),
                at: state.run.created_at(),
            }));
        }
        self.stored_beginning(tenant, run)
    }

    /// Whether a step waits for the run that it started.
    pub(super) fn waits_at(
        &self,
        tenant: &TenantId,
        of: &Beginning,
        step: StepIndex,
    ) -> Result<bool, store::Error> {
        let workflow = self.workflow(tenant, &of.workflow, of.version)?;
        let step = workflow.as_deref().and_then(|workflow| of.step(workflow, step));
        Ok(step.is_some_and(|step| matches!(&step.kind, StepKind::Subworkflow(it) if it.sync)))
    }
}
