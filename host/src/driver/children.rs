//! Runs that steps start: they are runs like any other, with a number and a log
//! of their own, but whoever cancels the run above cancels them too.

use super::durable::{Player, broken, refusal_of, refused};
use super::families::{DEPTH_MAX, FAMILY_MAX};
use super::live::Live;
use super::start::{NewRun, Prepared, facts};
use super::wait::result_of;
use super::{Driver, Due, Error, Extra, Selected, WorkflowError, inspect};
use crate::crash;
use crate::sandbox::{Answer, Gone, Happening, NewEntry, Refusal};
use crate::store;
use segno_engine::command::{Command, RunEnd};
use segno_engine::event::{Given, IterationResult, Origin};
use segno_engine::failure::Failure;
use segno_engine::id::{RunId, StepIndex, TenantId, Timestamp};
use segno_engine::params::ParamSource;
use segno_engine::run::{Run, Surroundings};
use segno_engine::scope::{RunFacts, Scope as _};
use segno_engine::workflow::{Body, Workflow};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use tracing::{debug, error};

/// How a run stands that a step says it has started.
enum Standing {
    Open,
    Over(RunEnd),
    /// It is no run of this step.
    Other,
}

/// A run that is to be started.
struct Wanted {
    id: RunId,
    workflow: Arc<Workflow>,
    version: u64,
    given: Given,
    root: RunId,
    depth: u32,
    scheduled_at: Timestamp,
}

impl Player {
    /// Starts a run; starting the same again gives the same.
    pub(super) fn start_run(
        &self,
        entry: &NewEntry,
        (workflow, version): (String, Option<u64>),
        params: &str,
    ) -> Result<Answer, Gone> {
        let wanted = match self.wanted_run(entry, (&workflow, version), params)? {
            Ok(wanted) => wanted,
            Err(refusal) => return self.done(entry, Answer::Text(Err(refusal))),
        };
        let id = wanted.id;
        let known = self.driver.standing(&self.live, self.step, id).map_err(|e| broken(&e))?;
        if !matches!(known, Standing::Other) {
            return self.done(entry, Answer::Text(Ok(id.to_string())));
        }
        if !self.driver.0.families.started(wanted.root) {
            let message = format!(
                "{FAMILY_MAX} runs are open below {}; wait for some of them first",
                wanted.root
            );
            return self.done(entry, Answer::Text(refused("limit", message)));
        }
        let mut due = VecDeque::new();
        let root = wanted.root;
        let started = self.order_child(entry, wanted, &mut due);
        if started.is_err() {
            self.driver.0.families.gone(root);
        }
        crash::point("child ordered");
        self.driver.perform(due);
        started
    }

    fn wanted_run(
        &self,
        entry: &NewEntry,
        (name, version): (&str, Option<u64>),
        params: &str,
    ) -> Result<Result<Wanted, Refusal>, Gone> {
        let found = self.driver.workflow_selected(self.tenant(), name, version.into());
        let Selected { version, workflow, .. } = match found {
            Ok(found) => found,
            Err(WorkflowError::Store(error)) => return refusal_of(error).map(Err),
            Err(unknown) => return Ok(refused("not-found", unknown.to_string())),
        };
        let Ok(Value::Object(given)) = serde_json::from_str(params) else {
            return Ok(refused("invalid", "the params of a run are a JSON object".to_owned()));
        };
        let (root, depth) = self.driver.family(&self.live);
        if depth >= DEPTH_MAX {
            let message = format!(
                "runs that steps start may be {DEPTH_MAX} deep, and this would be one more; look \
                 for a workflow that starts itself"
            );
            return Ok(refused("limit", message));
        }
        let id = RunId::started_by(self.live.id, self.step, entry.sequence, &entry.hash);
        let scheduled_at = self.live.lock().run.run().scheduled_at;
        let facts = facts(id, &workflow, version, self.driver.0.clock.now());
        let facts = RunFacts { scheduled_at, ..facts };
        let given = match workflow.bind(&given, ParamSource::Parent, facts) {
            Ok(bound) => super::start::given(bound, &Map::new()),
            Err(problems) => {
                let message = format!("the params do not fit {name:?}: {}", problems.join("; "));
                return Ok(refused("invalid", message));
            }
        };
        let depth = depth + 1;
        Ok(Ok(Wanted { id, workflow, version, given, root, depth, scheduled_at }))
    }

