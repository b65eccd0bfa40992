//! How loops begin and go on.

use super::bad_expression;
use super::within::Within;
use crate::event::{Ending, Event};
use crate::failure::{Failure, FailureKind};
use crate::id::StepIndex;
use crate::payload::Payload;
use crate::publishing::loop_succeeded;
use crate::run::{Iterations, Run};
use crate::scope::Scope;
use crate::workflow::{FailureMode, Foreach, Step, StepKind, While};
use serde_json::{Map, Value};

/// The most iterations that one loop may have.
pub const ITERATIONS_MAX: usize = 100_000;

/// The event by which a `foreach` begins.
///
/// # Errors
/// Its lists have no value, or are no lists.
pub(super) fn start_foreach(
    run: &Run,
    step: StepIndex,
    foreach: &Foreach,
) -> Result<Event, Failure> {
    let mut items = Map::new();
    let mut count: usize = 1;
    for (name, list) in &foreach.variables {
        let place = format!("foreach.{name}");
        let list = list.render(run).map_err(|error| bad_expression(&place, &error.to_string()))?;
        let Value::Array(elements) = list.value() else {
            let given: String = list.text().chars().take(60).collect();
            return Err(bad_expression(&place, &format!("gave {given}, expected a list")));
        };
        count = count.saturating_mul(elements.len());
        items.insert(name.clone(), Value::Array(elements.clone()));
    }
    if count > ITERATIONS_MAX {
        let message = format!(
            "has {count} iterations, more than the {ITERATIONS_MAX} allowed; split the list"
        );
        return Err(Failure::new(FailureKind::Fatal, "limit:iterations", message));
    }
    Ok(Event::ForeachStarted {
        step,
        items: Payload::from(Value::Object(items)),
        count: count as u32,
    })
}

/// The events by which a `while` begins, or goes on after a retry.
///
/// # Errors
/// A first value or the condition has no value.
pub(super) fn start_while(
    run: &Run,
    step: StepIndex,
    looped: &While,
) -> Result<Vec<Event>, Failure> {
    let started = |variables| Event::WhileStarted { step, variables };
    let before = &run.steps()[step as usize];
    let known = before.iterations.as_ref().filter(|_| before.keeps_journal);
    if let Some(variables) = known.and_then(|iterations| iterations.variables.clone()) {
        return Ok(vec![started(variables)]);
    }
    let mut variables = Map::new();
    for (name, value) in &looped.variables {
        let place = format!("while.{name}");
        let value =
            value.render(run).map_err(|error| bad_expression(&place, &error.to_string()))?;
        variables.insert(name.clone(), value.value().clone());
    }
    let variables = Payload::from(Value::Object(variables));
    Ok(match holds(run, looped, &variables)? {
        true => {
            let first = Event::WhileContinued { step, index: 0, variables: variables.clone() };
            vec![started(variables), first]
        }
        // It ends at its next turn, which is now.
        false => vec![started(variables)],
    })
}

fn holds(run: &Run, looped: &While, variables: &Payload) -> Result<bool, Failure> {
    let mut all = match run.loop_variables().value() {
        Value::Object(around) => around.clone(),
        _ => Map::new(),
    };
    if let Value::Object(own) = variables.value() {
        all.extend(own.clone());
    }
    let scope = Within::turn(run, Payload::from(Value::Object(all)));
    looped.condition.holds(&scope).map_err(|message| bad_expression("while.condition", &message))
}

/// What follows for a loop that has begun.
pub(super) fn settle(
    run: &Run,
    place: StepIndex,
    step: &Step,
    iterations: &Iterations,
) -> Vec<Event> {
    if iterations.ending.is_none()
        && run.stop().is_none()
        && step.failure_mode == FailureMode::FailImmediately
        && let Some(failure) = &iterations.failure
    {
        let ending = Ending::Failed(failure.clone());
        return vec![Event::LoopStopRequested { step: place, ending }];
    }
    let stopping = run.stop().is_some();
    let startable = iterations.startable(step, stopping);
    if startable > 0 {
        if let Some(index) = iterations.again.first() {
            return vec![Event::IterationRetried { step: place, index: *index }];
        }
        if let StepKind::Foreach(_) = step.kind {
            let first = iterations.next;
            return vec![Event::IterationsStarted { step: place, first, count: startable }];
        }
    }
    match (&iterations.ending, &iterations.failure) {
        _ if stopping => vec![Event::LoopStopped { step: place }],
        (Some(Ending::Failed(failure)), _) => {
            vec![Event::StepFailed { step: place, failure: failure.clone() }]
        }
        (Some(_), _) => vec![Event::LoopStopped { step: place }],
        (None, Some(failure)) => vec![Event::StepFailed { step: place, failure: failure.clone() }],
        (None, None) if !iterations.failed.is_empty() => vec![incomplete(place, step, iterations)],
        (None, None) => match &step.kind {
            StepKind::While(looped) => turn(run, place, looped, iterations),
            _ => vec![loop_succeeded(run, place)],
        },
    }
}

/// Nothing failed since the loop began or went on, but not all is complete. A
/// loop of which somebody cancelled a part is cancelled, like a step.
fn incomplete(place: StepIndex, step: &Step, iterations: &Iterations) -> Event {
    let before = iterations.failed.difference(&iterations.cancelled).next();
    let failed = |reason: &str, message| Event::StepFailed {
        step: place,
        failure: Failure::new(FailureKind::Fatal, reason, message),
    };
    match (before, iterations.cancelled.first()) {
        (Some(index), _) => {
            failed("iteration", format!("iteration {index} had failed and was not retried"))
        }
        (None, Some(index)) if step.failure_mode == FailureMode::IgnoreFailure => {
            failed("cancelled", format!("iteration {index} was cancelled"))
        }
        (None, _) => Event::LoopStopped { step: place },
    }
}

/// An iteration of a `while` is over: another, or the end.
fn turn(run: &Run, step: StepIndex, looped: &While, iterations: &Iterations) -> Vec<Event> {
    let failed = |failure| vec![Event::StepFailed { step, failure }];
    let variables = iterations.next_variables();
    match holds(run, looped, &variables) {
        Err(failure) => failed(failure),
        Ok(false) => vec![loop_succeeded(run, step)],
        Ok(true) if iterations.next >= looped.max_iterations => {
            let message = format!(
                "the condition still holds after {} iterations, which is the most allowed; correct \
                 it, or raise `max_iterations`",
                looped.max_iterations
            );
            failed(Failure::new(FailureKind::Fatal, "limit:iterations", message))
        }
        Ok(true) => vec![Event::WhileContinued { step, index: iterations.next, variables }],
    }
}

impl Iterations {
    /// The loop variables after an iteration: the fields of its output, where it
    /// has those, and else what they were.
    pub(crate) fn next_variables(&self) -> Payload {
        let mut next = match self.variables.as_ref().map(Payload::value) {
            Some(Value::Object(variables)) => variables.clone(),
            _ => Map::new(),
        };
        if let Some(Value::Object(output)) = self.last_output().map(Payload::value) {
            for (name, value) in &mut next {
                if let Some(given) = output.get(name) {
                    value.clone_from(given);
                }
            }
        }
        Payload::from(Value::Object(next))
    }

    fn last_output(&self) -> Option<&Payload> {
        self.outputs.last()?.as_ref()
    }
}
