//! Places among the signals of a name: the next one, and who has one already.
//! What the store cannot show yet, because its commit is on the way, is
//! remembered here until it is durable.

use super::expiry::Retention;
use super::{Publish, PublishError};
use crate::store::{self, Ids, SignalRecord, Store, Ticket};
use segno_engine::id::TenantId;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The most signals whose commits may be on their way.
const PENDING_MAX: usize = 50_000;

/// Names that are remembered without need.
const NAMES_MAX: usize = 10_000;

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

/// Tenant, among which ids, and id.
type Identity = (TenantId, Ids, String);

/// How far the signals of one name have come.
struct Name {
    last: u64,
    ticket: Ticket,
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
                Ok(unknown.insert(Name { last, ticket: Ticket::done() }))
            }
        }
    }

    /// Name and sequence of the signal that has this id, if it says the same. One
    /// whose time is over has it no longer, whether it is gone already or not.
    pub(super) fn earlier(
        &self,
        store: &Store,
        (tenant, id): (&TenantId, &str),
        publish: &Publish,
        retention: &Retention,
    ) -> Result<Option<(String, u64)>, PublishError> {
        let ids = Ids::of(&publish.name, &publish.publisher);
        let identity = (tenant.clone(), ids, id.to_owned());
        let Some(known) = self.with_id(store, &identity)? else { return Ok(None) };
        if retention.is_over(&known) {
            return Ok(None);
        }
        let SignalRecord { name, sequence, params, payload, .. } = &*known;
        let (name, sequence) = (name.clone(), *sequence);
        let is_same =
            name == publish.name && *params == publish.params && *payload == publish.payload;
        match is_same {
            true => Ok(Some((name, sequence))),
            false => Err(PublishError::IdTaken { name, id: id.to_owned(), sequence }),
        }
    }

    fn with_id(
        &self,
        store: &Store,
        identity: &Identity,
    ) -> Result<Option<Arc<SignalRecord>>, store::Error> {
        if let Some(known) = self.identified.get(identity) {
            return Ok(Some(Arc::clone(known)));
        }
        let (tenant, ids, id) = identity;
        let Some((name, sequence)) = store.signal_by_id(tenant, ids, id)? else {
            return Ok(None);
        };
        // If it is not there, it has expired between the two looks.
        Ok(store.signal(tenant, &name, sequence)?.map(Arc::new))
    }

    /// Whether the id of a signal is still its own, and not that of a later one.
    pub(super) fn has_id(
        &self,
        store: &Store,
        tenant: &TenantId,
        signal: &SignalRecord,
    ) -> Result<bool, store::Error> {
        let identity = identity(tenant, signal);
        let is_it = |name: &str, sequence| (name, sequence) == (&signal.name, signal.sequence);
        if let Some(known) = self.identified.get(&identity) {
            return Ok(is_it(&known.name, known.sequence));
        }
        let (_, ids, id) = &identity;
        let known = store.signal_by_id(tenant, ids, id)?;
        Ok(known.is_some_and(|(name, sequence)| is_it(&name, sequence)))
    }

    /// Remembers a signal whose commit was ordered.
    pub(super) fn ordered(
        &mut self,
        tenant: &TenantId,
        record: &Arc<SignalRecord>,
        ticket: &Ticket,
        is_identified: bool,
    ) {
        let SignalRecord { name, sequence, .. } = &**record;
        if let Some(known) = self.names.get_mut(&(tenant.clone(), name.clone())) {
            known.last = *sequence;
            known.ticket = ticket.clone();
        }
        // Nobody can repeat an id that was made here and not told to anyone.
        if is_identified {
            self.identified.insert(identity(tenant, record), Arc::clone(record));
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
            if self.identified.is_empty() {
                continue;
            }
            // By now a later one may have its id.
            if let Entry::Occupied(known) = self.identified.entry(identity(&tenant, &record))
                && Arc::ptr_eq(known.get(), &record)
            {
                known.remove();
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

fn identity(tenant: &TenantId, signal: &SignalRecord) -> Identity {
    (tenant.clone(), signal.ids(), signal.id.clone())
}
