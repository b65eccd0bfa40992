//! Blockers: runs that failed, and hold back those behind them for as long as
//! their workflow is strictly sequential.

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::queries::run_id;
use super::records::put;
use segno_engine::id::{RunId, TenantId};

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
impl Write {
    /// The run with this number blocks its workflow.
    pub fn blocker(
        tenant: &TenantId,
        workflow: &str,
        number: u64,
        run: RunId,
    ) -> Result<Write, Error> {
        Ok(put(Key::blocker(tenant, workflow, number)?, run.to_bytes().to_vec()))
    }

    /// The run with this number does not block its workflow; it need not have.
    pub fn blocker_gone(tenant: &TenantId, workflow: &str, number: u64) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::blocker(tenant, workflow, number)? })
    }
}

impl Store {
    /// The runs that block a workflow, by number.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] or [`Error::Unavailable`], and [`Error::Invalid`] for
    /// a name that is not well formed.
    pub fn blockers(&self, tenant: &TenantId, workflow: &str) -> Result<Vec<(u64, RunId)>, Error> {
        let prefix = Prefix::blockers(tenant, workflow)?;
        let mut blockers = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            blockers.push((key.number_below(&prefix)?, run_id(key, &bytes)?));
            Ok(())
        })?;
        Ok(blockers)
    }
}
