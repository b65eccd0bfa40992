//! Going on with a run that is over, or with a step of one that is open: the
//! same run, which keeps what is complete.

use super::action::{not_allowed, step_not_allowed};
use crate::command::{Rejection, Retry, RetryTarget};
use crate::event::Event;
use crate::id::StepIndex;
use crate::run::{Run, RunStatus, StepState};
use crate::workflow::StepKind;
use std::collections::BTreeSet;

/// The events by which the run goes on.
pub(super) fn decide(run: &Run, retry: &Retry) -> Result<Vec<Event>, Rejection> {
    if let Some(step) = retry.target.step()
        && run.state_of(step).is_none()
    {
        return Err(Rejection::NoSuchStep { step });
    }
    if run.status().is_open() { in_open(run, retry) } else { in_ended(run, retry) }
}

/// A step of a run that is open: only one that is over, without being complete.
fn in_open(run: &Run, retry: &Retry) -> Result<Vec<Event>, Rejection> {
    if run.stop().is_some() || *run.status() == RunStatus::Queued {
        return Err(not_allowed(run, "retry"));
    }
    let failed: Vec<_> = incomplete(run).filter(|step| is_over(run, *step)).collect();
    match &retry.target {
        RetryTarget::Incomplete if failed.is_empty() => Err(not_allowed(run, "retry")),
        RetryTarget::Incomplete => Ok(vec![retried(run, retry, (failed, Vec::new()))]),
        RetryTarget::From(step) | RetryTarget::Child(step, _) if failed.contains(step) => {
            Ok(vec![retried(run, retry, (vec![*step], Vec::new()))])
        }
        RetryTarget::Iteration(step, index, _) if can_go_on(run, *step, *index) => {
            Ok(vec![retried(run, retry, (Vec::new(), Vec::new()))])
        }
        RetryTarget::Iteration(step, index, _) => Err(iteration_not_allowed(run, *step, *index)),
        RetryTarget::From(step) | RetryTarget::Child(step, _) | RetryTarget::Skip(step) => {
            Err(step_not_allowed(run, *step, "retry"))
        }
        RetryTarget::Beginning => Err(not_allowed(run, "retry")),
    }
}

fn in_ended(run: &Run, retry: &Retry) -> Result<Vec<Event>, Rejection> {
    let open: Vec<_> = incomplete(run).collect();
    match retry.target.clone() {
        // Without an open step, only the output of the run failed.
        RetryTarget::Incomplete if matches!(run.status(), RunStatus::Succeeded { .. }) => {
            Err(not_allowed(run, "retry"))
        }
        RetryTarget::Incomplete => Ok(vec![retried(run, retry, (open, Vec::new()))]),
        RetryTarget::Child(step, _) if run.state_of(step).is_some_and(StepState::is_complete) => {
            Err(step_not_allowed(run, step, "retry"))
        }
        RetryTarget::From(step) | RetryTarget::Child(step, _) => {
            let mut fresh = run.body().dependents(step);
            // What failed goes on where it was.
            if !run.state_of(step).is_some_and(StepState::is_complete) {
                fresh.remove(&step);
            }
            let fresh: Vec<_> = fresh.into_iter().collect();
            let mut steps = with_cancelled(run, &fresh);
            steps.insert(step);
            Ok(vec![retried(run, retry, (steps.into_iter().collect(), fresh))])
        }
        RetryTarget::Iteration(step, index, _) => {
            if !can_go_on(run, step, index) {
                return Err(iteration_not_allowed(run, step, index));
            }
            let fresh: Vec<_> = run
                .body()
                .dependents(step)
                .into_iter()
                .filter(|dependent| *dependent != step)
                .collect();
            let steps = with_cancelled(run, &fresh).into_iter().filter(|it| *it != step);
            Ok(vec![retried(run, retry, (steps.collect(), fresh))])
        }
        RetryTarget::Beginning => {
            let all: Vec<_> = (0..run.steps().len() as StepIndex).collect();
            Ok(vec![retried(run, retry, (all.clone(), all))])
        }
        RetryTarget::Skip(step) => {
            if !open.contains(&step) {
                return Err(step_not_allowed(run, step, "skip"));
            }
            let skipped = Event::StepSkipped { step, by: retry.by.clone() };
            Ok(vec![retried(run, retry, (open, Vec::new())), skipped])
        }
    }
}

