//! Taking up a run again that is over: the same run goes on, and with it what is
//! above it, up to the first run that is open.

use super::actions::ActionError;
use super::dormant::{Dormant, origin_of};
use super::lanes::Place;
use super::live::Live;
use super::located::Located;
use super::start::{all_right, given, merged};
use super::{Driver, Due, Error, Extra, inspect};
use crate::crash;
use crate::store::{self, Ticket};
use segno_engine::command::{Command, Retry, RetryTarget};
use segno_engine::decide::{Refusal, decide};
use segno_engine::event::{Given, Origin};
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::params::{Bound, ParamSource};
use segno_engine::run::{Run, Surroundings};
use segno_engine::scope::Scope as _;
use segno_engine::strategy::lane::Verdict;
use segno_engine::workflow::{StepKind, Workflow};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

/// How a run is taken up again.
#[derive(Debug, Clone, Default)]
pub struct RetryRun {
    /// The step that it goes on from, or the way to it; without one, everything
    /// that is not complete.
    pub step: Option<String>,
    /// Params that are others from now on.
    pub params: Map<String, Value>,
    /// Params for single steps: by step id, a map of names and values.
    pub step_params: Map<String, Value>,
    /// Who wants it.
    pub by: String,
}

/// What goes on, seen from a run above.
struct Aim {
    run: RunId,
    target: RetryTarget,
}

impl Driver {
    /// Takes a run up again. Returns the run that goes on, which is one above it
    /// for an iteration or a subworkflow, when that is on stable storage.
    ///
    /// # Errors
    /// There is no such run or step, the params do not fit, or the run does not
    /// allow it as it stands.
    pub async fn retry(
        &self,
        tenant: &TenantId,
        run: RunId,
        retry: RetryRun,
    ) -> Result<RunId, ActionError> {
        let aim = match &retry.step {
            None => Aim { run, target: RetryTarget::Incomplete },
            Some(path) => match self.locate(tenant, (run, path))? {
                Located::Step { run, step } => Aim { run, target: RetryTarget::From(step) },
                Located::Iteration { run, step, index } => {
                    let inner = Box::new(RetryTarget::Incomplete);
                    Aim { run, target: RetryTarget::Iteration(step, index, inner) }
                }
            },
        };
        self.retry_aimed(tenant, aim, &retry).await
    }

    /// Skips a step of a run that is over, which goes on with the others.
    pub(super) async fn skip_in_ended(
        &self,
        tenant: &TenantId,
        (run, step): (RunId, StepIndex),
        by: &str,
    ) -> Result<(), ActionError> {
        let aim = Aim { run, target: RetryTarget::Skip(step) };
        let retry = RetryRun { by: by.to_owned(), ..RetryRun::default() };
        self.retry_aimed(tenant, aim, &retry).await.map(drop)
    }

    async fn retry_aimed(
        &self,
        tenant: &TenantId,
        aim: Aim,
        retry: &RetryRun,
    ) -> Result<RunId, ActionError> {
        // What has just ended is still in the queue of the store.
        self.0.store.barrier().durable().await?;
        let numbered = self.numbered_above(tenant, aim.run)?;
        let Aim { run, target } = self.raise(tenant, aim)?;
        let live = self.revive(tenant, run)?.ok_or(Error::NoSuchRun(run))?;
        let has_params = !(retry.params.is_empty() && retry.step_params.is_empty());
        if has_params && numbered != run {
            self.put_back(&live);
            return Err(self.params_belong_elsewhere(tenant, run)?);
        }
        let given = match has_params.then(|| rebind(&live, retry)).transpose() {
            Ok(given) => given,
            Err(error) => {
                self.put_back(&live);
                return Err(error);
            }
        };
        let mut due = VecDeque::new();
        let by = retry.by.clone();
        let command = Retry { by, target, given, queued: false, generation: None };
        let ticket = match self.take_up_again(&live, command, &mut due) {
            Ok(ticket) => ticket,
            Err(error) => {
                self.put_back(&live);
                return Err(error);
            }
        };
        self.perform(due);
        ticket.durable().await?;
        self.rest(&live);
        Ok(run)
    }

