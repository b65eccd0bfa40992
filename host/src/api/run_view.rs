//! From a run to what the API shows of it. Every status that is not final says
//! why: nobody should have to guess what a run waits for.

use super::around::Around;
use super::step_view::step_view;
use super::view::{CauseSignalView, CauseView, RunParamView, RunView};
use crate::clock::rfc3339;
use crate::driver::Snapshot;
use segno_engine::event::{Cause, Origin, Stop};
use segno_engine::id::Timestamp;
use segno_engine::run::{Run, RunStatus};
use segno_engine::workflow::Body;

/// The whole run, without the payloads of its steps.
pub(super) fn run_view(snapshot: &Snapshot, around: &Around, now: Timestamp) -> RunView {
    let run = &snapshot.run;
    let (parent, iteration, loop_variables) = match run.origin() {
        Origin::Start { .. } => (None, None, None),
        Origin::Child { parent, .. } => (Some(parent.to_string()), None, None),
        Origin::Iteration { parent, index, loop_variables, .. } => {
            (Some(parent.to_string()), Some(*index), Some(loop_variables.clone()))
        }
    };
    let (output, failure) = match run.status() {
        RunStatus::Succeeded { output } => (Some(output.clone()), None),
        RunStatus::Failed { failure } => (None, Some(failure.into())),
        _ => (None, None),
    };
    let ended = (!run.status().is_open()).then(|| run.updated_at());
    let started = run.started_at();
    let steps = 0..run.steps().len();
    RunView {
        run: run.id().to_string(),
        workflow: run.workflow().name.clone(),
        version: run.version(),
        number: run.origin().number(),
        parent,
        iteration,
        loop_variables,
        cause: cause(run, around),
        retries: run.generation(),
        status: run.status().as_str().to_owned(),
        reason: reason(run, around),
        by: by(run, around),
        allowed: allowed(run, around),
        since: rfc3339(ended.or(started).unwrap_or_else(|| run.created_at())),
        created_at: rfc3339(run.created_at()),
        started_at: started.map(rfc3339),
        ended_at: ended.map(rfc3339),
        duration_ms: started.map_or(0, |from| ended.unwrap_or(now).since(from)),
        output,
        failure,
        params: params(run),
        steps: steps.map(|place| step_view(snapshot, (place, around), now)).collect(),
    }
}

fn cause(run: &Run, around: &Around) -> CauseView {
    match run.origin() {
        Origin::Start { cause: Cause::Manual { by }, .. } => {
            CauseView { kind: "manual", by: Some(by.clone()), ..CauseView::default() }
        }
        Origin::Start { cause: Cause::Fork { by, of, from, .. }, .. } => CauseView {
            kind: "fork",
            by: Some(by.clone()),
            run: Some(of.to_string()),
            step: Some(from.clone()).filter(|from| !from.is_empty()),
            ..CauseView::default()
        },
        Origin::Start { cause: Cause::Schedule { schedule, at, backfill, by }, .. } => CauseView {
            kind: "schedule",
            by: by.clone(),
            schedule: Some(schedule.clone()),
            at: Some(rfc3339(*at)),
            backfill: backfill.clone(),
            ..CauseView::default()
        },
        Origin::Start { cause: Cause::Signal { trigger, signals }, .. } => CauseView {
            kind: "signal",
            trigger: Some(trigger.clone()),
            signals: signals.iter().map(CauseSignalView::of).collect(),
            ..CauseView::default()
        },
        Origin::Child { parent, .. } => CauseView {
            kind: "step",
            run: Some(parent.to_string()),
            step: around.step_above.clone(),
            ..CauseView::default()
        },
        Origin::Iteration { parent, path, .. } => CauseView {
            kind: "iteration",
            run: Some(parent.to_string()),
            step: loop_id(&run.workflow().body, path),
            ..CauseView::default()
        },
    }
}

/// The id of the loop that a path of loop steps ends with.
fn loop_id(body: &Body, path: &[u32]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let step = body.steps.get(*first as usize)?;
    match rest {
        [] => Some(step.id.clone()),
        _ => loop_id(&step.kind.inner()?.body, rest),
    }
}

fn params(run: &Run) -> Vec<RunParamView> {
    let Some(given) = run.given() else { return Vec::new() };
    let declared = run.workflow().params.iter().enumerate();
    let view = declared.map(|(place, param)| RunParamView {
        name: param.name.clone(),
        kind: param.kind.to_string(),
        mode: param.mode,
        value: given.params.value().get(&param.name).cloned(),
        source: given.sources.get(place).copied().flatten().map(|source| source.as_str()),
    });
    view.collect()
}

/// What may be done with a run and does something; an iteration is a part of
/// another.
fn allowed(run: &Run, around: &Around) -> Vec<&'static str> {
    let is_iteration = run.origin().number().is_none();
    let fits = |action: &&str| match *action {
        "fork" => !is_iteration,
        "unblock" => around.blocks,
        _ => true,
    };
    // A run in which everything is complete is retried from one of its steps.
    let short = |action: &'static str| action.split(' ').next().unwrap_or(action);
    run.allowed_actions().into_iter().map(short).filter(fits).collect()
}

fn by(run: &Run, around: &Around) -> Option<String> {
    match (run.status(), run.stop()) {
        (RunStatus::Paused, None) => around.paused_by.clone(),
        (_, Some(Stop::Cancelled { by } | Stop::Killed { by })) => Some(by.clone()),
        _ => None,
    }
}

fn reason(run: &Run, around: &Around) -> Option<String> {
    let is_open = run.status().is_open();
    match (run.status(), run.stop()) {
        (RunStatus::Failed { failure }, _) => Some(failure.reason.clone()),
        (RunStatus::Succeeded { .. } | RunStatus::TimedOut, _) => None,
        (_, Some(Stop::Strategy { run })) => Some(format!("replaced_by:{run}")),
        (_, Some(Stop::Cancelled { .. })) if is_open => Some("cancelling".to_owned()),
        (_, Some(Stop::Killed { .. })) if is_open => Some("killing".to_owned()),
        (_, Some(Stop::TimedOut)) if is_open => Some("timing_out".to_owned()),
        (_, Some(Stop::Failed { .. })) if is_open => Some("failing".to_owned()),
        (RunStatus::Queued, _) => around.queue_reason.clone(),
        (RunStatus::Running, _) if run.is_on_hold() => match run.origin() {
            Origin::Iteration { parent, .. } | Origin::Child { parent, .. } => {
                Some(format!("held:{parent}"))
            }
            Origin::Start { .. } => None,
        },
        _ => None,
    }
}
