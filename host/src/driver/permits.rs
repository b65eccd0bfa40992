//! Which steps may run code at once: tags with limits, the `step_concurrency`
//! of a workflow, and that of a run with everything below it.
//!
//! A step that cannot have all its permits is held: its run says so, and its
//! time-out has not begun. A step keeps its permits until its attempt is over
//! and its guest is gone, also while it waits.

use super::live::{Live, LiveState};
use super::{Driver, Due, Extra};
use crate::store;
use segno_engine::command::Command;
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId};
use segno_engine::permit::{Acquired, Permits};
use segno_engine::run::StepState;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{debug, error};

/// Who has a permit.
pub(super) type Holder = (RunId, StepIndex);

/// The permits of every tenant.
#[derive(Default)]
pub(super) struct Gates {
    known: Mutex<HashMap<TenantId, Gate>>,
    /// Changes of limits are taken in one after the other; it comes before the
    /// locks of runs.
    pub(super) changing: Mutex<()>,
}

/// The permits of one tenant, and what is known of who needs which.
#[derive(Default)]
pub(super) struct Gate {
    pub(super) permits: Permits<Holder>,
    /// Tags that have a limit.
    pub(super) tags: BTreeSet<String>,
    /// What is set for workflows.
    pub(super) workflows: HashMap<String, Settings>,
    /// Whether a run limits itself and everything below it.
    roots: HashMap<RunId, bool>,
}

/// What is set for a workflow.
pub(super) struct Settings {
    pub(super) tags: Vec<String>,
    pub(super) is_limited: bool,
}

/// Whether an attempt may begin.
pub(super) enum Entry {
    /// It has all that it needs.
    Free,
    /// It is held, for this permit.
    Held(String),
}

impl Gates {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Gate>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    fn load(store: &store::Store, tenant: &TenantId) -> Result<Self, store::Error> {
        let mut gate = Self::default();
        for (tag, limit) in store.tag_limits(tenant)? {
            gate.permits.set_limit(&format!("tag:{tag}"), Some(limit));
            gate.tags.insert(tag);
        }
        Ok(gate)
    }

    fn settings(
        &mut self,
        store: &store::Store,
        tenant: &TenantId,
        workflow: &str,
    ) -> Result<&Settings, store::Error> {
        if !self.workflows.contains_key(workflow) {
            let record = store.workflow(tenant, workflow)?;
            let properties = record.map(|record| record.properties).unwrap_or_default();
            let limit = properties.step_concurrency;
            // A limit that was lifted since then has let its waiters go.
            self.permits.set_limit(&format!("workflow:{workflow}"), limit);
            let settings = Settings { tags: properties.tags, is_limited: limit.is_some() };
            self.workflows.insert(workflow.to_owned(), settings);
        }
        Ok(&self.workflows[workflow])
    }
}

/// The permits of a tenant, with its limits.
fn gate_of<'a>(
    gates: &'a mut HashMap<TenantId, Gate>,
    store: &store::Store,
    tenant: &TenantId,
) -> Result<&'a mut Gate, store::Error> {
    if !gates.contains_key(tenant) {
        gates.insert(tenant.clone(), Gate::load(store, tenant)?);
    }
    Ok(gates.get_mut(tenant).expect("it was just put there"))
}

/// Names the steps whose permits nobody needs any more.
pub(super) fn note_free(live: &Arc<Live>, state: &LiveState, due: &mut VecDeque<Due>) {
    for step in state.permits.keys() {
        if !needs_permits(state, *step) {
            due.push_back(Due::give_back(live, *step));
        }
    }
}

pub(super) fn needs_permits(state: &LiveState, step: StepIndex) -> bool {
    let needs = state.run.steps().get(step as usize).is_some_and(|step| {
        matches!(
            step.state,
            StepState::Running | StepState::Suspended { .. } | StepState::Queued { .. }
        )
    });
    needs || state.attempts.contains_key(&step)
}

