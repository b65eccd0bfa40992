//! From a draft without problems to a workflow: ids become places.

use super::draft::{Draft, DraftBody, DraftKind, DraftLoop, DraftNeed, DraftRule, DraftStep};
use super::link::OuterSteps;
use crate::id::StepIndex;
use crate::template::Template;
use crate::workflow::{
    Body, Call, Foreach, Gate, Inner, Need, Step, StepKind, StepParams, Subworkflow, While,
    Workflow,
};
use serde_json::json;
use std::collections::BTreeMap;

/// The workflow, `None` if something is missing in the draft.
pub(super) fn workflow(draft: Draft, outer_steps: &mut OuterSteps) -> Option<Workflow> {
    let Draft { name, description, owner, tags, run_strategy, .. } = draft;
    let Draft { step_concurrency, run_step_concurrency, params, timeout, triggers, .. } = draft;
    let body = body(draft.body, outer_steps)?;
    Some(Workflow {
        name,
        description,
        owner,
        tags,
        run_strategy,
        step_concurrency,
        run_step_concurrency,
        params,
        timeout,
        triggers,
        body,
    })
}

fn body(draft: DraftBody, outer_steps: &mut OuterSteps) -> Option<Body> {
    let places: BTreeMap<String, usize> =
        draft.places().into_iter().map(|(id, place)| (id.to_owned(), place)).collect();
    let mut needed_by = vec![Vec::new(); draft.steps.len()];
    let mut steps = Vec::with_capacity(draft.steps.len());
    for (number, step) in draft.steps.into_iter().enumerate() {
        for need in &step.needs {
            needed_by[*places.get(&need.id)?].push(StepIndex::try_from(number).ok()?);
        }
        steps.push(self::step(step, &places, outer_steps)?);
    }
    for (step, needed_by) in steps.iter_mut().zip(needed_by) {
        step.needed_by = needed_by;
    }
    Some(Body { steps, output: draft.output })
}

fn step(
    draft: DraftStep,
    places: &BTreeMap<String, usize>,
    outer_steps: &mut OuterSteps,
) -> Option<Step> {
    let need = |need: DraftNeed| {
        let step = StepIndex::try_from(*places.get(&need.id)?).ok()?;
        Some(Need { step, condition: need.condition.map(|(condition, _)| condition) })
    };
    let params = match draft.params {
        Some(params) => params,
        None => StepParams::Whole(Template::compile(&json!({})).ok()?),
    };
    Some(Step {
        id: draft.id?,
        needs: draft.needs.into_iter().map(need).collect::<Option<_>>()?,
        needed_by: Vec::new(),
        when: draft.when,
        kind: kind(draft.kind?, &draft.path, outer_steps)?,
        params,
        outputs: draft.outputs,
        signals: draft.signals,
        retry: draft.retry,
        timeout: draft.timeout,
        heartbeat_timeout: draft.heartbeat_timeout,
        failure_mode: draft.failure_mode,
        tags: draft.tags,
        description: draft.description,
    })
}

/// What the step at `path` does.
fn kind(draft: DraftKind, path: &str, outer_steps: &mut OuterSteps) -> Option<StepKind> {
    Some(match draft {
        DraftKind::Call { component, limits, grants } => {
            StepKind::Call(Call { component: component?, limits, grants })
        }
        DraftKind::Loop(draft) => looped(*draft, path, outer_steps)?,
        DraftKind::Subworkflow(draft) => StepKind::Subworkflow(Subworkflow {
            workflow: draft.workflow?,
            version: draft.version?,
            sync: draft.sync,
            explicit_params: draft.explicit_params,
        }),
        DraftKind::Sleep(time) => StepKind::Sleep(time?),
        DraftKind::Wait { signal, pattern } => {
            StepKind::Wait(Gate { signal: signal?, pattern: pattern? })
        }
        DraftKind::Noop => StepKind::Noop,
    })
}

fn looped(draft: DraftLoop, path: &str, outer_steps: &mut OuterSteps) -> Option<StepKind> {
    let value = |(name, value): (String, Option<Template>)| Some((name, value?));
    let variables = draft.variables.into_iter().map(value).collect::<Option<_>>()?;
    let body = body(draft.body, outer_steps)?;
    let outer_steps = outer_steps.remove(path).unwrap_or_default().into_iter().collect();
    let inner = Inner { body, outer_steps };
    Some(match draft.rule {
        DraftRule::Foreach { concurrency, strict_ordering } => {
            StepKind::Foreach(Foreach { variables, concurrency, strict_ordering, inner })
        }
        DraftRule::While { condition, max_iterations } => {
            let (condition, _) = *condition?;
            StepKind::While(While { condition, variables, max_iterations, inner })
        }
    })
}
