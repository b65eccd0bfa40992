//! Triggers follow the active version of their workflow, in the commit of the
//! change: a new or changed one waits for signals from now on, one that says the
//! same goes on where it is, and the others are gone.

use super::{State, Trigger};
use crate::driver::Driver;
use crate::driver::catalog::Changed;
use crate::driver::signals::Last;
use crate::store::{self, Ticket, TriggerRecord, Write};
use segno_engine::id::TenantId;
use segno_engine::trigger::join::Join;
use segno_engine::trigger::signal::SignalTrigger;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};

/// The change of a workflow's triggers, worked out before any of it is done.
struct Change<'c> {
    tenant: &'c TenantId,
    changed: &'c Changed<'c>,
    /// How far the names have come that the triggers wait for.
    last: Vec<Last>,
    writes: Vec<Write>,
    /// New ones.
    new: Vec<Arc<Trigger>>,
}

/// One that waits for signals before the change; nothing comes of any while its
/// state is held.
struct Known<'k> {
    trigger: &'k Arc<Trigger>,
    state: MutexGuard<'k, State>,
    /// Whether it does so afterwards.
    goes_on: bool,
}

impl Driver {
    /// Orders the change of a workflow, and with it that of its triggers.
    ///
    /// # Errors
    /// The store cannot be read; then nothing is ordered.
    pub(in crate::driver) fn change_triggers(
        &self,
        tenant: &TenantId,
        changed: &Changed<'_>,
        writes: Vec<Write>,
    ) -> Result<Ticket, store::Error> {
        let rows = self.0.store.triggers_of(tenant, changed.workflow)?;
        let wanted: Vec<_> = changed.signal_triggers().collect();
        let key = (tenant.clone(), changed.workflow.to_owned());
        if rows.is_empty() && wanted.is_empty() && !self.0.triggers.lock().contains_key(&key) {
            return Ok(self.0.store.commit(writes));
        }
        let parts = wanted.iter().flat_map(|trigger| &trigger.parts);
        let names: BTreeSet<_> = parts.map(|part| part.name.clone()).collect();
        let names: Vec<_> = names.into_iter().collect();
        // No signal is published meanwhile, so that each is either before the
        // change or behind it.
        self.with_triggers(tenant, &names, |index, last| {
            let before = self.0.triggers.lock().get(&key).cloned().unwrap_or_default();
            let mut known: Vec<_> = before.iter().map(Known::hold).collect();
            let mut change = Change { tenant, changed, last, writes, new: Vec::new() };
            self.change_each(&mut change, (&mut known, rows), &wanted)?;
            let version = change.version();
            let Change { writes, new, .. } = change;
            // From here on nothing fails.
            let ticket = self.0.store.commit(writes);
            let mut live = Vec::new();
            for Known { trigger, mut state, goes_on } in known {
                if goes_on {
                    state.record.version = version;
                    state.shown = ticket.clone();
                    live.push(Arc::clone(trigger));
                } else {
                    state.is_gone = true;
                    state.join = None;
                    index.remove(trigger);
                }
            }
            for trigger in new {
                trigger.lock().shown = ticket.clone();
                index.add(&trigger);
                live.push(trigger);
            }
            let mut all = self.0.triggers.lock();
            match live.is_empty() {
                true => all.remove(&key),
                false => all.insert(key, live),
            };
            Ok(ticket)
        })
    }

    fn change_each(
        &self,
        change: &mut Change<'_>,
        (known, rows): (&mut [Known<'_>], Vec<TriggerRecord>),
        wanted: &[&SignalTrigger],
    ) -> Result<(), store::Error> {
        let mut idle: BTreeMap<String, TriggerRecord> =
            rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        for known in known.iter_mut() {
            let says = wanted.iter().find(|wanted| wanted.id == known.trigger.id);
            known.goes_on = says.is_some_and(|says| says.says() == known.state.record.says);
            if known.goes_on {
                idle.remove(&known.trigger.id);
                change.goes_on(&known.state)?;
            } else {
                let stored = self.0.store.trigger_pending(change.tenant, known.trigger.key())?;
                let record = change.retire(known, stored.into_iter().map(|(place, _)| place))?;
                idle.insert(record.id.clone(), record);
            }
        }
        let stays =
            |wanted: &&&SignalTrigger| known.iter().any(|k| k.goes_on && k.trigger.id == wanted.id);
        for trigger in wanted.iter().filter(|wanted| !stays(wanted)) {
            let before = idle.remove(&trigger.id);
            change.subscribe(trigger, before, self.0.clock.now())?;
        }
        let is_only_inactive = change.changed.active.is_none() && !change.changed.is_deleted;
        for (_, record) in idle {
            if is_only_inactive {
                let record = TriggerRecord { is_subscribed: false, pending: 0, ..record };
                change.writes.push(Write::trigger(change.tenant, &record)?);
            } else {
                let gone = Write::trigger_forgotten(change.tenant, &record)?;
                change.writes.extend(gone);
            }
        }
        Ok(())
    }
}

impl<'k> Known<'k> {
    fn hold(trigger: &'k Arc<Trigger>) -> Self {
        Self { trigger, state: trigger.lock(), goes_on: false }
    }
}

impl Change<'_> {
    fn version(&self) -> u64 {
        self.changed.active.as_ref().map_or(0, |(version, _)| *version)
    }

    /// A trigger that says what it said.
    fn goes_on(&mut self, state: &State) -> Result<(), store::Error> {
        let record = TriggerRecord { version: self.version(), ..state.record.clone() };
        self.writes.push(Write::trigger(self.tenant, &record)?);
        Ok(())
    }

    /// A trigger waits for signals no more: nothing is written for it from now
    /// on, and what waits is dropped.
    fn retire(
        &mut self,
        known: &Known<'_>,
        stored: impl Iterator<Item = u64>,
    ) -> Result<TriggerRecord, store::Error> {
        let mut places: BTreeSet<u64> = stored.collect();
        places.extend(known.state.join.iter().flat_map(Join::pending).map(|(place, _)| place));
        for place in places {
            let gone = Write::trigger_pending_gone(self.tenant, known.trigger.key(), place)?;
            self.writes.push(gone);
        }
        Ok(known.state.record.clone())
    }

    /// A trigger that waits for signals from now on.
    fn subscribe(
        &mut self,
        says: &SignalTrigger,
        before: Option<TriggerRecord>,
        since: segno_engine::id::Timestamp,
    ) -> Result<(), store::Error> {
        let is_ours = |last: &&Last| says.parts.iter().any(|part| part.name == last.name);
        let places = self.last.iter().filter(is_ours);
        let record = TriggerRecord {
            workflow: self.changed.workflow.to_owned(),
            id: says.id.clone(),
            says: says.says(),
            parts: says.parts.clone(),
            version: self.version(),
            is_subscribed: true,
            since,
            places: places.map(|last| (last.name.clone(), last.sequence)).collect(),
            pending: 0,
            dropped: before.as_ref().map_or(0, |before| before.dropped),
            firings: before.as_ref().map_or(0, |before| before.firings),
        };
        self.writes.push(Write::trigger(self.tenant, &record)?);
        let state = State {
            join: Some(Join::new(says.parts.len())),
            at_hand: BTreeMap::new(),
            shown: Ticket::done(),
            is_gone: false,
            record,
        };
        self.new.push(Trigger::new((self.tenant, says.parts.clone()), state, false));
        Ok(())
    }
}
