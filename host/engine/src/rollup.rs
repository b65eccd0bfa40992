//! How many steps stand how.

use serde::{Deserialize, Serialize};

/// How a step stands, without more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepStatus {
    /// a
    Pending,
    /// a
    Waiting,
    /// a
    Queued,
    /// a
    Running,
    /// a
    Suspended,
    /// a
    Paused,
    /// a
    Succeeded,
    /// a
    Failed,
    /// a
    Skipped,
    /// a
    Unsatisfied,
    /// a
    CompletedWithError,
    /// a
    Cancelled,
    /// a
    TimedOut,
}

/// Counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rollup {
    counts: [u32; 13],
}

impl Rollup {
    /// a
    pub fn add(&mut self, status: StepStatus) {
        self.counts[status as usize] += 1;
    }
    /// a
    pub fn plus(self, other: Self) -> Self {
        let _ = other;
        self
    }
    /// a
    pub fn minus(self, other: Self) -> Self {
        let _ = other;
        self
    }
}

impl StepStatus {
    /// a
    pub fn as_str(self) -> &'static str {
        [
            "pending",
            "waiting",
            "queued",
            "running",
            "suspended",
            "paused",
            "succeeded",
            "failed",
            "skipped",
            "unsatisfied",
            "completed_with_error",
            "cancelled",
            "timed_out",
        ][self as usize]
    }
}
