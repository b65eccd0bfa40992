//! What the body of a loop sees of what is around it, and what its iterations
//! begin with.

use super::{Iterations, Run};
use crate::event::{Given, Origin};
use crate::id::{RunId, StepIndex, Timestamp};
use crate::params::ParamSource;
use crate::payload::Payload;
use crate::scope::Scope;
use crate::workflow::StepKind;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a body can see of what is around it. It does not change while the run
/// is open, and comes from the parent, not from the run's own events.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub(super) params: Payload,
    /// Where each comes from, in the order of the definition.
    pub(super) sources: Arc<[Option<ParamSource>]>,
    /// What was given for single steps, by id.
    pub(super) step_params: Payload,
    pub(super) steps: Arc<BTreeMap<String, Seen>>,
    /// How often the run that somebody started was taken up again.
    pub(super) retries: u32,
    /// When that run was due.
    pub(super) scheduled_at: Option<Timestamp>,
}

/// What a body sees of a step around it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) status: &'static str,
    pub(super) output: Option<Payload>,
    pub(super) params: Option<Payload>,
}

impl Surroundings {
    /// What the body of a workflow sees: what the run was given.
    pub fn of_root(given: &Given) -> Self {
        Self {
            params: given.params.clone(),
            sources: given.sources.clone().into(),
            step_params: given.step_params.clone(),
            steps: Arc::default(),
            retries: 0,
            scheduled_at: None,
        }
    }

    /// What was given for single steps, by id.
    pub(crate) fn step_params(&self) -> &Payload {
        &self.step_params
    }

    /// What a retry changes.
    pub(crate) fn take(&mut self, given: &Given) {
        self.params = given.params.clone();
        self.sources = given.sources.clone().into();
        self.step_params = given.step_params.clone();
    }

    /// What somebody sees who only looks at an ended run.
    pub fn unknown() -> Self {
        Self::of_root(&Given::params(Payload::null()))
    }
}

impl Run {
    /// What the iterations of `step` can see of this run. The steps that they
    /// may read are complete, so it is the same for all of them.
    pub fn surroundings_of(&self, step: StepIndex) -> Surroundings {
        let Some(inner) = self.body().steps[step as usize].kind.inner() else {
            return self.surroundings.clone();
        };
        let seen = inner.outer_steps.iter().filter_map(|id| {
            let result = self.step(id)?;
            let status = self.status_of(id)?;
            let seen =
                Seen { status, output: result.output.cloned(), params: result.params.cloned() };
            Some((id.clone(), seen))
        });
        let run = self.run();
        Surroundings {
            steps: Arc::new(seen.collect()),
            retries: run.retries,
            scheduled_at: Some(run.scheduled_at),
            ..self.surroundings.clone()
        }
    }

    /// Whether a retry of this run, or of the one around it, gave this param.
    pub fn is_renewed(&self, param: &str) -> bool {
        let place = self.workflow.params.iter().position(|known| known.name == param);
        let source = place.and_then(|place| self.surroundings.sources.get(place));
        source == Some(&Some(ParamSource::Retry))
    }

    /// The run that iteration `index` of `step` is.
    pub fn iteration_id(&self, step: StepIndex, index: u32) -> RunId {
        let round = self.steps.get(step as usize).map_or(0, |step| step.round);
        RunId::child(self.id, step, (round, index))
    }

    /// How often this iteration was retried.
    pub fn iteration_generation(&self, step: StepIndex, index: u32) -> u32 {
        let iterations = self.steps.get(step as usize).and_then(|it| it.iterations.as_deref());
        iterations.map_or(0, |iterations| iterations.generation(index))
    }

    /// The identifier of iteration `index` of `step` and the origin that it is
    /// created with, if it is under way.
    pub fn iteration(&self, step: StepIndex, index: u32) -> Option<(RunId, Origin)> {
        let iterations = self.looping(step)?;
        if !iterations.in_flight.contains(&index) {
            return None;
        }
        let (root, mut path) = match &self.origin {
            Origin::Start { .. } | Origin::Child { .. } => (self.id, Vec::new()),
            Origin::Iteration { root, path, .. } => (*root, path.clone()),
        };
        path.push(step);
        let origin = Origin::Iteration {
            parent: self.id,
            root,
            path,
            index,
            loop_variables: self.loop_variables_of(iterations, step, index),
            generation: iterations.generation(index),
        };
        Some((self.iteration_id(step, index), origin))
    }

    /// The loop variables that an iteration has which has started, with those
    /// around it. Of a `while` only the last is known.
    pub fn iteration_variables(&self, step: StepIndex, index: u32) -> Option<Payload> {
        let iterations = self.steps.get(step as usize)?.iterations.as_deref()?;
        let is_foreach = matches!(self.body().steps[step as usize].kind, StepKind::Foreach(_));
        let is_known = match is_foreach {
            true => index < iterations.next,
            false => index + 1 == iterations.next,
        };
        is_known.then(|| self.loop_variables_of(iterations, step, index))
    }

    /// The element of the product of all lists at `index`, where the first
    /// variable varies fastest, as in Maestro; of a `while`, what it has now.
    fn loop_variables_of(&self, iterations: &Iterations, step: StepIndex, index: u32) -> Payload {
        let mut variables = match self.loop_variables().value() {
            Value::Object(around) => around.clone(),
            _ => Map::new(),
        };
        if let Some(Value::Object(own)) = iterations.variables.as_ref().map(Payload::value) {
            variables.extend(own.clone());
        }
        let mut rest = index as usize;
        if let StepKind::Foreach(foreach) = &self.body().steps[step as usize].kind {
            for (name, _) in &foreach.variables {
                let Some(list) = iterations.items.value().get(name).and_then(Value::as_array)
                else {
                    continue;
                };
                if let Some(element) = list.get(rest % list.len().max(1)) {
                    variables.insert(name.clone(), element.clone());
                }
                rest /= list.len().max(1);
            }
        }
        Payload::from(Value::Object(variables))
    }
}
