//! Workflows: what belongs to a workflow rather than to a version, the versions,
//! and the history of changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Store;
use super::backend::{Direction, Scan, Write};
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use super::strategy;
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::strategy::RunStrategy;
use segno_engine::workflow::Pin;

/// A workflow, and what belongs to it rather than to a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRecord {
    /// The name, unique within the tenant.
    pub name: String,
    /// The version that was pushed last.
    pub latest_version: u64,
    /// The version that a start gets that names none; nothing if it was
    /// deactivated.
    #[serde(default)]
    pub active_version: Option<u64>,
    /// When any of this changed last.
    pub changed_at: Timestamp,
    /// What is set beside the versions.
    #[serde(default)]
    pub properties: Properties,
}

/// What is set for a workflow beside its versions, and changes without a new
/// one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it is found by, and whose permits all its steps need.
    pub tags: Vec<String>,
    /// Which of its runs go on at once.
    #[serde(with = "strategy")]
    pub run_strategy: Option<RunStrategy>,
    /// How many steps run code at once in all its runs together.
    pub step_concurrency: Option<u32>,
    /// Whether no run begins for now.
    pub paused: bool,
    /// Why, as whoever paused it said.
    pub paused_note: Option<String>,
}

/// One pushed version of a workflow. Immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// The workflow's name.
    pub workflow: String,
    /// Counted from 1.
    pub version: u64,
    /// The definition as it was pushed.
    pub source: String,
    /// What each component reference in it stands for.
    pub pins: BTreeMap<String, Pin>,
    /// When it was pushed.
    pub created_at: Timestamp,
    /// Who pushed it; empty if nobody knows.
    #[serde(default)]
    pub created_by: String,
}

/// What is left of a workflow that was deleted: its numbers are never given
/// away again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedWorkflow {
    /// The version that was pushed last.
    pub latest_version: u64,
    /// The highest number of a run; 0 without any.
    pub last_run_number: u64,
    /// When it was deleted.
    pub deleted_at: Timestamp,
}

/// What was done to a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowAction {
    /// A version was pushed.
    Pushed,
    /// A version became the active one.
    Activated,
    /// No version is active any more.
    Deactivated,
    /// Properties were set.
    Changed,
    /// No run begins for now.
    Paused,
    /// Runs begin again.
    Resumed,
    /// The workflow was deleted.
    Deleted,
}

/// One change of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowChange {
    /// Its number in the history, from 1. The key has it.
    #[serde(skip)]
    pub sequence: u64,
    /// What was done.
    pub action: WorkflowAction,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// What changed, as it was.
    pub before: Map<String, Value>,
    /// The same, as it is since then.
    pub after: Map<String, Value>,
}

impl Record for WorkflowRecord {
    const WHAT: &str = "workflow record";
}

impl Record for VersionRecord {
    const WHAT: &str = "workflow version";
}

impl Record for DeletedWorkflow {
    const WHAT: &str = "deleted workflow";
}

impl Record for WorkflowChange {
    const WHAT: &str = "change of a workflow";
}

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
impl Write {
    /// A new or changed workflow.
    pub fn workflow(tenant: &TenantId, record: &WorkflowRecord) -> Result<Write, Error> {
        Ok(put(Key::workflow(tenant, &record.name)?, record.encode()))
    }

    /// A workflow that is deleted. Its versions and its history stay, for its
    /// runs need them.
    pub fn workflow_deleted(
        tenant: &TenantId,
        name: &str,
        record: &DeletedWorkflow,
    ) -> Result<Vec<Write>, Error> {
        Ok(vec![
            Write::Delete { key: Key::workflow(tenant, name)? },
            put(Key::deleted_workflow(tenant, name)?, record.encode()),
        ])
    }

    /// A new version of a workflow.
    pub fn version(tenant: &TenantId, record: &VersionRecord) -> Result<Write, Error> {
        let key = Key::version(tenant, &record.workflow, record.version)?;
        Ok(put(key, record.encode()))
    }

    /// A change, at its place in the history of the workflow.
    pub fn workflow_change(
        tenant: &TenantId,
        workflow: &str,
        record: &WorkflowChange,
    ) -> Result<Write, Error> {
        let key = Key::workflow_change(tenant, workflow, record.sequence)?;
        Ok(put(key, record.encode()))
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// A workflow.
    pub fn workflow(&self, tenant: &TenantId, name: &str) -> Result<Option<WorkflowRecord>, Error> {
        self.record(&Key::workflow(tenant, name)?)
    }

    /// The workflows of a tenant, by name.
    pub fn workflows(
        &self,
        tenant: &TenantId,
        paging: &Paging,
    ) -> Result<Page<WorkflowRecord>, Error> {
        self.records(Prefix::workflows(tenant), paging)
    }

    /// What is left of a workflow of this name that was deleted, also when
    /// there is a new one.
    pub fn deleted_workflow(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<Option<DeletedWorkflow>, Error> {
        self.record(&Key::deleted_workflow(tenant, name)?)
    }

    /// One version of a workflow, also of one that was deleted.
    pub fn version(
        &self,
        tenant: &TenantId,
        workflow: &str,
        version: u64,
    ) -> Result<Option<VersionRecord>, Error> {
        self.record(&Key::version(tenant, workflow, version)?)
    }

    /// The versions of a workflow, newest first, also of one that was deleted.
    pub fn versions(
        &self,
        tenant: &TenantId,
        workflow: &str,
        paging: &Paging,
    ) -> Result<Page<VersionRecord>, Error> {
        self.page_backwards(Prefix::versions(tenant, workflow)?, paging, |key, bytes| {
            Ok(Some((VersionRecord::decode(key, &bytes)?, bytes.len())))
        })
    }

    /// The changes of a workflow, newest first, also of one that was deleted.
    pub fn workflow_changes(
        &self,
        tenant: &TenantId,
        workflow: &str,
        paging: &Paging,
    ) -> Result<Page<WorkflowChange>, Error> {
        let prefix = Prefix::workflow_changes(tenant, workflow)?;
        self.page_backwards(prefix.clone(), paging, |key, bytes| {
            let sequence = key.number_below(&prefix)?;
            let record = WorkflowChange::decode(key, &bytes)?;
            Ok(Some((WorkflowChange { sequence, ..record }, bytes.len())))
        })
    }

    /// The number of a workflow's last change; 0 before the first.
    pub fn last_workflow_change(&self, tenant: &TenantId, workflow: &str) -> Result<u64, Error> {
        let prefix = Prefix::workflow_changes(tenant, workflow)?;
        let last = Scan { direction: Direction::Descending, ..Scan::new(prefix.clone(), 1) };
        let rows = self.scan(&last)?;
        rows.first().map_or(Ok(0), |(key, _)| key.number_below(&prefix))
    }

    /// The highest number that a run of this workflow has or had; 0 before the
    /// first.
    pub fn last_run_number(&self, tenant: &TenantId, workflow: &str) -> Result<u64, Error> {
        let newest = self.runs(tenant, Some(workflow), &Paging::first(1))?;
        let newest = newest.items.first().map_or(0, |run| run.number);
        let deleted = self.deleted_workflow(tenant, workflow)?;
        Ok(deleted.map_or(newest, |deleted| newest.max(deleted.last_run_number)))
    }
}
