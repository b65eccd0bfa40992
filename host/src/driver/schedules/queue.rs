//! When which schedule wants to be looked at, and the runs of schedules that are
//! over. Whoever is first in line at the same moment has the first turn, and goes
//! to the end of it for the next.

use segno_engine::id::{RunId, TenantId, Timestamp};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Whose schedule, and its name.
pub(super) type Id = (TenantId, String);

/// A run of a schedule that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// The schedule.
    pub(super) schedule: Id,
    /// The run.
    pub(super) run: RunId,
    /// The backfill that asked for it.
    pub(super) backfill: Option<u64>,
    /// Whether it succeeded.
    pub(super) succeeded: bool,
}

/// The order in which schedules have their turns.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// The places of those that have one.
    places: HashMap<Id, (Timestamp, u64)>,
    order: BTreeMap<(Timestamp, u64), Id>,
    /// Tells those of the same moment apart.
    serial: u64,
    ended: VecDeque<Ended>,
}

impl Queue {
    /// Looks at a schedule at this moment, behind all that have the same, and at
    /// no other; never if there is none.
    pub(super) fn set(&self, id: &Id, at: Option<Timestamp>) {
        let mut state = self.lock();
        if let Some(place) = state.places.remove(id) {
            state.order.remove(&place);
        }
        let Some(at) = at else { return };
        state.serial += 1;
        let place = (at, state.serial);
        state.places.insert(id.clone(), place);
        state.order.insert(place, id.clone());
        if state.order.first_key_value().is_some_and(|(first, _)| *first == place) {
            self.changed.notify_one();
        }
    }

    /// The run of a schedule is over. May be said by who holds the run.
    pub(super) fn end(&self, ended: Ended) {
        self.lock().ended.push_back(ended);
        self.changed.notify_one();
    }

    /// Has the task look again at what is first.
    pub(super) fn look(&self) {
        self.changed.notify_one();
    }

    /// When somebody is next, if nothing is to do at once.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let state = self.lock();
        if !state.ended.is_empty() {
            return Some(Timestamp(0));
        }
        state.order.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out the first whose moment has come.
    pub(super) fn pop_due(&self, now: Timestamp) -> Option<Id> {
        let mut state = self.lock();
        let first = state.order.first_entry().filter(|first| first.key().0 <= now)?;
        let id = first.remove();
        state.places.remove(&id);
        Some(id)
    }

    /// Takes out a run that is over.
    pub(super) fn pop_ended(&self) -> Option<Ended> {
        self.lock().ended.pop_front()
    }

    /// Returns when something else may be first.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> Id {
        ("t".parse().unwrap(), name.to_owned())
    }

    #[test]
    fn whoever_had_a_turn_is_behind_those_that_are_due() {
        let queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.set(&id(name), Some(Timestamp(5)));
        }
        queue.set(&id("far"), Some(Timestamp(9)));
        let mut turns = Vec::new();
        for _ in 0..6 {
            let next = queue.pop_due(Timestamp(5)).unwrap();
            queue.set(&next, Some(Timestamp(5)));
            turns.push(next.1);
        }
        assert_eq!(turns, ["a", "b", "c", "a", "b", "c"]);
        queue.set(&id("b"), None);
        queue.set(&id("c"), Some(Timestamp(7)));
        assert_eq!(queue.pop_due(Timestamp(6)), Some(id("a")));
        assert_eq!(queue.pop_due(Timestamp(6)), None);
        assert_eq!(queue.next(), Some(Timestamp(7)));
    }

    #[test]
    fn a_run_that_is_over_is_looked_at_at_once() {
        let queue = Queue::default();
        let run = RunId::new(Timestamp(1), 1);
        let ended = Ended { schedule: id("a"), run, backfill: None, succeeded: true };
        queue.end(ended.clone());
        assert_eq!(queue.next(), Some(Timestamp(0)));
        assert_eq!(queue.pop_ended(), Some(ended));
        assert_eq!((queue.pop_ended(), queue.next()), (None, None));
    }
}
