//! Signals are kept for a while. Once that is over they are found no more, at
//! the moment and whatever else happens; a task takes them away afterwards, so
//! that also names under which nothing is published any more come to nothing but
//! the row of their order.
//!
//! The task goes from name to name and waits for the disk after each commit. It
//! leaves what a trigger has yet to look at.

use super::Signals;
use crate::crash;
use crate::driver::Driver;
use crate::store::{self, SignalRecord, Store, Ticket, TriggerRecord, Write};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::trigger::signal::fits;
use std::sync::atomic::Ordering;
use tracing::error;

/// The most signals that one commit takes away.
const EXPIRED_MAX: usize = 32;

/// The most uses of signals that one commit takes away.
const USES_MAX: usize = 500;

/// Names that are looked at before the task pauses.
const NAMES_MAX: usize = 64;

/// How long it pauses then.
const PAUSE_MS: u64 = 50;

/// The longest time between two rounds over all names.
const ROUND_MS_MAX: u64 = 60 * 60 * 1_000;

/// The shortest.
const ROUND_MS_MIN: u64 = 1_000;

/// The longest time that a signal stays after it is found no more: whoever found
/// it just before that writes down that he used it.
const GRACE_MS_MAX: u64 = 60_000;

/// How long signals count, at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    pub(super) now: Timestamp,
    pub(super) ms: u64,
}

impl Retention {
    /// Whether the time of a signal is over.
    pub(super) fn is_over(&self, signal: &SignalRecord) -> bool {
        self.now.since(signal.published_at) > self.ms
    }

    /// The place of the last signal of a name behind `after` whose time is over;
    /// `after` if there is none.
    pub(super) fn passed(
        &self,
        store: &Store,
        (tenant, name): (&TenantId, &str),
        after: u64,
    ) -> Result<u64, store::Error> {
        let is_over = |after| {
            let next = store.signals(tenant, name, after, 1)?.pop();
            Ok(next.filter(|next| self.is_over(next)).map(|next| next.sequence))
        };
        let Some(first) = is_over(after)? else { return Ok(after) };
        // The order of their sequences is that of time.
        let (mut over, mut rest) = (first, store.last_signal(tenant, name)?);
        while over < rest {
            let middle = over + (rest - over) / 2;
            match is_over(middle)? {
                Some(next) => over = next,
                None => rest = middle,
            }
        }
        Ok(over)
    }
}

/// Where the task stands.
#[derive(Default)]
struct Round {
    /// The tenants to come; the last of them is the one that it is at.
    tenants: Vec<TenantId>,
    /// Every name of that one up to here was looked at.
    after: Option<String>,
}

impl Driver {
    /// How long signals count, as of now.
    fn retention(&self) -> Retention {
        self.0.signals.retention(self.0.clock.now())
    }

    /// How long signals are kept.
    pub(crate) fn signal_retention_ms(&self) -> u64 {
        self.retention().ms
    }

    /// Whether the time of a signal is over, and it should be found no more.
    pub(crate) fn is_expired(&self, signal: &SignalRecord) -> bool {
        self.retention().is_over(signal)
    }

