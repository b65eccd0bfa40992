//! Schedules: runs that start by themselves at instants of a rule. What becomes
//! of an instant is decided by a pure machine in the engine; here each decision
//! becomes one commit of the schedule's row, a tick and the run.
//!
//! All schedules are in memory behind one lock, which comes before every other;
//! `queue` says which one is next, and one task gives out turns (`turn`). A run
//! that is over tells the queue, never the schedule (`ends`). `change` is what
//! somebody does with a schedule, `definition` what follows from a change of a
//! workflow, `backfill` the runs for a range of instants.

mod backfill;
mod change;
mod definition;
mod ends;
mod queue;
#[cfg(test)]
mod tests;
mod turn;

pub use backfill::{BACKFILL_INSTANTS_MAX, BackfillAction, NewBackfill};
pub use change::{NewSchedule, SCHEDULE_NAME_RULE};

use super::catalog::BadNote;
use super::{Driver, StartError, VersionSelector, WorkflowError};
use crate::store::{self, BackfillRecord, ScheduleRecord, TickRecord, Write};
use queue::{Id, Queue};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::schedule::state::Named;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Schedules, and the order of their turns.
#[derive(Default)]
pub(super) struct Schedules {
    all: Mutex<BTreeMap<Id, Entry>>,
    queue: Queue,
}

/// A schedule in memory.
#[derive(Debug, Clone)]
struct Entry {
    record: ScheduleRecord,
    /// Backfills of which something is open.
    backfills: BTreeMap<u64, BackfillRecord>,
    /// The last tick, if it is known.
    last: Option<TickRecord>,
}

/// Why nothing was done with a schedule.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// There is none of this name.
    #[error("there is no schedule {0:?}; `segno schedule list` shows what there is")]
    Unknown(String),
    /// There is one already.
    #[error("there is a schedule {0:?} already; change it with `segno schedule update`")]
    Exists(String),
    /// It cannot have this name.
    #[error("{0:?} is no name of a schedule: {SCHEDULE_NAME_RULE}")]
    BadName(String),
    /// It would get another name.
    #[error(
        "schedule {schedule:?} keeps its name and cannot become {name:?}; leave `name` out, or make another schedule"
    )]
    Renamed {
        /// The schedule.
        schedule: String,
        /// What it would be called.
        name: String,
    },
    /// It belongs to a definition.
    #[error(
        "schedule {schedule:?} belongs to the definition of {workflow}; change `triggers:` there and push it, or pause it here"
    )]
    OfDefinition {
        /// The schedule.
        schedule: String,
        /// The workflow.
        workflow: String,
    },
    /// There is no such backfill.
    #[error(
        "schedule {schedule:?} has no backfill {number}; `segno schedule backfill list {schedule}` shows what there is"
    )]
    NoBackfill {
        /// The schedule.
        schedule: String,
        /// What it has not.
        number: u64,
    },
    /// The backfill cannot be made or does not allow it.
    #[error("{0}")]
    BadBackfill(String),
    /// The backfill is over.
    #[error("backfill {number} of {schedule} is {state}; make another one")]
    BackfillOver {
        /// The schedule.
        schedule: String,
        /// Which one.
        number: u64,
        /// How it stands.
        state: &'static str,
    },
    /// The key was used for another backfill.
    #[error(
        "idempotency key {0:?} belongs to a backfill of this schedule with another range or concurrency; use a new key"
    )]
    KeyReused(String),
    /// What was said about it cannot be kept.
    #[error(transparent)]
    BadNote(#[from] BadNote),
    /// Its workflow is not there.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// Its runs could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store cannot keep or read it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Schedules {
    /// All of them, for a moment. Whoever panics while it holds them has changed
    /// nothing that it has not ordered; what it was about to decide is decided again.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Id, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(record: ScheduleRecord) -> Self {
        Self { record, backfills: BTreeMap::new(), last: None }
    }

    /// When it wants to be looked at, now at the earliest.
    fn wake(&self, tenant: &TenantId, now: Timestamp) -> Option<Timestamp> {
        let identity = identity(tenant, &self.record.name);
        let named = Named { schedule: &self.record.spec, identity: &identity };
        let backfill = || self.backfills.values().any(|it| backfill::wants_more(it, &self.record));
        // Who is late has its turn behind those that are due by now.
        let next = self.record.state.next_wake(named, now).map(|at| at.max(now));
        if backfill() { Some(now) } else { next }
    }

    /// What its expressions know it by.
    fn local_name(&self) -> &str {
        self.record.trigger.as_deref().unwrap_or(&self.record.name)
    }

    fn selector(&self) -> VersionSelector {
        self.record.version.parse().unwrap_or_default()
    }
}

