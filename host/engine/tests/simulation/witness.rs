//! Somebody outside, who sees only what is durable, and remembers it: a crash
//! must not take back what was seen.

use crate::executor::Key;
use crate::log::Commit;
use crate::shelf::{Place, Row, RunSignal, Shelf, Signal};
use segno_engine::event::Event;
use segno_engine::id::{RunId, StepIndex};
use segno_engine::run::{Run, StepState};
use segno_engine::wait::Wake;
use std::collections::{BTreeMap, BTreeSet};

/// What was seen from outside.
#[derive(Default)]
pub struct Witness {
    runs: BTreeSet<RunId>,
    /// Runs that were over, and whether well.
    ended: BTreeMap<RunId, bool>,
    succeeded: BTreeSet<(RunId, StepIndex)>,
    /// The sequences of publications, by id.
    published: BTreeMap<u64, u64>,
    /// How often the process died.
    pub crashes: u32,
    /// How many commands were rejected.
    pub rejections: u32,
    /// How many wishes of people were granted.
    pub wishes: u32,
    /// Runs that were retried: their ends, and those of their steps, were not
    /// the last.
    retried: BTreeSet<RunId>,
    /// How many results came after nobody waited for them.
    pub late_results: u32,
    /// How many calls were answered from a journal.
    pub replayed: u32,
    /// How many waits had missed their signal in a crash.
    pub overdue: u32,
    /// What else was met.
    pub met: BTreeMap<&'static str, u32>,
}

impl Witness {
    /// A commit has become durable.
    pub fn sees(&mut self, commit: &Commit) {
        for (run, record) in commit.records() {
            self.sees_events(run, &record.events);
        }
        for row in &commit.rows {
            if let Row::Signal(Signal { id, sequence, .. })
            | Row::RunSignal(_, sequence, RunSignal { id, .. }) = row
            {
                self.published.insert(*id, *sequence);
            }
        }
    }

    /// Something has happened, though nobody outside knows.
    pub fn meets(&mut self, run: RunId, event: &Event) {
        if let Event::RunRetried { .. } = event {
            self.count("runs retried");
            self.retried.insert(run);
        }
        let what = match event {
            Event::AttemptResumed { wake: Wake::Timer { .. }, .. } => "woken by a moment",
            Event::AttemptResumed { wake: Wake::Signal { .. }, .. } => "woken by a signal",
            Event::AttemptResumed { wake: Wake::RunSignal { .. }, .. } => {
                "woken by a signal to the run"
            }
            Event::AttemptResumed { wake: Wake::Run { .. }, .. } => "woken by the end of a run",
            _ => return,
        };
        self.count(what);
    }

    /// Another attempt of this step begins with the journal before `from`.
    pub fn sees_retry(&mut self, shelf: &Shelf, place: Place, from: u64) {
        if from > 0 {
            self.count("waits kept by another attempt");
        }
        if shelf.open_wait(place).is_some() {
            self.count("waits dropped by another attempt");
        }
    }

    /// Counts something that was met.
    pub fn count(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    fn sees_events(&mut self, run: RunId, events: &[Event]) {
        self.runs.insert(run);
        for event in events {
            match event {
                Event::StepSucceeded { step, .. }
                | Event::StepPublished { step, .. }
                | Event::LoopSucceeded { step } => {
                    self.succeeded.insert((run, *step));
                }
                Event::RunSucceeded { .. } => {
                    self.ended.insert(run, true);
                }
                Event::RunFailed { .. } | Event::RunStopped => {
                    self.ended.insert(run, false);
                }
                _ => {}
            }
        }
    }

    /// An attempt starts.
    pub fn sees_start(&self, (run, step, attempt): Key) {
        if self.retried.contains(&run) {
            return;
        }
        let again = self.succeeded.contains(&(run, step));
        assert!(!again, "attempt {attempt} of step {step} of {run} starts after it succeeded");
        assert!(!self.ended.contains_key(&run), "an attempt starts in {run}, which is over");
    }

    /// These are all the runs after a crash, and what else was kept.
    pub fn compares(&self, runs: &BTreeMap<RunId, Run>, shelf: &Shelf) {
        for (id, sequence) in &self.published {
            let kept = shelf.published(*id);
            assert_eq!(kept, Some(*sequence), "the crash changed publication {id}");
        }
        for run in &self.runs {
            assert!(runs.contains_key(run), "the crash lost {run}");
        }
        let not_retried = |run: &&RunId| !self.retried.contains(run);
        for (run, well) in self.ended.iter().filter(|(run, _)| not_retried(run)) {
            let status = runs[run].status();
            assert!(!status.is_open(), "the crash opened {run} again");
            assert_eq!(status.as_str() == "succeeded", *well, "the crash changed the end of {run}");
        }
        for (run, step) in self.succeeded.iter().filter(|(run, _)| not_retried(&run)) {
            let state = &runs[run].steps()[*step as usize].state;
            let holds = matches!(state, StepState::Succeeded { .. });
            assert!(holds, "the crash took back the result of step {step} of {run}: {state:?}");
        }
    }
}
