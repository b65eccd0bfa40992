//! A trigger that is behind reads what it has not seen: the signals that are
//! kept, in the order of their names' sequences, and of all names the one that was
//! published first.

use super::Trigger;
use crate::driver::Driver;
use crate::store::{self, SignalRecord, Write};
use std::collections::HashSet;
use std::sync::Arc;

/// The next signal of each name that fits.
struct Heads<'t> {
    trigger: &'t Trigger,
    heads: Vec<Head>,
}

struct Head {
    name: String,
    /// Everything up to here was looked at.
    after: u64,
    /// Nothing behind this counts here.
    until: u64,
    next: Option<SignalRecord>,
}

impl Driver {
    /// Looks at everything up to this moment. What is published from then on is
    /// in the queue.
    pub(super) async fn catch_up_trigger(
        &self,
        trigger: &Arc<Trigger>,
    ) -> Result<(), store::Error> {
        let last = self.with_triggers(&trigger.tenant, &trigger.names(), |_, last| {
            let mut queue = trigger.lock_queue();
            queue.is_behind = false;
            queue.signals.clear();
            Ok(last)
        })?;
        for name in &last {
            name.ticket.durable().await?;
        }
        let shown = trigger.lock().shown.clone();
        shown.durable().await?;
        let heads = last.iter().map(|last| {
            let after = trigger.lock().place(&last.name);
            Head { name: last.name.clone(), after, until: last.sequence, next: None }
        });
        let mut heads = Heads { trigger, heads: heads.collect() };
        heads.heads.iter_mut().try_for_each(|head| self.next_of(trigger, head))?;
        while let Some(signal) = heads.pop(self)? {
            self.take_signal(trigger, &Arc::new(signal)).await?;
            tokio::task::consume_budget().await;
            if self.is_stopping() {
                return Ok(());
            }
        }
        let mut state = trigger.lock();
        if state.is_gone {
            return Ok(());
        }
        let before = state.record.places.clone();
        last.iter().for_each(|last| state.move_on((&last.name, last.sequence)));
        if state.record.places != before {
            let write = Write::trigger(&trigger.tenant, &state.record)?;
            self.0.store.commit(vec![write]);
        }
        Ok(())
    }

    /// Finds the next signal of a name that fits one of the parts.
    fn next_of(&self, trigger: &Trigger, head: &mut Head) -> Result<(), store::Error> {
        let range = (head.after, head.until);
        let mut next: Option<SignalRecord> = None;
        for part in trigger.parts.iter().filter(|part| part.name == head.name) {
            let wanted = (part.name.as_str(), &part.pattern);
            let found = self.find_signal(&trigger.tenant, wanted, range, &HashSet::new())?;
            let is_first = |found: &SignalRecord| {
                next.as_ref().is_none_or(|next| found.sequence < next.sequence)
            };
            if let Some(found) = found.filter(is_first) {
                next = Some(found);
            }
        }
        head.after = next.as_ref().map_or(head.until, |next| next.sequence);
        head.next = next;
        Ok(())
    }
}

impl Heads<'_> {
    /// The signal that was published first.
    fn pop(&mut self, driver: &Driver) -> Result<Option<SignalRecord>, store::Error> {
        let waiting = self.heads.iter_mut().filter(|head| head.next.is_some());
        let first = waiting.min_by_key(|head| {
            (head.next.as_ref().map(|next| next.published_at), head.name.clone())
        });
        let Some(head) = first else { return Ok(None) };
        let signal = head.next.take();
        driver.next_of(self.trigger, head)?;
        Ok(signal)
    }
}
