//! Breakpoints: steps that stop before they begin, in every run of a workflow.

use super::super::{Driver, VersionSelector};
use super::WorkflowError;
use super::note::{BadNote, check_note};
use crate::store::{self, Breakpoint, Write};
use segno_engine::id::TenantId;
use segno_engine::workflow::Body;

/// Why a breakpoint was not set or taken away.
#[derive(Debug, thiserror::Error)]
pub enum BreakpointError {
    /// There is no such workflow.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// Neither the active nor the latest version has such a step.
    #[error("workflow {workflow:?} has no step {step:?}, but {}", .steps.join(", "))]
    NoSuchStep {
        /// The workflow.
        workflow: String,
        /// What it has not.
        step: String,
        /// What it has.
        steps: Vec<String>,
    },
    /// There is none on this step.
    #[error(
        "there is no breakpoint on step {step:?} of {workflow}; `segno breakpoint list {workflow}` shows what there is"
    )]
    Absent {
        /// The workflow.
        workflow: String,
        /// The step.
        step: String,
    },
    /// What was said about it cannot be kept.
    #[error(transparent)]
    BadNote(#[from] BadNote),
    /// The store cannot keep or read it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Driver {
    /// Lets a step stop before it begins, in every run of the workflow and in
    /// every iteration, and returns when that is on stable storage.
    ///
    /// # Errors
    /// There is no such workflow or step, the note is malformed, or the store
    /// fails.
    pub async fn set_breakpoint(
        &self,
        tenant: &TenantId,
        (workflow, step): (&str, &str),
        note: Option<String>,
        by: &str,
    ) -> Result<Breakpoint, BreakpointError> {
        check_note(note.as_deref())?;
        // A deletion of the workflow takes its breakpoints along.
        let _naming = self.0.catalog.naming.lock().await;
        let mut steps = Vec::new();
        for selector in [VersionSelector::Default, VersionSelector::Latest] {
            let selected = self.workflow_selected(tenant, workflow, selector)?;
            collect_steps(&selected.workflow.body, &mut steps);
        }
        if !steps.iter().any(|known| known == step) {
            let (workflow, step) = (workflow.to_owned(), step.to_owned());
            return Err(BreakpointError::NoSuchStep { workflow, step, steps });
        }
        let at = self.0.clock.now();
        let record = Breakpoint { step: step.to_owned(), note, by: by.to_owned(), at };
        let write = Write::breakpoint(tenant, workflow, &record)?;
        self.0.store.commit(vec![write]).durable().await?;
        self.breakpoints_changed(tenant, workflow);
        Ok(record)
    }

    /// Takes a breakpoint away, and returns what it was when that is on stable
    /// storage. Runs that stopped at it stay stopped, or go on if `resume`.
    ///
    /// # Errors
    /// There is none, or the store fails.
    pub async fn remove_breakpoint(
        &self,
        tenant: &TenantId,
        workflow: &str,
        step: &str,
        resume: bool,
    ) -> Result<Breakpoint, BreakpointError> {
        let found = self.0.store.breakpoint(tenant, workflow, step)?;
        let record = found.ok_or_else(|| BreakpointError::Absent {
            workflow: workflow.to_owned(),
            step: step.to_owned(),
        })?;
        let write = Write::breakpoint_deleted(tenant, workflow, step)?;
        self.0.store.commit(vec![write]).durable().await?;
        self.breakpoints_changed(tenant, workflow);
        if resume {
            self.resume_breakpoint(tenant, workflow, step)?;
        }
        Ok(record)
    }
}

/// The ids of all steps, those in loops included, each once.
fn collect_steps(body: &Body, steps: &mut Vec<String>) {
    for step in &body.steps {
        if !steps.contains(&step.id) {
            steps.push(step.id.clone());
        }
        if let Some(inner) = step.kind.inner() {
            collect_steps(&inner.body, steps);
        }
    }
}
