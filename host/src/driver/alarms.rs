//! When which run wants to be looked at: an ordered index and one task that
//! sleeps until its first entry, so that waiting costs nothing.

use super::Driver;
use crate::crash;
use segno_engine::command::Command;
use segno_engine::id::{RunId, TenantId, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use tracing::error;

/// The next deadline of every open run that has one.
#[derive(Default)]
pub(super) struct Alarms {
    queue: Mutex<BTreeMap<(Timestamp, RunId), TenantId>>,
    earlier: Notify,
}

impl Alarms {
    /// Moves a run's alarm.
    pub(super) fn replace(
        &self,
        (tenant, run): (&TenantId, RunId),
        old: Option<Timestamp>,
        new: Option<Timestamp>,
    ) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = old {
            queue.remove(&(at, run));
        }
        if let Some(at) = new {
            queue.insert((at, run), tenant.clone());
            if queue.first_key_value().map(|(first, _)| *first) == Some((at, run)) {
                self.earlier.notify_one();
            }
        }
    }

    /// Has the task look again at what is first.
    pub(super) fn look(&self) {
        self.earlier.notify_one();
    }

    fn next(&self) -> Option<Timestamp> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.first_key_value().map(|((at, _), _)| *at)
    }

    fn pop_due(&self, now: Timestamp) -> Option<(TenantId, RunId)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let first = queue.first_entry().filter(|first| first.key().0 <= now)?;
        let ((_, run), tenant) = first.remove_entry();
        Some((tenant, run))
    }
}

impl Driver {
    /// Wakes runs at their deadlines, until the host ends.
    pub(super) async fn watch_alarms(self) {
        while !self.is_stopping() {
            let alarms = &self.0.alarms;
            match alarms.next() {
                Some(at) => tokio::select! {
                    () = self.0.clock.sleep_until(at) => {}
                    () = alarms.earlier.notified() => {}
                },
                None => alarms.earlier.notified().await,
            }
            while let Some((tenant, run)) = alarms.pop_due(self.0.clock.now()) {
                self.check_deadlines(&tenant, run);
                tokio::task::consume_budget().await;
            }
        }
    }

    fn check_deadlines(&self, tenant: &TenantId, run: RunId) {
        crash::point("alarm fires");
        let live = match self.open(tenant, run) {
            Ok(Some(live)) => live,
            Ok(None) => return,
            Err(error) => return error!(%run, %error, "a deadline cannot be kept"),
        };
        live.lock().alarm = None;
        // A run that ended meanwhile has no deadlines.
        let _ = self.submit(&live, &Command::CheckDeadlines, Vec::new());
        // If the deadline had moved, nothing was recorded and no alarm was set.
        self.set_alarm(&live, &mut live.lock());
        self.rest(&live);
    }
}
