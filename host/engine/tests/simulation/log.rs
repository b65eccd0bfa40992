//! A log with group commit, as the store has it: an entry is ordered at once
//! and durable a moment later, and a crash leaves a prefix of what was ordered.

use crate::shelf::{Row, Shelf};
use segno_engine::event::{Event, Record};
use segno_engine::id::{RunId, Timestamp};

/// The commits of all runs, in one order.
#[derive(Default)]
pub struct Log {
    entries: Vec<Commit>,
    durable: usize,
    flushing: Option<usize>,
}

/// What happens as a whole or not at all.
pub struct Commit {
    records: Vec<(RunId, Vec<u8>)>,
    /// What else is kept.
    pub rows: Vec<Row>,
}

impl Commit {
    /// What happened to runs, and what else is kept of it.
    pub fn new(records: &[(RunId, Timestamp, Vec<Event>)], rows: Vec<Row>) -> Self {
        let encode = |(run, at, events): &(RunId, Timestamp, Vec<Event>)| {
            (*run, Record { at: *at, events: events.clone() }.encode())
        };
        Self { records: records.iter().map(encode).collect(), rows }
    }

    /// What happened to runs.
    pub fn records(&self) -> impl Iterator<Item = (RunId, Record)> {
        let decode = |bytes| Record::decode(bytes).expect("the log holds what was written");
        self.records.iter().map(move |(run, bytes)| (*run, decode(bytes)))
    }
}

impl Log {
    /// Orders a commit.
    pub fn append(&mut self, commit: Commit) {
        self.entries.push(commit);
    }

    /// Starts a flush of all that is ordered; false if there is nothing to
    /// flush, or a flush is under way.
    pub fn start_flush(&mut self) -> bool {
        let starts = self.flushing.is_none() && self.durable < self.entries.len();
        if starts {
            self.flushing = Some(self.entries.len());
        }
        starts
    }

    /// Ends the flush under way and returns what has become durable.
    pub fn end_flush(&mut self) -> &[Commit] {
        let before = self.durable;
        self.durable = self.flushing.take().unwrap_or(before);
        &self.entries[before..self.durable]
    }

    /// How many entries were ordered.
    pub fn ordered(&self) -> usize {
        self.entries.len()
    }

    /// How many entries are durable.
    pub fn durable(&self) -> usize {
        self.durable
    }

    /// How many entries were ordered but are not durable.
    pub fn at_risk(&self) -> usize {
        self.entries.len() - self.durable
    }

    /// Loses all but what is durable and the next `lucky` entries.
    pub fn crash(&mut self, lucky: usize) {
        self.entries.truncate(self.durable + lucky);
        self.durable = self.entries.len();
        self.flushing = None;
    }

    /// Everything that is there, in order.
    pub fn commits(&self) -> &[Commit] {
        &self.entries
    }

    /// Everything that happened to runs, in order.
    pub fn read(&self) -> impl Iterator<Item = (RunId, Record)> {
        self.entries.iter().flat_map(Commit::records)
    }

    /// The shelf that the rows make.
    pub fn shelf(&self) -> Shelf {
        let mut shelf = Shelf::default();
        self.entries.iter().flat_map(|commit| &commit.rows).for_each(|row| shelf.apply(row));
        shelf
    }
}