    /// Why a retry that goes on from `run` can have no params.
    fn params_belong_elsewhere(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<ActionError, ActionError> {
        let takes = self.numbered_above(tenant, run)?;
        Ok(ActionError::NotAllowed(match takes == run {
            true => format!("params belong to {run}, which goes on; retry that run with them"),
            false => format!(
                "params belong to {takes}, of which {run} is an open iteration; retry {takes} with \
                 them once it is over, or this without them"
            ),
        }))
    }

    /// Lets a run go on, in its turn.
    pub(super) fn take_up_again(
        &self,
        live: &Arc<Live>,
        mut retry: Retry,
        due: &mut VecDeque<Due>,
    ) -> Result<Ticket, ActionError> {
        let mut starts = self.lock_starts();
        let mut state = live.lock();
        let was_over = !state.run.status().is_open();
        if !self.is_known(live, &state)? {
            let why = "somebody else takes the run up at this moment; look at it again";
            return Err(ActionError::NotAllowed(why.to_owned()));
        }
        decide(&state.run, &Command::Retry(Box::new(retry.clone())), self.0.clock.now())
            .map_err(|rejection| ActionError::from(Refusal::Rejected(rejection)))?;
        let place = Place::of(&state.run).map(|place| place.again(retry.generation));
        let place = place.filter(|_| was_over);
        let mut cancel = Vec::new();
        if let Some(place) = &place {
            let admission = self.arrive(&mut starts, &live.tenant, (live.id, place))?;
            match admission.verdict {
                Verdict::Begin => {}
                Verdict::Queue => retry.queued = true,
                Verdict::Refuse { by } => {
                    return Err(ActionError::NotAllowed(format!(
                        "the workflow's run strategy allows no other run while {by} is open; wait \
                         for its end, or cancel it"
                    )));
                }
            }
            cancel = admission.cancel;
        }
        drop(starts);
        if was_over && let Origin::Child { root, .. } = state.run.origin() {
            self.0.families.started(*root);
        }
        let command = Command::Retry(Box::new(retry));
        let turn = self.turn_locked(live, &mut state, (&command, Extra::default()), due);
        turn.map_err(|(refusal, _)| ActionError::from(refusal))?;
        due.extend(cancel.into_iter().map(|other| Due::replace(live, other)));
        crash::point("run is taken up again");
        let ticket = state.ticket.clone();
        drop(state);
        // It may have held up others that come before it.
        if let Some(place) = place {
            self.admit(&live.tenant, &place.workflow, due);
        }
        Ok(ticket)
    }

    /// The run from which all goes on: the first that is open, or else the one
    /// that nobody waits for.
    fn raise(&self, tenant: &TenantId, mut aim: Aim) -> Result<Aim, ActionError> {
        loop {
            let live = self.revive(tenant, aim.run)?.ok_or(Error::NoSuchRun(aim.run))?;
            let (origin, is_open) = {
                let state = live.lock();
                (state.run.origin().clone(), state.run.status().is_open())
            };
            self.put_back(&live);
            if is_open {
                return Ok(aim);
            }
            let inner = Box::new(aim.target.clone());
            aim = match origin {
                Origin::Iteration { parent, path, index, .. } => {
                    let step = path.last().copied().unwrap_or_default();
                    Aim { run: parent, target: RetryTarget::Iteration(step, index, inner) }
                }
                Origin::Child { parent, step, .. }
                    if self.waits_for(tenant, (parent, step), aim.run)? =>
                {
                    Aim { run: parent, target: RetryTarget::Child(step, inner) }
                }
                Origin::Child { .. } | Origin::Start { .. } => return Ok(aim),
            };
        }
    }

    /// Whether a step is what it is because of this subworkflow.
    fn waits_for(
        &self,
        tenant: &TenantId,
        (parent, step): (RunId, StepIndex),
        child: RunId,
    ) -> Result<bool, ActionError> {
        let live = self.revive(tenant, parent)?.ok_or(Error::NoSuchRun(parent))?;
        let waits = {
            let state = live.lock();
            let kind = &state.run.body().steps[step as usize].kind;
            let is_sync = matches!(kind, StepKind::Subworkflow(kind) if kind.sync);
            is_sync && state.run.steps()[step as usize].child == Some(child)
        };
        self.put_back(&live);
        Ok(waits)
    }

    /// The run with a number that a run is, or is an iteration of.
    fn numbered_above(&self, tenant: &TenantId, run: RunId) -> Result<RunId, ActionError> {
        let live = self.revive(tenant, run)?.ok_or(Error::NoSuchRun(run))?;
        let numbered = match live.lock().run.origin() {
            Origin::Iteration { root, .. } => *root,
            Origin::Start { .. } | Origin::Child { .. } => run,
        };
        self.put_back(&live);
        Ok(numbered)
    }

    /// A run in memory, also one that is over; nothing of it is in flight then.
    pub(super) fn revive(&self, tenant: &TenantId, run: RunId) -> Result<Option<Arc<Live>>, Error> {
        if let Some(live) = self.open(tenant, run)? {
            return Ok(Some(live));
        }
        let history = inspect::history(&self.0.store, tenant, run)?;
        let around = match origin_of(&history) {
            Some(Origin::Iteration { parent, path, .. }) => {
                // Its parent may be over, too.
                let Some(parent) = self.revive(tenant, *parent)? else { return Ok(None) };
                let around = {
                    let state = parent.lock();
                    let step = path.last().copied().unwrap_or_default();
                    (Arc::clone(state.run.workflow()), state.run.surroundings_of(step))
                };
                self.put_back(&parent);
                Some(around)
            }
            Some(_) => {
                let workflow = self.workflow_of(tenant, &history)?;
                workflow.map(|workflow| (workflow, Surroundings::unknown()))
            }
            None => None,
        };
        let Some(around) = around else { return Ok(None) };
        let (live, effects) = self.revive_with(tenant, run, around)?;
        // An iteration that a restart finds under way goes on.
        self.perform(effects.into());
        Ok(Some(live))
    }

    fn revive_with(
        &self,
        tenant: &TenantId,
        run: RunId,
        (workflow, surroundings): (Arc<Workflow>, Surroundings),
    ) -> Result<(Arc<Live>, Vec<Due>), Error> {
        // One at a time, and read under the lock: a run must not be in memory
        // twice, nor as it was.
        let _loading = self.0.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = self.live(tenant, run) {
            return Ok((live, Vec::new()));
        }
        let history = inspect::history(&self.0.store, tenant, run)?;
        let folded = inspect::fold(run, workflow, surroundings, &history)
            .map_err(|corrupt| store::Error::corrupt(corrupt.to_string()))?;
        let is_open = folded.status().is_open();
        if is_open {
            self.resubscribe(tenant, Dormant::waiters_of(&folded))?;
        }
        let (live, effects) = self.adopt(tenant, folded, history.len() as u64, false)?;
        Ok((live, if is_open { effects } else { Vec::new() }))
    }

    /// Lets a failed run no longer keep others of its workflow from beginning.
    ///
    /// # Errors
    /// There is no such run, or it has not failed.
    pub async fn unblock(
        &self,
        tenant: &TenantId,
        run: RunId,
        by: &str,
    ) -> Result<(), ActionError> {
        self.0.store.barrier().durable().await?;
        let live = self.revive(tenant, run)?.ok_or(Error::NoSuchRun(run))?;
        let place = Place::of(&live.lock().run);
        let done = self.submit(&live, &Command::Unblock { by: by.to_owned() }, Vec::new());
        self.put_back(&live);
        done?.durable().await?;
        if let Some(place) = place {
            self.lift(tenant, (run, &place));
        }
        Ok(())
    }

    /// The same for every failed run of a workflow; says which those were.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn unblock_all(
        &self,
        tenant: &TenantId,
        workflow: &str,
        by: &str,
    ) -> Result<Vec<RunId>, ActionError> {
        self.workflow_named(tenant, workflow).map_err(super::StartError::from)?;
        let blockers = self.0.store.blockers(tenant, workflow)?;
        for (_, run) in &blockers {
            self.unblock(tenant, *run, by).await?;
        }
        Ok(blockers.into_iter().map(|(_, run)| run).collect())
    }
}

/// The params of a run that goes on with others.
fn rebind(live: &Live, retry: &RetryRun) -> Result<Given, ActionError> {
    let state = live.lock();
    let run: &Run = &state.run;
    let workflow: &Workflow = run.workflow();
    let Some(before) = run.given() else {
        return Err(ActionError::NotAllowed("an iteration has no params of its own".to_owned()));
    };
    let bound = Bound { values: before.params.clone(), sources: before.sources.clone() };
    let bound = workflow.rebind(&bound, &retry.params, ParamSource::Retry, run.run());
    let bound = all_right(bound, (workflow, &retry.step_params, ParamSource::Retry))?;
    let nothing = Map::new();
    let before = before.step_params.value().as_object().unwrap_or(&nothing);
    Ok(given(bound, &merged(before, &retry.step_params)))
}
