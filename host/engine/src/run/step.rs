//! One step within a run: how it stands and what it has come to.

use crate::command::RetryTarget;
use crate::event::{Ending, Unsatisfied};
use crate::failure::Failure;
use crate::id::{Attempt, RunId, Timestamp};
use crate::payload::Payload;
use crate::publishing::SignalOutput;
use crate::retry::Tally;
use crate::rollup::{Rollup, StepStatus};
use crate::signal::Pattern;
use crate::usage::Usage;
use crate::wait::Wait;
use std::collections::{BTreeMap, BTreeSet};

/// One step within a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRun {
    /// How it stands.
    pub state: StepState,
    /// Since when.
    pub since: Timestamp,
    /// When it was first given its input.
    pub started_at: Option<Timestamp>,
    /// The last attempt that was started; 0 before the first.
    pub attempt: Attempt,
    /// When that attempt started.
    pub attempt_at: Timestamp,
    /// When that attempt, or the loop, is timed out.
    pub(crate) timeout_at: Option<Timestamp>,
    /// Its input, once it has one.
    pub input: Option<Payload>,
    /// Where the journal begins: higher each time that the step continued as new.
    pub sequence: u64,
    /// The place of its last wait in the journal.
    pub waited: u64,
    /// How often it began from scratch because the run was retried from it:
    /// iterations are then other runs.
    pub round: u32,
    /// How often it continued as new.
    pub continued: u32,
    /// What its inputs since then have taken together.
    pub(crate) continued_bytes: u64,
    /// The last signal of each name that it was given before it continued.
    pub signals_taken: Vec<(String, u64)>,
    /// The iterations of a `foreach` that has started.
    pub iterations: Option<Box<Iterations>>,
    /// The failure of its last failed attempt.
    pub last_failure: Option<Failure>,
    /// What all its attempts used together.
    pub usage: Usage,
    /// The run of its subworkflow, once there is one.
    pub child: Option<RunId>,
    /// The workflow and the version that were asked for when it was made.
    pub(crate) child_of: Option<Box<(String, String)>>,
    /// How often that run was taken up again for this step.
    pub child_generation: u32,
    /// What of that run was taken up again the last time.
    pub child_target: RetryTarget,
    /// How the steps of its subworkflow ended.
    pub below: Rollup,
    /// The signal that released it, if it waits for one: it does not wait for
    /// the same again.
    pub(crate) matched: Option<Box<Match>>,
    /// How often it came to publish signals.
    pub publications: u32,
    /// Whether it has been let go past its breakpoint.
    pub(crate) is_past_breakpoint: bool,
    /// Whether it goes on with what it has if its input is as it was.
    pub(crate) keeps_journal: bool,
    pub(crate) tally: Tally,
}

/// What a step waited for, and what it was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Match {
    pub(crate) name: String,
    pub(crate) pattern: Pattern,
    pub(crate) output: Payload,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// It waits for so many of the steps that it needs.
    Pending {
        /// How many are not complete.
        waiting_for: u32,
    },
    /// A breakpoint holds it.
    Paused,
    /// The attempt needs permits that others have.
    Queued {
        /// The permit that is short.
        permit: String,
    },
    /// An attempt is under way.
    Running,
    /// The next attempt starts later.
    BackingOff {
        /// When.
        until: Timestamp,
    },
    /// The attempt waits.
    Suspended {
        /// For what.
        wait: Box<Wait>,
    },
    /// It waits itself, without a guest.
    Waiting {
        /// For what.
        wait: Box<Wait>,
    },
    /// Its iterations are under way.
    Looping,
    /// Its subworkflow is under way.
    Delegated {
        /// The run.
        child: RunId,
        /// The workflow's name.
        workflow: String,
        /// Which version of it.
        version: String,
    },
    /// Its work is done, and its signals are being published.
    Publishing {
        /// What it gave.
        output: Payload,
        /// What it publishes.
        signals: Vec<SignalOutput>,
    },
    /// It gave this output.
    Succeeded {
        /// The output.
        output: Payload,
    },
    /// It has no tries left.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// It failed, and that does not matter.
    CompletedWithError {
        /// Why.
        failure: Failure,
        /// What there is of an output.
        output: Option<Payload>,
    },
    /// Somebody wanted to go on without it.
    Skipped {
        /// Who.
        by: String,
    },
    /// Its conditions did not hold.
    Unsatisfied {
        /// Which of them.
        unsatisfied: Unsatisfied,
    },
    /// It was stopped.
    Cancelled,
}

