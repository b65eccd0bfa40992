//! What holds steps back that could start: breakpoints, and the pause of the
//! run around a loop. Neither is part of a run's history; whoever moves a run
//! says it before.

use super::live::Live;
use super::{Driver, Due};
use crate::store;
use segno_engine::command::{Command, StepAction};
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::run::{Run, StepState};
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

    /// Says to the iterations of a run whether it is paused, and lets them go on
    /// if it is not.
    pub(super) fn tell_iterations(&self, parent: &Arc<Live>, due: &mut VecDeque<Due>) {
        let (held, told) = {
            // What is said is what holds: nobody can say otherwise meanwhile.
            let state = parent.lock();
            let held = state.run.is_on_hold();
            let children = state.run.iterations_under_way().into_iter();
            // One that only waits is told when it is woken.
            let told: Vec<_> =
                children.filter_map(|child| self.live(&parent.tenant, child)).collect();
            told.iter().for_each(|live| live.lock().run.set_held(held));
            (held, told)
        };
        for live in told {
            if !held {
                due.push_back(Due::command(&live, Command::CheckDeadlines));
            }
            self.tell_iterations(&live, due);
        }
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

/// The step that a breakpoint of this workflow holds.
fn paused_at(run: &Run, (workflow, step): (&str, &str)) -> Option<StepIndex> {
    let steps = || run.body().steps.iter();
    let place = steps().position(|known| known.id == step)?;
    let is_paused = run.steps()[place].state == StepState::Paused;
    (is_paused && run.workflow().name == workflow).then_some(place as StepIndex)
}
