//! Triggers after a restart: they wait for signals before anything is published,
//! and catch up when everything else goes on.

use super::{State, Trigger};
use crate::driver::Driver;
use crate::store::{self, Ticket};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Driver {
    /// Lets every trigger wait for signals again. From then on they miss none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(in crate::driver) fn restore_triggers(&self) -> Result<(), store::Error> {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let _ = self.0.triggers.runtime.set(runtime);
        }
        for tenant in self.0.store.tenants()? {
            for record in self.0.store.all_triggers(&tenant)? {
                if !record.is_subscribed {
                    continue;
                }
                let key = (tenant.clone(), record.workflow.clone());
                let state = State {
                    join: None,
                    at_hand: BTreeMap::new(),
                    shown: Ticket::done(),
                    is_gone: false,
                    record,
                };
                let parts = state.record.parts.clone();
                let trigger = Trigger::new((&tenant, parts), state, true);
                self.with_triggers(&tenant, &[], |index, _| {
                    index.add(&trigger);
                    Ok(())
                })?;
                self.0.triggers.lock().entry(key).or_default().push(trigger);
            }
        }
        Ok(())
    }

    /// Lets every trigger look at what it has not seen.
    pub(in crate::driver) fn catch_up_triggers(&self) {
        let all: Vec<_> = self.0.triggers.lock().values().flatten().map(Arc::clone).collect();
        for trigger in all {
            // The others have come since, with the beginning of their tasks.
            let is_behind = trigger.lock_queue().is_behind;
            if is_behind {
                self.begin_work(trigger);
            }
        }
    }
}