/// The iterations of a loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Iterations {
    /// An object with a list for each loop variable.
    pub items: Payload,
    /// How many there are; of a `while`, how many there were so far.
    pub count: u32,
    /// The first that has not started.
    pub next: u32,
    /// Those that are under way.
    pub in_flight: BTreeSet<u32>,
    /// The outputs of those that succeeded, by index, while any is under way.
    pub(crate) outputs: Vec<Option<Payload>>,
    /// How many succeeded.
    pub succeeded: u32,
    /// Those that failed or were cancelled.
    pub failed: BTreeSet<u32>,
    /// Those of them that were cancelled, which is no failure of the loop.
    pub(crate) cancelled: BTreeSet<u32>,
    /// The first failure.
    pub failure: Option<Failure>,
    /// Whether more start all the same.
    pub(crate) goes_on: bool,
    /// What becomes of the step once those under way are cancelled.
    pub ending: Option<Ending>,
    /// Those that had ended and are due to go on.
    pub again: BTreeSet<u32>,
    /// Those that were retried: how often, and what of them the last time.
    pub(crate) retried: BTreeMap<u32, (u32, RetryTarget)>,
    /// What the current iteration of a `while` sees as its variables.
    pub variables: Option<Payload>,
    /// How the steps of those that are over ended.
    pub(crate) rollup: Rollup,
    /// What most of those that succeeded have each.
    pub(crate) usual_rollup: Option<Rollup>,
    /// What the others have.
    pub(crate) rollups: BTreeMap<u32, Rollup>,
}

impl StepRun {
    /// A step that waits for `needs` others.
    pub(crate) fn new(at: Timestamp, needs: usize) -> Self {
        Self {
            state: StepState::Pending { waiting_for: needs as u32 },
            since: at,
            started_at: None,
            attempt: 0,
            attempt_at: at,
            timeout_at: None,
            input: None,
            sequence: 0,
            waited: 0,
            round: 0,
            continued: 0,
            continued_bytes: 0,
            signals_taken: Vec::new(),
            iterations: None,
            last_failure: None,
            usage: Usage::default(),
            child: None,
            child_of: None,
            child_generation: 0,
            child_target: RetryTarget::Incomplete,
            below: Rollup::default(),
            matched: None,
            publications: 0,
            is_past_breakpoint: false,
            keeps_journal: false,
            tally: Tally::default(),
        }
    }

    /// Nothing of what it did before counts any more: no sequence of its journal
    /// is used again.
    pub(crate) fn begin_afresh(&mut self) {
        self.sequence = ((self.sequence >> ROUND_BITS) + 1) << ROUND_BITS;
        self.waited = 0;
        self.continued = 0;
        self.continued_bytes = 0;
        self.signals_taken.clear();
    }
}

/// How many sequences a journal has before the step begins afresh: far more than
/// any limit allows.
const ROUND_BITS: u32 = 32;

impl StepState {
    /// How it stands, without more.
    pub fn status(&self) -> StepStatus {
        match self {
            Self::Pending { .. } => StepStatus::Pending,
            Self::Paused => StepStatus::Paused,
            Self::Queued { .. } => StepStatus::Queued,
            Self::Running | Self::Looping | Self::Delegated { .. } | Self::Publishing { .. } => {
                StepStatus::Running
            }
            Self::BackingOff { .. } | Self::Waiting { .. } => StepStatus::Waiting,
            Self::Suspended { .. } => StepStatus::Suspended,
            Self::Succeeded { .. } => StepStatus::Succeeded,
            Self::CompletedWithError { .. } => StepStatus::CompletedWithError,
            Self::Failed { failure } if failure.reason == "timeout" => StepStatus::TimedOut,
            Self::Failed { .. } => StepStatus::Failed,
            Self::Skipped { .. } => StepStatus::Skipped,
            Self::Unsatisfied { .. } => StepStatus::Unsatisfied,
            Self::Cancelled => StepStatus::Cancelled,
        }
    }

    /// The status as text, as users see it.
    pub fn as_str(&self) -> &'static str {
        self.status().as_str()
    }

    /// Whether the steps that need this one may go on.
    pub fn is_complete(&self) -> bool {
        matches!(
            self,
            Self::Succeeded { .. }
                | Self::CompletedWithError { .. }
                | Self::Skipped { .. }
                | Self::Unsatisfied { .. }
        )
    }

    /// Whether nothing more comes of it by itself.
    pub fn is_over(&self) -> bool {
        self.is_complete() || matches!(self, Self::Failed { .. } | Self::Cancelled)
    }

    /// Whether edges from it may hold.
    pub(crate) fn has_gone_through(&self) -> bool {
        self.is_complete() && !matches!(self, Self::Unsatisfied { .. })
    }

    /// Whether it has begun and is not over.
    pub(crate) fn is_active(&self) -> bool {
        !self.is_over() && !matches!(self, Self::Pending { .. })
    }

    pub(crate) fn output(&self) -> Option<&Payload> {
        match self {
            Self::Succeeded { output } => Some(output),
            Self::CompletedWithError { output, .. } => output.as_ref(),
            _ => None,
        }
    }
}

impl Iterations {
    /// How an iteration stands, as users see it.
    pub fn status_of(&self, index: u32) -> &'static str {
        if index >= self.next || self.again.contains(&index) {
            "pending"
        } else if self.in_flight.contains(&index) {
            "running"
        } else if self.failed.contains(&index) {
            "failed"
        } else {
            "succeeded"
        }
    }
}
