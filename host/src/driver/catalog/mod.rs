//! What runs are made of: components and workflows with their versions, what is
//! set beside them, and the checked form of a version kept at hand.

mod apply;
mod breakpoints;
mod change;
mod components;
mod consequences;
mod delete;
mod note;
mod shelf;
mod strategy;
mod tags;
mod triggers;

pub use apply::{Applied, Apply, ApplyError};
pub use breakpoints::BreakpointError;
pub use change::PropertiesChange;
pub use components::{PushError, Pushed};
pub use note::BadNote;
pub(super) use note::check_note;
pub use tags::TagError;
pub(super) use triggers::Changed;

use super::{Driver, VersionSelector};
use crate::store::{self, VersionRecord, WorkflowRecord};
use segno_engine::definition;
use segno_engine::id::TenantId;
use segno_engine::workflow::Workflow;
use shelf::Pinned;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most checked workflows that are kept at hand.
const CACHED_WORKFLOWS_MAX: usize = 1_000;

type CachedWorkflows = HashMap<(TenantId, String, u64), Arc<Workflow>>;

/// Checked workflows.
#[derive(Default)]
pub(super) struct Cache {
    checked: Mutex<CachedWorkflows>,
    /// Held while a workflow changes, and while a version number or a
    /// component's name is being given away.
    naming: tokio::sync::Mutex<()>,
}

/// Why a workflow was not found or changed.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// There is none of this name.
    #[error("there is no workflow {0:?}; `segno workflow list` shows what there is")]
    Unknown(String),
    /// It has no version of this number.
    #[error(
        "workflow {workflow:?} has no version {version}; `segno workflow versions {workflow}` shows what there is"
    )]
    NoSuchVersion {
        /// The workflow.
        workflow: String,
        /// What it has not.
        version: u64,
    },
    /// None of its versions is active.
    #[error(
        "workflow {0:?} has no active version; activate one with `segno workflow activate`, or ask for latest"
    )]
    Inactive(String),
    /// A property cannot have this value.
    #[error("{0}")]
    BadProperty(String),
    /// Its runs do not go with the new run strategy.
    #[error("{0}")]
    StrategyRefused(String),
    /// Runs of it are open, and it cannot go before them.
    #[error(
        "workflow {workflow:?} has open runs: {}; wait for their end or cancel them first", .runs.join(", ")
    )]
    OpenRuns {
        /// The workflow.
        workflow: String,
        /// Some of the runs, as in `report#3`.
        runs: Vec<String>,
    },
    /// The store cannot answer or keep it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A version of a workflow that was asked for.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The workflow.
    pub record: WorkflowRecord,
    /// The version that was meant.
    pub version: u64,
    /// The same, checked.
    pub workflow: Arc<Workflow>,
}

impl Driver {
    /// The version of a workflow that `selector` means.
    ///
    /// # Errors
    /// There is no such workflow or version, or the store cannot answer.
    pub fn workflow_selected(
        &self,
        tenant: &TenantId,
        name: &str,
        selector: VersionSelector,
    ) -> Result<Selected, WorkflowError> {
        let record = self.workflow_named(tenant, name)?;
        let version = match selector {
            VersionSelector::Number(number) => number,
            VersionSelector::Latest => record.latest_version,
            VersionSelector::Active => {
                record.active_version.ok_or_else(|| WorkflowError::Inactive(name.to_owned()))?
            }
            VersionSelector::Default => record.active_version.unwrap_or(record.latest_version),
        };
        let found = self.workflow(tenant, name, version)?;
        let workflow = found
            .ok_or_else(|| WorkflowError::NoSuchVersion { workflow: name.to_owned(), version })?;
        Ok(Selected { record, version, workflow })
    }

    /// Lets no workflow change while it is held. It comes before every lock that
    /// is not held across an `await`.
    pub(super) async fn hold_workflows(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.catalog.naming.lock().await
    }

    /// A workflow, and nothing of its versions.
    ///
    /// # Errors
    /// There is none of this name, or the store cannot answer.
    pub fn workflow_named(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<WorkflowRecord, WorkflowError> {
        let found = self.0.store.workflow(tenant, name)?;
        found.ok_or_else(|| WorkflowError::Unknown(name.to_owned()))
    }

    /// A version of a workflow as it was pushed.
    ///
    /// # Errors
    /// There is none of this number, or the store cannot answer.
    pub fn version_record(
        &self,
        tenant: &TenantId,
        name: &str,
        version: u64,
    ) -> Result<VersionRecord, WorkflowError> {
        let found = self.0.store.version(tenant, name, version)?;
        let workflow = name.to_owned();
        found.ok_or(WorkflowError::NoSuchVersion { workflow, version })
    }

    /// A checked version, also of a workflow that was deleted: its runs are
    /// still shown.
    pub(super) fn workflow(
        &self,
        tenant: &TenantId,
        name: &str,
        version: u64,
    ) -> Result<Option<Arc<Workflow>>, store::Error> {
        let key = (tenant.clone(), name.to_owned(), version);
        if let Some(workflow) = self.lock_checked().get(&key) {
            return Ok(Some(Arc::clone(workflow)));
        }
        let Some(record) = self.0.store.version(tenant, name, version)? else {
            return Ok(None);
        };
        let workflow = definition::check(&record.source, &Pinned(&record.pins)).map_err(|all| {
            let problems: Vec<_> = all.iter().map(ToString::to_string).collect();
            store::Error::corrupt(format!(
                "version {version} of workflow {name} does not pass the check any more: {}",
                problems.join("; ")
            ))
        })?;
        let workflow = Arc::new(workflow);
        self.cache_workflow(tenant, version, Arc::clone(&workflow));
        Ok(Some(workflow))
    }

    fn cache_workflow(&self, tenant: &TenantId, version: u64, workflow: Arc<Workflow>) {
        let mut cache = self.lock_checked();
        if cache.len() >= CACHED_WORKFLOWS_MAX {
            cache.clear();
        }
        cache.insert((tenant.clone(), workflow.name.clone(), version), workflow);
    }

    fn lock_checked(&self) -> std::sync::MutexGuard<'_, CachedWorkflows> {
        self.0.catalog.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
