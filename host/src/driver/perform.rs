//! The one place where effects are performed. They wait in a queue, not on the
//! stack: a chain of iterations that end at once may be long.

use super::dormant::Dormant;
use super::lanes::Place;
use super::live::{Live, LiveState};
use super::{Driver, Extra, inspect};
use crate::crash;
use crate::sandbox::Answer;
use crate::store::Ticket;
use segno_engine::apply::Corrupt;
use segno_engine::command::{Command, RunEnd};
use segno_engine::decide::Refusal;
use segno_engine::effect::Effect;
use segno_engine::event::{Event, IterationResult, Origin};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{Attempt, RunId, StepIndex};
use segno_engine::run::Run;
use segno_engine::signal::Pattern;
use segno_engine::workflow::Workflow;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;
use tracing::{debug, error};

/// So many effects are performed one after the other before others have a turn.
const EFFECTS_AT_ONCE: u32 = 5_000;

/// An effect that has to be performed for a run.
pub(super) struct Due {
    live: Arc<Live>,
    what: What,
}

enum What {
    /// An effect that is new.
    Effect(Effect),
    /// An effect that a restart found outstanding: it may have been performed.
    Again(Effect),
    /// A wait is over: no signal is for it any more.
    Unsubscribe(StepIndex, Vec<(String, Pattern)>),
    /// Another run of the workflow has to make room for this one.
    Replace(RunId),
    /// The run waits for its turn, and need not be in memory.
    Rest,
    /// The run is over: others of its workflow may begin.
    Left { place: Place, failed: bool },
    /// A step no longer needs its permits.
    GiveBack(StepIndex),
    /// A command that follows from something else.
    Command(Command),
    /// A guest that waits in memory, or else a new one, goes on with this.
    Resume((StepIndex, Attempt), Option<oneshot::Sender<Answer>>, Answer),
}

impl Due {
    /// An effect that is new.
    pub(super) fn new(live: &Arc<Live>, effect: Effect) -> Self {
        Self { live: Arc::clone(live), what: What::Effect(effect) }
    }

    /// An effect that a restart found outstanding.
    pub(super) fn outstanding(live: &Arc<Live>, effect: Effect) -> Self {
        Self { live: Arc::clone(live), what: What::Again(effect) }
    }

    /// Whether it is cared for while a run is not in memory: runs that its steps
    /// started tell it themselves when they are over, and signals wake it.
    pub(super) fn is_known_while_dormant(&self) -> bool {
        self.is_watch()
            || matches!(
                &self.what,
                What::Again(Effect::StartSubworkflow { .. } | Effect::AwaitSignal { .. })
            )
    }

    /// Whether it only looks how a run is doing that a step started.
    pub(super) fn is_watch(&self) -> bool {
        matches!(&self.what, What::Again(Effect::WatchChild { .. }))
    }

    /// Another run that has to make room.
    pub(super) fn replace(live: &Arc<Live>, other: RunId) -> Self {
        Self { live: Arc::clone(live), what: What::Replace(other) }
    }

    /// A run that waits for its turn.
    pub(super) fn rest(live: &Arc<Live>) -> Self {
        Self { live: Arc::clone(live), what: What::Rest }
    }

    /// A run that is over.
    pub(super) fn left(live: &Arc<Live>, place: Place, failed: bool) -> Self {
        Self { live: Arc::clone(live), what: What::Left { place, failed } }
    }

    /// Permits that a step no longer needs.
    pub(super) fn give_back(live: &Arc<Live>, step: StepIndex) -> Self {
        Self { live: Arc::clone(live), what: What::GiveBack(step) }
    }

    /// A command that follows from something else.
    pub(super) fn command(live: &Arc<Live>, command: Command) -> Self {
        Self { live: Arc::clone(live), what: What::Command(command) }
    }