    /// The place of the last signal of a name behind `after` whose time is over;
    /// `after` if there is none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn expired_signals(
        &self,
        tenant: &TenantId,
        name: &str,
        after: u64,
    ) -> Result<u64, store::Error> {
        self.retention().passed(&self.0.store, (tenant, name), after)
    }

    /// Takes away signals whose time is over, until the host ends.
    pub(in crate::driver) async fn watch_expiry(self) {
        let mut round = Round::default();
        while !self.is_stopping() {
            let pause_ms = match self.expire_some(&mut round).await {
                Ok(is_over) if !is_over => PAUSE_MS,
                Ok(_) => (self.retention().ms / 16).clamp(ROUND_MS_MIN, ROUND_MS_MAX),
                Err(error) => {
                    error!(%error, "signals that have expired cannot be taken away");
                    round = Round::default();
                    ROUND_MS_MAX
                }
            };
            tokio::select! {
                () = self.0.clock.sleep_until(self.0.clock.now().plus_ms(pause_ms)) => {}
                () = self.0.signals.ending.notified() => {}
            }
        }
    }

    /// Has the task look whether the host ends.
    pub(in crate::driver) fn look_at_expiry(&self) {
        self.0.signals.ending.notify_one();
    }

    /// Looks at some names; whether these were the last.
    async fn expire_some(&self, round: &mut Round) -> Result<bool, store::Error> {
        let store = &self.0.store;
        if round.tenants.is_empty() {
            *round = Round { tenants: store.tenants()?, after: None };
        }
        for _ in 0..NAMES_MAX {
            let Some(tenant) = round.tenants.last().cloned() else { return Ok(true) };
            match store.next_oldest_signal(&tenant, round.after.as_deref())? {
                Some(oldest) => {
                    if self.expirer().is_over(&oldest) {
                        self.expire_name(&tenant, &oldest.name).await?;
                    }
                    round.after = Some(oldest.name);
                }
                None => {
                    round.tenants.pop();
                    round.after = None;
                }
            }
            tokio::task::consume_budget().await;
        }
        Ok(round.tenants.is_empty())
    }

    /// By what signals go: a little later than they are found no more.
    fn expirer(&self) -> Retention {
        let Retention { now, ms } = self.retention();
        Retention { now, ms: ms.saturating_add((ms / 16).min(GRACE_MS_MAX)) }
    }

    /// Takes away what has expired of one name.
    async fn expire_name(&self, tenant: &TenantId, name: &str) -> Result<(), store::Error> {
        let triggers = self.0.store.all_triggers(tenant)?;
        while !self.is_stopping() {
            let retention = self.expirer();
            let mut oldest = self.0.store.signals(tenant, name, 0, EXPIRED_MAX)?;
            let goes = |signal: &SignalRecord| {
                retention.is_over(signal) && !triggers.iter().any(|it| has_to_see(it, signal))
            };
            oldest.truncate(oldest.iter().take_while(|signal| goes(signal)).count());
            if oldest.is_empty() {
                return Ok(());
            }
            self.0.signals.take_away(&self.0.store, tenant, &oldest)?.durable().await?;
            crash::point("signals expired");
        }
        Ok(())
    }
}

/// Whether a trigger has not yet looked at a signal that concerns it. It writes
/// its place with whatever comes of such a signal.
fn has_to_see(trigger: &TriggerRecord, signal: &SignalRecord) -> bool {
    let place = trigger.places.iter().find(|(name, _)| *name == signal.name);
    trigger.is_subscribed
        && place.is_some_and(|(_, seen)| *seen < signal.sequence)
        && !fits(&trigger.parts, &signal.name, &signal.params).is_empty()
}

impl Signals {
    pub(super) fn retention(&self, now: Timestamp) -> Retention {
        Retention { now, ms: self.retention_ms.load(Ordering::Relaxed) }
    }

    /// Takes away these signals, or as many as have not too many uses. Under the
    /// lock, so that nobody takes one of their ids meanwhile.
    pub(super) fn take_away(
        &self,
        store: &Store,
        tenant: &TenantId,
        oldest: &[SignalRecord],
    ) -> Result<Ticket, store::Error> {
        let mut writes = Vec::new();
        let mut gone = Vec::new();
        for signal in oldest {
            let left = USES_MAX.saturating_sub(writes.len());
            let place = (signal.name.as_str(), signal.sequence);
            let (uses, are_all) = store.signal_uses_gone(tenant, place, left)?;
            writes.extend(uses);
            if !are_all {
                // The signal goes with the last of them.
                break;
            }
            gone.push(signal);
        }
        let state = self.lock();
        for signal in gone {
            let has_id = state.order.has_id(store, tenant, signal)?;
            writes.extend(Write::signal_expired(tenant, signal, has_id)?);
        }
        Ok(store.commit(writes))
    }
}
