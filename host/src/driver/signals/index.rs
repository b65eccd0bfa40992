//! Who waits for which signals, found by what a signal is: publishing costs as
//! much as there are distinct sets of params that waiters of its name ask
//! values for, and as there are waiters that ask for the very values it has.
//!
//! Every waiter has one entry in a map that is ordered by a mark: a digest of
//! tenant, name, and the params that must be equal to something, with those
//! values. From a signal's params and a set of names follows the only mark with
//! those names that fits. What a pattern asks for beyond that is looked at one
//! by one. Nothing here knows the store or the time.

use crate::store::canonical_param;
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::signal::{Params, Pattern, Scalar};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One condition of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiter {
    /// The run or iteration.
    pub(crate) run: RunId,
    /// The step that waits.
    pub(crate) step: StepIndex,
    /// The wait's place in the step's journal.
    pub(crate) sequence: u64,
    /// Which of the wait's conditions.
    pub(crate) index: u32,
    /// Only signals with a higher sequence count.
    pub(crate) after: u64,
}

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The sets of params that values are asked for, by tenant and signal.
    names: HashMap<TenantId, HashMap<Arc<str>, Vec<Set>>>,
    /// The waiters by mark.
    waiters: BTreeMap<Place, When>,
    /// The patterns of those waits that have several conditions on one signal.
    several: HashMap<(TenantId, Arc<str>, RunId, StepIndex), Vec<Pattern>>,
}

/// A set of params, whatever their values.
#[derive(Debug)]
struct Set {
    /// The params, in order.
    asked: Box<[Box<str>]>,
    /// How many waiters ask for these.
    waiters: usize,
}

/// The digest of the equal part of a pattern. SHA-256, so that nobody can make
/// two alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark([u8; 16]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    mark: Mark,
    run: RunId,
    step: StepIndex,
    index: u32,
}

#[derive(Debug)]
struct When {
    sequence: u64,
    after: u64,
    /// The whole pattern, where it asks for more than values.
    rest: Option<Box<Pattern>>,
}

impl Index {
    /// Adds the conditions of waits. One that is there already is replaced.
    pub(super) fn add(&mut self, tenant: &TenantId, waiters: Vec<(String, Pattern, Waiter)>) {
        for (place, (name, pattern, waiter)) in waiters.iter().enumerate() {
            let name = self.add_one(tenant, name, pattern, *waiter);
            let is_sibling = |(other, _, its): &(String, Pattern, Waiter)| {
                **other == *name && (its.run, its.step) == (waiter.run, waiter.step)
            };
            let mut others = waiters.iter().enumerate().filter(|(other, _)| *other != place);
            if others.any(|(_, other)| is_sibling(other)) {
                let key = (tenant.clone(), name, waiter.run, waiter.step);
                self.several.entry(key).or_default().push(pattern.clone());
            }
        }
    }

