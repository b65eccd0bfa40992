//! When which run wants to be looked at: an ordered index and one task that
//! sleeps until its first entry, so that waiting costs nothing.

use super::Driver;
use segno_engine::command::Command;
use segno_engine::id::{RunId, Timestamp};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// The next deadline of every open run that has one.
#[derive(Default)]
pub(super) struct Alarms {
    queue: Mutex<BTreeSet<(Timestamp, RunId)>>,
    earlier: Notify,
}

impl Alarms {
    /// Moves a run's alarm.
    pub(super) fn replace(&self, run: RunId, old: Option<Timestamp>, new: Option<Timestamp>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = old {
            queue.remove(&(at, run));
        }
        if let Some(at) = new {
            queue.insert((at, run));
            if queue.first() == Some(&(at, run)) {
                self.earlier.notify_one();
            }
        }
    }

    fn next(&self) -> Option<Timestamp> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.first().map(|(at, _)| *at)
    }

    fn pop_due(&self, now: Timestamp) -> Option<RunId> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let due = queue.first().is_some_and(|(at, _)| *at <= now);
        due.then(|| queue.pop_first()).flatten().map(|(_, run)| run)
    }
}

impl Driver {
    /// Wakes runs at their deadlines, for ever.
    pub(super) async fn watch_alarms(self) {
        loop {
            let alarms = &self.0.alarms;
            match alarms.next() {
                Some(at) => tokio::select! {
                    () = self.0.clock.sleep_until(at) => {}
                    () = alarms.earlier.notified() => {}
                },
                None => alarms.earlier.notified().await,
            }
            while let Some(run) = alarms.pop_due(self.0.clock.now()) {
                self.check_deadlines(run);
                tokio::task::consume_budget().await;
            }
        }
    }

    fn check_deadlines(&self, run: RunId) {
        let Some(live) = self.lock_live().get(&run).cloned() else {
            return;
        };
        live.lock().alarm = None;
        // A run that ended meanwhile has no deadlines.
        let _ = self.submit(&live, &Command::CheckDeadlines, Vec::new());
        // If the deadline had moved, nothing was recorded and no alarm was set.
        let mut state = live.lock();
        self.set_alarm(&live, &mut state);
    }
}
