//! Everything that happened to a run, in the past tense. Events are the truth:
//! a run is the fold of its events, and history, timeline and replay read the
//! same log. Variants are only ever added at the end, and never change.

mod origin;
mod record;
mod subject;

pub use self::origin::{Carried, Cause, Given, Kept, Origin};
pub use self::record::{Record, Unreadable};

use crate::command::RetryTarget;
use crate::failure::Failure;
use crate::id::{Attempt, RunId, StepIndex, Timestamp};
use crate::payload::Payload;
use crate::publishing::SignalOutput;
use crate::rollup::Rollup;
use crate::usage::Usage;
use crate::wait::{Wait, Wake};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run exists. Always the first event.
    RunCreated {
        /// The name of its workflow.
        workflow: String,
        /// The version that it keeps until its end.
        version: u64,
        /// Where it comes from.
        origin: Origin,
    },
    /// Its first steps may start.
    RunStarted,
    /// The step was given its input, which all its attempts share.
    StepStarted {
        /// The step.
        step: StepIndex,
        /// What its component gets.
        input: Payload,
    },
    /// An attempt is due to run, now.
    AttemptStarted {
        /// The step.
        step: StepIndex,
        /// Its number.
        attempt: Attempt,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The step.
        step: StepIndex,
        /// Its number.
        attempt: Attempt,
        /// Why.
        failure: Failure,
        /// When the next attempt starts; without it the step has failed.
        retry_at: Option<Timestamp>,
        /// What the attempt used.
        usage: Usage,
    },
    /// The step gave its result.
    StepSucceeded {
        /// The step.
        step: StepIndex,
        /// The attempt that gave it.
        attempt: Attempt,
        /// The result.
        output: Payload,
        /// What the attempt used.
        usage: Usage,
    },
    /// The step failed without an attempt: an expression could not be
    /// evaluated, or an iteration failed.
    StepFailed {
        /// The step.
        step: StepIndex,
        /// Why.
        failure: Failure,
    },
    /// No condition let the step run: its branch ends here.
    StepUnsatisfied {
        /// The step.
        step: StepIndex,
        /// Which condition it was.
        unsatisfied: Unsatisfied,
    },
    /// A `foreach` knows what it runs over.
    ForeachStarted {
        /// The step.
        step: StepIndex,
        /// An object with one list for each loop variable, in the order of the
        /// definition.
        items: Payload,
        /// The number of iterations.
        count: u32,
    },
    /// The next iterations of a `foreach` are due to run, now.
    IterationsStarted {
        /// The step.
        step: StepIndex,
        /// The first of them.
        first: u32,
        /// How many.
        count: u32,
    },
    /// An iteration is over.
    IterationEnded {
        /// The step.
        step: StepIndex,
        /// Which one.
        index: u32,
        /// How it ended.
        result: IterationResult,
        /// How its steps ended.
        rollup: Rollup,
    },
    /// Every iteration is over, and well; their outputs are the step's.
    LoopSucceeded {
        /// The step.
        step: StepIndex,
    },
    /// No more iterations start, and those under way are cancelled.
    LoopStopRequested {
        /// The step.
        step: StepIndex,
        /// What becomes of the step then.
        ending: Ending,
    },
    /// All iterations of a loop that is stopped are over.
    LoopStopped {
        /// The step.
        step: StepIndex,
    },
    /// Nothing new starts any more, and what runs is cancelled.
    StopRequested {
        /// Why.
        stop: Stop,
    },
    /// The run is over, and well.
    RunSucceeded {
        /// The value of the body's `output`, where it has one.
        output: Option<Payload>,
    },
    /// The run is over: a step failed.
    RunFailed {
        /// Why.
        failure: Failure,
    },
    /// The run is over: everything in it has stopped.
    RunStopped,
    /// An attempt waits, and its guest may leave memory.
    AttemptSuspended {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// For what.
        wait: Wait,
    },
    /// What the attempt waited for has come: it goes on.
    AttemptResumed {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// What has come.
        wake: Wake,
    },
    /// The guest of a suspended attempt has left memory.
    AttemptPutAway {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// What it used since it was last played.
        usage: Usage,
    },
    /// The step starts afresh with another input and an empty journal, because
    /// it asked to.
    StepContinued {
        /// The step.
        step: StepIndex,
        /// The attempt that begins.
        attempt: Attempt,
        /// Its input.
        input: Payload,
        /// Where its journal begins: no sequence is used twice.
        sequence: u64,
        /// The last signal of each name that the step was given.
        signals_taken: Vec<(String, u64)>,
        /// What the attempt before used.
        usage: Usage,
    },
    /// The step started a run.
    ChildStarted {
        /// The step.
        step: StepIndex,
        /// The run.
        child: RunId,
    },
    /// A run that the step started is over.
    ChildEnded {
        /// The step.
        step: StepIndex,
        /// The run.
        child: RunId,
        /// How its steps ended.
        rollup: Rollup,
    },
    /// The step waits, without a guest: for a time or for a signal.
    WaitStarted {
        /// The step.
        step: StepIndex,
        /// For what.
        wait: Wait,
    },
    /// A `while` knows the first values of its variables.
    WhileStarted {
        /// The step.
        step: StepIndex,
        /// Those values; after a retry, what they are now.
        variables: Payload,
    },
    /// The next iteration of a `while` is due to run, now.
    WhileContinued {
        /// The step.
        step: StepIndex,
        /// Which iteration.
        index: u32,
        /// The loop variables that it sees.
        variables: Payload,
    },
    /// The step wants another workflow to be run.
    SubworkflowStarted {
        /// The step.
        step: StepIndex,
        /// The run that there will be.
        child: RunId,
        /// The workflow's name.
        workflow: String,
        /// Which version of it.
        version: String,
    },
    /// An expression that the step needs has no value; without `retry_at` the
    /// step has failed.
    StepUnready {
        /// The step.
        step: StepIndex,
        /// Counted like an attempt.
        attempt: Attempt,
        /// Why.
        failure: Failure,
        /// When it is evaluated again.
        retry_at: Option<Timestamp>,
    },
    /// A step that was not ready is looked at again.
    StepReady {
        /// The step.
        step: StepIndex,
    },
    /// The attempt needs permits that others have.
    AttemptHeld {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
        /// The permit that is short.
        permit: String,
    },
    /// The attempt has its permits: it is due to run, now.
    AttemptReleased {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: Attempt,
    },
    /// A breakpoint holds the step, which would start otherwise.
    StepPaused {
        /// The step.
        step: StepIndex,
    },
    /// The step may go on past its breakpoint.
    StepResumed {
        /// The step.
        step: StepIndex,
        /// Who wanted it.
        by: String,
    },
    /// The step counts as complete without having been run to its end.
    StepSkipped {
        /// The step.
        step: StepIndex,
        /// Who wanted it.
        by: String,
    },
    /// Somebody stopped the step.
    StepCancelled {
        /// The step.
        step: StepIndex,
        /// Who.
        by: String,
    },
    /// Somebody ended the step as failed.
    StepKilled {
        /// The step.
        step: StepIndex,
        /// Who.
        by: String,
    },
    /// The signal that the step waits for counts as come.
    WaitBypassed {
        /// The step.
        step: StepIndex,
        /// Who wanted it.
        by: String,
    },
    /// Nothing new starts until it is resumed.
    RunPaused {
        /// Who wanted it.
        by: String,
    },
    /// It goes on.
    RunResumed {
        /// Who wanted it.
        by: String,
    },
    /// The run goes on with what is incomplete, or with some steps again.
    RunRetried {
        /// Who wanted it.
        by: String,
        /// Which retry of the run it is, from 1; unchanged for a single step of
        /// a run that is open.
        generation: u32,
        /// Its params from now on, if they are others.
        given: Option<Box<Given>>,
        /// The steps that wait for their turn again.
        steps: Vec<StepIndex>,
        /// Those of them that begin from scratch, and not where they were.
        fresh: Vec<StepIndex>,
        /// What goes on inside of one of them, if not all that is incomplete.
        inner: RetryTarget,
        /// Whether it waits for its turn among the runs of its workflow.
        queued: bool,
    },
    /// An iteration that had ended is due to go on, now.
    IterationRetried {
        /// The step.
        step: StepIndex,
        /// Which iteration.
        index: u32,
    },
    /// A failed run no longer keeps others from starting.
    RunUnblocked {
        /// Who wanted it.
        by: String,
    },
    /// The step's work is done, and it publishes signals before it has
    /// succeeded.
    StepPublishing {
        /// The step.
        step: StepIndex,
        /// The attempt that gave the result.
        attempt: Attempt,
        /// The result; that of a loop follows from its iterations.
        output: Option<Payload>,
        /// What it publishes.
        signals: Vec<SignalOutput>,
        /// What the attempt used.
        usage: Usage,
    },
    /// The step's signals are published: it has succeeded.
    StepPublished {
        /// The step.
        step: StepIndex,
        /// The attempt that gave the result.
        attempt: Attempt,
        /// The sequence that each of its signals has.
        sequences: Vec<u64>,
    },
}

/// Which condition kept a step from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsatisfied {
    /// No edge that leads to it holds.
    Needs,
    /// Its `when` is false.
    When,
}

/// How an iteration ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IterationResult {
    /// With this output.
    Succeeded(Payload),
    /// For this reason.
    Failed(Failure),
    /// It was cancelled.
    Cancelled,
}

/// Why a run is stopped before its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Somebody cancelled it.
    Cancelled {
        /// Who.
        by: String,
    },
    /// It took longer than its workflow's `timeout`.
    TimedOut,
    /// Somebody ended it as failed.
    Killed {
        /// Who.
        by: String,
    },
    /// A step failed whose failure ends the run at once.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The run strategy of its workflow prefers another run.
    Strategy {
        /// The other run.
        run: RunId,
    },
}

/// What becomes of a loop, or of a step with a subworkflow, that is ended before
/// its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It fails.
    Failed(Failure),
    /// It counts as complete.
    Skipped {
        /// Who wanted it.
        by: String,
    },
    /// It is cancelled.
    Cancelled {
        /// Who wanted it.
        by: String,
    },
}
