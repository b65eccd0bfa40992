//! Somebody outside, who sees only what is durable, and remembers it: a crash
//! must not take back what was seen.

use crate::executor::Key;
use segno_engine::event::{Event, Record};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::run::{Run, StepState};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen from outside.
#[derive(Default)]
pub struct Witness {
    runs: BTreeSet<RunId>,
    /// Runs that were over, and whether well.
    ended: BTreeMap<RunId, bool>,
    succeeded: BTreeSet<(RunId, StepIndex)>,
    /// How often the process died.
    pub crashes: u32,
    /// How many commands were rejected.
    pub rejections: u32,
    /// How many results came after nobody waited for them.
    pub late_results: u32,
}

impl Witness {
    /// A record has become durable.
    pub fn sees(&mut self, run: RunId, record: &Record) {
        self.runs.insert(run);
        for event in &record.events {
            match event {
                Event::StepSucceeded { step, .. } | Event::ForeachSucceeded { step } => {
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
        let again = self.succeeded.contains(&(run, step));
        assert!(!again, "attempt {attempt} of step {step} of {run} starts after it succeeded");
        assert!(!self.ended.contains_key(&run), "an attempt starts in {run}, which is over");
    }

    /// These are all the runs after a crash.
    pub fn compares(&self, runs: &BTreeMap<RunId, Run>) {
        for run in &self.runs {
            assert!(runs.contains_key(run), "the crash lost {run}");
        }
        for (run, well) in &self.ended {
            let status = runs[run].status();
            assert!(!status.is_open(), "the crash opened {run} again");
            assert_eq!(status.as_str() == "succeeded", *well, "the crash changed the end of {run}");
        }
        for (run, step) in &self.succeeded {
            let state = &runs[run].steps()[*step as usize].state;
            let holds = matches!(state, StepState::Succeeded { .. });
            assert!(holds, "the crash took back the result of step {step} of {run}: {state:?}");
        }
    }
}
