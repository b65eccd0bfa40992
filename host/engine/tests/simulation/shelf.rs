//! What a host keeps beside the events: journals, signals, and what runs were
//! sent. It is the fold of the rows in the log.

use crate::errand::Errand;
use crate::play::{Answer, Request};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::signal::{Params, Pattern};
use segno_engine::strategy::RunStrategy;
use segno_engine::wait::{Wait, Wake};
use std::collections::{BTreeMap, BTreeSet};

/// A step of a run, which has a journal.
pub type Place = (RunId, StepIndex);

/// One change of the shelf.
#[derive(Clone, Debug)]
pub enum Row {
    /// A call, or what it gave.
    Journal(Place, u64, Box<Entry>),
    /// The journal ends before this sequence: what followed is done again.
    Forget(Place, u64),
    /// The journal is empty, because the step continued as new.
    Clear(Place),
    /// A signal to everyone.
    Signal(Signal),
    /// A signal to one run, by its place there.
    RunSignal(RunId, u64, RunSignal),
    /// A wait has consumed it.
    RunSignalTaken(RunId, u64),
    /// The run strategy of a workflow, and whether it is paused.
    Strategy(String, RunStrategy, bool),
    /// How many steps may have this permit at once.
    Limit(String, Option<u32>),
}

impl Row {
    /// The identity of the publication that this accepts, if it does.
    pub fn publication(&self) -> Option<u64> {
        match self {
            Self::Signal(Signal { id, .. }) | Self::RunSignal(_, _, RunSignal { id, .. }) => {
                Some(*id)
            }
            Self::Journal(..)
            | Self::Forget(..)
            | Self::Clear(_)
            | Self::RunSignalTaken(..)
            | Self::Strategy(..)
            | Self::Limit(..) => None,
        }
    }
}

impl Row {
    /// What has to be done once it is on the disk.
    pub fn errand(&self) -> Option<Errand> {
        match self {
            Self::Strategy(workflow, ..) => Some(Errand::Readmit(workflow.clone())),
            Self::Limit(..) => Some(Errand::SetLimits),
            _ => None,
        }
    }
}

/// A call in a journal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was called.
    pub request: Request,
    /// What it waits for, or waited for.
    pub wait: Option<Wait>,
    /// What it gave; a wait may have nothing yet.
    pub answer: Option<Answer>,
}

/// A signal to everyone.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Its name.
    pub name: &'static str,
    /// Its place among all of its name, from 1.
    pub sequence: u64,
    /// Who publishes twice under one is heard once.
    pub id: u64,
    /// Its params.
    pub params: Params,
}

/// A signal to one run.
#[derive(Clone, Debug)]
pub struct RunSignal {
    /// Its name.
    pub name: &'static str,
    /// As for signals to everyone.
    pub id: u64,
}

/// Everything that the rows say.
#[derive(Default)]
pub struct Shelf {
    /// The journals by sequence.
    pub journals: BTreeMap<Place, BTreeMap<u64, Entry>>,
    signals: BTreeMap<&'static str, Vec<Signal>>,
    run_signals: BTreeMap<RunId, BTreeMap<u64, (RunSignal, bool)>>,
    ids: BTreeMap<u64, u64>,
    /// What is set for workflows.
    pub strategies: BTreeMap<String, (RunStrategy, bool)>,
    /// The limits that are set, by permit.
    pub limits: BTreeMap<String, u32>,
}

