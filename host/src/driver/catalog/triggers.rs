//! What becomes of the triggers of a definition when its workflow changes: it is
//! in the same commit as the change, so that neither is there without the other.

use super::super::Driver;
use crate::store::{self, Ticket, WorkflowRecord, Write};
use segno_engine::id::TenantId;
use segno_engine::workflow::Workflow;
use std::sync::Arc;

/// What a workflow is once a change of it is ordered.
pub(in crate::driver) struct Changed<'a> {
    /// The workflow's name.
    pub(in crate::driver) workflow: &'a str,
    /// The active version and what it says; nothing if none is, or the workflow
    /// is deleted.
    pub(in crate::driver) active: Option<(u64, Arc<Workflow>)>,
    /// Whether the workflow is gone.
    pub(in crate::driver) is_deleted: bool,
}

impl Driver {
    /// Orders the change of a workflow. `pushed` is the version that comes with
    /// it, if one does. Only who holds `naming` may ask for it.
    ///
    /// # Errors
    /// The active version cannot be read; then nothing is ordered.
    pub(super) fn commit_change(
        &self,
        tenant: &TenantId,
        (name, after): (&str, Option<&WorkflowRecord>),
        pushed: Option<(u64, &Arc<Workflow>)>,
        writes: Vec<Write>,
    ) -> Result<Ticket, store::Error> {
        let active = match (after.and_then(|after| after.active_version), pushed) {
            (Some(active), Some((version, workflow))) if active == version => {
                Some((active, Arc::clone(workflow)))
            }
            (Some(active), _) => {
                self.workflow(tenant, name, active)?.map(|workflow| (active, workflow))
            }
            (None, _) => None,
        };
        let changed = Changed { workflow: name, active, is_deleted: after.is_none() };
        self.commit_with_triggers(tenant, &changed, writes)
    }

    /// Orders the commit, and what follows from it for the triggers.
    fn commit_with_triggers(
        &self,
        tenant: &TenantId,
        changed: &Changed<'_>,
        writes: Vec<Write>,
    ) -> Result<Ticket, store::Error> {
        self.commit_with_schedules(tenant, changed, writes)
    }
}
