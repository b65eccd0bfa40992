//! Places among the signals of a name: the next one, who has one already, and
//! whose time is over. What the store cannot show yet, because its commit is
//! on the way, is remembered here until it is durable.

use super::{Publish, PublishError};
use crate::store::{self, SignalRecord, Store, Ticket, Write};
use segno_engine::id::{TenantId, Timestamp};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The most signals whose commits may be on their way.
const PENDING_MAX: usize = 50_000;

/// Names that are remembered without need.
const NAMES_MAX: usize = 10_000;

/// The most expired signals that one publication takes away.
const EXPIRED_MAX: usize = 16;

/// The most uses of an expired signal that one publication takes away.
const USES_MAX: usize = 500;

/// The longest pause between two looks for expired signals of a name.
const PAUSE_MS_MAX: u64 = 60_000;

/// What was given out lately.
#[derive(Default)]
pub(super) struct Order {
    names: HashMap<(TenantId, String), Name>,
    /// Signals that may not be durable yet, in the order of their commits.
    pending: VecDeque<Pending>,
    /// Those of them that were given an id.
    identified: HashMap<Identity, Arc<SignalRecord>>,
    /// When names are swept next: at so many of them.
    names_full: usize,
}

/// Tenant, name and id.
type Identity = (TenantId, String, String);

/// How far the signals of one name have come.
struct Name {
    last: u64,
    ticket: Ticket,
    /// Up to here everything has expired and is gone.
    gone: u64,
    /// No look for expired signals before this moment.
    look_at: Timestamp,
}

struct Pending {
    tenant: TenantId,
    record: Arc<SignalRecord>,
    ticket: Ticket,
}

impl Order {
    /// The sequence and the ticket of the last signal of a name; 0 before the
    /// first.
    pub(super) fn last(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        name: &str,
    ) -> Result<(u64, Ticket), store::Error> {
        let name = self.name(store, tenant, name)?;
        Ok((name.last, name.ticket.clone()))
    }

    fn name(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        name: &str,
    ) -> Result<&mut Name, store::Error> {
        let key = (tenant.clone(), name.to_owned());
        if !self.names.contains_key(&key) && self.names.len() >= self.names_full {
            // What is durable can be read again.
            self.names.retain(|_, name| !name.ticket.is_durable());
            self.names_full = NAMES_MAX.max(2 * self.names.len());
        }
        match self.names.entry(key) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let last = store.last_signal(tenant, name)?;
                let (ticket, look_at) = (Ticket::done(), Timestamp(0));
                Ok(unknown.insert(Name { last, ticket, gone: 0, look_at }))
            }
        }
    }

    /// The sequence of the signal that has this id, if it says the same.
    pub(super) fn earlier(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        id: &str,
        publish: &Publish,
    ) -> Result<Option<u64>, PublishError> {
        let name = &publish.name;
        let is_same = |known: &SignalRecord| {
            known.params == publish.params && known.payload == publish.payload
        };
        let identity = (tenant.clone(), name.clone(), id.to_owned());
        let (sequence, is_same) = match self.identified.get(&identity) {
            Some(known) => (known.sequence, is_same(known)),
            None => {
                let Some(sequence) = store.signal_by_id(tenant, name, id)? else {
                    return Ok(None);
                };
                let Some(kept) = store.signal(tenant, name, sequence)? else {
                    let what = format!("signal {name} number {sequence} has an id, and is gone");
                    return Err(store::Error::corrupt(what).into());
                };
                (sequence, is_same(&kept))
            }
        };
        match is_same {
            true => Ok(Some(sequence)),
            false => Err(PublishError::IdTaken { name: name.clone(), id: id.to_owned(), sequence }),
        }
    }

    /// What takes away the oldest signals of the name of `next`, if their time
    /// is over.
    pub(super) fn expired(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        next: &SignalRecord,
        retention_ms: u64,
    ) -> Result<Vec<Write>, store::Error> {
        let now = next.published_at;
        let name = self.name(store, tenant, &next.name)?;
        if now < name.look_at {
            return Ok(Vec::new());
        }
        let oldest = store.signals(tenant, &next.name, name.gone, EXPIRED_MAX + 1)?;
        let is_over = |signal: &&SignalRecord| now.since(signal.published_at) > retention_ms;
        let mut writes = Vec::new();
        let mut count = 0;
        for signal in oldest.iter().take(EXPIRED_MAX).take_while(is_over) {
            let place = (signal.name.as_str(), signal.sequence);
            let (uses, are_all) = store.signal_uses_gone(tenant, place, USES_MAX)?;
            writes.extend(uses);
            if !are_all {
                // The signal goes with the last of them.
                name.look_at = now;
                return Ok(writes);
            }
            writes.extend(Write::signal_expired(tenant, signal)?);
            name.gone = signal.sequence;
            count += 1;
        }
        // The rest of a backlog goes with the next publications; in quiet times
        // a look now and then is enough.
        name.look_at = match count == EXPIRED_MAX {
            true => now,
            false => now.plus_ms((retention_ms / 16).clamp(1, PAUSE_MS_MAX)),
        };
        Ok(writes)
    }

    /// Remembers a signal whose commit was ordered.
    pub(super) fn ordered(
        &mut self,
        tenant: &TenantId,
        record: &Arc<SignalRecord>,
        ticket: &Ticket,
        is_identified: bool,
    ) {
        let SignalRecord { name, sequence, id, .. } = &**record;
        if let Some(known) = self.names.get_mut(&(tenant.clone(), name.clone())) {
            known.last = *sequence;
            known.ticket = ticket.clone();
        }
        // Nobody can repeat an id that was made here and not told to anyone.
        if is_identified {
            let identity = (tenant.clone(), name.clone(), id.clone());
            self.identified.insert(identity, Arc::clone(record));
        }
        let (tenant, record, ticket) = (tenant.clone(), Arc::clone(record), ticket.clone());
        self.pending.push_back(Pending { tenant, record, ticket });
    }

    /// Forgets what is durable, and so in the store.
    ///
    /// # Errors
    /// Too much is not.
    pub(super) fn make_room(&mut self) -> Result<(), PublishError> {
        while let Some(oldest) = self.pending.front()
            && oldest.ticket.is_durable()
        {
            let Some(Pending { tenant, record, .. }) = self.pending.pop_front() else { break };
            if !self.identified.is_empty() {
                self.identified.remove(&(tenant, record.name.clone(), record.id.clone()));
            }
        }
        match self.pending.len() < PENDING_MAX {
            true => Ok(()),
            false => Err(PublishError::Busy),
        }
    }

    /// The signals of a name that the store may not show yet, in order.
    pub(super) fn pending(&self, tenant: &TenantId, name: &str) -> Vec<Arc<SignalRecord>> {
        let of_name = |pending: &&Pending| pending.tenant == *tenant && pending.record.name == name;
        let pending = self.pending.iter().filter(of_name);
        pending.map(|pending| Arc::clone(&pending.record)).collect()
    }
}