    /// One commit has the new run, its parent's knowledge of it, and the call.
    fn order_child(
        &self,
        entry: &NewEntry,
        wanted: Wanted,
        due: &mut VecDeque<Due>,
    ) -> Result<Answer, Gone> {
        let driver = &self.driver;
        let mut starts = driver.lock_starts();
        let mut state = self.live.lock();
        let Wanted { id, workflow, version, given, root, depth, scheduled_at } = wanted;
        if !state.run.is_running(self.step, self.attempt) {
            return Err(Gone::Unwanted);
        }
        let number = driver.next_number(&mut starts, self.tenant(), &workflow.name);
        let number = number.map_err(|error| broken(&error))?;
        let (parent, step) = (self.live.id, self.step);
        let generation = 0;
        let origin =
            Origin::Child { number, given, parent, step, root, depth, generation, scheduled_at };
        let new = NewRun::of((id, workflow, version), origin);
        let now = driver.0.clock.now();
        let prepared = driver.prepare_run(&mut starts, self.tenant(), (new, now), due);
        let Prepared { live: child, writes, follow } = prepared.map_err(|error| broken(&error))?;
        let mut child_state = child.lock();
        driver.lock_live().insert(id, Arc::clone(&child));
        let answer = Answer::Text(Ok(id.to_string()));
        let mut extra = self.call_writes(entry, Some(&answer));
        extra.writes.extend(writes);
        extra.writes.extend(self.log_row(&entry.lines, state.run.origin()));
        let command = Command::StartChild { step, attempt: self.attempt, child: id };
        let turn = driver.turn_locked(&self.live, &mut state, (&command, extra), due);
        if turn.is_err() {
            driver.lock_live().remove(&id);
            return Err(Gone::Unwanted);
        }
        state.journaled.insert(step);
        let ticket = state.ticket.clone();
        driver.committed(&child, &mut child_state, ticket);
        due.extend(follow);
        Ok(answer)
    }
}

impl Driver {
    /// Counts the leaves of a body that is about to run below `parent`.
    pub(super) fn count_leaves(&self, parent: &Arc<Live>, body: &Body) -> Result<(), Failure> {
        let (root, _) = self.family(parent);
        let known = || {
            let is_open = match self.live(&parent.tenant, root) {
                Some(live) => !live.is_over(),
                None => {
                    let record = self.0.store.run(&parent.tenant, root)?;
                    record.is_some_and(|record| record.ended_at.is_none())
                }
            };
            let below = is_open.then(|| self.rollup_below(&parent.tenant, root)).transpose()?;
            Ok(below.map(|below| u64::from(below.unwrap_or_default().total())))
        };
        self.0.families.grow((root, parent.numbered), body.leaves(), known)
    }

    /// How a run ended that this step started: nothing if it is none of its.
    pub(super) fn end_of_child(
        &self,
        parent: &Arc<Live>,
        step: StepIndex,
        child: RunId,
    ) -> Result<Option<RunEnd>, Error> {
        match self.standing(parent, step, child)? {
            Standing::Over(end) => Ok(Some(end)),
            Standing::Open | Standing::Other => Ok(None),
        }
    }

    fn standing(
        &self,
        parent: &Arc<Live>,
        step: StepIndex,
        child: RunId,
    ) -> Result<Standing, Error> {
        let judge = |run: &Run| match (run.origin(), run.run_end()) {
            (Origin::Child { parent: its, step: at, .. }, _)
                if (*its, *at) != (parent.id, step) =>
            {
                Standing::Other
            }
            (Origin::Child { .. }, Some(end)) => Standing::Over(end),
            (Origin::Child { .. }, None) => Standing::Open,
            _ => Standing::Other,
        };
        if let Some(live) = self.live(&parent.tenant, child) {
            return Ok(judge(&live.lock().run));
        }
        let history = inspect::history(&self.0.store, &parent.tenant, child)?;
        let Some(workflow) = self.workflow_of(&parent.tenant, &history)? else {
            return Ok(Standing::Other);
        };
        let run = inspect::fold(child, workflow, Surroundings::unknown(), &history)
            .map_err(|corrupt| store::Error::corrupt(corrupt.to_string()))?;
        Ok(judge(&run))
    }

    /// The run at the beginning of the chain, and how many are between.
    pub(super) fn family(&self, live: &Arc<Live>) -> (RunId, u32) {
        // Whoever loops is in memory as long as it does.
        let above = || self.live(&live.tenant, live.numbered)?.family;
        live.family.or_else(above).unwrap_or((live.numbered, 0))
    }

    /// After a restart: a run that a step started may be over.
    pub(super) fn watch_child(
        &self,
        parent: &Arc<Live>,
        (step, child): (StepIndex, RunId),
        due: &mut VecDeque<Due>,
    ) {
        self.see_child(parent, (step, child), 0, due);
    }

