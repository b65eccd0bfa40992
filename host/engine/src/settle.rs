//! What follows from a run's state by itself: steps whose needs are complete
//! start or are pruned, loops go on, and a run in which nothing is left ends.
//! Each call looks at one step, so that its cost does not grow with the run.

use crate::event::{Event, Unsatisfied};
use crate::failure::{Failure, FailureKind};
use crate::id::StepIndex;
use crate::payload::Payload;
use crate::run::{Iterations, Run, RunStatus, StepState};
use crate::workflow::{Foreach, Step, StepKind, StepParams};
use serde_json::{Map, Value};

/// The most iterations that one `foreach` may have.
pub const ITERATIONS_MAX: usize = 100_000;

/// The next events, none if the run waits for something from outside.
pub fn settle(run: &Run) -> Vec<Event> {
    match run.status() {
        RunStatus::Queued => vec![Event::RunStarted],
        RunStatus::Running => match run.agenda.first() {
            Some(step) => settle_step(run, *step),
            None if run.active == 0 && run.is_abandoned_or_childless() => vec![end(run)],
            None => Vec::new(),
        },
        RunStatus::Succeeded { .. }
        | RunStatus::Failed { .. }
        | RunStatus::Cancelled
        | RunStatus::TimedOut => Vec::new(),
    }
}

fn settle_step(run: &Run, place: StepIndex) -> Vec<Event> {
    let step = &run.body().steps[place as usize];
    match run.looping(place) {
        Some(iterations) => vec![settle_loop(run, place, step, iterations)],
        None => start_step(run, place, step)
            .unwrap_or_else(|failure| vec![Event::StepFailed { step: place, failure }]),
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
    match &step.kind {
        StepKind::Call(_) => start_call(run, place, step),
        StepKind::Foreach(foreach) => Ok(vec![start_foreach(run, place, foreach)?]),
        _ => Err(bad_expression("kind", "is not known yet")),
    }
}

/// A step without needs may always run; any other if one of its edges holds.
/// An edge from a step that did not succeed does not.
fn any_edge_holds(run: &Run, step: &Step) -> Result<bool, Failure> {
    for need in &step.needs {
        if !matches!(run.state_of(need.step), Some(StepState::Succeeded { .. })) {
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

fn start_call(run: &Run, step: StepIndex, node: &Step) -> Result<Vec<Event>, Failure> {
    let StepParams::Whole(params) = &node.params else { return Err(bad_expression("params", "?")) };
    let input = params.render(run).map_err(|error| bad_expression("params", &error.to_string()))?;
    if !input.text().trim_ascii_start().starts_with('{') {
        let given: String = input.text().chars().take(60).collect();
        return Err(bad_expression("params", &format!("gave {given}, expected an object")));
    }
    Ok(vec![Event::StepStarted { step, input }, Event::AttemptStarted { step, attempt: 1 }])
}

fn start_foreach(run: &Run, step: StepIndex, foreach: &Foreach) -> Result<Event, Failure> {
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
        return Err(Failure::new(FailureKind::User, "limit:iterations", message));
    }
    Ok(Event::ForeachStarted {
        step,
        items: Payload::from(Value::Object(items)),
        count: count as u32,
    })
}

fn settle_loop(run: &Run, place: StepIndex, step: &Step, iterations: &Iterations) -> Event {
    let concurrency = match &step.kind {
        StepKind::Foreach(foreach) => foreach.concurrency,
        _ => 0,
    };
    let stopping = run.stop().is_some();
    let startable = iterations.startable(concurrency, stopping);
    if startable > 0 {
        return Event::IterationsStarted { step: place, first: iterations.next, count: startable };
    }
    match &iterations.failure {
        _ if stopping => Event::ForeachStopped { step: place },
        Some(failure) => Event::StepFailed { step: place, failure: failure.clone() },
        None => Event::ForeachSucceeded { step: place },
    }
}

fn end(run: &Run) -> Event {
    if run.stop().is_some() {
        return Event::RunStopped;
    }
    if let Some(failure) = &run.failure {
        return Event::RunFailed { failure: failure.clone() };
    }
    match run.body().output.as_ref().map(|output| output.render(run)) {
        None => Event::RunSucceeded { output: None },
        Some(Ok(output)) => Event::RunSucceeded { output: Some(output) },
        Some(Err(error)) => {
            Event::RunFailed { failure: bad_expression("output", &error.to_string()) }
        }
    }
}

/// Trying again would give the same, so it costs no attempt.
fn bad_expression(place: &str, message: &str) -> Failure {
    Failure::new(FailureKind::User, "expression", format!("`{place}`: {message}"))
}
