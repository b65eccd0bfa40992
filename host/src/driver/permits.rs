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
use segno_engine::workflow::StepKind;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{debug, error};

/// Who has a permit.
type Holder = (RunId, StepIndex);

/// The permits of every tenant.
#[derive(Default)]
pub(super) struct Gates(Mutex<HashMap<TenantId, Gate>>);

/// The permits of one tenant, and what is known of who needs which.
#[derive(Default)]
struct Gate {
    permits: Permits<Holder>,
    /// Tags that have a limit.
    tags: BTreeSet<String>,
    /// What is set for workflows.
    workflows: HashMap<String, Settings>,
    /// Whether a run limits itself and everything below it.
    roots: HashMap<RunId, bool>,
}

/// What is set for a workflow.
struct Settings {
    tags: Vec<String>,
    is_limited: bool,
}

/// Whether an attempt may begin.
pub(super) enum Entry {
    /// It has all that it needs.
    Free,
    /// It is held, for this permit.
    Held(String),
}

impl Gates {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

fn needs_permits(state: &LiveState, step: StepIndex) -> bool {
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

    fn find_permit_names(
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

    /// After a restart or a change of limits: an attempt that was under way has
    /// its permits, whatever the limits are now. One that stands in line does so
    /// for those, too, that have a limit only now.
    pub(super) fn hold_again(&self, live: &Arc<Live>, step: StepIndex) {
        let mut state = live.lock();
        let mut names = self.permit_names(live, &state, step);
        let known = state.permits.get(&step).into_iter().flatten();
        let more: Vec<_> = known.filter(|name| !names.contains(*name)).cloned().collect();
        names.extend(more);
        let stands = matches!(state.run.steps()[step as usize].state, StepState::Queued { .. });
        if let Some(gate) = self.0.gates.lock().get_mut(&live.tenant) {
            let holder = (live.id, step);
            if stands || gate.permits.holds(&holder) {
                gate.permits.extend(&holder, &names);
            } else if names.is_empty() {
                return;
            } else {
                gate.permits.hold(holder, &names);
            }
        }
        // What it holds is given back, also if nothing is limited any more.
        state.permits.insert(step, names);
    }

    /// A run is in memory again: its steps that wait have their permits, so that
    /// they are given back however the waiting ends.
    pub(super) fn hold_suspended(&self, live: &Arc<Live>) {
        let suspended: Vec<_> = {
            let state = live.lock();
            let is_suspended = |step: &StepIndex| {
                matches!(state.run.steps()[*step as usize].state, StepState::Suspended { .. })
            };
            (0..state.run.steps().len() as StepIndex).filter(is_suspended).collect()
        };
        suspended.into_iter().for_each(|step| self.hold_again(live, step));
    }

    /// The same for a step of a run that only waits.
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

    fn grant(&self, tenant: &TenantId, granted: Vec<Holder>, due: &mut VecDeque<Due>) {
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

    /// Limits have changed: steps that are held may begin, and steps that run
    /// count from now on.
    pub(super) fn limits_changed(&self, tenant: &TenantId) {
        let mut due = VecDeque::new();
        let granted = match self.reload_limits(tenant) {
            Ok(granted) => granted,
            Err(error) => return error!(%tenant, %error, "the limits of steps cannot be read"),
        };
        let open: Vec<_> =
            self.lock_live().values().filter(|live| live.tenant == *tenant).cloned().collect();
        for live in open {
            let running: Vec<_> = {
                let state = live.lock();
                let runs = |step: &StepIndex| {
                    let kind = &state.run.body().steps[*step as usize].kind;
                    matches!(kind, StepKind::Call(_)) && needs_permits(&state, *step)
                };
                let steps = 0..state.run.steps().len() as StepIndex;
                steps.filter(runs).collect()
            };
            running.into_iter().for_each(|step| self.hold_again(&live, step));
        }
        self.grant(tenant, granted, &mut due);
        self.perform(due);
    }

    fn reload_limits(&self, tenant: &TenantId) -> Result<Vec<Holder>, store::Error> {
        let mut gates = self.0.gates.lock();
        let Some(gate) = gates.get_mut(tenant) else { return Ok(Vec::new()) };
        let mut granted = Vec::new();
        let tags = self.0.store.tag_limits(tenant)?;
        let known: BTreeSet<String> = tags.iter().map(|(tag, _)| tag.clone()).collect();
        for gone in gate.tags.difference(&known) {
            granted.extend(gate.permits.set_limit(&format!("tag:{gone}"), None));
        }
        for (tag, limit) in tags {
            granted.extend(gate.permits.set_limit(&format!("tag:{tag}"), Some(limit)));
        }
        gate.tags = known;
        let workflows: Vec<String> = gate.workflows.drain().map(|(name, _)| name).collect();
        for name in workflows {
            let record = self.0.store.workflow(tenant, &name)?;
            let limit = record.and_then(|record| record.properties.step_concurrency);
            granted.extend(gate.permits.set_limit(&format!("workflow:{name}"), limit));
        }
        Ok(granted)
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
