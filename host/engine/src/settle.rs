//! What follows from a run's state by itself: steps whose needs are complete
//! start or are pruned, loops go on, and a run in which nothing is left ends.
//! Each call looks at one step, so that its cost does not grow with the run.

mod looping;
mod start;
mod within;

pub use self::looping::ITERATIONS_MAX;
pub(crate) use self::within::Within;

use crate::event::{Event, Stop, Unsatisfied};
use crate::failure::{Failure, FailureKind};
use crate::id::{StepIndex, Timestamp};
use crate::retry::Jitter;
use crate::run::{Run, RunStatus};
use crate::workflow::Step;

/// The next events, none if the run waits for something from outside.
pub fn settle(run: &Run) -> Vec<Event> {
    match run.status() {
        RunStatus::Running if run.is_on_hold() && run.stop().is_none() => Vec::new(),
        RunStatus::Queued | RunStatus::Running | RunStatus::Paused if run.stop().is_some() => {
            go_on(run)
        }
        RunStatus::Running => match run.fails_at_once() {
            Some(failure) => {
                vec![Event::StopRequested { stop: Stop::Failed { failure: failure.clone() } }]
            }
            None => go_on(run),
        },
        RunStatus::Queued
        | RunStatus::Paused
        | RunStatus::Succeeded { .. }
        | RunStatus::Failed { .. }
        | RunStatus::Cancelled
        | RunStatus::TimedOut => Vec::new(),
    }
}

fn go_on(run: &Run) -> Vec<Event> {
    match run.agenda.first() {
        Some(step) => settle_step(run, *step),
        None if run.active == 0 && run.waits_for_no_child() => vec![end(run)],
        None => Vec::new(),
    }
}

fn settle_step(run: &Run, place: StepIndex) -> Vec<Event> {
    let step = &run.body().steps[place as usize];
    match run.looping(place) {
        Some(iterations) => looping::settle(run, place, step, iterations),
        None => start_step(run, place, step)
            .unwrap_or_else(|failure| vec![unready(run, place, step, failure)]),
    }
}

fn start_step(run: &Run, place: StepIndex, step: &Step) -> Result<Vec<Event>, Failure> {
    if !any_edge_holds(run, step)? {
        return Ok(vec![Event::StepUnsatisfied { step: place, unsatisfied: Unsatisfied::Needs }]);
    }
    if let Some(when) = &step.when
        && !when.holds(run).map_err(|message| bad_expression("when", &message))?
    {
        return Ok(vec![Event::StepUnsatisfied { step: place, unsatisfied: Unsatisfied::When }]);
    }
    if run.breakpoints.contains(&step.id) && !run.steps()[place as usize].is_past_breakpoint {
        return Ok(vec![Event::StepPaused { step: place }]);
    }
    start::start(run, place, step)
}

/// A step without needs may always run; any other if one of its edges holds.
/// An edge from a step that was not gone through does not.
fn any_edge_holds(run: &Run, step: &Step) -> Result<bool, Failure> {
    for need in &step.needs {
        if !run.state_of(need.step).is_some_and(|state| state.has_gone_through()) {
            continue;
        }
        let holds = match &need.condition {
            Some(condition) => condition.holds(run).map_err(|message| {
                bad_expression(
                    &format!("needs.{}", run.body().steps[need.step as usize].id),
                    &message,
                )
            })?,
            None => true,
        };
        if holds {
            return Ok(true);
        }
    }
    Ok(step.needs.is_empty())
}

/// An expression without a value counts like a failed attempt.
fn unready(run: &Run, place: StepIndex, step: &Step, failure: Failure) -> Event {
    let attempt = run.steps()[place as usize].attempt + 1;
    let retry_at = retry_at(run, (place, attempt), &failure, run.updated_at());
    // Loops have no retries of their own.
    let retry_at = retry_at.filter(|_| step.kind.inner().is_none());
    Event::StepUnready { step: place, attempt, failure, retry_at }
}

/// When the step is tried again after this failure.
pub(crate) fn retry_at(
    run: &Run,
    (step, attempt): (StepIndex, u32),
    failure: &Failure,
    now: Timestamp,
) -> Option<Timestamp> {
    let retry = run.body().steps[step as usize].retry.resolve(run).ok()?;
    let jitter = Jitter::of(run.id(), step, attempt);
    let wait = retry.wait_ms(failure.kind, run.steps()[step as usize].tally, jitter)?;
    Some(now.plus_ms(wait))
}

fn end(run: &Run) -> Event {
    match run.stop() {
        Some(Stop::Failed { failure }) => return Event::RunFailed { failure: failure.clone() },
        Some(Stop::Killed { by }) => return Event::RunFailed { failure: killed("the run", by) },
        Some(_) => return Event::RunStopped,
        None => {}
    }
    if let Some(failure) = &run.failure {
        return Event::RunFailed { failure: failure.clone() };
    }
    if run.has_cancelled_step() {
        return Event::RunStopped;
    }
    match run.body().output.as_ref().map(|output| output.render(run)) {
        None => Event::RunSucceeded { output: None },
        Some(Ok(output)) => Event::RunSucceeded { output: Some(output) },
        Some(Err(error)) => {
            Event::RunFailed { failure: bad_expression("output", &error.to_string()) }
        }
    }
}

/// The failure of what somebody killed.
pub(crate) fn killed(what: &str, by: &str) -> Failure {
    let message = format!("{what} was killed by {by}");
    Failure::new(FailureKind::Fatal, "killed", message)
}

fn bad_expression(place: &str, message: &str) -> Failure {
    Failure::new(FailureKind::User, "expression", format!("`{place}`: {message}"))
}
