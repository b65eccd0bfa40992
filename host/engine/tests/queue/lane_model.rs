//! A lane as one would write it first: a list of all runs there ever were, and
//! every question answered by looking at all of them.

use segno_engine::id::{RunId, Timestamp};
use segno_engine::strategy::RunStrategy;
use segno_engine::strategy::lane::{Admission, Entry, Lane, Verdict};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Queued,
    Running,
    Over,
}

/// All runs by number, and what is said with every call.
pub struct Model {
    pub runs: Vec<(Entry, Place)>,
    pub blockers: BTreeSet<u64>,
    pub strategy: RunStrategy,
    pub paused: bool,
}

pub fn entry(number: u64) -> Entry {
    Entry { run: RunId::new(Timestamp(number), 0), number, retry: 0 }
}

impl Model {
    pub fn new() -> Self {
        let strategy = RunStrategy::All;
        Self { runs: Vec::new(), blockers: BTreeSet::new(), strategy, paused: false }
    }

    /// The runs at this place, by number: no two have the same.
    pub fn at(&self, place: Place) -> Vec<RunId> {
        self.runs.iter().filter(|(_, at)| *at == place).map(|(entry, _)| entry.run).collect()
    }

    pub fn open(&self) -> Vec<RunId> {
        self.at(Place::Running).into_iter().chain(self.at(Place::Queued)).collect()
    }

    pub fn put(&mut self, run: RunId, place: Place) {
        self.runs.iter_mut().filter(|(entry, _)| entry.run == run).for_each(|(_, at)| *at = place);
    }

    /// The runs that may begin now.
    pub fn may_begin(&self) -> Vec<RunId> {
        let strict = self.strategy == RunStrategy::StrictSequential;
        let runs_max = match self.strategy {
            _ if self.paused || strict && !self.blockers.is_empty() => 0,
            RunStrategy::All => usize::MAX,
            RunStrategy::Parallel(count) => count as usize,
            _ => 1,
        };
        let room = runs_max.saturating_sub(self.at(Place::Running).len());
        self.at(Place::Queued).into_iter().take(room).collect()
    }

    pub fn arrive(&mut self, entry: Entry) -> Admission {
        let alone = |verdict| Admission { verdict, cancel: Vec::new() };
        let (first_only, last_only) =
            (self.strategy == RunStrategy::FirstOnly, self.strategy == RunStrategy::LastOnly);
        let open = self.open();
        if let (true, Some(by)) = (first_only, open.first()) {
            self.record(entry, Place::Over);
            return alone(Verdict::Refuse { by: *by });
        }
        let mut cancel = Vec::new();
        if last_only {
            cancel = open;
            cancel.sort_unstable();
        } else if self.strategy == RunStrategy::SerialLatestOnly {
            cancel = self.at(Place::Queued);
        }
        for run in self.at(Place::Queued).into_iter().filter(|run| cancel.contains(run)) {
            self.put(run, Place::Over);
        }
        self.blockers.remove(&entry.number);
        self.record(entry, Place::Queued);
        if self.may_begin().first() == Some(&entry.run) {
            self.put(entry.run, Place::Running);
            return Admission { verdict: Verdict::Begin, cancel };
        }
        Admission { verdict: Verdict::Queue, cancel }
    }

    pub fn record(&mut self, entry: Entry, place: Place) {
        self.runs.retain(|(known, _)| known.number != entry.number);
        let at = self.runs.partition_point(|(known, _)| known.number < entry.number);
        self.runs.insert(at, (entry, place));
    }

    /// The lane that the store would bring back.
    pub fn restored(&self) -> Lane {
        let at = |place: Place| {
            let runs = self.runs.iter().filter(move |(_, at)| *at == place);
            runs.map(|(entry, _)| *entry)
        };
        // The order in which the store finds them does not matter.
        let queued: Vec<Entry> = at(Place::Queued).collect();
        let blockers = self.blockers.iter().map(|number| (*number, entry(*number).run));
        Lane::restore(at(Place::Running), queued.into_iter().rev(), blockers)
    }
}