impl Driver {
    /// Takes the permits of an attempt, or holds it. The caller has the lock of
    /// the run, so that nothing can be granted in between.
    pub(super) fn enter(
        &self,
        live: &Arc<Live>,
        state: &mut LiveState,
        (step, attempt): (StepIndex, Attempt),
        due: &mut VecDeque<Due>,
    ) -> Entry {
        let names = self.permit_names(live, state, step);
        if names.is_empty() {
            return Entry::Free;
        }
        let holder = (live.id, step);
        let acquired = match self.0.gates.lock().get_mut(&live.tenant) {
            Some(gate) => gate.permits.acquire(holder, &names),
            None => Acquired::Granted,
        };
        state.permits.insert(step, names);
        match acquired {
            Acquired::Granted => Entry::Free,
            Acquired::Waits(permit) => {
                let command = Command::Hold { step, attempt, permit: permit.clone() };
                let turn = self.turn_locked(live, state, (&command, Extra::default()), due);
                if let Err((refusal, _)) = turn {
                    debug!(run = %live.id, %refusal, "an attempt could not be held");
                }
                Entry::Held(permit)
            }
        }
    }

    /// The permits that a step needs, as far as they have limits.
    fn permit_names(&self, live: &Arc<Live>, state: &LiveState, step: StepIndex) -> Vec<String> {
        match self.find_permit_names(live, state, step) {
            Ok(names) => names,
            Err(error) => {
                error!(run = %live.id, %error, "the limits of steps cannot be read");
                Vec::new()
            }
        }
    }

    pub(super) fn find_permit_names(
        &self,
        live: &Arc<Live>,
        state: &LiveState,
        step: StepIndex,
    ) -> Result<Vec<String>, store::Error> {
        let (store, tenant, run) = (&self.0.store, &live.tenant, &state.run);
        let definition = &run.body().steps[step as usize];
        let workflow = &run.workflow().name;
        let mut gates = self.0.gates.lock();
        let gate = gate_of(&mut gates, store, tenant)?;
        let mut names = Vec::new();
        let settings = gate.settings(store, tenant, workflow)?;
        if settings.is_limited {
            names.push(format!("workflow:{workflow}"));
        }
        let tags = settings.tags.clone();
        let limited = tags.iter().chain(&definition.tags).filter(|tag| gate.tags.contains(*tag));
        names.extend(limited.map(|tag| format!("tag:{tag}")));
        let (root, _) = self.family(live);
        if self.is_limited_by(gate, live, root)? {
            names.push(format!("root:{root}"));
        }
        Ok(names)
    }

    /// Whether the run at the beginning of the chain lets only so many steps of
    /// all below it run at once. One that is over no longer does.
    fn is_limited_by(
        &self,
        gate: &mut Gate,
        live: &Live,
        root: RunId,
    ) -> Result<bool, store::Error> {
        if let Some(known) = gate.roots.get(&root) {
            return Ok(*known);
        }
        let limit = match self.live(&live.tenant, root) {
            Some(above) if above.is_over() => return Ok(false),
            Some(above) => above.steps_max,
            // The run of an iteration goes by the same workflow.
            None if live.numbered == root => live.steps_max,
            None => match self.0.store.run(&live.tenant, root)? {
                Some(record) if record.ended_at.is_none() => {
                    let workflow = self.workflow(&live.tenant, &record.workflow, record.version)?;
                    workflow.and_then(|workflow| workflow.run_step_concurrency)
                }
                Some(_) | None => return Ok(false),
            },
        };
        if limit.is_some() {
            gate.permits.set_limit(&format!("root:{root}"), limit);
        }
        gate.roots.insert(root, limit.is_some());
        Ok(limit.is_some())
    }

    /// After a restart: an attempt that was to run asks for its permits before
    /// anybody else does. Whether it had any is not known; one that gets none now
    /// is held when it is about to begin.
    pub(super) fn ask_again(&self, live: &Arc<Live>, step: StepIndex) {
        let mut state = live.lock();
        let names = self.permit_names(live, &state, step);
        if names.is_empty() {
            return;
        }
        if let Some(gate) = self.0.gates.lock().get_mut(&live.tenant) {
            gate.permits.acquire((live.id, step), &names);
        }
        state.permits.insert(step, names);
    }

    /// A run is in memory again: its steps that wait have their permits, so that
    /// they are given back however the waiting ends.
    pub(super) fn hold_suspended(&self, live: &Arc<Live>) {
        let mut state = live.lock();
        for step in 0..state.run.steps().len() as StepIndex {
            if !matches!(state.run.steps()[step as usize].state, StepState::Suspended { .. }) {
                continue;
            }
            let names = self.permit_names(live, &state, step);
            if let Some(gate) = self.0.gates.lock().get_mut(&live.tenant) {
                let holder = (live.id, step);
                if names.is_empty() && !gate.permits.holds(&holder) {
                    continue;
                }
                gate.permits.hold(holder, &names);
            }
            state.permits.insert(step, names);
        }
    }

