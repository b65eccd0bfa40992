//! Triggers that signals set off: consumers with a durable place, off the way
//! of whoever publishes.
//!
//! Publishing only looks up which triggers a signal may concern (`index`), and
//! puts it into their queues, in the order of the signals' commits. A task for
//! each trigger that has work (`work`) takes one signal after the other; what
//! comes of it is one commit: how far the trigger has come, the signals that wait
//! for others, the firing and the run (`judge` says which). After a restart, and when its queue was
//! full, a trigger reads what it has not seen from the store (`catch_up`).
//! `change` lets the triggers follow the active version of their workflow.
//!
//! Locks: the signals' before a trigger's queue and state; a trigger's state
//! before the one of starts. Conditions are evaluated under none.

mod catch_up;
mod change;
mod index;
mod judge;
mod recover;
mod work;

pub(in crate::driver) use index::Index;

use crate::store::{SignalRecord, Ticket, TriggerRecord};
use segno_engine::id::TenantId;
use segno_engine::trigger::join::Join;
use segno_engine::trigger::signal::Part;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::runtime::Handle;

/// The most signals that wait in memory for a trigger; one that is further
/// behind reads them from the store.
const QUEUE_MAX: usize = 1_000;

/// So many of the signals that wait for others are kept at hand.
const AT_HAND_MAX: usize = 256;

/// Triggers by tenant and workflow.
type ByWorkflow = HashMap<(TenantId, String), Vec<Arc<Trigger>>>;

/// What the driver knows of triggers.
#[derive(Default)]
pub(super) struct Triggers {
    /// Those that wait for signals, by workflow.
    live: Mutex<ByWorkflow>,
    /// Where their tasks run.
    runtime: OnceLock<Handle>,
}

/// A trigger that waits for signals.
pub(super) struct Trigger {
    tenant: TenantId,
    workflow: String,
    id: String,
    parts: Vec<Part>,
    queue: Mutex<Queue>,
    state: Mutex<State>,
}

/// What a trigger has yet to look at.
#[derive(Default)]
struct Queue {
    /// In the order of their commits.
    signals: VecDeque<Arc<SignalRecord>>,
    /// Whether there is more in the store, before these.
    is_behind: bool,
    /// Whether a task is at it.
    is_working: bool,
}

/// How far a trigger has come.
struct State {
    /// As it was last committed: what a signal under way leads to is not in it.
    /// Only its places may be behind signals of which nothing came.
    record: TriggerRecord,
    /// The signals that wait for others; nothing if the store alone knows.
    join: Option<Join>,
    /// Some of them, by their places.
    at_hand: BTreeMap<u64, Arc<SignalRecord>>,
    /// When this is durable, the store shows the workflow and the trigger.
    shown: Ticket,
    /// Whether another has taken its place, or none: nothing may be written.
    is_gone: bool,
}

impl Triggers {
    fn lock(&self) -> MutexGuard<'_, ByWorkflow> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trigger {
    /// Whoever says that it is behind begins its task.
    fn new((tenant, parts): (&TenantId, Vec<Part>), state: State, is_behind: bool) -> Arc<Self> {
        Arc::new(Self {
            tenant: tenant.clone(),
            workflow: state.record.workflow.clone(),
            id: state.record.id.clone(),
            parts,
            queue: Mutex::new(Queue { is_behind, is_working: is_behind, ..Queue::default() }),
            state: Mutex::new(state),
        })
    }

    /// Workflow and id.
    fn key(&self) -> (&str, &str) {
        (&self.workflow, &self.id)
    }

    /// As people and lineage name it.
    fn name(&self) -> String {
        format!("{}/{}", self.workflow, self.id)
    }

    /// The names of its signals, each once.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.parts.iter().map(|part| part.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Puts a signal into the queue. Says whether somebody has to begin to work.
    fn queue(&self, signal: &Arc<SignalRecord>) -> bool {
        let mut queue = self.lock_queue();
        // Several parts may ask for the same signal.
        let is_there = |last: &Arc<SignalRecord>| Arc::ptr_eq(last, signal);
        if !queue.is_behind && !queue.signals.back().is_some_and(is_there) {
            if queue.signals.len() >= QUEUE_MAX {
                queue.is_behind = true;
                queue.signals.clear();
            } else {
                queue.signals.push_back(Arc::clone(signal));
            }
        }
        !std::mem::replace(&mut queue.is_working, true)
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, for a moment. A panic while it was held ended before the
    /// commit.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The sequence of the last signal of this name that was looked at.
    fn place(&self, name: &str) -> u64 {
        let place = self.record.places.iter().find(|(its, _)| its == name);
        place.map_or(0, |(_, sequence)| *sequence)
    }

    /// A signal that the trigger has looked at.
    fn move_on(&mut self, (name, sequence): (&str, u64)) {
        if let Some((_, place)) = self.record.places.iter_mut().find(|(its, _)| its == name) {
            *place = sequence.max(*place);
        }
    }
}
