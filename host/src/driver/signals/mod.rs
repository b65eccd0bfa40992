//! Signals for everyone: published in one dense order per name, kept for a
//! while, found by their params, and handed to whoever waits.
//!
//! One lock gives out sequences and knows who waits, so that no signal slips
//! between a look at the store and the wait that follows it. It comes before
//! the locks of runs: nobody calls in here who holds one, what `subscribe` is
//! given to do may take one, and waiters are woken when it is free. `index` says who waits, `order` gives out places,
//! `find` looks at what is kept, `search` for those who come to wait, and `expiry`
//! takes away what has been kept long enough.

mod expiry;
mod find;
mod index;
mod order;
mod search;
mod token;

#[cfg(test)]
mod tests;

pub(crate) use index::Waiter;
pub(crate) use search::Last;
pub(crate) use token::{new_token, tenant_of};

use super::triggers::Trigger;
use super::{Driver, triggers};
use crate::crash;
use crate::store::{self, SIGNAL_ID_BYTES_MAX, SignalRecord, Store, Ticket, Write};
use find::Wanted;
use index::Index;
use order::Order;
use search::Behind;
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::payload::Payload;
pub use segno_engine::signal::PAYLOAD_BYTES_MAX;
use segno_engine::signal::{BadParams, Params, Pattern, Publisher, check_name};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// So many waiters are woken by whoever publishes.
const FEW_WAITERS: usize = 4;

/// How long signals are kept unless an operator says otherwise: 7 days.
pub const SIGNAL_RETENTION_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// A signal that somebody publishes.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Its name.
    pub name: String,
    /// Its identity within the name, or that of a delivery within its webhook; a
    /// fresh one if absent.
    pub id: Option<String>,
    /// By what it is found.
    pub params: Params,
    /// What it says.
    pub payload: Payload,
    /// Who publishes it.
    pub publisher: Publisher,
}

/// A signal that was published, now or under the same id before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// Its place among all of its name, from 1.
    pub sequence: u64,
    /// Whether an earlier publication with the same id made it.
    pub repeated: bool,
}

/// Why a signal was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Its name is no good.
    #[error(transparent)]
    BadName(#[from] BadParams),
    /// Its id is no good.
    #[error("a signal's id has 1 to {SIGNAL_ID_BYTES_MAX} bytes and no control characters")]
    BadId,
    /// Its id is one that a step would give.
    #[error(
        "a signal's id that begins with the id of a run and `/` is for what the steps of the run publish; use another id"
    )]
    ReservedId,
    /// It says too much.
    #[error(
        "the payload of a signal has at most {} KiB, not {bytes} bytes; keep the rest elsewhere, and send where it is",
        PAYLOAD_BYTES_MAX >> 10
    )]
    TooLarge {
        /// How much it says.
        bytes: usize,
    },
    /// The id belongs to a signal that says something else.
    #[error(
        "signal id {id:?} belongs to {name} number {sequence}, which has other params or another payload; use a new id"
    )]
    IdTaken {
        /// The signal's name.
        name: String,
        /// The id.
        id: String,
        /// The place of the signal that has it.
        sequence: u64,
    },
    /// Too many publications are on their way to the disk.
    #[error("too many signals are being published at once; try again in a moment")]
    Busy,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Whether an id is one that a step gives to what it publishes: an id that it
/// finds taken would hold it up.
pub(super) fn is_of_step(id: &str) -> bool {
    id.split_once('/').is_some_and(|(run, _)| run.parse::<RunId>().is_ok())
}

/// What the driver knows of signals.
pub(super) struct Signals {
    state: Mutex<State>,
    retention_ms: AtomicU64,
    /// Wakes whoever takes away what has expired.
    ending: Notify,
}

#[derive(Default)]
struct State {
    order: Order,
    waiting: Index,
    triggers: triggers::Index,
    /// Names whose waiters have not yet been shown what is kept.
    behind: HashMap<(TenantId, String), Behind>,
    /// Whether somebody shows it to them.
    is_catching_up: bool,
}

impl Default for Signals {
    fn default() -> Self {
        let retention_ms = AtomicU64::new(SIGNAL_RETENTION_MS);
        Self { state: Mutex::default(), retention_ms, ending: Notify::new() }
    }
}

impl Signals {
    /// The state, for a moment. A panic while it was held ended before the
    /// commit, and what is given out too much is never given out again.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A publication that has its place.
struct Ordered {
    published: Published,
    ticket: Ticket,
    /// The signal and whom it serves, unless it was there before.
    new: Option<(Arc<SignalRecord>, Vec<Waiter>)>,
    /// Triggers that have something to do, and nobody who does it.
    idle: Vec<Arc<Trigger>>,
}

impl Driver {
    /// The same driver, which keeps signals for at least so many milliseconds.
    #[must_use]
    pub fn keeping_signals(self, retention_ms: u64) -> Self {
        self.0.signals.retention_ms.store(retention_ms, Ordering::Relaxed);
        self
    }

