//! What a suspended step waits for, and what ended its wait. The journal of the
//! attempt has the same wait at `sequence`; what it was given is recorded there.

use crate::id::{RunId, Timestamp};
use crate::signal::Pattern;
use serde::{Deserialize, Serialize};

/// The conditions of one wait: the first that holds ends it. Each has the place
/// that the step gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The wait's place in the journal.
    pub sequence: u64,
    /// The earliest moment among its conditions.
    pub timer: Option<TimerWait>,
    /// Signals to everyone.
    pub signals: Vec<SignalWait>,
    /// Signals to this run.
    pub run_signals: Vec<RunSignalWait>,
    /// Ends of runs that the step started.
    pub runs: Vec<RunWait>,
}

/// A moment to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerWait {
    /// The condition's place.
    pub index: u32,
    /// The moment.
    pub until: Timestamp,
}

/// A signal to wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalWait {
    /// The condition's place.
    pub index: u32,
    /// The signal's name.
    pub name: String,
    /// What its params must be.
    pub pattern: Pattern,
    /// Only a signal with a higher sequence counts: all up to here were looked
    /// at before the wait began, or do not count.
    pub after: u64,
}

/// A signal to this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSignalWait {
    /// The condition's place.
    pub index: u32,
    /// The signal's name.
    pub name: String,
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunWait {
    /// The condition's place.
    pub index: u32,
    /// The run.
    pub run: RunId,
}

/// Which condition ended a wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// Its moment came.
    Timer {
        /// The condition's place.
        index: u32,
    },
    /// The signal came.
    Signal {
        /// The condition's place.
        index: u32,
        /// The signal's name.
        name: String,
        /// Which of that name.
        sequence: u64,
    },
    /// The signal to this run came.
    RunSignal {
        /// The condition's place.
        index: u32,
        /// The signal's name.
        name: String,
        /// Which of this run's.
        sequence: u64,
    },
    /// The run ended.
    Run {
        /// The condition's place.
        index: u32,
        /// The run.
        run: RunId,
    },
}

impl Wait {
    /// Why the step does not go on, as users see it: `signal:<name>`,
    /// `run:<id>` or `timer:<milliseconds since 1970>`, what it most likely
    /// waits for first.
    pub fn reason(&self) -> String {
        if let Some(signal) = self.signals.first() {
            return format!("signal:{}", signal.name);
        }
        if let Some(signal) = self.run_signals.first() {
            return format!("signal:{}", signal.name);
        }
        match (self.runs.first(), self.timer) {
            (Some(run), _) => format!("run:{}", run.run),
            (None, Some(timer)) => format!("timer:{}", timer.until.0),
            (None, None) => "nothing".to_owned(),
        }
    }

    /// Whether this is what one of the conditions waits for. A wake that was
    /// meant for an earlier wait at the same place of the journal is not, if its
    /// conditions were others.
    pub fn expects(&self, wake: &Wake) -> bool {
        match wake {
            Wake::Timer { index } => self.timer.is_some_and(|wait| wait.index == *index),
            Wake::Signal { index, name, sequence } => self
                .signals
                .iter()
                .any(|wait| wait.index == *index && wait.name == *name && wait.after < *sequence),
            Wake::RunSignal { index, name, .. } => {
                self.run_signals.iter().any(|wait| wait.index == *index && wait.name == *name)
            }
            Wake::Run { index, run } => self.runs.contains(&RunWait { index: *index, run: *run }),
        }
    }

    /// Whether it only waits for a moment.
    pub fn is_only_timer(&self) -> bool {
        self.timer.is_some()
            && self.signals.is_empty()
            && self.run_signals.is_empty()
            && self.runs.is_empty()
    }

    /// The place of the condition that the end of `run` fulfils.
    pub fn index_of_run(&self, run: RunId) -> Option<u32> {
        self.runs.iter().find(|wait| wait.run == run).map(|wait| wait.index)
    }

    /// The place of the first condition that a signal to this run fulfils.
    pub fn index_of_run_signal(&self, name: &str) -> Option<u32> {
        self.run_signals.iter().find(|wait| wait.name == name).map(|wait| wait.index)
    }
}
