//! What follows for runs when something is set beside them.

use super::super::Driver;
use crate::store::WorkflowRecord;
use segno_engine::id::TenantId;

impl Driver {
    /// What follows once the change of a workflow is on stable storage.
    pub(super) fn workflow_changed(
        &self,
        tenant: &TenantId,
        before: &WorkflowRecord,
        after: &WorkflowRecord,
    ) {
        let (old, new) = (&before.properties, &after.properties);
        if old.step_concurrency != new.step_concurrency || old.tags != new.tags {
            let is_new = old.step_concurrency.is_none() || old.tags != new.tags;
            self.permits_changed(tenant, is_new);
        }
        if old.run_strategy != new.run_strategy || old.paused != new.paused {
            self.admission_changed(tenant, &after.name);
        }
    }

    /// What follows once a workflow is there that was not, or not any more: what
    /// was found of it meanwhile is not so.
    pub(super) fn workflow_appeared(&self, tenant: &TenantId, workflow: &str) {
        self.forget_settings(tenant, workflow);
        self.admission_changed(tenant, workflow);
    }

    /// Steps that wait for a permit may get one now; `is_new` says whether some
    /// need permits that they did not need before.
    pub(super) fn permits_changed(&self, tenant: &TenantId, is_new: bool) {
        self.limits_changed(tenant, is_new);
    }

    /// Runs that wait for their turn may begin now.
    fn admission_changed(&self, tenant: &TenantId, workflow: &str) {
        self.readmit(tenant, workflow);
    }
}
