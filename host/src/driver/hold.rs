//! What holds steps back that could start: breakpoints, and the pause of a run
//! above, which it is an iteration or a subworkflow of. Neither is part of a run's history; whoever moves a run
//! says it before.

use super::live::Live;
use super::{Driver, Due};
use crate::store;
use segno_engine::command::{Command, StepAction};
use segno_engine::event::Origin;
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::run::{Run, RunStatus, StepState};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{debug, error};

/// Who is recorded to have let steps go on whose breakpoint is gone.
const BY_REMOVAL: &str = "the removal of the breakpoint";

/// The most workflows whose breakpoints are kept at hand.
const WORKFLOWS_MAX: usize = 10_000;

type Known = HashMap<(TenantId, String), Arc<BTreeSet<String>>>;

/// The breakpoints of workflows.
#[derive(Default)]
pub(super) struct Breakpoints(Mutex<Known>);

impl Breakpoints {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    /// The steps of a workflow that have a breakpoint.
    pub(super) fn breakpoints_of(
        &self,
        tenant: &TenantId,
        workflow: &str,
    ) -> Result<Arc<BTreeSet<String>>, store::Error> {
        let key = (tenant.clone(), workflow.to_owned());
        let mut known = self.0.breakpoints.lock();
        if let Some(steps) = known.get(&key) {
            return Ok(Arc::clone(steps));
        }
        let steps: BTreeSet<_> = self.0.store.breakpoints(tenant, workflow)?.into_iter().collect();
        let steps = Arc::new(steps);
        if known.len() >= WORKFLOWS_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&steps));
        Ok(steps)
    }

    /// Breakpoints of a workflow were set or taken away.
    pub(super) fn breakpoints_changed(&self, tenant: &TenantId, workflow: &str) {
        self.0.breakpoints.lock().remove(&(tenant.clone(), workflow.to_owned()));
        let steps = match self.breakpoints_of(tenant, workflow) {
            Ok(steps) => steps,
            Err(error) => return error!(workflow, %error, "breakpoints cannot be read"),
        };
        for live in self.live_runs(tenant) {
            let mut state = live.lock();
            if state.run.workflow().name == workflow {
                state.run.set_breakpoints(Arc::clone(&steps));
            }
        }
    }

    /// Lets every step go on that stopped at a breakpoint.
    ///
    /// # Errors
    /// The store cannot answer.
    pub(super) fn resume_breakpoint(
        &self,
        tenant: &TenantId,
        workflow: &str,
        step: &str,
    ) -> Result<(), store::Error> {
        let mut open: BTreeSet<RunId> = self.live_runs(tenant).iter().map(|live| live.id).collect();
        self.0.store.open_runs(|its, run, _| {
            if its == tenant {
                open.insert(run);
            }
        })?;
        for run in open {
            let mut due = VecDeque::new();
            match self.find(tenant, run, &mut due) {
                Ok(Some(live)) => {
                    if let Some(place) = paused_at(&live.lock().run, (workflow, step)) {
                        let (action, by) = (StepAction::Resume, BY_REMOVAL.to_owned());
                        let command = Command::Step { step: place, action, by };
                        due.push_back(Due::command(&live, command));
                    }
                    self.perform(due);
                    self.rest(&live);
                }
                Ok(None) => {}
                Err(error) => self.cannot_wake(run, &error),
            }
        }
        Ok(())
    }

    /// Says to everything in memory below a run whether a run above it is
    /// paused, and lets go on what is not held any more. What only waits is told
    /// when it is woken.
    pub(super) fn tell_below(&self, above: &Arc<Live>, due: &mut VecDeque<Due>) {
        let (root, _) = self.family(above);
        let tenant = &above.tenant;
        loop {
            let _telling = self.lock_telling();
            let mut known = HashMap::new();
            let mut is_news = false;
            for live in self.live_runs(tenant) {
                if live.id != above.id && self.family(&live).0 == root {
                    let held = self.is_held_above(&live, &mut known);
                    is_news |= hold(&live, held, due);
                }
            }
            // What began below meanwhile may have seen the run above it as it
            // was, and is found the next time.
            if !is_news {
                return;
            }
        }
    }

    /// Says to a run that has come into memory whether a run above it is paused.
    pub(super) fn tell(&self, live: &Arc<Live>) {
        let _telling = self.lock_telling();
        let held = self.is_held_above(live, &mut HashMap::new());
        live.lock().run.set_held(held);
    }

    /// Whoever says it last has looked last.
    fn lock_telling(&self) -> MutexGuard<'_, ()> {
        self.0.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_held_above(&self, live: &Live, known: &mut HashMap<RunId, bool>) -> bool {
        let origin = live.lock().run.origin().clone();
        self.is_held_by(&live.tenant, &origin, known).unwrap_or_else(|error| {
            error!(run = %live.id, %error, "the runs above it cannot be read");
            false
        })
    }

    /// Whether a run is paused that one with this origin is an iteration or a
    /// subworkflow of, at any depth. `known` has what was found out before. The
    /// caller holds no lock of a run.
    pub(super) fn is_held_by(
        &self,
        tenant: &TenantId,
        origin: &Origin,
        known: &mut HashMap<RunId, bool>,
    ) -> Result<bool, store::Error> {
        let (parent, child_of) = match origin {
            Origin::Iteration { parent, .. } => (*parent, None),
            Origin::Child { parent, step, .. } => (*parent, Some(*step)),
            Origin::Start { .. } => return Ok(false),
        };
        if child_of.is_none()
            && let Some(held) = known.get(&parent)
        {
            return Ok(*held);
        }
        let Some(around) = self.beginning(tenant, parent)? else { return Ok(false) };
        if let Some(step) = child_of
            && !self.waits_at(tenant, &around, step)?
        {
            return Ok(false);
        }
        let held = match known.get(&parent) {
            Some(held) => *held,
            None => {
                self.is_paused(tenant, parent)? || self.is_held_by(tenant, &around.origin, known)?
            }
        };
        known.insert(parent, held);
        Ok(held)
    }

    fn is_paused(&self, tenant: &TenantId, run: RunId) -> Result<bool, store::Error> {
        if let Some(live) = self.live(tenant, run) {
            return Ok(*live.lock().run.status() == RunStatus::Paused);
        }
        let record = self.0.store.run(tenant, run)?;
        Ok(record.is_some_and(|record| record.status == RunStatus::Paused.as_str()))
    }

    /// Performs a command that follows from something else.
    pub(super) fn follow(&self, live: &Arc<Live>, command: &Command, due: &mut VecDeque<Due>) {
        if let Err(refusal) = self.turn(live, command, Vec::new(), due) {
            debug!(run = %live.id, %refusal, "it does not fit any more");
        }
        // What holds a run back decides about its alarm.
        self.set_alarm(live, &mut live.lock());
    }

    /// The runs of a tenant that are in memory.
    pub(super) fn live_runs(&self, tenant: &TenantId) -> Vec<Arc<Live>> {
        self.lock_live().values().filter(|live| live.tenant == *tenant).cloned().collect()
    }
}

/// Says to a run whether it is held, and lets it go on if it is not any more.
/// Returns whether that is new to it.
fn hold(live: &Arc<Live>, held: bool, due: &mut VecDeque<Due>) -> bool {
    let mut state = live.lock();
    let is_new = state.run.is_held() != held;
    state.run.set_held(held);
    if is_new && !held {
        due.push_back(Due::command(live, Command::CheckDeadlines));
    }
    is_new
}

/// The step that a breakpoint of this workflow holds.
fn paused_at(run: &Run, (workflow, step): (&str, &str)) -> Option<StepIndex> {
    let steps = || run.body().steps.iter();
    let place = steps().position(|known| known.id == step)?;
    let is_paused = run.steps()[place].state == StepState::Paused;
    (is_paused && run.workflow().name == workflow).then_some(place as StepIndex)
}