/// These steps, and those that were stopped with the run.
fn with_cancelled(run: &Run, steps: &[StepIndex]) -> BTreeSet<StepIndex> {
    let is_cancelled = |step: &StepIndex| run.state_of(*step) == Some(&StepState::Cancelled);
    incomplete(run).filter(is_cancelled).chain(steps.iter().copied()).collect()
}

fn retried(run: &Run, retry: &Retry, (steps, fresh): (Vec<StepIndex>, Vec<StepIndex>)) -> Event {
    let is_over = !run.status().is_open();
    Event::RunRetried {
        by: retry.by.clone(),
        generation: match retry.generation {
            Some(generation) if is_over => generation,
            _ => run.generation() + u32::from(is_over),
        },
        given: retry.given.clone().map(Box::new),
        steps,
        fresh,
        inner: match &retry.target {
            RetryTarget::Iteration(step, index, inner) => {
                RetryTarget::Iteration(*step, *index, Box::new(within(run, (*step, *index), inner)))
            }
            RetryTarget::Child(..) => retry.target.clone(),
            _ => RetryTarget::Incomplete,
        },
        queued: retry.queued && is_over,
    }
}

/// What is run again of an iteration: if nothing of it is incomplete, all.
fn within(run: &Run, (step, index): (StepIndex, u32), wanted: &RetryTarget) -> RetryTarget {
    let all = run.steps()[step as usize].iterations.as_deref();
    let has_succeeded = all.is_some_and(|all| all.status_of(index) == "succeeded");
    match wanted {
        RetryTarget::Incomplete if has_succeeded => RetryTarget::Beginning,
        wanted => wanted.clone(),
    }
}

fn incomplete(run: &Run) -> impl Iterator<Item = StepIndex> {
    let steps = 0..run.steps().len() as StepIndex;
    steps.filter(|step| !run.steps()[*step as usize].state.is_complete())
}

fn is_over(run: &Run, step: StepIndex) -> bool {
    run.state_of(step).is_some_and(StepState::is_over)
}

/// Whether an iteration is over and may run again. What a `while` does depends on
/// what its iterations gave: one that succeeded stays.
fn can_go_on(run: &Run, step: StepIndex, index: u32) -> bool {
    let state = run.state_of(step);
    let is_complete = state.is_some_and(StepState::is_complete);
    let is_settled = match run.looping(step) {
        Some(iterations) => iterations.ending.is_none(),
        // What depends on a complete loop goes on already, while the run does.
        None => is_over(run, step) && !(is_complete && run.status().is_open()),
    };
    let is_foreach = matches!(run.body().steps[step as usize].kind, StepKind::Foreach(_));
    let iterations = run.steps()[step as usize].iterations.as_deref();
    is_settled
        && iterations.is_some_and(|all| match all.status_of(index) {
            "failed" => true,
            "succeeded" => is_foreach,
            _ => false,
        })
}

/// Why an iteration is not retried.
fn iteration_not_allowed(run: &Run, step: StepIndex, index: u32) -> Rejection {
    let Some(all) = run.steps()[step as usize].iterations.as_deref() else {
        return step_not_allowed(run, step, "retry");
    };
    let status = all.status_of(index);
    let allowed = run.allowed_step_actions(step).into_iter();
    let allowed = allowed.map(|action| match action {
        "retry" => "retry of the whole step",
        other => other,
    });
    Rejection::NotAllowed {
        what: format!("iteration {index} of step `{}`", run.body().steps[step as usize].id),
        status,
        action: "retry",
        allowed: allowed.collect(),
    }
}
