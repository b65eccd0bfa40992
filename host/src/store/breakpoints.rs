//! Breakpoints: steps that stop before they begin, in every run of a workflow.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{TenantId, Timestamp};

/// A step that stops before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakpoint {
    /// The step's id. The key has it.
    #[serde(skip)]
    pub step: String,
    /// Why, as whoever set it said.
    #[serde(default)]
    pub note: Option<String>,
    /// Who set it.
    pub by: String,
    /// When it was set.
    pub at: Timestamp,
}

impl Record for Breakpoint {
    const WHAT: &str = "breakpoint";
}

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
impl Write {
    /// Sets a breakpoint.
    pub fn breakpoint(
        tenant: &TenantId,
        workflow: &str,
        record: &Breakpoint,
    ) -> Result<Write, Error> {
        Ok(put(Key::breakpoint(tenant, workflow, &record.step)?, record.encode()))
    }

    /// Takes a breakpoint away; it need not be there.
    pub fn breakpoint_deleted(
        tenant: &TenantId,
        workflow: &str,
        step: &str,
    ) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::breakpoint(tenant, workflow, step)? })
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// The breakpoint on a step.
    pub fn breakpoint(
        &self,
        tenant: &TenantId,
        workflow: &str,
        step: &str,
    ) -> Result<Option<Breakpoint>, Error> {
        let found = self.record::<Breakpoint>(&Key::breakpoint(tenant, workflow, step)?)?;
        Ok(found.map(|record| Breakpoint { step: step.to_owned(), ..record }))
    }

    /// The steps of a workflow with a breakpoint, by id.
    pub fn breakpoints(&self, tenant: &TenantId, workflow: &str) -> Result<Vec<String>, Error> {
        let prefix = Prefix::breakpoints(tenant, workflow)?;
        let mut steps = Vec::new();
        self.each_below(prefix.clone(), |key, _| {
            steps.push(key.name_below(&prefix)?);
            Ok(())
        })?;
        Ok(steps)
    }

    /// Every breakpoint of a tenant: workflow and step.
    pub fn all_breakpoints(&self, tenant: &TenantId) -> Result<Vec<(String, String)>, Error> {
        let prefix = Prefix::all_breakpoints(tenant);
        let mut steps = Vec::new();
        self.each_below(prefix.clone(), |key, _| {
            let names = key.name_below(&prefix)?;
            let pair = names.split_once('\0');
            let (workflow, step) = pair.ok_or_else(|| {
                Error::corrupt(format!("the row {key:?} names no step of a workflow"))
            })?;
            steps.push((workflow.to_owned(), step.to_owned()));
            Ok(())
        })?;
        Ok(steps)
    }

    /// The breakpoints of a workflow, by step and by page.
    pub fn breakpoints_page(
        &self,
        tenant: &TenantId,
        workflow: &str,
        paging: &Paging,
    ) -> Result<Page<Breakpoint>, Error> {
        let prefix = Prefix::breakpoints(tenant, workflow)?;
        self.page(prefix.clone(), paging, |key, bytes| {
            let step = key.name_below(&prefix)?;
            let record = Breakpoint::decode(key, &bytes)?;
            Ok(Some((Breakpoint { step, ..record }, bytes.len())))
        })
    }
}
