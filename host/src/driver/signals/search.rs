//! What waits find among the signals that are kept: before they begin to wait,
//! and again after a restart.

use super::{Signals, State, Waiter};
use crate::driver::triggers;
use crate::store::{self, SignalRecord, Store, Ticket};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::signal::Pattern;
use std::sync::Arc;

/// Signals that are read at a time.
const PAGE: usize = 16;

/// How far a name has come.
#[derive(Debug, Clone)]
pub(crate) struct Last {
    /// The name.
    pub(crate) name: String,
    /// The sequence of its last signal; 0 before the first.
    pub(crate) sequence: u64,
    /// When this is durable, the store shows all up to there.
    pub(crate) ticket: Ticket,
}

/// A name whose waiters have not yet been shown what is kept.
pub(super) struct Behind {
    /// Somebody has yet to see what is behind this; nothing once all have.
    after: Option<u64>,
    /// The store shows all up to here.
    until: u64,
    /// What was published behind that.
    pub(super) since: Vec<Arc<SignalRecord>>,
}

impl State {
    fn last(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        names: &[String],
    ) -> Result<Vec<Last>, store::Error> {
        let last = names.iter().map(|name| {
            let (sequence, ticket) = self.order.last(store, tenant, name)?;
            Ok(Last { name: name.clone(), sequence, ticket })
        });
        last.collect()
    }
}

impl Signals {
    pub(super) fn last(
        &self,
        store: &Store,
        tenant: &TenantId,
        names: &[String],
    ) -> Result<Vec<Last>, store::Error> {
        self.lock().last(store, tenant, names)
    }

    pub(super) fn with_triggers<R>(
        &self,
        store: &Store,
        (tenant, names): (&TenantId, &[String]),
        change: impl FnOnce(&mut triggers::Index, Vec<Last>) -> Result<R, store::Error>,
    ) -> Result<R, store::Error> {
        let mut state = self.lock();
        let last = state.last(store, tenant, names)?;
        change(&mut state.triggers, last)
    }

    pub(super) fn subscribe<R>(
        &self,
        store: &Store,
        (tenant, seen): (&TenantId, &[Last]),
        waiters: Vec<(String, Pattern, Waiter)>,
        order: impl FnOnce() -> R,
    ) -> Option<R> {
        let mut state = self.lock();
        for seen in seen {
            // Whoever cannot know looks again, and is told of the error there.
            let (sequence, _) = state.order.last(store, tenant, &seen.name).ok()?;
            if sequence != seen.sequence {
                return None;
            }
        }
        state.waiting.add(tenant, waiters);
        Some(order())
    }

    pub(super) fn resubscribe(
        &self,
        store: &Store,
        tenant: &TenantId,
        waiters: Vec<(String, Pattern, Waiter)>,
    ) -> Result<(), store::Error> {
        let mut state = self.lock();
        let State { order, behind, waiting, .. } = &mut *state;
        for (name, _, waiter) in &waiters {
            let (last, _) = order.last(store, tenant, name)?;
            let new = || {
                let since = order.pending(tenant, name);
                let until = since.first().map_or(last, |first| first.sequence - 1);
                Behind { after: None, until, since }
            };
            let behind = behind.entry((tenant.clone(), name.clone())).or_insert_with(new);
            behind.after = Some(behind.after.map_or(waiter.after, |at| at.min(waiter.after)));
        }
        waiting.add(tenant, waiters);
        Ok(())
    }

    pub(super) fn catch_up(
        &self,
        (store, now): (&Store, Timestamp),
        wake: impl Fn(&TenantId, &Waiter, &Arc<SignalRecord>),
    ) -> Result<(), store::Error> {
        {
            let mut state = self.lock();
            if state.is_catching_up || state.behind.is_empty() {
                return Ok(());
            }
            state.is_catching_up = true;
        }
        let outcome = self.catch_up_all((store, now), wake);
        if outcome.is_err() {
            self.lock().is_catching_up = false;
        }
        outcome
    }

    fn catch_up_all(
        &self,
        (store, now): (&Store, Timestamp),
        wake: impl Fn(&TenantId, &Waiter, &Arc<SignalRecord>),
    ) -> Result<(), store::Error> {
        loop {
            let mut state = self.lock();
            let Some(next) = state.behind.keys().next().cloned() else {
                // In the same moment, so that nobody leaves anything to this call.
                state.is_catching_up = false;
                return Ok(());
            };
            let (tenant, name) = &next;
            let Some(behind) = state.behind.get_mut(&next) else { continue };
            if let Some(after) = behind.after.take() {
                let until = behind.until;
                drop(state);
                let retention = self.retention(now);
                let range = (retention.passed(store, (tenant, name), after)?, until);
                self.show_kept(store, (tenant, name), range, &wake)?;
                // Meanwhile somebody may have come who has seen less.
                continue;
            }
            let since = state.behind.remove(&next).map(|behind| behind.since);
            let since = since.into_iter().flatten();
            let served: Vec<_> =
                since.map(|signal| (state.take(tenant, &signal), signal)).collect();
            drop(state);
            for (waiters, signal) in served {
                waiters.iter().for_each(|waiter| wake(tenant, waiter, &signal));
            }
        }
    }

    fn show_kept(
        &self,
        store: &Store,
        (tenant, name): (&TenantId, &str),
        (after, until): (u64, u64),
        wake: impl Fn(&TenantId, &Waiter, &Arc<SignalRecord>),
    ) -> Result<(), store::Error> {
        let mut after = after;
        while after < until && self.lock().waiting.has(tenant, name) {
            let page = store.signals(tenant, name, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            for signal in page.into_iter().filter(|signal| signal.sequence <= until) {
                let signal = Arc::new(signal);
                let waiters = self.lock().take(tenant, &signal);
                waiters.iter().for_each(|waiter| wake(tenant, waiter, &signal));
            }
        }
        Ok(())
    }
}
