//! Which triggers a signal may concern, found by what it is: publishing costs
//! as much as there are distinct sets of params that triggers of its name ask
//! for, and as it concerns triggers, but not as there are triggers.

use super::Trigger;
use crate::store::SignalRecord;
use segno_engine::id::TenantId;
use segno_engine::signal::{Params, Pattern, Scalar};
use std::collections::HashMap;
use std::sync::Arc;

/// Every trigger that waits for signals.
#[derive(Default)]
pub(in crate::driver) struct Index(HashMap<TenantId, HashMap<String, Vec<Set>>>);

/// The parts of triggers that ask for one value of each of these params.
struct Set {
    /// The params, in order.
    asked: Vec<String>,
    /// By their values.
    parts: HashMap<Vec<Scalar>, Vec<(Pattern, Arc<Trigger>)>>,
}

impl Index {
    /// Adds the parts of a trigger.
    pub(super) fn add(&mut self, trigger: &Arc<Trigger>) {
        let names = self.0.entry(trigger.tenant.clone()).or_default();
        for part in &trigger.parts {
            let sets = names.entry(part.name.clone()).or_default();
            let (asked, values) = equals(&part.pattern);
            let set = match sets.iter().position(|set| set.asked == asked) {
                Some(known) => &mut sets[known],
                None => {
                    sets.push(Set { asked, parts: HashMap::new() });
                    let last = sets.len() - 1;
                    &mut sets[last]
                }
            };
            let with_values = set.parts.entry(values).or_default();
            with_values.push((part.pattern.clone(), Arc::clone(trigger)));
        }
    }

    /// Takes the parts of a trigger away.
    pub(super) fn remove(&mut self, trigger: &Arc<Trigger>) {
        let Some(names) = self.0.get_mut(&trigger.tenant) else { return };
        for part in &trigger.parts {
            let Some(sets) = names.get_mut(&part.name) else { continue };
            let (asked, values) = equals(&part.pattern);
            if let Some(set) = sets.iter_mut().find(|set| set.asked == asked)
                && let Some(parts) = set.parts.get_mut(&values)
            {
                parts.retain(|(_, other)| !Arc::ptr_eq(other, trigger));
                if parts.is_empty() {
                    set.parts.remove(&values);
                }
            }
            sets.retain(|set| !set.parts.is_empty());
            if sets.is_empty() {
                names.remove(&part.name);
            }
        }
        if names.is_empty() {
            self.0.remove(&trigger.tenant);
        }
    }

    /// Hands a signal to every trigger that it concerns; gives those that
    /// nobody works for at the moment.
    pub(in crate::driver) fn offer(
        &self,
        tenant: &TenantId,
        signal: &Arc<SignalRecord>,
    ) -> Vec<Arc<Trigger>> {
        let sets = self.0.get(tenant).and_then(|names| names.get(&signal.name));
        let mut idle = Vec::new();
        for set in sets.into_iter().flatten() {
            let Some(values) = set.values_of(&signal.params) else { continue };
            for (pattern, trigger) in set.parts.get(&values).into_iter().flatten() {
                if pattern.fits(&signal.params) && trigger.queue(signal) {
                    idle.push(Arc::clone(trigger));
                }
            }
        }
        idle
    }
}

impl Set {
    fn values_of(&self, params: &Params) -> Option<Vec<Scalar>> {
        self.asked.iter().map(|name| params.get(name).cloned()).collect()
    }
}

fn equals(pattern: &Pattern) -> (Vec<String>, Vec<Scalar>) {
    pattern.equals().map(|(name, value)| (name.to_owned(), value.clone())).unzip()
}

#[cfg(test)]
mod tests;
