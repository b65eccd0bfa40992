//! Pushing a definition: it is checked against what the tenant has, becomes the
//! next version of its workflow, and sets the properties that it names.

use super::super::Driver;
use super::WorkflowError;
use super::shelf::{Anything, Shelf};
use crate::store::{self, Properties, VersionRecord, WorkflowAction, WorkflowRecord, Write};
use segno_engine::definition::{self, Problem};
use segno_engine::id::TenantId;
use segno_engine::workflow::{Pin, Workflow};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A definition that somebody pushes.
#[derive(Debug, Clone, Copy)]
pub struct Apply<'a> {
    /// The definition.
    pub source: &'a str,
    /// Whether its version becomes the active one.
    pub active: bool,
    /// Who pushes it.
    pub by: &'a str,
}

/// A workflow that is in the store.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The workflow, with its properties.
    pub record: WorkflowRecord,
    /// The version that was pushed.
    pub version: VersionRecord,
    /// The same, checked.
    pub workflow: Arc<Workflow>,
    /// Whether the very same version was there before.
    pub unchanged: bool,
}

/// Why a workflow was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Its definition has problems.
    #[error("the definition has {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
    /// The workflow cannot be changed like this now.
    #[error(transparent)]
    Refused(#[from] WorkflowError),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Driver {
    /// What would come of pushing a definition. Changes nothing.
    ///
    /// # Errors
    /// Every problem, with its place and the remedy.
    pub async fn validate_workflow(
        &self,
        tenant: &TenantId,
        apply: Apply<'_>,
    ) -> Result<Applied, ApplyError> {
        Ok(self.plan(tenant, apply).await?.1)
    }

    /// Takes a definition as the next version of its workflow, and the
    /// properties that it names as the workflow's. The same definition with the
    /// same components makes no new version and sets no properties, but may
    /// become the active one.
    ///
    /// # Errors
    /// Every problem, with its place and the remedy; then nothing has changed.
    pub async fn apply_workflow(
        &self,
        tenant: &TenantId,
        apply: Apply<'_>,
    ) -> Result<Applied, ApplyError> {
        let _naming = self.0.catalog.naming.lock().await;
        let (before, applied) = self.plan(tenant, apply).await?;
        let after = &applied.record;
        if before.as_ref() == Some(after) {
            return Ok(applied);
        }
        let mut writes = vec![Write::workflow(tenant, after)?];
        let action = match applied.unchanged {
            true => WorkflowAction::Activated,
            false => {
                writes.push(Write::version(tenant, &applied.version)?);
                WorkflowAction::Pushed
            }
        };
        let states = (before.as_ref(), Some(after));
        writes.push(self.change_row(tenant, (action, apply.by), states)?);
        if before.is_none() {
            self.lock_starts().deleted.remove(&(tenant.clone(), after.name.clone()));
        }
        let pushed = Some((applied.version.version, &applied.workflow));
        let ordered = self.commit_change(tenant, (&after.name, Some(after)), pushed, writes)?;
        ordered.durable().await?;
        self.cache_workflow(tenant, applied.version.version, Arc::clone(&applied.workflow));
        match &before {
            Some(before) => self.workflow_changed(tenant, before, after),
            None => self.workflow_appeared(tenant, &after.name),
        }
        Ok(applied)
    }

    /// The workflow as it is, and as it will be.
    async fn plan(
        &self,
        tenant: &TenantId,
        Apply { source, active, by }: Apply<'_>,
    ) -> Result<(Option<WorkflowRecord>, Applied), ApplyError> {
        let (workflow, pins) = self.check(tenant, source)?;
        let name = workflow.name.as_str();
        let before = self.0.store.workflow(tenant, name)?;
        let now = self.0.clock.now();
        let mut after = before.clone().unwrap_or_else(|| WorkflowRecord {
            name: name.to_owned(),
            latest_version: 0,
            active_version: None,
            changed_at: now,
            properties: Properties::default(),
        });
        let latest = self.0.store.version(tenant, name, after.latest_version)?;
        let same = latest.filter(|old| old.source == source && old.pins == pins);
        let unchanged = same.is_some();
        let version = match same {
            Some(version) => version,
            None => VersionRecord {
                workflow: name.to_owned(),
                version: self.last_version(tenant, &after)? + 1,
                source: source.to_owned(),
                pins,
                created_at: now,
                created_by: by.to_owned(),
            },
        };
        if !unchanged {
            after.latest_version = version.version;
            set_named(&workflow, &mut after.properties);
        }
        if active {
            after.active_version = Some(version.version);
        }
        if before.as_ref() != Some(&after) {
            after.changed_at = now;
        }
        if let Some(before) = &before {
            self.check_change(tenant, before, &after).await?;
        }
        let workflow = Arc::new(workflow);
        Ok((before, Applied { record: after, version, workflow, unchanged }))
    }

    fn check(
        &self,
        tenant: &TenantId,
        source: &str,
    ) -> Result<(Workflow, BTreeMap<String, Pin>), ApplyError> {
        let shelf = Shelf::new(&self.0.store, tenant, &self.0.limits);
        let checked = definition::check(source, &shelf);
        shelf.failure()?;
        let rehearse = |workflow: &Workflow| {
            let mistakes = workflow.rehearse(self.0.clock.now()).into_iter();
            mistakes.map(|mistake| rehearsed(source, mistake)).collect::<Vec<_>>()
        };
        let mut problems = match checked {
            Ok(workflow) => match rehearse(&workflow) {
                none if none.is_empty() => return Ok((workflow, shelf.pins.into_inner())),
                problems => problems,
            },
            // If only something is missing here, the rest is told at once.
            Err(mut problems) => {
                let whole = definition::check(source, &Anything).ok();
                problems.extend(whole.iter().flat_map(rehearse));
                problems
            }
        };
        problems.sort();
        Err(ApplyError::Problems(problems))
    }

    /// The highest version that a workflow of this name has or had.
    fn last_version(&self, tenant: &TenantId, known: &WorkflowRecord) -> Result<u64, store::Error> {
        let deleted = self.0.store.deleted_workflow(tenant, &known.name)?;
        let deleted = deleted.map_or(0, |deleted| deleted.latest_version);
        Ok(known.latest_version.max(deleted))
    }
}

/// What would go wrong in a run that is given nothing.
fn rehearsed(source: &str, (path, message): (String, String)) -> Problem {
    let (line, column) = definition::place_of(source, &path).unwrap_or_default();
    let remedy = match path.starts_with("triggers[") {
        true => "no run of this trigger could start; correct its params",
        false => {
            "a run that is given nothing fails here; correct it, or leave the param that it reads \
             without a value"
        }
    };
    Problem { line, column, path, message, remedy: remedy.to_owned() }
}

/// Sets the properties that a definition names; the others stay.
fn set_named(workflow: &Workflow, properties: &mut Properties) {
    fn set<T: Clone>(named: Option<&T>, property: &mut Option<T>) {
        if let Some(named) = named {
            *property = Some(named.clone());
        }
    }
    set(workflow.owner.as_ref(), &mut properties.owner);
    set(workflow.description.as_ref(), &mut properties.description);
    set(workflow.run_strategy.as_ref(), &mut properties.run_strategy);
    set(workflow.step_concurrency.as_ref(), &mut properties.step_concurrency);
    if let Some(tags) = &workflow.tags {
        properties.tags.clone_from(tags);
    }
}