    /// The attempt that a restart found under way, if it is one.
    pub(super) fn attempt_again(&self) -> Option<(&Arc<Live>, StepIndex)> {
        match &self.what {
            What::Again(Effect::RunAttempt { step, .. }) => Some((&self.live, *step)),
            _ => None,
        }
    }

    /// A wait that is over.
    pub(super) fn unsubscribe(
        live: &Arc<Live>,
        step: StepIndex,
        patterns: Vec<(String, Pattern)>,
    ) -> Self {
        Self { live: Arc::clone(live), what: What::Unsubscribe(step, patterns) }
    }

    /// A wait that has its answer.
    pub(super) fn resume(
        live: &Arc<Live>,
        (step, attempt): (StepIndex, Attempt),
        state: &mut LiveState,
        answer: Answer,
    ) -> Self {
        let parked = state.parked.remove(&step);
        Self { live: Arc::clone(live), what: What::Resume((step, attempt), parked, answer) }
    }
}

impl Driver {
    /// Performs these effects and those that follow from them.
    pub(super) fn perform(&self, mut due: VecDeque<Due>) {
        let mut performed = 0;
        while !due.is_empty() {
            if performed >= EFFECTS_AT_ONCE && self.perform_later(&mut due) {
                return;
            }
            performed += 1;
            let Some(Due { live, what }) = due.pop_front() else { break };
            match what {
                What::Effect(effect) => self.perform_effect(&live, (effect, false), &mut due),
                What::Again(effect) => self.perform_effect(&live, (effect, true), &mut due),
                What::Unsubscribe(step, patterns) => {
                    self.unsubscribe(&live.tenant, &patterns, live.id, step);
                }
                What::Replace(other) => {
                    self.replace(&live.tenant, (other, live.id), &mut due);
                }
                What::Rest => self.sleep_soon(&live),
                What::Left { place, failed } => {
                    self.leave((&live.tenant, live.id), (&place, failed), &mut due);
                }
                What::GiveBack(step) => self.give_permits_back(&live, step, &mut due),
                What::Command(command) => self.follow(&live, &command, &mut due),
                What::Resume((step, attempt), parked, answer) => {
                    crash::point("guest goes on");
                    let handed = parked.is_some_and(|parked| parked.send(answer).is_ok());
                    if !handed {
                        self.run_attempt(&live, (step, attempt), true, &mut due);
                    }
                }
            }
        }
    }

