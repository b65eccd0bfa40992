//! What a command means for a run in this state. `decide` looks and does not
//! touch; `Run::handle` is the whole turn: decide, apply, settle.

mod journal;

use crate::apply::Corrupt;
use crate::command::{Command, Outcome, Rejection};
use crate::event::{Event, Stop};
use crate::failure::{Failure, FailureKind};
use crate::id::{Attempt, RunId, StepIndex, Timestamp};
use crate::retry::Jitter;
use crate::run::{Deadline, Run, StepState, Surroundings};
use crate::settle::settle;
use crate::usage::Usage;
use crate::wait::{TimerWait, Wake};
use crate::workflow::Workflow;
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
            _ => Err(Rejection::Over { status: status.as_str() }),
        };
    }
    match command {
        Command::FinishAttempt { step, attempt, outcome, usage } => {
            finish_attempt(run, (*step, *attempt), (outcome, *usage), now)
        }
        Command::EndIteration { step, index, result } => {
            let running = run.looping(*step).is_some_and(|all| all.in_flight.contains(index));
            if !running {
                return Err(Rejection::StaleIteration { step: *step, index: *index });
            }
            Ok(vec![Event::IterationEnded { step: *step, index: *index, result: result.clone() }])
        }
        Command::CheckDeadlines => Ok(check_deadlines(run, now)),
        Command::Cancel { by } => Ok(match run.stop() {
            Some(_) => Vec::new(),
            None => vec![Event::StopRequested { stop: Stop::Cancelled { by: by.clone() } }],
        }),
        Command::Suspend { .. }
        | Command::Wake { .. }
        | Command::PutAway { .. }
        | Command::Continue { .. }
        | Command::StartChild { .. }
        | Command::EndChild { .. } => journal::decide(run, command),
    }
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
        Outcome::Succeeded(output) => {
            Event::StepSucceeded { step, attempt, output: output.clone(), usage }
        }
        Outcome::Failed { failure, delay_ms } => {
            let at_least = now.plus_ms(delay_ms.unwrap_or(0).min(DELAY_MS_MAX));
            let retry_at = retry_at(run, (step, attempt), failure, now).map(|at| at.max(at_least));
            Event::AttemptFailed { step, attempt, failure: failure.clone(), retry_at, usage }
        }
    }])
}

fn retry_at(
    run: &Run,
    (step, attempt): (StepIndex, Attempt),
    failure: &Failure,
    now: Timestamp,
) -> Option<Timestamp> {
    let retry = run.body().steps[step as usize].retry.resolve(run).ok()?;
    let jitter = Jitter::of(run.id(), step, attempt);
    let wait = retry.wait_ms(failure.kind, run.steps()[step as usize].tally, jitter)?;
    Some(now.plus_ms(wait))
}

fn check_deadlines(run: &Run, now: Timestamp) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (at, deadline) in &run.deadlines {
        if *at > now {
            break;
        }
        match deadline {
            // Everything else is stopped by it.
            Deadline::Run => return vec![Event::StopRequested { stop: Stop::TimedOut }],
            // An attempt that timed out no longer waits.
            Deadline::Wait(step) if events.iter().any(|event| event.step() == Some(*step)) => {}
            Deadline::Wait(step) => events.extend(timer_came(run, *step)),
            Deadline::Step(step) => events.push(step_timed_out(run, *step, now)),
            Deadline::Backoff(step) => events.push(Event::AttemptStarted {
                step: *step,
                attempt: run.steps()[*step as usize].attempt + 1,
            }),
        }
    }
    events
}

fn timer_came(run: &Run, step: StepIndex) -> Option<Event> {
    let TimerWait { index, .. } = run.wait_of(step)?.timer?;
    let attempt = run.steps()[step as usize].attempt;
    Some(Event::AttemptResumed { step, attempt, wake: Wake::Timer { index } })
}

fn step_timed_out(run: &Run, step: StepIndex, now: Timestamp) -> Event {
    let timeout = run.timeout_of(step).unwrap_or_default();
    let message = format!(
        "took longer than its `timeout` of {}; give it more, or make the step faster",
        humantime::format_duration(std::time::Duration::from_millis(timeout))
    );
    let failure = Failure::new(FailureKind::Timeout, "timeout", message);
    match run.state_of(step) {
        Some(StepState::Looping) => Event::ForeachStopRequested { step, failure },
        _ => {
            let attempt = run.steps()[step as usize].attempt;
            let retry_at = retry_at(run, (step, attempt), &failure, now);
            Event::AttemptFailed { step, attempt, failure, retry_at, usage: Usage::default() }
        }
    }
}

impl Run {
    /// Creates a run and starts what can start. Returns the events to record.
    ///
    /// # Errors
    /// `event` is not `RunCreated`.
    pub fn begin(
        id: RunId,
        workflow: Arc<Workflow>,
        surroundings: Surroundings,
        created: Event,
        now: Timestamp,
    ) -> Result<(Self, Vec<Event>), Corrupt> {
        let mut run = Self::create(id, workflow, surroundings, (now, &created))?;
        let mut events = vec![created];
        run.settle_all(now, &mut events)?;
        Ok((run, events))
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
        if !events.is_empty() {
            self.settle_all(now, &mut events)?;
        }
        Ok((now, events))
    }

    fn settle_all(&mut self, now: Timestamp, events: &mut Vec<Event>) -> Result<(), Corrupt> {
        loop {
            let next = settle(self);
            if next.is_empty() {
                return Ok(());
            }
            for event in &next {
                self.apply(now, event)?;
            }
            events.extend(next);
        }
    }
}
