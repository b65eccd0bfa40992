//! Triggers follow the active version of their workflow, in the commit of the
//! change: a new or changed one waits for signals from now on, one that says the
//! same goes on where it is, and the others are gone.

use super::{Index, State, Trigger};
use crate::driver::Driver;
use crate::driver::catalog::Changed;
use crate::driver::signals::Last;
use crate::store::{self, Ticket, TriggerRecord, Write};
use segno_engine::id::TenantId;
use segno_engine::trigger::join::Join;
use segno_engine::trigger::signal::SignalTrigger;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The change of a workflow's triggers.
struct Change<'c> {
    tenant: &'c TenantId,
    changed: &'c Changed<'c>,
    index: &'c mut Index,
    /// How far the names have come that the triggers wait for.
    last: Vec<Last>,
    writes: Vec<Write>,
    /// Those that wait for signals afterwards.
    live: Vec<Arc<Trigger>>,
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
            let live = Vec::new();
            let mut change = Change { tenant, changed, index, last, writes, live };
            let before = self.0.triggers.lock().remove(&key).unwrap_or_default();
            let outcome = self.change_each(&mut change, (before, rows), &wanted);
            let Change { writes, live, .. } = change;
            outcome?;
            let ticket = self.0.store.commit(writes);
            for trigger in &live {
                trigger.lock().shown = ticket.clone();
            }
            if !live.is_empty() {
                self.0.triggers.lock().insert(key, live);
            }
            Ok(ticket)
        })
    }

    fn change_each(
        &self,
        change: &mut Change<'_>,
        (before, rows): (Vec<Arc<Trigger>>, Vec<TriggerRecord>),
        wanted: &[&SignalTrigger],
    ) -> Result<(), store::Error> {
        let mut known: BTreeMap<String, TriggerRecord> =
            rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        for trigger in before {
            let says = wanted.iter().find(|wanted| wanted.id == trigger.id);
            if says.is_some_and(|says| says.says() == trigger.lock().record.says) {
                known.remove(&trigger.id);
                change.goes_on(trigger)?;
                continue;
            }
            let pending = self.0.store.trigger_pending(change.tenant, trigger.key())?;
            let record = change.retire(&trigger, pending.into_iter().map(|(place, _)| place))?;
            known.insert(record.id.clone(), record);
        }
        for trigger in wanted {
            if change.live.iter().all(|live| live.id != trigger.id) {
                let before = known.remove(&trigger.id);
                change.subscribe(trigger, before, self.0.clock.now())?;
            }
        }
        let is_only_inactive = change.changed.active.is_none() && !change.changed.is_deleted;
        for (_, record) in known {
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

impl Change<'_> {
    fn version(&self) -> u64 {
        self.changed.active.as_ref().map_or(0, |(version, _)| *version)
    }

    /// A trigger that says what it said.
    fn goes_on(&mut self, trigger: Arc<Trigger>) -> Result<(), store::Error> {
        let mut state = trigger.lock();
        state.record.version = self.version();
        self.writes.push(Write::trigger(self.tenant, &state.record)?);
        drop(state);
        self.live.push(trigger);
        Ok(())
    }

    /// A trigger waits for signals no more: nothing is written for it from now
    /// on, and what waits is dropped.
    fn retire(
        &mut self,
        trigger: &Arc<Trigger>,
        stored: impl Iterator<Item = u64>,
    ) -> Result<TriggerRecord, store::Error> {
        self.index.remove(trigger);
        let mut state = trigger.lock();
        state.is_gone = true;
        let join = state.join.take();
        let mut places: BTreeSet<u64> = stored.collect();
        places.extend(join.iter().flat_map(Join::pending).map(|(place, _)| place));
        for place in places {
            let gone = Write::trigger_pending_gone(self.tenant, trigger.key(), place)?;
            self.writes.push(gone);
        }
        Ok(state.record.clone())
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
        let trigger = Trigger::new((self.tenant, says.parts.clone()), state, false);
        self.index.add(&trigger);
        self.live.push(trigger);
        Ok(())
    }
}
