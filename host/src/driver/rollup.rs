//! How many steps of a run stand how, with all that is below it.

use super::{Driver, Error, inspect};
use crate::store;
use segno_engine::id::{RunId, TenantId};
use segno_engine::rollup::Rollup;
use segno_engine::run::Surroundings;

impl Driver {
    /// The leaves of a run, by status: every step that is no loop and no
    /// subworkflow, in the run and in all runs below it. What is over is counted
    /// where it ended; only what is under way is looked at, while the run that
    /// waits for it stands still.
    ///
    /// # Errors
    /// There is no such run, or the store cannot answer.
    pub async fn rollup(&self, tenant: &TenantId, run: RunId) -> Result<Rollup, Error> {
        let found = self.rollup_below(tenant, run)?;
        self.0.store.barrier().durable().await?;
        match found {
            Some(rollup) => Ok(rollup),
            // It may have been in the queue of the store.
            None => self.rollup_below(tenant, run)?.ok_or(Error::NoSuchRun(run)),
        }
    }

    /// The same of what can be read now: nothing if the run is not in the store
    /// yet.
    pub(super) fn rollup_below(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<Option<Rollup>, Error> {
        let mut failure = None;
        let mut below = |child: RunId| match self.rollup_below(tenant, child) {
            Ok(rollup) => rollup.unwrap_or_default(),
            Err(error) => {
                failure.get_or_insert(error);
                Rollup::default()
            }
        };
        let rollup = match self.live(tenant, run) {
            Some(live) => Some(live.lock().run.rollup(&mut below)),
            None => {
                let history = inspect::history(&self.0.store, tenant, run)?;
                let Some(workflow) = self.workflow_of(tenant, &history)? else { return Ok(None) };
                let run = inspect::fold(run, workflow, Surroundings::unknown(), &history)
                    .map_err(|corrupt| store::Error::corrupt(corrupt.to_string()))?;
                Some(run.rollup(&mut below))
            }
        };
        failure.map_or(Ok(rollup), Err)
    }
}