    fn add_one(
        &mut self,
        tenant: &TenantId,
        name: &str,
        pattern: &Pattern,
        waiter: Waiter,
    ) -> Arc<str> {
        let Waiter { run, step, sequence, index, after } = waiter;
        let mark = Mark::of(tenant, name, pattern.equals());
        let place = Place { mark, run, step, index };
        let rest = pattern.has_more_than_equals().then(|| Box::new(pattern.clone()));
        let is_new = self.waiters.insert(place, When { sequence, after, rest }).is_none();
        let names = self.names.entry(tenant.clone()).or_default();
        let name = match names.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(name),
        };
        let sets = names.entry(Arc::clone(&name)).or_insert_with(|| Vec::with_capacity(1));
        match sets.iter_mut().find(|set| set.asks(pattern)) {
            Some(set) => set.waiters += usize::from(is_new),
            None => sets.push(Set {
                asked: pattern.equals().map(|(name, _)| name.into()).collect(),
                waiters: usize::from(is_new),
            }),
        }
        name
    }

    /// Takes the conditions of a step away that have these patterns.
    pub(super) fn remove(
        &mut self,
        tenant: &TenantId,
        patterns: &[(String, Pattern)],
        run: RunId,
        step: StepIndex,
    ) {
        for (name, pattern) in patterns {
            self.remove_one(tenant, name, pattern, (run, step));
            if !self.several.is_empty() {
                self.several.remove(&(tenant.clone(), name.as_str().into(), run, step));
            }
        }
    }

    fn remove_one(
        &mut self,
        tenant: &TenantId,
        name: &str,
        pattern: &Pattern,
        (run, step): (RunId, StepIndex),
    ) {
        let mark = Mark::of(tenant, name, pattern.equals());
        let from = Place { mark, run, step, index: 0 };
        let places: Vec<_> = self
            .waiters
            .range(from..=Place { index: u32::MAX, ..from })
            .map(|(place, _)| *place)
            .collect();
        for place in &places {
            self.waiters.remove(place);
        }
        let sets = self.names.get_mut(tenant).and_then(|names| names.get_mut(name));
        if let Some(set) = sets.and_then(|sets| sets.iter_mut().find(|set| set.asks(pattern))) {
            set.waiters -= places.len();
        }
        self.prune(tenant, name);
    }

    /// Forgets the sets of params that nobody asks for any more.
    fn prune(&mut self, tenant: &TenantId, name: &str) {
        let Some(names) = self.names.get_mut(tenant) else { return };
        let Some(sets) = names.get_mut(name) else { return };
        sets.retain(|set| set.waiters > 0);
        if sets.is_empty() {
            names.remove(name);
        }
        if names.is_empty() {
            self.names.remove(tenant);
        }
    }

    /// Takes out whoever waits for this signal: of each step the first
    /// condition that fits, and with it all that the step has on this name, so
    /// that a later signal cannot overtake this one.
    pub(super) fn take(
        &mut self,
        tenant: &TenantId,
        name: &str,
        params: &Params,
        sequence: u64,
    ) -> Vec<Waiter> {
        let sets = self.names.get_mut(tenant).and_then(|names| names.get_mut(name));
        let mut served = Vec::new();
        for set in sets.into_iter().flatten() {
            let Some(asked) = set.of(params) else { continue };
            let mark = Mark::of(tenant, name, asked.into_iter());
            let before = served.len();
            take_marked(&mut self.waiters, mark, (params, sequence), &mut served);
            set.waiters -= served.len() - before;
        }
        if served.is_empty() {
            return served;
        }
        self.prune(tenant, name);
        served.sort_unstable_by_key(|waiter| (waiter.run, waiter.step, waiter.index));
        served.dedup_by_key(|waiter| (waiter.run, waiter.step));
        if !self.several.is_empty() {
            for waiter in &served {
                self.take_siblings(tenant, name, waiter);
            }
        }
        served
    }

    fn take_siblings(&mut self, tenant: &TenantId, name: &str, waiter: &Waiter) {
        let key = (tenant.clone(), Arc::from(name), waiter.run, waiter.step);
        for pattern in self.several.remove(&key).unwrap_or_default() {
            self.remove_one(tenant, name, &pattern, (waiter.run, waiter.step));
        }
    }

    /// Whether anybody waits for signals of this name.
    pub(super) fn has(&self, tenant: &TenantId, name: &str) -> bool {
        self.names.get(tenant).is_some_and(|names| names.contains_key(name))
    }
}

impl Set {
    fn asks(&self, pattern: &Pattern) -> bool {
        pattern.equals().map(|(name, _)| name).eq(self.asked.iter().map(AsRef::as_ref))
    }

    /// These of the params, if all are there.
    fn of<'a>(&'a self, params: &'a Params) -> Option<Vec<(&'a str, &'a Scalar)>> {
        self.asked.iter().map(|name| Some((&**name, params.get(name)?))).collect()
    }
}

impl Mark {
    /// `params` are in the order of their names.
    fn of<'a>(
        tenant: &TenantId,
        name: &str,
        params: impl Iterator<Item = (&'a str, &'a Scalar)>,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(tenant.as_str());
        hash.update([0]);
        hash.update(name);
        hash.update([0]);
        for (name, value) in params {
            let param = canonical_param(name, value);
            hash.update((param.len() as u64).to_be_bytes());
            hash.update(param);
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        Self(digest)
    }
}

/// Moves the waiters with this mark that the signal is for to `taken`.
fn take_marked(
    waiters: &mut BTreeMap<Place, When>,
    mark: Mark,
    (params, sequence): (&Params, u64),
    taken: &mut Vec<Waiter>,
) {
    let first = RunId::from_bytes([0; 16]);
    let last = RunId::from_bytes([0xff; 16]);
    let from = Place { mark, run: first, step: StepIndex::MIN, index: u32::MIN };
    let to = Place { mark, run: last, step: StepIndex::MAX, index: u32::MAX };
    let before = taken.len();
    let fitting = waiters.range(from..=to).filter(|(_, when)| {
        when.after < sequence && when.rest.as_ref().is_none_or(|pattern| pattern.fits(params))
    });
    taken.extend(fitting.map(|(place, when)| Waiter {
        run: place.run,
        step: place.step,
        sequence: when.sequence,
        index: place.index,
        after: when.after,
    }));
    for waiter in &taken[before..] {
        let Waiter { run, step, index, .. } = *waiter;
        waiters.remove(&Place { mark, run, step, index });
    }
}

#[cfg(test)]
mod tests;