/// What the jitter of a schedule follows from.
pub fn identity(tenant: &TenantId, schedule: &str) -> String {
    format!("{tenant}/{schedule}")
}

/// The run of a schedule for an instant.
pub fn run_of(tenant: &TenantId, schedule: &str, at: Timestamp) -> RunId {
    let instant = at.0.to_be_bytes();
    RunId::derived(at, &[b"schedule", tenant.as_str().as_bytes(), schedule.as_bytes(), &instant])
}

/// The run of a backfill for an instant. One that is made later under the same
/// number, of a schedule that was deleted and made again, has others.
fn run_of_backfill(
    tenant: &TenantId,
    schedule: &str,
    backfill: &BackfillRecord,
    at: Timestamp,
) -> RunId {
    let (instant, number) = (at.0.to_be_bytes(), backfill.number.to_be_bytes());
    let made = backfill.created_at.0.to_be_bytes();
    let facts: [&[u8]; 6] =
        [b"backfill", tenant.as_str().as_bytes(), schedule.as_bytes(), &instant, &number, &made];
    // Runs are listed by their identifiers: those of a backfill stand where it was
    // made, not where their instants are.
    RunId::derived(backfill.created_at, &facts)
}

impl Driver {
    /// A schedule as it stands, all of it on stable storage.
    ///
    /// # Errors
    /// There is none of this name, or the store fails.
    pub async fn schedule_named(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<ScheduleRecord, ScheduleError> {
        let found = {
            let all = self.0.schedules.lock();
            all.get(&(tenant.clone(), name.to_owned())).map(|entry| entry.record.clone())
        };
        self.0.store.barrier().durable().await?;
        found.ok_or_else(|| ScheduleError::Unknown(name.to_owned()))
    }

    /// After a restart: every schedule as its row has it, what its runs came to
    /// meanwhile, and the end of those that were being cancelled.
    pub(super) fn restore_schedules(&self) -> Result<(), store::Error> {
        let mut found = Vec::new();
        self.0.store.all_schedules(|tenant, record| found.push((tenant.clone(), record)))?;
        let now = self.0.clock.now();
        let mut due = VecDeque::new();
        for (tenant, record) in found {
            let id = (tenant, record.name.clone());
            let mut entry = Entry::new(record);
            let (_, next) = entry.record.ticks;
            entry.last = self.0.store.tick(&id.0, &id.1, next.saturating_sub(1))?;
            for backfill in self.0.store.open_backfills(&id.0, &id.1)? {
                entry.backfills.insert(backfill.number, backfill);
            }
            self.find_ends(&id, &entry)?;
            let wake = entry.wake(&id.0, now);
            let cancelling = entry.record.cancelling.clone();
            self.0.schedules.lock().insert(id.clone(), entry);
            self.0.schedules.queue.set(&id, wake);
            self.cancel_earlier(&id, &cancelling, &mut due);
        }
        self.perform(due);
        Ok(())
    }

    /// Gives out turns until the host ends.
    pub(super) async fn watch_schedules(self) {
        let queue = &self.0.schedules.queue;
        while !self.is_stopping() {
            match queue.next() {
                Some(at) => tokio::select! {
                    () = self.0.clock.sleep_until(at) => {}
                    () = queue.changed() => {}
                },
                None => queue.changed().await,
            }
            if self.give_turns().await.is_err() {
                // The store has failed, and the host ends.
                return;
            }
        }
    }

    /// Has the task look whether the host ends.
    pub(super) fn look_at_schedules(&self) {
        self.0.schedules.queue.look();
    }
}

/// The row of a schedule.
fn row(tenant: &TenantId, record: &ScheduleRecord) -> Result<Write, store::Error> {
    Write::schedule(tenant, record)
}