    /// Leaves the rest of a long way to a task, which goes on when the disk has
    /// what was ordered so far: loops of loops that do nothing end here again and
    /// again, and must not stop others, nor fill the memory.
    fn perform_later(&self, due: &mut VecDeque<Due>) -> bool {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return false };
        let (driver, rest) = (self.clone(), std::mem::take(due));
        let ticket = self.0.store.barrier();
        runtime.spawn(async move {
            if ticket.durable().await.is_ok() && !driver.is_stopping() {
                driver.perform(rest);
            }
        });
        true
    }

    fn perform_effect(
        &self,
        live: &Arc<Live>,
        (effect, again): (Effect, bool),
        due: &mut VecDeque<Due>,
    ) {
        match effect {
            Effect::RunAttempt { step, attempt } => {
                self.run_attempt(live, (step, attempt), again, due);
            }
            Effect::AbortAttempt { step, attempt } => {
                let state = live.lock();
                if let Some(running) = state.attempts.get(&step)
                    && running.attempt == attempt
                {
                    running.watch.cancel();
                }
            }
            Effect::StartIteration { step, index } => {
                self.start_iteration(live, (step, index), again, due);
            }
            Effect::RetryIteration { step, index, generation, target } => {
                self.retry_iteration(live, (step, index), (generation, target), due);
            }
            Effect::CancelIteration { step, index, generation } => {
                self.cancel_iteration(live, (step, index), (generation, again), due);
            }
            Effect::WatchChild { step, child } => self.watch_child(live, (step, child), due),
            Effect::CancelChild { step, child } => self.cancel_child(live, (step, child), due),
            Effect::ReportChild { parent, step } => self.report_child(live, (parent, step), due),
            Effect::StartSubworkflow { step } => self.start_subworkflow(live, step, due),
            Effect::AwaitSignal { step } => self.await_signal(live, step),
            Effect::PublishSignals { step } => self.publish_signals(live, step),
            Effect::AwaitPermits { step, attempt } if again => {
                self.await_permits_again(live, (step, attempt), due);
            }
            // It stands in line since it was held.
            Effect::AwaitPermits { .. } => {}
            Effect::TellBelow => self.tell_below(live, due),
            Effect::ReportEnd { parent, step, index, end } => {
                let parent = self.lock_live().get(&parent).cloned();
                if let Some(parent) = parent {
                    self.end_iteration(&parent, (step, index), end, due);
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
                Ok(Child::Over(end)) => {
                    return self.end_iteration(parent, (step, index), end, due);
                }
                Ok(Child::Missing) => {}
                Ok(Child::Dormant) => return,
                Err(reason) => {
                    let failure = Failure::new(FailureKind::Platform, "history", reason);
                    let end = RunEnd::absent(child, 0, IterationResult::Failed(failure));
                    return self.end_iteration(parent, (step, index), end, due);
                }
            }
        }
        self.create_child(parent, (step, index), due);
    }

    pub(super) fn create_child(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        due: &mut VecDeque<Due>,
    ) {
        let workflow = Arc::clone(parent.lock().run.workflow());
        if let Err(failure) = self.count_iteration(parent, (&workflow, step)) {
            let end = absent(&parent.lock().run, (step, index), IterationResult::Failed(failure));
            return self.end_iteration(parent, (step, index), end, due);
        }
        // The parent stays locked, so that it cannot be cancelled between the
        // decision that the child is wanted and its appearance.
        let state = parent.lock();
        let run = &state.run;
        let Some((id, origin)) = run.iteration(step, index) else { return };
        let workflow = Arc::clone(run.workflow());
        let name = workflow.name.clone();
        let created = Event::RunCreated { workflow: name, version: run.version(), origin };
        let now = self.0.clock.now();
        let begin = || {
            let around = run.surroundings_of(step);
            let (mut child, mut events) = Run::create(id, workflow, around, (created, now))?;
            child.set_breakpoints(run.breakpoints());
            child.set_held(run.is_on_hold());
            events.extend(child.admit(now)?);
            Ok::<_, Corrupt>((child, events))
        };
        match begin() {
            Ok((child, events)) => {
                let live = Live::new(parent.tenant.clone(), child, 0, Ticket::done());
                self.lock_live().insert(id, Arc::clone(&live));
                let mut state = live.lock();
                self.record(&live, &mut state, (now, events), (Extra::default(), due));
            }
            Err(corrupt) => error!(run = %id, %corrupt, "an iteration could not be created"),
        }
    }

    fn count_iteration(
        &self,
        parent: &Arc<Live>,
        (workflow, step): (&Workflow, StepIndex),
    ) -> Result<(), Failure> {
        let path: Vec<_> = match parent.lock().run.origin() {
            Origin::Iteration { path, .. } => path.iter().copied().chain([step]).collect(),
            Origin::Start { .. } | Origin::Child { .. } => vec![step],
        };
        match workflow.body_at(&path) {
            Some(body) => self.count_leaves(parent, body),
            None => Ok(()),
        }
    }

    fn cancel_iteration(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        (generation, again): (u32, bool),
        due: &mut VecDeque<Due>,
    ) {
        let child = {
            let state = parent.lock();
            // It may go on again meanwhile.
            if !state.run.cancels_iteration(step, (index, generation)) {
                return;
            }
            state.run.iteration_id(step, index)
        };
        let mut live = match self.find(&parent.tenant, child, due) {
            Ok(live) => live,
            Err(error) => return self.cannot_wake(child, &error),
        };
        if live.is_none() && !again && !parent.is_from_store {
            match self.end_absent(parent, (step, index), due) {
                Some(appeared) => live = Some(appeared),
                None => return,
            }
        }
        if live.is_none() {
            // After a restart the child may be open in the store alone, at any
            // depth.
            match self.find_child(parent, (step, child)) {
                Ok(Child::Open(_)) => live = self.lock_live().get(&child).cloned(),
                Ok(Child::Over(end)) => {
                    // It may not have been taken up again yet.
                    let end = RunEnd { generation, ..end };
                    return self.end_iteration(parent, (step, index), end, due);
                }
                // It stays open, and so does what is around it.
                Ok(Child::Dormant) => {
                    return error!(run = %child, "an iteration that waits cannot be woken");
                }
                Ok(Child::Missing) | Err(_) => {}
            }
        }
        let Some(live) = live else {
            let end = RunEnd::absent(child, generation, IterationResult::Cancelled);
            return self.end_iteration(parent, (step, index), end, due);
        };
        let by = format!("run {}", parent.id);
        if let Err(refusal) = self.turn(&live, &Command::Cancel { by }, Vec::new(), due) {
            debug!(run = %live.id, %refusal, "the iteration ended before it was cancelled");
        }
    }

    /// An iteration that is to be cancelled and is not in memory was not created
    /// yet, or has just ended and its end is on the way. Whoever creates it looks
    /// under the parent's lock whether it is still wanted. Returns the iteration
    /// if it has appeared meanwhile.
    fn end_absent(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        due: &mut VecDeque<Due>,
    ) -> Option<Arc<Live>> {
        let mut state = parent.lock();
        let child = state.run.iteration_id(step, index);
        if let Some(live) = self.lock_live().get(&child) {
            return Some(Arc::clone(live));
        }
        let end = absent(&state.run, (step, index), IterationResult::Cancelled);
        let command = Command::EndIteration { step, index, end };
        let turn = self.turn_locked(parent, &mut state, (&command, Extra::default()), due);
        if let Err((refusal, _)) = turn {
            debug!(run = %parent.id, %refusal, "the iteration was known to be over");
        }
        None
    }

    pub(super) fn end_iteration(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        end: RunEnd,
        due: &mut VecDeque<Due>,
    ) {
        let command = Command::EndIteration { step, index, end };
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
        let dormant = self.0.store.open_run(&parent.tenant, child);
        if dormant.map_err(|error| error.to_string())?.is_some() {
            return Ok(Child::Dormant);
        }
        let history = inspect::history(&self.0.store, &parent.tenant, child)
            .map_err(|error| error.to_string())?;
        if history.is_empty() {
            return Ok(Child::Missing);
        }
        let records = history.len() as u64;
        let run = inspect::fold(child, workflow, surroundings, &history)
            .map_err(|corrupt| corrupt.to_string())?;
        if let Some(end) = run.run_end() {
            return Ok(Child::Over(end));
        }
        let waiters = Dormant::waiters_of(&run);
        self.resubscribe(&parent.tenant, waiters).map_err(|error| error.to_string())?;
        let adopted = self.adopt(&parent.tenant, run, records, false);
        Ok(Child::Open(adopted.map_err(|error| error.to_string())?.1))
    }
}

/// The end of an iteration that does not exist in the retry of it that is under
/// way.
fn absent(parent: &Run, (step, index): (StepIndex, u32), result: IterationResult) -> RunEnd {
    let generation = parent.iteration_generation(step, index);
    RunEnd::absent(parent.iteration_id(step, index), generation, result)
}

/// How a child stands after a restart.
enum Child {
    /// Nothing is known of it.
    Missing,
    /// It only waits, and is woken from the store.
    Dormant,
    /// It goes on, with these effects outstanding.
    Open(Vec<Due>),
    /// It ended so.
    Over(RunEnd),
}
