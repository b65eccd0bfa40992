//! From a draft without problems to a workflow: ids become places.

use super::draft::{Draft, DraftBody, DraftKind, DraftStep};
use super::link::OuterSteps;
use crate::id::StepIndex;
use crate::retry::RetryRule;
use crate::setting::Setting;
use crate::template::Template;
use crate::workflow::{
    Body, Call, FailureMode, Foreach, Inner, Need, Step, StepKind, StepParams, Workflow,
};
use serde_json::json;
use std::collections::BTreeMap;

/// The workflow, `None` if something is missing in the draft.
pub(super) fn workflow(draft: Draft, outer_steps: &mut OuterSteps) -> Option<Workflow> {
    let Draft { name, description, owner, params, param_names: _, timeout_ms, body } = draft;
    let body = self::body(body, outer_steps)?;
    Some(Workflow {
        name,
        description,
        owner,
        tags: Vec::new(),
        run_strategy: None,
        step_concurrency: None,
        run_step_concurrency: None,
        params,
        timeout: timeout_ms.map(Setting::Fixed),
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
    let DraftStep { id, mark: _, path, needs, when, kind, retry, timeout_ms, uses: _ } = draft;
    let need = |need: super::draft::DraftNeed| {
        let step = StepIndex::try_from(*places.get(&need.id)?).ok()?;
        Some(Need { step, condition: need.condition.map(|(condition, _)| condition) })
    };
    let mut own = Template::compile(&json!({})).ok()?;
    let kind = match kind? {
        DraftKind::Call { component, params, limits, grants } => {
            own = params.unwrap_or(own);
            StepKind::Call(Call { component: component?, limits, grants })
        }
        DraftKind::Foreach { variables, concurrency, body } => {
            let list = |(name, list): (String, Option<Template>)| Some((name, list?));
            StepKind::Foreach(Foreach {
                variables: variables.into_iter().map(list).collect::<Option<_>>()?,
                concurrency,
                strict_ordering: false,
                inner: Inner {
                    body: self::body(body, outer_steps)?,
                    outer_steps: outer_steps
                        .remove(&path)
                        .unwrap_or_default()
                        .into_iter()
                        .collect(),
                },
            })
        }
    };
    let needs = needs.into_iter().map(need).collect::<Option<_>>()?;
    Some(Step {
        id: id?,
        needs,
        needed_by: Vec::new(),
        when,
        kind,
        params: StepParams::Whole(own),
        outputs: None,
        retry: RetryRule { fixed: retry, computed: Vec::new() },
        timeout: timeout_ms.map(Setting::Fixed),
        heartbeat_timeout: None,
        failure_mode: FailureMode::default(),
        tags: Vec::new(),
        description: None,
    })
}
