//! A log with group commit, as the store has it: an entry is ordered at once
//! and durable a moment later, and a crash leaves a prefix of what was ordered.

use segno_engine::event::Record;
use segno_engine::id::RunId;

/// The commits of all runs, in one order.
#[derive(Default)]
pub struct Log {
    entries: Vec<(RunId, Vec<u8>)>,
    durable: usize,
    flushing: Option<usize>,
}

impl Log {
    /// Orders a commit.
    pub fn append(&mut self, run: RunId, record: &Record) {
        self.entries.push((run, record.encode()));
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
    pub fn end_flush(&mut self) -> Vec<(RunId, Record)> {
        let before = self.durable;
        self.durable = self.flushing.take().unwrap_or(before);
        self.entries[before..self.durable].iter().map(read).collect()
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
    pub fn read(&self) -> impl Iterator<Item = (RunId, Record)> {
        self.entries.iter().map(read)
    }
}

fn read((run, bytes): &(RunId, Vec<u8>)) -> (RunId, Record) {
    (*run, Record::decode(bytes).expect("the log holds what was written"))
}