    /// If a run is over that a step started, the step's run knows it from now
    /// on, at least for this retry of it.
    fn see_child(
        &self,
        parent: &Arc<Live>,
        (step, child): (StepIndex, RunId),
        generation: u32,
        due: &mut VecDeque<Due>,
    ) {
        match self.end_of_child(parent, step, child) {
            Ok(Some(end)) => {
                let end = RunEnd { generation: end.generation.max(generation), ..end };
                self.end_child(parent, step, end, due);
            }
            Ok(None) => {}
            Err(error) => error!(run = %child, %error, "a run of a step cannot be read"),
        }
    }

    /// Cancels a run that a step started.
    pub(super) fn cancel_child(
        &self,
        parent: &Arc<Live>,
        (step, child): (StepIndex, RunId),
        due: &mut VecDeque<Due>,
    ) {
        let generation = {
            let state = parent.lock();
            // It may go on again meanwhile.
            if !state.run.cancels_child(child, step) {
                return;
            }
            state.run.child_generation(child, step)
        };
        let live = match self.find(&parent.tenant, child, due) {
            Ok(Some(live)) => live,
            Ok(None) => match self.end_absent_child(parent, (step, child), due) {
                Some(appeared) => appeared,
                None => return self.see_child(parent, (step, child), generation, due),
            },
            Err(error) => {
                return error!(run = %child, %error, "a run of a step cannot be cancelled");
            }
        };
        let by = format!("run {}", parent.id);
        if self.turn(&live, &Command::Cancel { by }, Vec::new(), due).is_err() {
            self.see_child(parent, (step, child), generation, due);
        }
    }

    /// Tells the run whose step started this one that it is over.
    pub(super) fn report_child(
        &self,
        child: &Arc<Live>,
        (parent, step): (RunId, StepIndex),
        due: &mut VecDeque<Due>,
    ) {
        let Some(end) = child.lock().run.run_end() else { return };
        crash::point("child reports");
        match self.find(&child.tenant, parent, due) {
            Ok(Some(live)) => {
                self.end_child(&live, step, end, due);
                self.rest(&live);
            }
            // It did not wait for this one.
            Ok(None) => {}
            Err(error) => self.cannot_wake(parent, &error),
        }
    }

    /// An open run, from memory or from the store; what is outstanding for it is
    /// added to `due`.
    pub(super) fn find(
        &self,
        tenant: &TenantId,
        run: RunId,
        due: &mut VecDeque<Due>,
    ) -> Result<Option<Arc<Live>>, Error> {
        match self.live(tenant, run) {
            Some(live) => Ok(Some(live)),
            None => self.load(tenant, run, due),
        }
    }

    /// A subworkflow that is to be cancelled and cannot be found was not made
    /// yet, and is not any more: whoever makes it looks under the parent's lock
    /// whether it is wanted. Returns the run if it has appeared meanwhile.
    fn end_absent_child(
        &self,
        parent: &Arc<Live>,
        (step, child): (StepIndex, RunId),
        due: &mut VecDeque<Due>,
    ) -> Option<Arc<Live>> {
        let mut state = parent.lock();
        if let Some(live) = self.live(&parent.tenant, child) {
            return Some(live);
        }
        let is_known = !matches!(inspect::history(&self.0.store, &parent.tenant, child),
            Ok(history) if history.is_empty());
        if !is_known {
            let generation = state.run.child_generation(child, step);
            let end = RunEnd::absent(child, generation, IterationResult::Cancelled);
            let command = Command::EndChild { step, end };
            let turn = self.turn_locked(parent, &mut state, (&command, Extra::default()), due);
            if let Err((refusal, _)) = turn {
                debug!(run = %parent.id, %refusal, "a run of a step was known to be over");
            }
        }
        None
    }

    pub(super) fn end_child(
        &self,
        parent: &Arc<Live>,
        step: StepIndex,
        end: RunEnd,
        due: &mut VecDeque<Due>,
    ) {
        let mut state = parent.lock();
        let index = state.run.wait_of(step).and_then(|wait| wait.index_of_run(end.run));
        let answer = index.map(|index| Answer::Woken {
            index,
            happening: Happening::Run(result_of(end.result.clone())),
        });
        let command = Command::EndChild { step, end };
        let extra = Extra { answer, ..Extra::default() };
        if let Err((refusal, _)) = self.turn_locked(parent, &mut state, (&command, extra), due) {
            debug!(run = %parent.id, %refusal, "a run of a step was known to be over");
        }
    }
}
