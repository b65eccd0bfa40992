//! How a step begins, by its kind.

use super::bad_expression;
use super::looping::{start_foreach, start_while};
use super::within::Within;
use crate::event::Event;
use crate::failure::Failure;
use crate::id::{RunId, StepIndex};
use crate::payload::Payload;
use crate::publishing::signals;
use crate::run::{Run, StepRun};
use crate::setting::{SLEEP_MS_MAX, computed, millis_of};
use crate::signal::Pattern;
use crate::template::Template;
use crate::usage::Usage;
use crate::wait::{SignalWait, TimerWait, Wait};
use crate::workflow::{Gate, Step, StepKind, Subworkflow};
use serde_json::Value;

/// The events by which a step begins whose conditions hold.
///
/// # Errors
/// One of its expressions has no value, or none that fits.
pub(super) fn start(run: &Run, place: StepIndex, step: &Step) -> Result<Vec<Event>, Failure> {
    check_settings(run, step)?;
    let before = &run.steps()[place as usize];
    match &step.kind {
        StepKind::Foreach(foreach) => return Ok(vec![start_foreach(run, place, foreach)?]),
        StepKind::While(looped) => return start_while(run, place, looped),
        _ => {}
    }
    let input = input(run, place, step)?;
    let started = Event::StepStarted { step: place, input: input.clone() };
    let next = match &step.kind {
        StepKind::Call(_) => Event::AttemptStarted { step: place, attempt: before.attempt + 1 },
        StepKind::Sleep(time) => sleep(run, (place, before), time, &input)?,
        StepKind::Wait(gate) => gated(run, (place, before), gate, &input)?,
        StepKind::Subworkflow(other) => delegated(run, (place, before), other, &input)?,
        StepKind::Noop | StepKind::Foreach(_) | StepKind::While(_) => {
            given(run, (place, before), (&input, input.clone()))?
        }
    };
    Ok(vec![started, next])
}

/// Settings are evaluated whenever they are needed; a mistake in one is found
/// here, before the step begins.
fn check_settings(run: &Run, step: &Step) -> Result<(), Failure> {
    step.retry.resolve(run).map_err(|message| bad_expression("retry", &message))?;
    let times = [("timeout", &step.timeout), ("heartbeat_timeout", &step.heartbeat_timeout)];
    for (key, setting) in times {
        if let Some(setting) = setting {
            setting.millis(run).map_err(|message| bad_expression(key, &message))?;
        }
    }
    Ok(())
}

/// What the step is given.
fn input(run: &Run, place: StepIndex, step: &Step) -> Result<Payload, Failure> {
    let overrides = run.step_params_of(&run.body().steps[place as usize].id);
    step.params.render(run, overrides).map_err(|message| bad_expression("params", &message))
}

/// A step that has nothing to wait for gives this at once.
fn given(
    run: &Run,
    (step, before): (StepIndex, &StepRun),
    (own, output): (&Payload, Payload),
) -> Result<Event, Failure> {
    let (attempt, usage) = (before.attempt, Usage::default());
    let signals = signals(run, step, (own, &output))?;
    Ok(match signals.is_empty() {
        true => Event::StepSucceeded { step, attempt, output, usage },
        false => Event::StepPublishing { step, attempt, output: Some(output), signals, usage },
    })
}

fn sleep(
    run: &Run,
    (step, before): (StepIndex, &StepRun),
    time: &Template,
    input: &Payload,
) -> Result<Event, Failure> {
    let scope = Within::step(run, input);
    let read = |value: &Value| millis_of(value, 0..=SLEEP_MS_MAX);
    let millis = computed(time, &scope, &read).map_err(|why| bad_expression("sleep", &why))?;
    let until = run.updated_at().plus_ms(millis);
    let timer = Some(TimerWait { index: 0, until });
    let wait = Wait { sequence: u64::from(before.attempt) + 1, timer, ..Wait::default() };
    Ok(Event::WaitStarted { step, wait })
}

fn gated(
    run: &Run,
    (step, before): (StepIndex, &StepRun),
    gate: &Gate,
    input: &Payload,
) -> Result<Event, Failure> {
    let scope = Within::step(run, input);
    let broken = |place: &str, why: &str| bad_expression(&format!("wait.{place}"), why);
    let name = gate.signal.render(&scope).map_err(|error| broken("signal", &error.to_string()))?;
    let Value::String(name) = name.value() else {
        return Err(broken("signal", &format!("gave {}, expected text", name.text())));
    };
    let pattern =
        gate.pattern.render(&scope).map_err(|error| broken("match", &error.to_string()))?;
    let pattern =
        Pattern::parse(pattern.text()).map_err(|error| broken("match", &error.to_string()))?;
    // The signal that released it may not be kept any more.
    let matched = before.matched.as_ref();
    if let Some(known) = matched.filter(|known| known.name == *name && known.pattern == pattern) {
        return given(run, (step, before), (input, known.output.clone()));
    }
    let signal = SignalWait { index: 0, name: name.clone(), pattern, after: 0 };
    let sequence = u64::from(before.attempt) + 1;
    let wait = Wait { sequence, signals: vec![signal], ..Wait::default() };
    Ok(Event::WaitStarted { step, wait })
}

fn delegated(
    run: &Run,
    (step, before): (StepIndex, &StepRun),
    other: &Subworkflow,
    input: &Payload,
) -> Result<Event, Failure> {
    let scope = Within::step(run, input);
    let text = |place: &str, template: &Template| {
        let value =
            template.render(&scope).map_err(|error| bad_expression(place, &error.to_string()))?;
        match value.value() {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(bad_expression(place, &format!("gave {}, expected text", value.text()))),
        }
    };
    let workflow = text("workflow", &other.workflow)?;
    let version = text("version", &other.version)?;
    // A retry goes on with the run that it had, unless it is to be another or
    // that one is still being cancelled.
    let wanted = (workflow, version);
    let is_same = before.keeps_journal
        && before.input.as_ref() == Some(input)
        && before.child_of.as_deref() == Some(&wanted);
    let known = before.child.filter(|child| is_same && !run.children().contains_key(child));
    let attempt = u64::from(before.attempt) + 1;
    let child = known.unwrap_or_else(|| RunId::started_by(run.id(), step, attempt, b"workflow"));
    let (workflow, version) = wanted;
    Ok(Event::SubworkflowStarted { step, child, workflow, version })
}