    /// Publishes a signal of somebody to everyone, and returns when it is on
    /// stable storage.
    ///
    /// # Errors
    /// The name, the id or the payload is no good, the id belongs to another
    /// signal or is for those of steps, or the store fails.
    pub async fn publish(
        &self,
        tenant: &TenantId,
        publish: Publish,
    ) -> Result<Published, PublishError> {
        if publish.id.as_deref().is_some_and(is_of_step) {
            return Err(PublishError::ReservedId);
        }
        let (published, ticket) = self.order_publish(tenant, publish, Vec::new())?;
        ticket.durable().await?;
        Ok(published)
    }

    /// Publishes a signal to everyone and wakes whoever waits for it. `extra`
    /// is written in the same commit, or in one of its own if the signal was
    /// there before. A crash may still undo it: nobody outside may hear of it
    /// before the ticket is durable. The caller holds no lock of a run.
    ///
    /// # Errors
    /// As for `publish`; then nothing is written, `extra` neither.
    pub(super) fn order_publish(
        &self,
        tenant: &TenantId,
        publish: Publish,
        extra: Vec<Write>,
    ) -> Result<(Published, Ticket), PublishError> {
        check_name("a signal's name", &publish.name)?;
        let bytes = publish.payload.text().len();
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(PublishError::TooLarge { bytes });
        }
        let is_good = |id: &String| {
            (1..=SIGNAL_ID_BYTES_MAX).contains(&id.len()) && !id.contains(char::is_control)
        };
        if !publish.id.as_ref().is_none_or(is_good) {
            return Err(PublishError::BadId);
        }
        let fresh = self.0.clock.new_run_id().to_string().replacen("run_", "sig_", 1);
        let now = self.0.clock.now();
        let Ordered { published, ticket, new, idle } =
            self.0.signals.order(&self.0.store, (tenant, publish), extra, (now, fresh))?;
        crash::point("signal ordered");
        if let Some((signal, waiters)) = new {
            self.wake_all(tenant, waiters, signal);
        }
        idle.into_iter().for_each(|trigger| self.begin_work(trigger));
        Ok((published, ticket))
    }

    /// Wakes those whom a signal serves: many of them apart from whoever
    /// publishes, who would have to wait, and with pauses for others.
    fn wake_all(&self, tenant: &TenantId, waiters: Vec<Waiter>, signal: Arc<SignalRecord>) {
        if let (true, Ok(runtime)) =
            (waiters.len() > FEW_WAITERS, tokio::runtime::Handle::try_current())
        {
            let (driver, tenant) = (self.clone(), tenant.clone());
            runtime.spawn(async move {
                for waiter in &waiters {
                    driver.wake_by_signal(&tenant, waiter, &signal);
                    tokio::task::yield_now().await;
                }
            });
            return;
        }
        for waiter in &waiters {
            self.wake_by_signal(tenant, waiter, &signal);
        }
    }

