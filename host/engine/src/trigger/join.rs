//! Which signals belong together: the machine that a trigger with several
//! parts is fed with, one signal after the other.
//!
//! - A signal is pending at every part that it fits, until it is used or
//!   dropped. It is used at most once.
//! - A set has one signal for each part, no signal twice, and the values of the
//!   params that join are equal in all of them, in the order in which each part
//!   lists them. Text, numbers and booleans are never equal to each other.
//! - A new signal is tried with the oldest ones that are pending: part by part,
//!   in the order of the list, each takes the oldest that leaves the later parts
//!   something. If it fits several parts, the first that makes a set counts.
//! - What makes no set stays pending, [`PENDING_MAX`] signals at most; the oldest
//!   goes first.
//!
//! Whoever feeds the machine removes a set that is used. One that is not, because
//! its condition is false and the trigger keeps it, stays as it is: the new signal
//! is tried with the next partners, and no set is tried twice, since the new signal
//! is in all of them.

use crate::signal::Scalar;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most signals of one trigger that wait for others.
pub const PENDING_MAX: usize = 10_000;

/// The values of the params that join, in the order in which a part lists them.
pub type JoinValues = Vec<Scalar>;

/// A signal that waits for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its name.
    pub name: String,
    /// Its place among all of its name.
    pub sequence: u64,
    /// The parts that it fits, in their order, each with the values that join.
    pub fits: Vec<(usize, JoinValues)>,
}

/// The signals of a trigger that wait for others, each with its place: the order
/// in which they came.
#[derive(Debug, Clone, Default)]
pub struct Join {
    parts: usize,
    next: u64,
    pending: BTreeMap<u64, Pending>,
    /// The places of those that fit a part with these values.
    waiting: BTreeMap<(usize, JoinValues), BTreeSet<u64>>,
}

impl Join {
    /// The machine of a trigger with so many parts.
    pub fn new(parts: usize) -> Self {
        Self { parts, next: 1, ..Self::default() }
    }

    /// Puts a signal back that was pending when the process ended.
    pub fn restore(&mut self, place: u64, pending: Pending) {
        self.next = self.next.max(place + 1);
        self.insert(place, pending);
    }

    /// Adds a new signal. Gives its place, and the oldest one if that had to go.
    pub fn add(&mut self, pending: Pending) -> (u64, Option<(u64, Pending)>) {
        let place = self.next;
        self.next += 1;
        self.insert(place, pending);
        let dropped = match self.pending.len() > PENDING_MAX {
            true => self.pending.first_key_value().map(|(oldest, _)| *oldest),
            false => None,
        };
        (place, dropped.and_then(|oldest| Some((oldest, self.remove(oldest)?))))
    }

    fn insert(&mut self, place: u64, pending: Pending) {
        for fit in &pending.fits {
            self.waiting.entry(fit.clone()).or_default().insert(place);
        }
        self.pending.insert(place, pending);
    }

    /// Takes a signal away: it is used, or no longer kept.
    pub fn remove(&mut self, place: u64) -> Option<Pending> {
        let pending = self.pending.remove(&place)?;
        for fit in &pending.fits {
            let Some(places) = self.waiting.get_mut(fit) else { continue };
            places.remove(&place);
            if places.is_empty() {
                self.waiting.remove(fit);
            }
        }
        Some(pending)
    }

    /// The sets that the signal at `place` makes with others, `limit` at most: a
    /// place for each part, in their order. Those with the oldest come first.
    pub fn sets_with(&self, place: u64, limit: usize) -> Vec<Vec<u64>> {
        let mut sets = Sets { found: Vec::new(), limit };
        let fits = self.pending.get(&place).map(|pending| pending.fits.as_slice());
        for (part, values) in fits.unwrap_or_default() {
            if let Some(mut candidates) = self.candidates(place, (*part, values), limit) {
                sets.collect(&mut candidates, 0);
            }
        }
        sets.found
    }

    /// For each part the signals that it may have, oldest first, if `place` has
    /// this one.
    fn candidates(
        &self,
        place: u64,
        (part, values): (usize, &JoinValues),
        limit: usize,
    ) -> Option<Vec<Vec<u64>>> {
        // Fewer than there are parts can be taken by others in any set.
        let enough = self.parts.saturating_add(limit);
        let of_part = |at: usize| -> Option<Vec<u64>> {
            if at == part {
                return Some(vec![place]);
            }
            let waiting = self.waiting.get(&(at, values.clone()))?;
            let others = waiting.iter().filter(|other| **other != place);
            Some(others.take(enough).copied().collect())
        };
        (0..self.parts).map(of_part).collect()
    }

    /// One pending signal.
    pub fn get(&self, place: u64) -> Option<&Pending> {
        self.pending.get(&place)
    }

    /// Every pending signal with its place, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = (u64, &Pending)> {
        self.pending.iter().map(|(place, pending)| (*place, pending))
    }

    /// How many signals wait for others.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

/// The sets that were found, in their order.
struct Sets {
    found: Vec<Vec<u64>>,
    limit: usize,
}

impl Sets {
    /// Finds those that have the only candidates of the parts before `at`.
    fn collect(&mut self, candidates: &mut Vec<Vec<u64>>, at: usize) {
        if self.found.len() >= self.limit || !has_set(candidates) {
            return;
        }
        if at == candidates.len() {
            self.found.push(candidates.iter().flatten().copied().collect());
            return;
        }
        let all = std::mem::take(&mut candidates[at]);
        for one in &all {
            candidates[at] = vec![*one];
            self.collect(candidates, at + 1);
        }
        candidates[at] = all;
    }
}

/// Whether each part can have one of its candidates, and none is had twice.
fn has_set(candidates: &[Vec<u64>]) -> bool {
    let mut taken = BTreeMap::new();
    (0..candidates.len()).all(|part| give(part, candidates, &mut taken, &mut BTreeSet::new()))
}

/// Gives a part one of its candidates; who had it gets another.
fn give(
    part: usize,
    candidates: &[Vec<u64>],
    taken: &mut BTreeMap<u64, usize>,
    seen: &mut BTreeSet<u64>,
) -> bool {
    for candidate in &candidates[part] {
        if !seen.insert(*candidate) {
            continue;
        }
        let is_free = match taken.get(candidate) {
            None => true,
            Some(other) => give(*other, candidates, taken, seen),
        };
        if is_free {
            taken.insert(*candidate, part);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
