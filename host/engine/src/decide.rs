//! What a command means for a run in this state. `decide` looks and does not
//! touch; `Run::handle` is the whole turn: decide, apply, settle.

mod action;
mod journal;
mod retry;

pub(crate) use self::action::{not_allowed, step_not_allowed};

use crate::apply::Corrupt;
use crate::command::{Command, Outcome, Rejection, RunEnd};
use crate::event::{Ending, Event, Stop};
use crate::failure::{Failure, FailureKind};
use crate::id::{Attempt, RunId, StepIndex, Timestamp};
use crate::params::check_output;
use crate::payload::Payload;
use crate::publishing::succeeded;
use crate::run::{Deadline, Run, StepRun, StepState, Surroundings};
use crate::settle::{retry_at, settle};
use crate::usage::Usage;
use crate::wait::{TimerWait, Wake};
use crate::workflow::{StepKind, Workflow};
use std::sync::Arc;

/// The longest delay that a step may ask for: a guest must not be able to park
/// its run for ever.
const DELAY_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Why a turn did not happen.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The command does not fit: nothing has changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The engine contradicts itself: a bug, or a history from elsewhere.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// The events that follow from `command`, none if it changes nothing.
///
/// # Errors
/// The command does not fit the state of the run.
pub fn decide(run: &Run, command: &Command, now: Timestamp) -> Result<Vec<Event>, Rejection> {
    let status = run.status();
    if !status.is_open() {
        return match command {
            Command::CheckDeadlines => Ok(Vec::new()),
            Command::Retry(_) | Command::Unblock { .. } => action::decide(run, command),
            _ => Err(Rejection::Over { status: status.as_str() }),
        };
    }
    match command {
        Command::FinishAttempt { step, attempt, outcome, usage } => {
            finish_attempt(run, (*step, *attempt), (outcome, *usage), now)
        }
        Command::EndIteration { step, index, end } => end_iteration(run, (*step, *index), end),
        Command::CheckDeadlines => Ok(check_deadlines(run, now)),
        Command::Suspend { .. }
        | Command::Wake { .. }
        | Command::PutAway { .. }
        | Command::Continue { .. }
        | Command::StartChild { .. }
        | Command::EndChild { .. }
        | Command::EndWait { .. }
        | Command::EndPublishing { .. }
        | Command::Hold { .. }
        | Command::Release { .. } => journal::decide(run, command, now),
        Command::Cancel { .. }
        | Command::Admit
        | Command::Replace { .. }
        | Command::Kill { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Step { .. }
        | Command::Retry(_)
        | Command::Unblock { .. } => action::decide(run, command),
    }
}

/// The end of an iteration. What is told of a retry before the last, or of one
/// over other items, comes too late.
fn end_iteration(
    run: &Run,
    (step, index): (StepIndex, u32),
    end: &RunEnd,
) -> Result<Vec<Event>, Rejection> {
    let is_it = run.iteration_id(step, index) == end.run;
    let is_awaited = run.looping(step).is_some_and(|all| all.expects(index, end.generation));
    if !(is_it && is_awaited) {
        return Err(Rejection::StaleIteration { step, index });
    }
    let (result, rollup) = (end.result.clone(), end.rollup);
    Ok(vec![Event::IterationEnded { step, index, result, rollup }])
}

fn finish_attempt(
    run: &Run,
    (step, attempt): (StepIndex, Attempt),
    (outcome, usage): (&Outcome, Usage),
    now: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    if !run.is_running(step, attempt) {
        return Err(Rejection::Stale { step, attempt });
    }
    Ok(vec![match outcome {
        Outcome::Succeeded(output) => match wrong_output(run, step, output) {
            None => succeeded(run, (step, attempt), (output.clone(), usage), now),
            Some(failure) => {
                let retry_at = retry_at(run, (step, attempt), &failure, now);
                Event::AttemptFailed { step, attempt, failure, retry_at, usage }
            }
        },
        Outcome::Failed { failure, delay_ms } => {
            let at_least = now.plus_ms(delay_ms.unwrap_or(0).min(DELAY_MS_MAX));
            let retry_at = retry_at(run, (step, attempt), failure, now).map(|at| at.max(at_least));
            Event::AttemptFailed { step, attempt, failure: failure.clone(), retry_at, usage }
        }
    }])
}

/// Why an output is not what the step declares.
fn wrong_output(run: &Run, step: StepIndex, output: &Payload) -> Option<Failure> {
    let outputs = run.body().steps[step as usize].outputs.as_ref()?;
    let message = check_output(outputs, output).err()?;
    Some(Failure::new(FailureKind::User, "output", message))
}

fn check_deadlines(run: &Run, now: Timestamp) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let on_hold = run.is_on_hold();
    for (at, deadline) in &run.deadlines {
        if *at > now {
            break;
        }
        if on_hold && deadline.starts_something() {
            continue;
        }
        match deadline {
            // Everything else is stopped by it.
            Deadline::Run => return vec![Event::StopRequested { stop: Stop::TimedOut }],
            // An attempt that timed out no longer waits, and one that slept
            // long enough is not late.
            Deadline::Wait(step) if is_about(&events, *step) => {}
            Deadline::Step(step) if has_ended(&events, *step) => {}
            Deadline::Wait(step) => events.extend(timer_came(run, *step, now)),
            Deadline::Step(step) => events.push(step_timed_out(run, *step, now)),
            Deadline::Backoff(step) => events.push(try_again(run, *step)),
        }
    }
    events
}