    /// The same for a step of a run that only waits, and is not in memory.
    pub(super) fn hold_dormant(
        &self,
        tenant: &TenantId,
        run: RunId,
        held: &[(StepIndex, Vec<String>)],
    ) -> Result<(), store::Error> {
        if held.is_empty() {
            return Ok(());
        }
        let mut gates = self.0.gates.lock();
        let gate = gate_of(&mut gates, &self.0.store, tenant)?;
        for (step, names) in held {
            gate.permits.hold((run, *step), names);
        }
        Ok(())
    }

    /// After a restart: an attempt that was held stands in line again.
    pub(super) fn await_permits_again(
        &self,
        live: &Arc<Live>,
        (step, attempt): (StepIndex, Attempt),
        due: &mut VecDeque<Due>,
    ) {
        let mut state = live.lock();
        let names = self.permit_names(live, &state, step);
        let acquired = match self.0.gates.lock().get_mut(&live.tenant) {
            Some(gate) if !names.is_empty() => gate.permits.acquire((live.id, step), &names),
            _ => Acquired::Granted,
        };
        if !names.is_empty() {
            state.permits.insert(step, names);
        }
        if acquired == Acquired::Granted {
            self.release(live, &mut state, (step, attempt), due);
        }
    }

    fn release(
        &self,
        live: &Arc<Live>,
        state: &mut LiveState,
        (step, attempt): (StepIndex, Attempt),
        due: &mut VecDeque<Due>,
    ) {
        let command = Command::Release { step, attempt };
        let turn = self.turn_locked(live, state, (&command, Extra::default()), due);
        if let Err((refusal, _)) = turn {
            debug!(run = %live.id, %refusal, "an attempt was not held any more");
        }
    }

    /// A step no longer needs its permits: others may have them.
    pub(super) fn give_permits_back(
        &self,
        live: &Arc<Live>,
        step: StepIndex,
        due: &mut VecDeque<Due>,
    ) {
        let granted = {
            // Under the lock of the run: its next attempt may ask at any moment,
            // and must not be taken for this one.
            let mut state = live.lock();
            if needs_permits(&state, step) || state.permits.remove(&step).is_none() {
                return;
            }
            match self.0.gates.lock().get_mut(&live.tenant) {
                Some(gate) => gate.permits.release(&(live.id, step)),
                None => Vec::new(),
            }
        };
        self.grant(&live.tenant, granted, due);
    }

    pub(super) fn grant(&self, tenant: &TenantId, granted: Vec<Holder>, due: &mut VecDeque<Due>) {
        for (run, step) in granted {
            let Some(live) = self.live(tenant, run) else {
                // Its end is on the way, and gives the permit back.
                debug!(%run, "a run that got a permit is gone");
                continue;
            };
            let mut state = live.lock();
            let attempt = state.run.steps()[step as usize].attempt;
            self.release(&live, &mut state, (step, attempt), due);
        }
    }

    /// Permits and who stands in line for them: name, limit, held, waiting.
    pub fn permits(&self, tenant: &TenantId) -> Vec<(String, Option<u32>, usize, usize)> {
        let gates = self.0.gates.lock();
        let Some(gate) = gates.get(tenant) else { return Vec::new() };
        let shown = gate.permits.usage().map(|usage| {
            (usage.name.to_owned(), usage.limit, usage.held as usize, usage.waiting as usize)
        });
        shown.collect()
    }

    /// A run is over that may have limited what is below it: what goes on there
    /// is limited no more.
    pub(super) fn forget_root(&self, tenant: &TenantId, run: RunId, due: &mut VecDeque<Due>) {
        // It may have been taken up again meanwhile.
        if self.live(tenant, run).is_some_and(|live| !live.is_over()) {
            return;
        }
        let granted = self.0.gates.lock().get_mut(tenant).and_then(|gate| {
            let is_limited = gate.roots.remove(&run)?;
            is_limited.then(|| gate.permits.set_limit(&format!("root:{run}"), None))
        });
        let granted = granted.unwrap_or_default();
        self.grant(tenant, granted, due);
    }

    /// What was known of the limits of a workflow may not be so any more, and
    /// none of its steps can go on at this moment.
    pub(super) fn forget_settings(&self, tenant: &TenantId, workflow: &str) {
        if let Some(gate) = self.0.gates.lock().get_mut(tenant) {
            gate.workflows.remove(workflow);
        }
    }
}
