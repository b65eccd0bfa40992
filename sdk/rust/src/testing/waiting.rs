//! What a suspended step waits for.

use std::fmt;
use std::time::Duration;

use super::journal::Open;

/// What a suspended step waits for, as of the moment it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    signals: Vec<String>,
    runs: Vec<String>,
    left: Option<Duration>,
}

impl Waiting {
    pub(super) fn new(open: &[Open], left_ms: Option<u64>) -> Self {
        let left = left_ms.map(Duration::from_millis);
        let mut waiting = Self { signals: Vec::new(), runs: Vec::new(), left };
        for open in open {
            match open {
                Open::Timer(_) => {}
                Open::Everyone { wanted, .. } => waiting.signals.push(wanted.name.clone()),
                Open::ThisRun(name) => waiting.signals.push(name.clone()),
                Open::Run(run) => waiting.runs.push(run.clone()),
            }
        }
        waiting
    }

    /// The names of the signals, in the order of the conditions.
    pub fn signals(&self) -> &[String] {
        &self.signals
    }

    /// The identifiers of the runs, in the order of the conditions.
    pub fn runs(&self) -> &[String] {
        &self.runs
    }

    /// How long until the wait ends by itself; for ever where there is none.
    pub fn left(&self) -> Option<Duration> {
        self.left
    }

    /// Insists that the step waits for a signal of this name.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn assert_signal(&self, name: &str) -> &Self {
        assert!(
            self.signals.iter().any(|signal| signal == name),
            "the step waits for {self}, not for the signal `{name}`"
        );
        self
    }
}

/// As in `the signal payment or 86400s`.
impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = self.signals.iter().map(|name| format!("the signal `{name}`"));
        let runs = self.runs.iter().map(|run| format!("the end of {run}"));
        let left = self.left.iter().map(|left| format!("{left:?}"));
        let things = signals.chain(runs).chain(left).collect::<Vec<_>>();
        f.write_str(&things.join(" or "))
    }
}
