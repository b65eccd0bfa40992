//! A new run that goes on from a step of another, with other params or another
//! version. What comes before that step is taken over.

use super::actions::ActionError;
use super::start::Before;
use super::{Driver, Error, StartError, StartRun, Started, VersionSelector};
use segno_engine::event::Cause;
use segno_engine::id::{RunId, TenantId};
use segno_engine::params::{Bound, ParamSource};
use segno_engine::scope::Scope as _;
use segno_engine::workflow::Workflow;
use serde_json::{Map, Value};

/// What a fork is made of.
#[derive(Debug, Clone)]
pub struct ForkRun {
    /// The run.
    pub of: RunId,
    /// The step that the new run begins with; without one, the first steps.
    pub from: Option<String>,
    /// The version that the new run executes; the same one if absent.
    pub version: Option<VersionSelector>,
    /// Params that are others.
    pub params: Map<String, Value>,
    /// Params for single steps: by step id, a map of names and values.
    pub step_params: Map<String, Value>,
    /// Who wants it.
    pub by: String,
    /// Names the request, so that asking twice makes one run.
    pub idempotency_key: Option<String>,
}

impl Driver {
    /// Makes a new run from another. Returns when it is on stable storage.
    ///
    /// # Errors
    /// There is no such run or step, or the params do not fit.
    pub async fn fork(&self, tenant: &TenantId, fork: ForkRun) -> Result<Started, ActionError> {
        let snapshot = self.snapshot(tenant, fork.of).await?.ok_or(Error::NoSuchRun(fork.of))?;
        let old = &snapshot.run;
        let Some(given) = old.given() else {
            return Err(ActionError::NotAllowed(format!(
                "{} is an iteration; fork the run that it belongs to",
                fork.of
            )));
        };
        let name = old.workflow().name.clone();
        let version = fork.version.unwrap_or(VersionSelector::Number(old.version()));
        let selected = self.workflow_selected(tenant, &name, version).map_err(StartError::from)?;
        let carried = match &fork.from {
            None => Vec::new(),
            Some(from) => old
                .carried_to(&selected.workflow, from)
                .map_err(|why| ActionError::NoSuchStep { run: fork.of, path: from.clone(), why })?,
        };
        let from = fork.from.unwrap_or_default();
        let before = Bound { values: given.params.clone(), sources: given.sources.clone() };
        let before = Before {
            params: before.carried(old.workflow(), &selected.workflow),
            step_params: carried_step_params(given.step_params.value(), &selected.workflow),
        };
        let start = StartRun {
            workflow: name,
            version: VersionSelector::Number(selected.version),
            params: fork.params,
            before: Some(before),
            step_params: fork.step_params,
            cause: Cause::Fork {
                by: fork.by,
                of: fork.of,
                from,
                carried,
                scheduled_at: old.run().scheduled_at,
            },
            idempotency_key: fork.idempotency_key,
            id: None,
        };
        Ok(self.start(tenant, start).await?)
    }
}

/// The params for single steps that the new version still has and lets somebody
/// change; the others have their own values there.
fn carried_step_params(before: &Value, workflow: &Workflow) -> Map<String, Value> {
    let mut carried = Map::new();
    for (id, params) in before.as_object().into_iter().flatten() {
        let (Some(step), Value::Object(params)) = (workflow.step(id), params) else { continue };
        let fits = |(name, value): &(&String, &Value)| {
            let one = Map::from_iter([((*name).clone(), (*value).clone())]);
            step.params.check_overrides(&one, ParamSource::Start).is_empty()
        };
        let kept = params.iter().filter(fits).map(|(name, value)| (name.clone(), value.clone()));
        let kept: Map<_, _> = kept.collect();
        if !kept.is_empty() {
            carried.insert(id.clone(), Value::Object(kept));
        }
    }
    carried
}
