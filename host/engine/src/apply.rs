//! The one place that changes a run. `Run::apply` touches and does not think:
//! an event that does not fit the state means that the history is corrupt.

mod action;
mod create;
mod fit;
mod looping;
mod retry;
pub(crate) mod wait;

use crate::event::{Event, Origin, Stop};
use crate::failure::{Failure, FailureKind};
use crate::id::{RunId, StepIndex, Timestamp};
use crate::payload::Payload;
use crate::run::{Deadline, Iterations, Run, RunStatus, StepState};
use crate::usage::Usage;
use crate::workflow::{FailureMode, StepKind};
use std::sync::Arc;

/// A history that cannot have happened.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Corrupt {
    /// There is no event.
    #[error("the history is empty")]
    Empty,
    /// The first event is another.
    #[error("the history does not begin with the creation of the run")]
    NotCreated,
    /// The run is an iteration of a loop that the workflow does not have.
    #[error("the workflow has no loop at {path:?}; it is not the one that this run started with")]
    NoLoop {
        /// The steps that should lead to the loop.
        path: Vec<StepIndex>,
    },
    /// The event cannot follow the state.
    #[error("step {step:?} in state {state} cannot follow with {event}")]
    Misfit {
        /// The step that the event names, if it names one.
        step: Option<StepIndex>,
        /// How the step or run stands.
        state: &'static str,
        /// The event.
        event: String,
    },
}

