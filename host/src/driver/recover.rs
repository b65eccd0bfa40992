//! After a restart: every open run is folded from its events, and what is
//! outstanding for it is put in flight again. Nothing else is remembered.

use super::{Driver, inspect};
use crate::store;
use segno_engine::event::{Event, Origin};
use segno_engine::id::{RunId, TenantId};
use segno_engine::run::Surroundings;
use std::collections::VecDeque;
use tracing::{error, info};

impl Driver {
    /// Takes up everything that was under way, and begins to keep deadlines.
    /// Returns the number of runs that go on.
    ///
    /// # Errors
    /// The store cannot be read. A single run that cannot be read is reported
    /// in the log and left as it is.
    pub fn recover(&self) -> Result<usize, store::Error> {
        let mut due = VecDeque::new();
        let mut count = 0;
        for (tenant, run) in self.0.store.open_runs()? {
            match self.take_up(&tenant, run) {
                Ok(effects) => {
                    count += 1;
                    due.extend(effects);
                }
                Err(reason) => error!(%tenant, %run, reason, "an open run cannot be taken up"),
            }
        }
        if count > 0 {
            info!(runs = count, "open runs go on");
        }
        self.perform(due);
        self.spawn_alarms();
        Ok(count)
    }

    fn take_up(&self, tenant: &TenantId, run: RunId) -> Result<Vec<super::Due>, String> {
        let history = inspect::history(&self.0.store, tenant, run).map_err(|e| e.to_string())?;
        let created = history.first().and_then(|record| record.events.first());
        let Some(Event::RunCreated { workflow, version, origin: Origin::Start { .. } }) = created
        else {
            return Err("its history does not begin with its start".to_owned());
        };
        let found = self.workflow(tenant, workflow, Some(*version)).map_err(|e| e.to_string())?;
        let (_, workflow) =
            found.ok_or_else(|| format!("version {version} of workflow {workflow} is gone"))?;
        let folded = inspect::fold(run, workflow, Surroundings::unknown(), &history)
            .map_err(|corrupt| corrupt.to_string())?;
        Ok(self.adopt(tenant, folded, history.len() as u64))
    }

    #[expect(clippy::disallowed_methods, reason = "alarms are a task of their own")]
    fn spawn_alarms(&self) {
        tokio::spawn(self.clone().watch_alarms());
    }
}
