//! The addresses of workflows and of what is set beside them: versions, the
//! history of changes, limits of tags, failed runs that block, breakpoints.

use super::{Builder, Error, Key, Kind, Prefix};
use segno_engine::id::TenantId;

impl Key {
    /// A workflow and its properties.
    pub fn workflow(tenant: &TenantId, name: &str) -> Result<Key, Error> {
        Ok(named(tenant, Kind::Workflow, name)?.key())
    }

    /// What is left of a workflow that was deleted.
    pub fn deleted_workflow(tenant: &TenantId, name: &str) -> Result<Key, Error> {
        Ok(named(tenant, Kind::DeletedWorkflow, name)?.key())
    }

    /// One pushed version of a workflow.
    pub fn version(tenant: &TenantId, workflow: &str, version: u64) -> Result<Key, Error> {
        Ok(named(tenant, Kind::Version, workflow)?.number(version).key())
    }

    /// One change of a workflow.
    pub fn workflow_change(tenant: &TenantId, workflow: &str, sequence: u64) -> Result<Key, Error> {
        Ok(named(tenant, Kind::WorkflowChange, workflow)?.number(sequence).key())
    }

    /// The limit of a tag.
    pub fn tag_limit(tenant: &TenantId, tag: &str) -> Result<Key, Error> {
        Ok(Builder::new(tenant, Kind::TagLimit).name("tag", tag)?.key())
    }

    /// The mark that a run failed and holds back those behind it.
    pub fn blocker(tenant: &TenantId, workflow: &str, number: u64) -> Result<Key, Error> {
        Ok(named(tenant, Kind::Blocker, workflow)?.number(number).key())
    }

    /// The breakpoint on a step.
    pub fn breakpoint(tenant: &TenantId, workflow: &str, step: &str) -> Result<Key, Error> {
        Ok(named(tenant, Kind::Breakpoint, workflow)?.name("step id", step)?.key())
    }
}

impl Prefix {
    /// The workflows of a tenant, by name.
    pub fn workflows(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Workflow).prefix()
    }

    /// The versions of a workflow, oldest first.
    pub fn versions(tenant: &TenantId, workflow: &str) -> Result<Prefix, Error> {
        Ok(named(tenant, Kind::Version, workflow)?.prefix())
    }

    /// The changes of a workflow, oldest first.
    pub fn workflow_changes(tenant: &TenantId, workflow: &str) -> Result<Prefix, Error> {
        Ok(named(tenant, Kind::WorkflowChange, workflow)?.prefix())
    }

    /// The limits of a tenant's tags, by tag.
    pub fn tag_limits(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::TagLimit).prefix()
    }

    /// The failed runs that hold back others of a workflow, by number.
    pub fn blockers(tenant: &TenantId, workflow: &str) -> Result<Prefix, Error> {
        Ok(named(tenant, Kind::Blocker, workflow)?.prefix())
    }

    /// The breakpoints of a workflow, by step.
    pub fn breakpoints(tenant: &TenantId, workflow: &str) -> Result<Prefix, Error> {
        Ok(named(tenant, Kind::Breakpoint, workflow)?.prefix())
    }

    /// The breakpoints of a tenant, by workflow and step.
    pub fn all_breakpoints(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Breakpoint).prefix()
    }
}

fn named(tenant: &TenantId, kind: Kind, workflow: &str) -> Result<Builder, Error> {
    Builder::new(tenant, kind).name("workflow name", workflow)
}
