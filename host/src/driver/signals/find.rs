//! The first kept signals that a pattern fits, in the order of their name.
//!
//! There are two ways to them: through the signals in their order, of which
//! those are looked at that have the values asked for; and, where a pattern has
//! bounds, through the values of a param between them. Which is shorter depends
//! on what there is, so both are walked in turn, and the first at its end wins:
//! it costs at most twice what the shorter one does.

use crate::store::{self, Key, ParamRange, SignalRecord, Store};
use segno_engine::id::TenantId;
use segno_engine::signal::{Pattern, Scalar, Test};
use std::collections::{BTreeSet, HashSet};

/// Signals that are looked at in one turn.
const PAGE: usize = 16;

/// Values that are looked at in one turn.
const VALUES: usize = 128;

/// The most signals that are remembered of a walk through values.
const KEPT_MAX: usize = 4_096;

/// What is looked for.
pub(super) struct Wanted<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) name: &'a str,
    pub(super) pattern: &'a Pattern,
    /// Behind this, and not behind that.
    pub(super) between: (u64, u64),
    /// None of these.
    pub(super) taken: &'a HashSet<u64>,
}

/// The first of those that are kept and fit, at most `limit`.
pub(super) fn find(
    store: &Store,
    wanted: &Wanted<'_>,
    limit: usize,
) -> Result<Vec<SignalRecord>, store::Error> {
    let mut line = Line { after: wanted.between.0, values: wanted.values(), found: Vec::new() };
    let mut walks: Vec<_> = ParamRange::of(wanted.pattern).into_iter().map(Walk::new).collect();
    while !line.go_on(store, wanted, limit)? {
        for walk in &mut walks {
            if let Some(found) = walk.go_on(store, wanted, limit)? {
                return Ok(found);
            }
        }
        walks.retain(|walk| !walk.is_over);
    }
    Ok(line.found)
}

impl<'a> Wanted<'a> {
    fn fits(&self, signal: &SignalRecord) -> bool {
        signal.sequence <= self.between.1
            && self.pattern.fits(&signal.params)
            && !self.taken.contains(&signal.sequence)
    }

    /// The params of which one of these values is wanted.
    fn values(&self) -> Vec<(&'a str, &'a [Scalar])> {
        let equal = |(name, test): (&'a str, &'a Test)| match test {
            Test::Equal(value) => Some((name, std::slice::from_ref(value))),
            _ => None,
        };
        let equals: Vec<_> = self.pattern.tests().filter_map(equal).collect();
        if !equals.is_empty() {
            return equals;
        }
        let one_of = |(name, test): (&'a str, &'a Test)| match test {
            Test::In(values) => Some((name, values.as_slice())),
            _ => None,
        };
        self.pattern.tests().filter_map(one_of).take(1).collect()
    }
}

/// The way through the signals in their order.
struct Line<'a> {
    after: u64,
    values: Vec<(&'a str, &'a [Scalar])>,
    found: Vec<SignalRecord>,
}

impl Line<'_> {
    /// Looks at some more; whether that was all, or enough.
    fn go_on(
        &mut self,
        store: &Store,
        wanted: &Wanted<'_>,
        limit: usize,
    ) -> Result<bool, store::Error> {
        // A step that takes one after the other does not read all of them again.
        while wanted.taken.contains(&(self.after + 1)) {
            self.after += 1;
        }
        if self.after >= wanted.between.1 {
            return Ok(true);
        }
        if !self.values.is_empty() {
            return self.jump(store, wanted, limit);
        }
        let page = store.signals(wanted.tenant, wanted.name, self.after, PAGE)?;
        let Some(last) = page.last() else { return Ok(true) };
        self.after = last.sequence;
        self.found.extend(page.into_iter().filter(|signal| wanted.fits(signal)));
        self.found.truncate(limit);
        Ok(self.found.len() >= limit)
    }

    /// The same, from one signal that has the values to the next.
    fn jump(
        &mut self,
        store: &Store,
        wanted: &Wanted<'_>,
        limit: usize,
    ) -> Result<bool, store::Error> {
        for _ in 0..PAGE {
            let Some(next) = self.next_with_all(store, wanted)? else { return Ok(true) };
            self.after = next;
            // It has expired since, if it is not there.
            let signal = store.signal(wanted.tenant, wanted.name, next)?;
            self.found.extend(signal.filter(|signal| wanted.fits(signal)));
            if self.found.len() >= limit {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next sequence that has a row for every param. Each in turn jumps to
    /// where the one before it stands, so that the rarest sets the pace.
    fn next_with_all(
        &self,
        store: &Store,
        wanted: &Wanted<'_>,
    ) -> Result<Option<u64>, store::Error> {
        let mut candidate = self.after + 1;
        loop {
            let start = candidate;
            for (param, values) in &self.values {
                let mut first: Option<u64> = None;
                for value in *values {
                    let place = (wanted.tenant, wanted.name);
                    let next =
                        store.next_with_param(place.0, place.1, (param, value), candidate - 1)?;
                    first = first.into_iter().chain(next).min();
                }
                match first {
                    Some(next) if next <= wanted.between.1 => candidate = next,
                    _ => return Ok(None),
                }
            }
            if candidate == start {
                return Ok(Some(candidate));
            }
        }
    }
}

/// The way through the values of one param.
struct Walk {
    range: ParamRange,
    behind: Option<Key>,
    /// The first of those that have such a value.
    kept: BTreeSet<u64>,
    /// Whether there were more.
    is_cut: bool,
    is_over: bool,
}

impl Walk {
    fn new(range: ParamRange) -> Self {
        Self { range, behind: None, kept: BTreeSet::new(), is_cut: false, is_over: false }
    }

    /// Looks at some more values; what fits, once all were looked at.
    fn go_on(
        &mut self,
        store: &Store,
        wanted: &Wanted<'_>,
        limit: usize,
    ) -> Result<Option<Vec<SignalRecord>>, store::Error> {
        let place = (wanted.tenant, wanted.name);
        let (found, behind) =
            store.signals_in_range(place, &self.range, self.behind.take(), VALUES)?;
        let (after, until) = wanted.between;
        self.kept.extend(found.into_iter().filter(|found| after < *found && *found <= until));
        while self.kept.len() > KEPT_MAX {
            self.kept.pop_last();
            self.is_cut = true;
        }
        self.is_over = behind.is_none();
        self.behind = behind;
        match self.is_over {
            true => self.read(store, wanted, limit),
            false => Ok(None),
        }
    }

    fn read(
        &self,
        store: &Store,
        wanted: &Wanted<'_>,
        limit: usize,
    ) -> Result<Option<Vec<SignalRecord>>, store::Error> {
        let mut found = Vec::new();
        for sequence in &self.kept {
            let signal = store.signal(wanted.tenant, wanted.name, *sequence)?;
            found.extend(signal.filter(|signal| wanted.fits(signal)));
            if found.len() >= limit {
                return Ok(Some(found));
            }
        }
        Ok((!self.is_cut).then_some(found))
    }
}