    /// How far each of these names has come.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn last_signals(
        &self,
        tenant: &TenantId,
        names: &[String],
    ) -> Result<Vec<Last>, store::Error> {
        self.0.signals.last(&self.0.store, tenant, names)
    }

    /// Adds the conditions of a wait and runs `order` in the same moment; none
    /// of it if a name has moved on since `seen`.
    pub(super) fn subscribe<R>(
        &self,
        tenant: &TenantId,
        seen: &[Last],
        waiters: Vec<(String, Pattern, Waiter)>,
        order: impl FnOnce() -> R,
    ) -> Option<R> {
        self.0.signals.subscribe(&self.0.store, (tenant, seen), waiters, order)
    }

    /// Adds the conditions of a wait that was there before a restart. From then
    /// on no signal of those names wakes anybody before `catch_up_signals`,
    /// which has to follow as soon as the run can be woken.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn resubscribe(
        &self,
        tenant: &TenantId,
        waiters: Vec<(String, Pattern, Waiter)>,
    ) -> Result<(), store::Error> {
        self.0.signals.resubscribe(&self.0.store, tenant, waiters)
    }

    /// Takes the conditions of a step's wait away. Those that are gone already
    /// are no error.
    pub(super) fn unsubscribe(
        &self,
        tenant: &TenantId,
        patterns: &[(String, Pattern)],
        run: RunId,
        step: StepIndex,
    ) {
        self.0.signals.lock().waiting.remove(tenant, patterns, run, step);
    }

    /// Changes which triggers wait for signals, and runs `change` in the same
    /// moment: it is told how far these names have come.
    ///
    /// # Errors
    /// The store cannot be read, or those of `change`.
    pub(super) fn with_triggers<R>(
        &self,
        tenant: &TenantId,
        names: &[String],
        change: impl FnOnce(&mut triggers::Index, Vec<Last>) -> Result<R, store::Error>,
    ) -> Result<R, store::Error> {
        self.0.signals.with_triggers(&self.0.store, (tenant, names), change)
    }

    /// The first kept signal of a name behind `after` and not behind `until`
    /// that fits and is not `taken`. One whose time is over counts as long as it
    /// is there: this is for who should have seen it before.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn find_signal(
        &self,
        tenant: &TenantId,
        (name, pattern): (&str, &Pattern),
        (after, until): (u64, u64),
        taken: &HashSet<u64>,
    ) -> Result<Option<SignalRecord>, store::Error> {
        let wanted = Wanted { tenant, name, pattern, between: (after, until), taken };
        Ok(find::find(&self.0.store, &wanted, 1)?.pop())
    }

    /// The first kept signals of a name behind `after` that a pattern fits, at
    /// most `limit`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn signals_that_fit(
        &self,
        tenant: &TenantId,
        (name, pattern): (&str, &Pattern),
        after: u64,
        limit: usize,
    ) -> Result<Vec<SignalRecord>, store::Error> {
        let until = self.0.store.last_signal(tenant, name)?;
        let after = self.expired_signals(tenant, name, after)?;
        let taken = &HashSet::new();
        let wanted = Wanted { tenant, name, pattern, between: (after, until), taken };
        find::find(&self.0.store, &wanted, limit)
    }

    /// Shows waits that were subscribed what is kept by now, in order, and wakes
    /// those that it fits. Costs nothing if there are none. While one call is
    /// at it, another returns at once and leaves its part to the first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn catch_up_signals(&self) -> Result<(), store::Error> {
        let now = self.0.clock.now();
        self.0.signals.catch_up((&self.0.store, now), |tenant, waiter, signal| {
            self.wake_by_signal(tenant, waiter, signal);
        })
    }
}

impl Signals {
    fn order(
        &self,
        store: &Store,
        (tenant, publish): (&TenantId, Publish),
        extra: Vec<Write>,
        (now, fresh): (segno_engine::id::Timestamp, String),
    ) -> Result<Ordered, PublishError> {
        let retention = self.retention(now);
        let mut state = self.lock();
        state.order.make_room()?;
        let name = publish.name.clone();
        if let Some(id) = &publish.id
            && let Some((name, sequence)) =
                state.order.earlier(store, (tenant, id), &publish, &retention)?
        {
            let published = Published { name, id: id.clone(), sequence, repeated: true };
            let ticket = store.commit(extra);
            return Ok(Ordered { published, ticket, new: None, idle: Vec::new() });
        }
        let is_identified = publish.id.is_some();
        let sequence = state.order.last(store, tenant, &name)?.0 + 1;
        let record = SignalRecord {
            name,
            sequence,
            id: publish.id.unwrap_or(fresh),
            params: publish.params,
            payload: publish.payload,
            published_at: now,
            publisher: publish.publisher,
        };
        let mut writes = Write::signal(tenant, &record)?;
        writes.extend(extra);
        let ticket = store.commit(writes);
        let record = Arc::new(record);
        state.order.ordered(tenant, &record, &ticket, is_identified);
        let waiters = state.publish(tenant, &record);
        let idle = state.triggers.offer(tenant, &record);
        drop(state);
        let SignalRecord { name, id, .. } = &*record;
        let published = Published { name: name.clone(), id: id.clone(), sequence, repeated: false };
        Ok(Ordered { published, ticket, new: Some((record, waiters)), idle })
    }
}

impl State {
    /// Whom a new signal serves. A name that is behind is shown it later.
    fn publish(&mut self, tenant: &TenantId, signal: &Arc<SignalRecord>) -> Vec<Waiter> {
        if !self.behind.is_empty()
            && let Some(behind) = self.behind.get_mut(&(tenant.clone(), signal.name.clone()))
        {
            behind.since.push(Arc::clone(signal));
            return Vec::new();
        }
        self.take(tenant, signal)
    }

    fn take(&mut self, tenant: &TenantId, signal: &SignalRecord) -> Vec<Waiter> {
        self.waiting.take(tenant, &signal.name, &signal.params, signal.sequence)
    }
}