fn is_about(events: &[Event], step: StepIndex) -> bool {
    events.iter().any(|event| event.step() == Some(step))
}

fn has_ended(events: &[Event], step: StepIndex) -> bool {
    let ends = |event: &Event| matches!(event, Event::StepSucceeded { step: its, .. } | Event::StepPublishing { step: its, .. } if *its == step);
    events.iter().any(ends)
}

/// The end of a back-off. A step that has no input yet, or that has no guest,
/// begins again.
fn try_again(run: &Run, step: StepIndex) -> Event {
    let before = &run.steps()[step as usize];
    match &run.body().steps[step as usize].kind {
        StepKind::Call(_) if before.input.is_some() && !before.keeps_journal => {
            Event::AttemptStarted { step, attempt: before.attempt + 1 }
        }
        _ => Event::StepReady { step },
    }
}

fn timer_came(run: &Run, step: StepIndex, now: Timestamp) -> Option<Event> {
    let TimerWait { index, .. } = run.wait_of(step)?.timer?;
    let StepRun { attempt, input, state, .. } = &run.steps()[step as usize];
    let attempt = *attempt;
    Some(match state {
        StepState::Waiting { .. } => {
            let output = input.clone().unwrap_or_else(Payload::null);
            succeeded(run, (step, attempt), (output, Usage::default()), now)
        }
        _ => Event::AttemptResumed { step, attempt, wake: Wake::Timer { index } },
    })
}

fn step_timed_out(run: &Run, step: StepIndex, now: Timestamp) -> Event {
    let timeout = run.timeout_of(step).unwrap_or_default();
    let message = format!(
        "took longer than its `timeout` of {}; give it more, or make the step faster",
        humantime::format_duration(std::time::Duration::from_millis(timeout))
    );
    let failure = Failure::new(FailureKind::Timeout, "timeout", message);
    match run.state_of(step) {
        Some(StepState::Looping) => {
            Event::LoopStopRequested { step, ending: Ending::Failed(failure) }
        }
        _ => {
            let attempt = run.steps()[step as usize].attempt;
            let retry_at = retry_at(run, (step, attempt), &failure, now);
            Event::AttemptFailed { step, attempt, failure, retry_at, usage: Usage::default() }
        }
    }
}

impl Run {
    /// Creates a run that has not begun: it waits for `Run::admit`, or for
    /// `Command::Admit` later.
    ///
    /// # Errors
    /// `event` is not `RunCreated`.
    pub fn create(
        id: RunId,
        workflow: Arc<Workflow>,
        surroundings: Surroundings,
        (created, now): (Event, Timestamp),
    ) -> Result<(Self, Vec<Event>), Corrupt> {
        let run = Self::created(id, workflow, surroundings, (now, &created))?;
        Ok((run, vec![created]))
    }

    /// Creates a run and starts what can start. Returns the events to record.
    ///
    /// # Errors
    /// `event` is not `RunCreated`.
    pub fn begin(
        id: RunId,
        workflow: Arc<Workflow>,
        surroundings: Surroundings,
        (created, now): (Event, Timestamp),
    ) -> Result<(Self, Vec<Event>), Corrupt> {
        let (mut run, mut events) = Self::create(id, workflow, surroundings, (created, now))?;
        events.extend(run.admit(now)?);
        Ok((run, events))
    }

    /// Starts what can start in a run that was just created. Returns the events
    /// to record.
    ///
    /// # Errors
    /// The run has begun already.
    pub fn admit(&mut self, now: Timestamp) -> Result<Vec<Event>, Corrupt> {
        let mut events = vec![Event::RunStarted];
        self.apply(now, &Event::RunStarted)?;
        self.settle_all(now, &mut events)?;
        Ok(events)
    }

    /// One turn: decides what `command` means, applies it, and goes on until
    /// nothing follows by itself any more. Returns the events to record, all of
    /// them at the returned moment: a clock that went back does not turn history
    /// round.
    ///
    /// # Errors
    /// The command is rejected, and the run is as it was.
    pub fn handle(
        &mut self,
        command: &Command,
        now: Timestamp,
    ) -> Result<(Timestamp, Vec<Event>), Refusal> {
        let now = now.max(self.updated_at());
        let mut events = decide(self, command, now)?;
        for event in &events {
            self.apply(now, event)?;
        }
        // Looking at the time also takes in what is not part of its history: that
        // it is no longer held, or a breakpoint is gone.
        if !events.is_empty() || *command == Command::CheckDeadlines {
            self.settle_all(now, &mut events)?;
        }
        Ok((now, events))
    }

    fn settle_all(&mut self, now: Timestamp, events: &mut Vec<Event>) -> Result<(), Corrupt> {
        loop {
            let mut next = settle(self);
            if next.is_empty() {
                return Ok(());
            }
            if self.updated_at < now {
                // What follows begins now, and not when something last happened.
                self.updated_at = now;
                next = settle(self);
            }
            for event in &next {
                self.apply(now, event)?;
            }
            events.extend(next);
        }
    }
}