impl Run {
    /// Takes in what happened.
    ///
    /// # Errors
    /// The event cannot follow the run's state.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), Corrupt> {
        self.check_fit(event)?;
        self.updated_at = at;
        match event {
            Event::RunCreated { .. } => {}
            Event::RunStarted => self.start(at),
            Event::StepStarted { step, input } => self.give_input(at, *step, input),
            Event::AttemptStarted { step, attempt } => self.start_attempt(at, *step, *attempt),
            Event::AttemptFailed { step, failure, retry_at, usage, .. } => {
                self.add_usage(*step, *usage);
                self.fail_attempt(at, *step, failure, *retry_at);
            }
            Event::StepSucceeded { step, output, usage, .. } => {
                self.add_usage(*step, *usage);
                self.note_match(*step, output);
                self.finish(at, *step, StepState::Succeeded { output: output.clone() });
            }
            Event::StepFailed { step, failure } => self.fail_step(at, *step, failure),
            Event::StepUnsatisfied { step, unsatisfied } => {
                self.finish(at, *step, StepState::Unsatisfied { unsatisfied: *unsatisfied });
            }
            Event::ForeachStarted { step, items, count } => {
                self.start_foreach(at, *step, items, *count);
            }
            Event::IterationsStarted { step, first, count } => {
                self.start_iterations(*step, *first, *count);
            }
            Event::IterationEnded { step, index, result, rollup } => {
                self.end_iteration(*step, *index, (result, *rollup));
            }
            Event::LoopSucceeded { step } => self.end_loop(at, *step),
            Event::LoopStopRequested { step, ending } => self.stop_loop(*step, ending),
            Event::LoopStopped { step } => self.loop_stopped(at, *step),
            Event::StopRequested { stop } => self.request_stop(at, stop),
            Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped => {
                self.end(self.status_after(event));
            }
            Event::AttemptSuspended { step, wait, .. } => self.suspend(at, *step, wait),
            Event::AttemptResumed { step, .. } => self.resume(at, *step),
            Event::AttemptPutAway { step, usage, .. } => self.add_usage(*step, *usage),
            Event::StepContinued { .. } => self.continue_step(at, event),
            Event::ChildStarted { step, child } => {
                self.children.insert(*child, *step);
            }
            Event::ChildEnded { step, child, rollup } => {
                self.children.remove(child);
                if matches!(self.body().steps[*step as usize].kind, StepKind::Subworkflow(_)) {
                    self.steps[*step as usize].below = *rollup;
                }
            }
            Event::WaitStarted { step, wait } => self.wait(at, *step, wait),
            Event::WhileStarted { step, variables } => self.start_while(at, *step, variables),
            Event::WhileContinued { step, index, variables } => {
                self.continue_while(*step, *index, variables);
            }
            Event::SubworkflowStarted { .. } => self.delegate(at, event),
            Event::IterationRetried { step, index } => self.retry_iteration(*step, *index),
            Event::RunRetried { .. } => self.go_on(at, event),
            Event::StepPublishing { step, usage, .. } => {
                self.add_usage(*step, *usage);
                self.publish(at, event);
            }
            Event::StepPublished { step, .. } => self.published(at, *step),
            _ => self.apply_action(at, event),
        }
        Ok(())
    }

    /// How the run stands once this event has ended it.
    fn status_after(&self, end: &Event) -> RunStatus {
        match end {
            Event::RunSucceeded { output } => {
                let output = output.clone().unwrap_or_else(|| self.default_output());
                RunStatus::Succeeded { output }
            }
            Event::RunFailed { failure } => RunStatus::Failed { failure: failure.clone() },
            _ if self.stop == Some(Stop::TimedOut) => RunStatus::TimedOut,
            _ => RunStatus::Cancelled,
        }
    }

    /// Whether the step has not started, and waits for nothing.
    fn is_ready(&self, step: StepIndex) -> bool {
        matches!(self.state_of(step), Some(StepState::Pending { waiting_for: 0 }))
    }

    /// Whether this attempt is the one under way.
    pub fn is_running(&self, step: StepIndex, attempt: u32) -> bool {
        self.steps
            .get(step as usize)
            .is_some_and(|run| run.attempt == attempt && run.state == StepState::Running)
    }

    /// Whether this attempt is the one under way, be it suspended.
    pub fn is_under_way(&self, step: StepIndex, attempt: u32) -> bool {
        self.steps.get(step as usize).is_some_and(|run| {
            let open = matches!(run.state, StepState::Running | StepState::Suspended { .. });
            run.attempt == attempt && open
        })
    }

    /// Whether no run that a step started keeps this one from ending: those that
    /// are being cancelled do, others are left to go on.
    pub(crate) fn waits_for_no_child(&self) -> bool {
        !self.children.iter().any(|(child, step)| self.cancels_child(*child, *step))
    }

    /// Whether a run that a step started is being cancelled, or would be if it
    /// were open.
    pub fn cancels_child(&self, child: RunId, step: StepIndex) -> bool {
        let is_subworkflow =
            matches!(self.body().steps[step as usize].kind, StepKind::Subworkflow(_));
        self.stop.is_some()
            || match &self.steps[step as usize].state {
                StepState::Delegated { child: current, .. } => *current != child,
                StepState::Cancelled | StepState::Skipped { .. } => true,
                StepState::Failed { failure } => is_subworkflow || failure.reason == "killed",
                // One that timed out, say: the next attempt has a run of its own.
                _ => is_subworkflow,
            }
    }

    /// The failure that ends the run at once, if there is one.
    pub(crate) fn fails_at_once(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| self.fails_at_once)
    }

    /// Whether somebody stopped a step of it.
    pub(crate) fn has_cancelled_step(&self) -> bool {
        self.steps.iter().any(|step| step.state == StepState::Cancelled)
    }

    /// What was given for the step with this id.
    pub(crate) fn step_params_of(
        &self,
        id: &str,
    ) -> Option<&serde_json::Map<String, serde_json::Value>> {
        self.surroundings.step_params().value().get(id)?.as_object()
    }

    pub(crate) fn state_of(&self, step: StepIndex) -> Option<&StepState> {
        self.steps.get(step as usize).map(|run| &run.state)
    }

    /// The iterations of a `foreach` that is not over.
    pub(crate) fn looping(&self, step: StepIndex) -> Option<&Iterations> {
        let run = self.steps.get(step as usize)?;
        run.iterations.as_deref().filter(|_| run.state == StepState::Looping)
    }

    fn loop_mut(&mut self, step: StepIndex) -> Option<&mut Iterations> {
        self.steps.get_mut(step as usize)?.iterations.as_deref_mut()
    }

    fn start(&mut self, at: Timestamp) {
        self.status = RunStatus::Running;
        self.started_at = Some(at);
        self.fill_agenda();
        // A loop that goes on may have waited for the run's turn.
        for place in 0..self.steps.len() as StepIndex {
            if self.state_of(place) == Some(&StepState::Looping) {
                self.steps[place as usize].attempt_at = at;
                self.set_timeout(at, place);
            }
        }
        if let (Some(timeout), Some(_)) = (self.timeout_ms(), self.origin.number()) {
            self.deadlines.insert((at.plus_ms(timeout), Deadline::Run));
        }
    }

    fn give_input(&mut self, at: Timestamp, place: StepIndex, input: &Payload) {
        self.agenda.remove(&place);
        self.active += 1;
        let step = &mut self.steps[place as usize];
        let was_played = step.attempt > 0 && step.input.is_some();
        if was_played && !(step.keeps_journal && step.input.as_ref() == Some(input)) {
            step.begin_afresh();
        }
        step.keeps_journal = false;
        step.input = Some(input.clone());
        step.started_at = Some(at);
        step.since = at;
        step.state = StepState::Running;
    }

    fn start_attempt(&mut self, at: Timestamp, place: StepIndex, attempt: u32) {
        self.clear_backoff(place);
        let step = &mut self.steps[place as usize];
        step.state = StepState::Running;
        step.since = at;
        step.attempt = attempt;
        step.attempt_at = at;
        self.set_timeout(at, place);
    }

    fn add_usage(&mut self, place: StepIndex, usage: Usage) {
        let step = &mut self.steps[place as usize];
        step.usage = step.usage.plus(usage);
    }

    fn fail_attempt(
        &mut self,
        at: Timestamp,
        place: StepIndex,
        failure: &Failure,
        retry_at: Option<Timestamp>,
    ) {
        self.clear_timeout(place);
        self.clear_wait(place);
        let step = &mut self.steps[place as usize];
        step.tally.add(failure.kind);
        step.last_failure = Some(failure.clone());
        match retry_at {
            Some(until) => {
                let is_delegated = matches!(step.state, StepState::Delegated { .. });
                if is_delegated && failure.kind != FailureKind::Timeout {
                    // There never was a run, so the next try makes its own.
                    step.child = None;
                }
                step.state = StepState::BackingOff { until };
                step.since = at;
                self.deadlines.insert((until, Deadline::Backoff(place)));
            }
            None => self.fail_step(at, place, failure),
        }
    }

    /// The step has failed, or counts as complete all the same.
    fn fail_step(&mut self, at: Timestamp, place: StepIndex, failure: &Failure) {
        let ignores = self.body().steps[place as usize].failure_mode == FailureMode::IgnoreFailure;
        let failure = failure.clone();
        self.steps[place as usize].last_failure = Some(failure.clone());
        let state = match ignores && failure.reason != "killed" {
            true => StepState::CompletedWithError { failure, output: self.output_so_far(place) },
            false => StepState::Failed { failure },
        };
        self.finish(at, place, state);
    }

    /// Puts a step into a state that it keeps.
    fn finish(&mut self, at: Timestamp, place: StepIndex, state: StepState) {
        self.agenda.remove(&place);
        self.clear_timeout(place);
        self.clear_wait(place);
        self.clear_backoff(place);
        let step = &mut self.steps[place as usize];
        if step.state.is_active() {
            self.active -= 1;
        }
        step.state = state;
        step.since = at;
        match &self.steps[place as usize].state {
            StepState::Failed { failure } => {
                if self.failure.is_none() {
                    self.failure = Some(self.name_step(place, failure));
                }
                let mode = self.body().steps[place as usize].failure_mode;
                self.fails_at_once |= mode == FailureMode::FailImmediately;
            }
            state if state.is_complete() => self.release_dependents(place),
            _ => {}
        }
    }

    pub(super) fn name_step(&self, place: StepIndex, failure: &Failure) -> Failure {
        let id = &self.body().steps[place as usize].id;
        Failure { message: format!("step `{id}`: {}", failure.message), ..failure.clone() }
    }

    fn release_dependents(&mut self, place: StepIndex) {
        let workflow = Arc::clone(&self.workflow);
        let body = workflow.body_at(self.path()).expect("creation checked the path");
        for dependent in &body.steps[place as usize].needed_by {
            if let StepState::Pending { waiting_for } = &mut self.steps[*dependent as usize].state {
                *waiting_for -= 1;
                if *waiting_for == 0 && self.stop.is_none() {
                    self.agenda.insert(*dependent);
                }
            }
        }
    }

    fn request_stop(&mut self, at: Timestamp, stop: &Stop) {
        self.stop = Some(stop.clone());
        self.deadlines.clear();
        self.agenda.clear();
        for place in 0..self.steps.len() as StepIndex {
            match self.state_of(place) {
                Some(StepState::Looping) => self.put_loop_on_agenda(place),
                Some(state) if !state.is_over() => self.finish(at, place, StepState::Cancelled),
                _ => {}
            }
        }
    }

    fn end(&mut self, status: RunStatus) {
        self.status = status;
        self.agenda.clear();
        self.deadlines.clear();
        // Those that go on have nobody to tell.
        self.children.clear();
    }

    fn set_timeout(&mut self, at: Timestamp, place: StepIndex) {
        self.clear_timeout(place);
        if let Some(timeout) = self.timeout_of(place) {
            let due = at.plus_ms(timeout);
            self.steps[place as usize].timeout_at = Some(due);
            self.deadlines.insert((due, Deadline::Step(place)));
        }
    }

    fn clear_timeout(&mut self, place: StepIndex) {
        if let Some(due) = self.steps[place as usize].timeout_at.take() {
            self.deadlines.remove(&(due, Deadline::Step(place)));
        }
    }

    fn clear_backoff(&mut self, place: StepIndex) {
        if let StepState::BackingOff { until } = self.steps[place as usize].state {
            self.deadlines.remove(&(until, Deadline::Backoff(place)));
        }
    }

    /// The time-out of its workflow, in milliseconds.
    pub fn timeout_ms(&self) -> Option<u64> {
        self.workflow.timeout.as_ref()?.millis(self).ok()
    }

    /// The time-out of a step, in milliseconds.
    pub fn timeout_of(&self, place: StepIndex) -> Option<u64> {
        self.body().steps[place as usize].timeout.as_ref()?.millis(self).ok()
    }

    pub(crate) fn path(&self) -> &[StepIndex] {
        match &self.origin {
            Origin::Start { .. } | Origin::Child { .. } => &[],
            Origin::Iteration { path, .. } => path,
        }
    }
}
