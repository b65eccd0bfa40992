//! From a step of a run to what the API shows of it, and why it is as it is.

use super::around::Around;
use super::view::{PermitView, ProgressView, StepParamView, StepView};
use crate::clock::rfc3339;
use crate::driver::Snapshot;
use crate::sandbox::{Phase, Watch};
use segno_engine::event::Unsatisfied;
use segno_engine::id::{StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, StepRun, StepState};
use segno_engine::usage::Usage;
use segno_engine::wait::Wait;
use segno_engine::workflow::{Step, StepKind, StepParams};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One step with its payloads.
pub(super) fn step_view_with_payloads(
    snapshot: &Snapshot,
    (place, around): (usize, &Around),
    now: Timestamp,
) -> StepView {
    let step = &snapshot.run.steps()[place];
    let output = match &step.state {
        StepState::Succeeded { output } => Some(output.clone()),
        StepState::CompletedWithError { output, .. } => output.clone(),
        _ => None,
    };
    let params = params_of(&snapshot.run, place);
    StepView {
        params,
        input: step.input.clone(),
        output,
        ..step_view(snapshot, (place, around), now)
    }
}

/// One step.
pub(super) fn step_view(
    snapshot: &Snapshot,
    (place, around): (usize, &Around),
    now: Timestamp,
) -> StepView {
    let run = &snapshot.run;
    let definition = &run.body().steps[place];
    let step = &run.steps()[place];
    let watch = snapshot.attempts.get(&(place as StepIndex));
    let (status, reason) = status_and_reason(run, place, step, watch);
    let is_over = step.state.is_over();
    let until = if is_over { step.since } else { now };
    let (kind, component) = kind_of(definition);
    let failure = match &step.state {
        StepState::Failed { failure } | StepState::CompletedWithError { failure, .. } => {
            Some(failure)
        }
        StepState::Succeeded { .. } => None,
        _ => step.last_failure.as_ref(),
    };
    StepView {
        step: definition.id.clone(),
        kind: kind.to_owned(),
        component,
        status: status.to_owned(),
        reason,
        since: rfc3339(step.since),
        until: until_of(step).map(rfc3339),
        attempt: step.attempt,
        started_at: step.started_at.map(rfc3339),
        duration_ms: step.started_at.map(|from| until.since(from)),
        continued: step.continued,
        children: children_of(run, place as StepIndex),
        heartbeat_at: watch.and_then(Watch::heartbeat_ms).map(|at| rfc3339(Timestamp(at))),
        progress: watch.and_then(Watch::progress).map(|progress| ProgressView {
            done: progress.done,
            total: progress.total,
            message: progress.message.into(),
        }),
        iterations: step.iterations.as_deref().map(Into::into),
        child: around.children.get(&(place as StepIndex)).cloned(),
        tags: definition.tags.clone(),
        permit: permit_of(step, around),
        allowed: run.allowed_step_actions(place as StepIndex),
        failure: failure.map(Into::into),
        usage: (step.usage != Usage::default()).then(|| step.usage.into()),
        params: Vec::new(),
        input: None,
        output: None,
    }
}

/// The params of a step. An iteration does not know which were given.
fn params_of(run: &Run, place: usize) -> Vec<StepParamView> {
    let Some(given) = run.given() else { return Vec::new() };
    let definition = &run.body().steps[place];
    let given = given.step_params.value().get(&definition.id);
    let input = run.steps()[place].input.as_ref().map(Payload::value);
    let view = |name: &str, kind: Option<String>| {
        let given = given.and_then(|given| given.get(name));
        StepParamView {
            name: name.to_owned(),
            kind,
            value: input.and_then(|input| input.get(name)).or(given).cloned(),
            source: if given.is_some() { "start" } else { "definition" },
        }
    };
    match &definition.params {
        StepParams::Each(params) => params
            .iter()
            .map(|param| view(&param.name, param.kind.as_ref().map(ToString::to_string)))
            .collect(),
        StepParams::Whole(_) => {
            let known = input.into_iter().chain(given).filter_map(Value::as_object);
            let names: BTreeSet<_> = known.flat_map(Map::keys).collect();
            names.into_iter().map(|name| view(name, None)).collect()
        }
    }
}

/// The open runs that a step started.
fn children_of(run: &Run, step: StepIndex) -> Vec<String> {
    let children = run.children().iter().filter(|(_, its)| **its == step);
    children.map(|(child, _)| child.to_string()).collect()
}

/// When a step goes on at the latest.
fn until_of(step: &StepRun) -> Option<Timestamp> {
    match &step.state {
        StepState::Suspended { wait } | StepState::Waiting { wait } => {
            wait.timer.map(|timer| timer.until)
        }
        StepState::BackingOff { until } => Some(*until),
        _ => None,
    }
}

/// What a suspended step waits for: `signal:payment`, `timer:2026-01-31T…`.
pub(super) fn reason(wait: &Wait) -> String {
    match wait.timer {
        Some(timer) if wait.is_only_timer() => format!("timer:{}", rfc3339(timer.until)),
        _ => wait.reason(),
    }
}

fn kind_of(definition: &Step) -> (&'static str, Option<String>) {
    match &definition.kind {
        StepKind::Call(call) => {
            let pin = &call.component;
            (definition.kind.as_str(), Some(format!("{}@{}", pin.name, pin.version)))
        }
        other => (other.as_str(), None),
    }
}

/// The permit that a step waits for.
fn permit_of(step: &StepRun, around: &Around) -> Option<PermitView> {
    match &step.state {
        StepState::Queued { permit } => around.permits.get(permit).cloned(),
        _ => None,
    }
}

fn status_and_reason(
    run: &Run,
    place: usize,
    step: &StepRun,
    watch: Option<&Watch>,
) -> (&'static str, Option<String>) {
    let status = step.state.as_str();
    let reason = match &step.state {
        StepState::Pending { .. } => {
            let needs: Vec<_> = run.incomplete_needs(place as StepIndex).collect();
            (!needs.is_empty()).then(|| format!("needs:{}", needs.join(",")))
        }
        StepState::Running => {
            let queued = watch.is_none_or(|watch| watch.phase() == Phase::Queued);
            return match queued {
                true => ("queued", Some("slots".to_owned())),
                false => (status, None),
            };
        }
        StepState::Suspended { wait } | StepState::Waiting { wait } => Some(reason(wait)),
        StepState::Queued { permit } => Some(format!("permit:{permit}")),
        StepState::Paused => Some("breakpoint".to_owned()),
        StepState::Publishing { .. } => Some("publishing".to_owned()),
        StepState::Delegated { child, .. } => Some(format!("run:{child}")),
        StepState::CompletedWithError { failure, .. } => Some(failure.reason.clone()),
        StepState::Skipped { by } => Some(format!("by:{by}")),
        StepState::BackingOff { until } => Some(format!("backoff:{}", rfc3339(*until))),
        StepState::Failed { failure } => Some(failure.reason.clone()),
        StepState::Unsatisfied { unsatisfied: Unsatisfied::Needs } => Some("needs".to_owned()),
        StepState::Unsatisfied { unsatisfied: Unsatisfied::When } => Some("when".to_owned()),
        StepState::Looping | StepState::Succeeded { .. } | StepState::Cancelled => None,
    };
    (status, reason)
}