impl Shelf {
    /// Takes in a change.
    pub fn apply(&mut self, row: &Row) {
        match row {
            Row::Journal(place, sequence, entry) => {
                self.journals.entry(*place).or_default().insert(*sequence, Entry::clone(entry));
            }
            Row::Forget(place, from) => {
                self.journals.entry(*place).or_default().split_off(from);
            }
            Row::Clear(place) => {
                self.journals.remove(place);
            }
            Row::Signal(signal) => {
                self.ids.insert(signal.id, signal.sequence);
                self.signals.entry(signal.name).or_default().push(signal.clone());
            }
            Row::RunSignal(run, sequence, signal) => {
                self.ids.insert(signal.id, *sequence);
                self.run_signals
                    .entry(*run)
                    .or_default()
                    .insert(*sequence, (signal.clone(), false));
            }
            Row::RunSignalTaken(run, sequence) => {
                let signals = self.run_signals.get_mut(run).expect("it was sent one");
                let (_, taken) = signals.get_mut(sequence).expect("it was sent this one");
                assert!(!*taken, "signal {sequence} to {run} was consumed twice");
                *taken = true;
            }
            Row::Strategy(workflow, strategy, paused) => {
                self.strategies.insert(workflow.clone(), (*strategy, *paused));
            }
            Row::Limit(name, Some(limit)) => {
                self.limits.insert(name.clone(), *limit);
            }
            Row::Limit(name, None) => {
                self.limits.remove(name);
            }
        }
    }

    /// The call at this place of a journal.
    pub fn entry(&self, place: Place, sequence: u64) -> Option<&Entry> {
        self.journals.get(&place)?.get(&sequence)
    }

    /// The wait of this step that is not over, and where it is.
    pub fn open_wait(&self, place: Place) -> Option<(u64, &Entry)> {
        let (sequence, entry) = self.journals.get(&place)?.last_key_value()?;
        entry.answer.is_none().then_some((*sequence, entry))
    }

    /// What a new attempt does not keep: everything behind the last wait that
    /// is over.
    pub fn kept_until(&self, place: Place) -> u64 {
        let is_kept = |entry: &Entry| entry.wait.is_some() && entry.answer.is_some();
        let journal = self.journals.get(&place).into_iter().flatten();
        let last = journal.filter(|(_, entry)| is_kept(entry)).map(|(sequence, _)| *sequence).max();
        last.map_or(0, |last| last + 1)
    }

    /// The signals of each name in the journal of this step.
    pub fn given(&self, place: Place) -> BTreeSet<(&str, u64)> {
        let journal = self.journals.get(&place).into_iter().flatten();
        let given = journal.filter_map(|(_, entry)| match &entry.answer {
            Some(Answer::Woken(Wake::Signal { name, sequence, .. }, _)) => {
                Some((name.as_str(), *sequence))
            }
            _ => None,
        });
        given.collect()
    }

    /// The sequence of the last signal of this name, 0 if there is none.
    pub fn last_signal(&self, name: &str) -> u64 {
        self.signals.get(name).and_then(|all| all.last()).map_or(0, |signal| signal.sequence)
    }

    /// The first signal after `after` that fits, and that is not in `given`.
    pub fn find_signal(
        &self,
        (name, pattern): (&str, &Pattern),
        after: u64,
        given: &BTreeSet<(&str, u64)>,
    ) -> Option<u64> {
        let mut signals = self.signals.get(name).into_iter().flatten();
        let found = signals.find(|signal| {
            let is_new = signal.sequence > after && !given.contains(&(name, signal.sequence));
            is_new && pattern.fits(&signal.params)
        });
        found.map(|signal| signal.sequence)
    }

    /// The first signal of this name to this run that no wait has consumed.
    pub fn find_run_signal(&self, run: RunId, name: &str) -> Option<u64> {
        let mut signals = self.run_signals.get(&run).into_iter().flatten();
        let found = signals.find(|(_, (signal, taken))| signal.name == name && !taken);
        found.map(|(sequence, _)| *sequence)
    }

    /// How many signals this run was sent.
    pub fn count_to(&self, run: RunId) -> u64 {
        self.run_signals.get(&run).map_or(0, |all| all.len() as u64)
    }

    /// The sequence of the signal that was published under this id.
    pub fn published(&self, id: u64) -> Option<u64> {
        self.ids.get(&id).copied()
    }
}
