//! Steps that run another workflow: the run there is made, watched and taken up
//! again; it obeys the run strategy of its own workflow.

use super::ancestors::deadlock;
use super::families::{DEPTH_MAX, FAMILY_MAX};
use super::live::Live;
use super::start::{NewRun, facts, given};
use super::{Driver, Due, Selected, VersionSelector, WorkflowError};
use crate::crash;
use crate::store;
use segno_engine::command::{Retry, RetryTarget, RunEnd};
use segno_engine::event::{Given, IterationResult, Origin};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::params::Bound;
use segno_engine::payload::Payload;
use segno_engine::run::StepState;
use segno_engine::scope::{RunFacts, Scope as _};
use segno_engine::workflow::{StepKind, Workflow};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tracing::{debug, error};

/// What a step wants to be run.
struct Delegation {
    child: RunId,
    workflow: String,
    version: String,
    /// The step's own params.
    explicit: Payload,
    /// The params of its workflow, if they are handed on.
    inherited: Payload,
    is_sync: bool,
    /// How often the run was taken up again for the step.
    generation: u32,
    target: RetryTarget,
    /// When the run above was due.
    scheduled_at: Timestamp,
}

/// Why there is no run for a step.
enum Refused {
    /// The step fails with this.
    Failed(Failure),
    /// It cannot be known now.
    Store(store::Error),
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Driver {
    /// Sees that the run of a subworkflow step goes on.
    pub(super) fn start_subworkflow(
        &self,
        parent: &Arc<Live>,
        step: StepIndex,
        due: &mut VecDeque<Due>,
    ) {
        let Some(wanted) = delegation_of(parent, step) else { return };
        let child = wanted.child;
        let outcome = match self.revive(&parent.tenant, child) {
            Ok(Some(live)) => self.go_on_with((parent, step), (&wanted, &live), due),
            Ok(None) => self.create_subworkflow(parent, step, &wanted, due),
            Err(error) => return self.cannot_wake(child, &error),
        };
        crash::point("subworkflow started");
        let end = match outcome {
            Ok(end) => end,
            Err(Refused::Failed(failure)) => {
                let result = IterationResult::Failed(failure);
                Some(RunEnd::absent(child, wanted.generation, result))
            }
            Err(Refused::Store(error)) => {
                return error!(run = %parent.id, %error, "a subworkflow cannot be started");
            }
        };
        if let Some(end) = end {
            self.end_child(parent, step, end, due);
        }
    }

    /// The run is there: it goes on, or it is over and the step with it.
    fn go_on_with(
        &self,
        (parent, step): (&Arc<Live>, StepIndex),
        (wanted, live): (&Delegation, &Arc<Live>),
        due: &mut VecDeque<Due>,
    ) -> Result<Option<RunEnd>, Refused> {
        if !wanted.is_sync {
            let end = started(live, wanted.generation);
            self.put_back(live);
            return Ok(Some(end));
        }
        let given = match renewed(parent, (wanted, live)) {
            Ok(given) => given,
            Err(mistakes) => {
                self.put_back(live);
                return Err(user("params", mistakes.join("; ")));
            }
        };
        let retry = Retry {
            by: format!("step {step} of {}", parent.id),
            target: wanted.target.clone(),
            given,
            queued: false,
            generation: Some(wanted.generation),
        };
        Ok(self.go_on_or_end(live, (wanted.generation, retry), due))
    }

    /// Makes the run. What is wrong with it is the step's failure.
    fn create_subworkflow(
        &self,
        parent: &Arc<Live>,
        step: StepIndex,
        wanted: &Delegation,
        due: &mut VecDeque<Due>,
    ) -> Result<Option<RunEnd>, Refused> {
        let tenant = &parent.tenant;
        let selector: VersionSelector = wanted
            .version
            .parse()
            .map_err(|error| user("version", format!("`version`: {error}")))?;
        let selected = self.workflow_selected(tenant, &wanted.workflow, selector);
        let Selected { version, workflow, .. } = match selected {
            Ok(selected) => selected,
            Err(WorkflowError::Store(error)) => return Err(error.into()),
            Err(unknown) => return Err(user("workflow", unknown.to_string())),
        };
        let now = self.0.clock.now();
        let given = bind(&workflow, wanted, (version, now))
            .map_err(|mistakes| user("params", mistakes.join("; ")))?;
        let (root, depth) = self.family(parent);
        if depth >= DEPTH_MAX {
            let message = format!(
                "runs that steps start may be {DEPTH_MAX} deep, and this would be one more; look \
                 for a workflow that runs itself"
            );
            return Err(hopeless("limit:depth", message));
        }
        if wanted.is_sync
            && let Some(above) = self.would_wait_for_ancestor(parent, &wanted.workflow)?
        {
            return Err(hopeless("deadlock", deadlock(&wanted.workflow, above)));
        }
        self.count_leaves(parent, &workflow.body).map_err(Refused::Failed)?;
        if !self.0.families.started(root) {
            let message = format!("{FAMILY_MAX} runs are open below {root}; let fewer run at once");
            return Err(user("limit:runs", message));
        }
        let mut starts = self.lock_starts();
        let number = self
            .next_number(&mut starts, tenant, &wanted.workflow)
            .map_err(|error| user("workflow", error.to_string()))?;
        let origin = Origin::Child {
            number,
            given,
            parent: parent.id,
            step,
            root,
            depth: depth + 1,
            generation: wanted.generation,
            scheduled_at: wanted.scheduled_at,
        };
        // The parent stays locked, so that it cannot be cancelled between the
        // decision that the run is wanted and its appearance.
        let state = parent.lock();
        if !state.run.is_delegated(step, wanted.child) {
            self.0.families.gone(root);
            debug!(run = %parent.id, "a subworkflow is not wanted any more");
            return Ok(None);
        }
        let new = NewRun {
            is_held: wanted.is_sync && state.run.is_on_hold(),
            ..NewRun::of((wanted.child, workflow, version), origin)
        };
        let prepared = self.prepare_run(&mut starts, tenant, (new, now), due)?;
        let live = Arc::clone(&prepared.live);
        self.order_run(prepared, Vec::new(), due);
        drop(state);
        Ok((!wanted.is_sync).then(|| started(&live, wanted.generation)))
    }
}

/// What the step gives that does not wait for its run.
fn started(live: &Live, generation: u32) -> RunEnd {
    let number = live.lock().run.origin().number();
    let output = json!({ "run": live.id.to_string(), "number": number });
    RunEnd::absent(live.id, generation, IterationResult::Succeeded(Payload::from(output)))
}

fn delegation_of(parent: &Live, step: StepIndex) -> Option<Delegation> {
    let state = parent.lock();
    let known = &state.run.steps()[step as usize];
    let StepState::Delegated { child, workflow, version } = &known.state else { return None };
    let StepKind::Subworkflow(kind) = &state.run.body().steps[step as usize].kind else {
        return None;
    };
    let inherited = match kind.explicit_params {
        true => Payload::empty_object().clone(),
        false => state.run.params().clone(),
    };
    Some(Delegation {
        child: *child,
        workflow: workflow.clone(),
        version: version.clone(),
        explicit: known.input.clone().unwrap_or_else(Payload::null),
        inherited,
        is_sync: kind.sync,
        generation: known.child_generation,
        target: known.child_target.clone(),
        scheduled_at: state.run.run().scheduled_at,
    })
}

fn bind(
    workflow: &Workflow,
    wanted: &Delegation,
    (version, now): (u64, Timestamp),
) -> Result<Given, Vec<String>> {
    let facts = facts(wanted.child, workflow, version, now);
    let facts = RunFacts { scheduled_at: wanted.scheduled_at, ..facts };
    let (explicit, inherited) = (object(&wanted.explicit), object(&wanted.inherited));
    let bound = workflow.bind_inherited(&explicit, &inherited, facts)?;
    Ok(given(bound, &Map::new()))
}

/// The params of a run that is over and goes on, if those that it inherits are
/// others now.
fn renewed(
    parent: &Live,
    (wanted, live): (&Delegation, &Live),
) -> Result<Option<Given>, Vec<String>> {
    let above = parent.lock();
    let state = live.lock();
    let run = &state.run;
    let Some(before) = run.given().filter(|_| !run.status().is_open()) else { return Ok(None) };
    let bound = Bound { values: before.params.clone(), sources: before.sources.clone() };
    let handed = (&object(&wanted.explicit), &object(&wanted.inherited));
    let is_renewed = |name: &str| above.run.is_renewed(name);
    let bound = run.workflow().rebind_inherited(&bound, handed, &is_renewed, run.run())?;
    Ok(bound.map(|bound| given(bound, &object(&before.step_params))))
}

/// The fields of an object; of anything else none.
fn object(payload: &Payload) -> Map<String, Value> {
    payload.value().as_object().cloned().unwrap_or_default()
}

/// Somebody can correct this.
fn user(reason: &str, message: String) -> Refused {
    Refused::Failed(Failure::new(FailureKind::User, reason, message))
}

/// Trying again would give the same.
fn hopeless(reason: &str, message: String) -> Refused {
    Refused::Failed(Failure::new(FailureKind::Fatal, reason, message))
}
