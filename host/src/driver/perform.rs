//! The one place where effects are performed. They wait in a queue, not on the
//! stack: a chain of iterations that end at once may be long.

use super::live::Live;
use super::{Driver, inspect};
use crate::store::Ticket;
use segno_engine::command::Command;
use segno_engine::decide::Refusal;
use segno_engine::effect::Effect;
use segno_engine::event::{Event, IterationResult};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::run::Run;
use std::collections::VecDeque;
use std::sync::Arc;
use tracing::{debug, error};

/// An effect that has to be performed for a run.
pub(super) struct Due {
    live: Arc<Live>,
    effect: Effect,
    /// After a restart the effect may have been performed before.
    again: bool,
}

impl Due {
    /// An effect that is new.
    pub(super) fn new(live: &Arc<Live>, effect: Effect) -> Self {
        Self { live: Arc::clone(live), effect, again: false }
    }

    /// An effect that a restart found outstanding.
    pub(super) fn outstanding(live: &Arc<Live>, effect: Effect) -> Self {
        Self { live: Arc::clone(live), effect, again: true }
    }
}

impl Driver {
    /// Performs these effects and those that follow from them.
    pub(super) fn perform(&self, mut due: VecDeque<Due>) {
        while let Some(Due { live, effect, again }) = due.pop_front() {
            match effect {
                Effect::RunAttempt { step, attempt } => self.run_attempt(&live, step, attempt),
                Effect::AbortAttempt { step, attempt } => {
                    let state = live.lock();
                    if let Some(running) = state.attempts.get(&step)
                        && running.attempt == attempt
                    {
                        running.watch.cancel();
                    }
                }
                Effect::StartIteration { step, index } => {
                    self.start_iteration(&live, (step, index), again, &mut due);
                }
                Effect::CancelIteration { step, index } => {
                    self.cancel_iteration(&live, (step, index), &mut due);
                }
                Effect::ReportEnd { parent, step, index, result } => {
                    let parent = self.lock_live().get(&parent).cloned();
                    if let Some(parent) = parent {
                        self.end_iteration(&parent, (step, index), result, &mut due);
                    }
                }
            }
        }
    }

    fn start_iteration(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        again: bool,
        due: &mut VecDeque<Due>,
    ) {
        let child = parent.lock().run.iteration(step, index).map(|(id, _)| id);
        let Some(child) = child else { return };
        if again {
            match self.find_child(parent, (step, child)) {
                Ok(Child::Open(effects)) => return due.extend(effects),
                Ok(Child::Over(result)) => {
                    return self.end_iteration(parent, (step, index), result, due);
                }
                Ok(Child::Missing) => {}
                Err(reason) => {
                    let failure = Failure::new(FailureKind::Platform, "history", reason);
                    let result = IterationResult::Failed(failure);
                    return self.end_iteration(parent, (step, index), result, due);
                }
            }
        }
        self.create_child(parent, (step, index), due);
    }

    fn create_child(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        due: &mut VecDeque<Due>,
    ) {
        // The parent stays locked, so that it cannot be cancelled between the
        // decision that the child is wanted and its appearance.
        let state = parent.lock();
        let run = &state.run;
        let Some((id, origin)) = run.iteration(step, index) else { return };
        let workflow = Arc::clone(run.workflow());
        let name = workflow.name.clone();
        let created = Event::RunCreated { workflow: name, version: run.version(), origin };
        let now = self.0.clock.now();
        match Run::begin(id, workflow, run.surroundings_of(step), created, now) {
            Ok((child, events)) => {
                let live = Live::new(parent.tenant.clone(), child, 0, Ticket::done());
                self.lock_live().insert(id, Arc::clone(&live));
                let mut state = live.lock();
                self.record(&live, &mut state, (now, events), (Vec::new(), due));
            }
            Err(corrupt) => error!(run = %id, %corrupt, "an iteration could not be created"),
        }
    }

    fn cancel_iteration(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        due: &mut VecDeque<Due>,
    ) {
        let child = RunId::child(parent.id, step, index);
        let mut live = self.lock_live().get(&child).cloned();
        if live.is_none() {
            // After a restart the child may be open in the store alone.
            match self.find_child(parent, (step, child)) {
                Ok(Child::Open(_)) => live = self.lock_live().get(&child).cloned(),
                Ok(Child::Over(result)) => {
                    return self.end_iteration(parent, (step, index), result, due);
                }
                Ok(Child::Missing) | Err(_) => {}
            }
        }
        let Some(live) = live else {
            return self.end_iteration(parent, (step, index), IterationResult::Cancelled, due);
        };
        let by = format!("run {}", parent.id);
        if let Err(refusal) = self.turn(&live, &Command::Cancel { by }, Vec::new(), due) {
            debug!(run = %live.id, %refusal, "the iteration ended before it was cancelled");
        }
    }

    fn end_iteration(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        result: IterationResult,
        due: &mut VecDeque<Due>,
    ) {
        let command = Command::EndIteration { step, index, result };
        match self.turn(parent, &command, Vec::new(), due) {
            Ok(_) | Err(Refusal::Rejected(_)) => {}
            Err(Refusal::Corrupt(corrupt)) => {
                error!(run = %parent.id, %corrupt, "an iteration could not be ended");
            }
        }
    }

    /// How a child stands that may have been created before a restart. One that
    /// is open is taken into memory.
    fn find_child(
        &self,
        parent: &Arc<Live>,
        (step, child): (StepIndex, RunId),
    ) -> Result<Child, String> {
        let (workflow, surroundings) = {
            let state = parent.lock();
            (Arc::clone(state.run.workflow()), state.run.surroundings_of(step))
        };
        let history = inspect::history(&self.0.store, &parent.tenant, child)
            .map_err(|error| error.to_string())?;
        if history.is_empty() {
            return Ok(Child::Missing);
        }
        let records = history.len() as u64;
        let run = inspect::fold(child, workflow, surroundings, &history)
            .map_err(|corrupt| corrupt.to_string())?;
        if let Some(result) = run.iteration_result() {
            return Ok(Child::Over(result));
        }
        Ok(Child::Open(self.adopt(&parent.tenant, run, records)))
    }

    /// Takes an open run into memory, and says what is outstanding for it.
    pub(super) fn adopt(
        &self,
        tenant: &segno_engine::id::TenantId,
        run: Run,
        records: u64,
    ) -> Vec<Due> {
        let outstanding = run.outstanding();
        let live = Live::new(tenant.clone(), run, records, Ticket::done());
        self.lock_live().insert(live.id, Arc::clone(&live));
        self.set_alarm(&live, &mut live.lock());
        outstanding.into_iter().map(|effect| Due::outstanding(&live, effect)).collect()
    }
}

/// How a child stands after a restart.
enum Child {
    /// Nothing is known of it.
    Missing,
    /// It goes on, with these effects outstanding.
    Open(Vec<Due>),
    /// It ended so.
    Over(IterationResult),
}
