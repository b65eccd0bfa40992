//! Deleting a workflow: its name is free again, its numbers are not, and its
//! runs can still be read.

use super::super::Driver;
use super::WorkflowError;
use crate::store::{DeletedWorkflow, WorkflowAction, WorkflowRecord, Write};
use segno_engine::id::TenantId;

/// So many open runs are named at most.
const NAMED_RUNS_MAX: usize = 20;

impl Driver {
    /// Deletes a workflow, with what is set beside it, and returns what it was.
    /// Its versions and runs stay readable through the runs.
    ///
    /// # Errors
    /// There is no such workflow, runs of it are open, or the store fails.
    pub async fn delete_workflow(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &str,
    ) -> Result<WorkflowRecord, WorkflowError> {
        let _naming = self.0.catalog.naming.lock().await;
        let record = self.workflow_named(tenant, name)?;
        // From now on nobody starts a run of it.
        let key = (tenant.clone(), name.to_owned());
        self.lock_starts().deleted.insert(key.clone());
        let deleted = self.delete_unstarted(tenant, &record, by).await;
        if deleted.is_err() {
            self.lock_starts().deleted.remove(&key);
        }
        deleted.map(|()| record)
    }

    async fn delete_unstarted(
        &self,
        tenant: &TenantId,
        record: &WorkflowRecord,
        by: &str,
    ) -> Result<(), WorkflowError> {
        let name = record.name.as_str();
        // What was ordered until now can be read then.
        self.0.store.barrier().durable().await?;
        let open = self.0.store.open_runs_of(tenant, name, NAMED_RUNS_MAX)?;
        if !open.is_empty() {
            let runs = open.iter().map(|run| format!("{name}#{}", run.number)).collect();
            return Err(WorkflowError::OpenRuns { workflow: name.to_owned(), runs });
        }
        let left = DeletedWorkflow {
            latest_version: record.latest_version,
            last_run_number: self.0.store.last_run_number(tenant, name)?,
            deleted_at: self.0.clock.now(),
        };
        let mut writes = Write::workflow_deleted(tenant, name, &left)?;
        for step in self.0.store.breakpoints(tenant, name)? {
            writes.push(Write::breakpoint_deleted(tenant, name, &step)?);
        }
        for (number, _) in self.0.store.blockers(tenant, name)? {
            writes.push(Write::blocker_gone(tenant, name, number)?);
        }
        let states = (Some(record), None);
        writes.push(self.change_row(tenant, (WorkflowAction::Deleted, by), states)?);
        self.commit_change(tenant, (name, None), None, writes)?.durable().await?;
        self.forget_track(tenant, name);
        self.forget_settings(tenant, name);
        self.breakpoints_changed(tenant, name);
        Ok(())
    }
}
