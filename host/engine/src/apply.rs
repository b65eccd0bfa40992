//! The one place that changes a run. `Run::apply` touches and does not think:
//! an event that does not fit the state means that the history is corrupt.

mod foreach;
pub(crate) mod wait;

use crate::event::{Event, Origin, Stop};
use crate::failure::Failure;
use crate::id::{RunId, StepIndex, Timestamp};
use crate::payload::Payload;
use crate::retry::Tally;
use crate::run::{Deadline, Iterations, Run, RunStatus, StepRun, StepState, Surroundings};
use crate::settle::ITERATIONS_MAX;
use crate::usage::Usage;
use crate::workflow::Workflow;
use std::collections::{BTreeMap, BTreeSet};
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
    /// The run after its first event.
    pub(crate) fn create(
        id: RunId,
        workflow: Arc<Workflow>,
        surroundings: Surroundings,
        (at, event): (Timestamp, &Event),
    ) -> Result<Self, Corrupt> {
        let Event::RunCreated { version, origin, .. } = event else {
            return Err(Corrupt::NotCreated);
        };
        let surroundings = match origin {
            Origin::Start { params, .. } | Origin::Child { params, .. } => {
                Surroundings::of_root(params.clone())
            }
            Origin::Iteration { path, .. } if workflow.body_at(path).is_none() => {
                return Err(Corrupt::NoLoop { path: path.clone() });
            }
            Origin::Iteration { .. } => surroundings,
        };
        let mut run = Self {
            id,
            workflow,
            version: *version,
            origin: origin.clone(),
            surroundings,
            status: RunStatus::Queued,
            stop: None,
            failure: None,
            steps: Vec::new(),
            active: 0,
            agenda: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            children: BTreeMap::new(),
            created_at: at,
            started_at: None,
            updated_at: at,
        };
        let fresh = |needs: usize| StepRun {
            state: StepState::Pending { waiting_for: needs as u32 },
            since: at,
            started_at: None,
            attempt: 0,
            attempt_at: at,
            input: None,
            sequence: 0,
            waited: 0,
            continued: 0,
            continued_bytes: 0,
            signals_taken: Vec::new(),
            iterations: None,
            last_failure: None,
            usage: Usage::default(),
            tally: Tally::default(),
        };
        run.steps = run.body().steps.iter().map(|step| fresh(step.needs.len())).collect();
        Ok(run)
    }

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
                self.finish(at, *step, StepState::Succeeded { output: output.clone() });
            }
            Event::StepFailed { step, failure } => {
                self.finish(at, *step, StepState::Failed { failure: failure.clone() });
            }
            Event::StepUnsatisfied { step, unsatisfied } => {
                self.finish(at, *step, StepState::Unsatisfied { unsatisfied: *unsatisfied });
            }
            Event::ForeachStarted { step, items, count } => {
                self.start_foreach(at, *step, items, *count);
            }
            Event::IterationsStarted { step, first, count } => {
                self.start_iterations(*step, *first, *count);
            }
            Event::IterationEnded { step, index, result } => {
                self.end_iteration(*step, *index, result);
            }
            Event::ForeachSucceeded { step } => {
                let output =
                    self.loop_mut(*step).map_or_else(Payload::null, Iterations::take_output);
                self.finish(at, *step, StepState::Succeeded { output });
            }
            Event::ForeachStopRequested { step, failure } => self.stop_foreach(*step, failure),
            Event::ForeachStopped { step } => self.finish(at, *step, StepState::Cancelled),
            Event::StopRequested { stop } => self.request_stop(at, stop),
            Event::RunSucceeded { output } => {
                let output = output.clone().unwrap_or_else(|| self.default_output());
                self.end(RunStatus::Succeeded { output });
            }
            Event::RunFailed { failure } => {
                self.end(RunStatus::Failed { failure: failure.clone() });
            }
            Event::RunStopped => self.end(match self.stop {
                Some(Stop::TimedOut) => RunStatus::TimedOut,
                Some(Stop::Cancelled { .. }) | None => RunStatus::Cancelled,
            }),
            Event::AttemptSuspended { step, wait, .. } => self.suspend(at, *step, wait),
            Event::AttemptResumed { step, .. } => self.resume(at, *step),
            Event::AttemptPutAway { step, usage, .. } => self.add_usage(*step, *usage),
            Event::StepContinued { .. } => self.continue_step(at, event),
            Event::ChildStarted { step, child } => {
                self.children.insert(*child, *step);
            }
            Event::ChildEnded { child, .. } => {
                self.children.remove(child);
            }
        }
        Ok(())
    }

    /// Every pair of state and event that can happen; anything else is corrupt.
    fn check_fit(&self, event: &Event) -> Result<(), Corrupt> {
        let status = &self.status;
        let fits = match event {
            Event::RunCreated { .. } => false,
            Event::RunStarted => *status == RunStatus::Queued,
            Event::StepStarted { step, .. } | Event::StepUnsatisfied { step, .. } => {
                self.is_ready(*step)
            }
            Event::ForeachStarted { step, count, .. } => {
                self.is_ready(*step) && *count as usize <= ITERATIONS_MAX
            }
            Event::AttemptStarted { step, attempt } => match self.steps.get(*step as usize) {
                Some(run) => match run.state {
                    StepState::Running => run.attempt == 0 && *attempt == 1,
                    StepState::BackingOff { .. } => run.attempt + 1 == *attempt,
                    _ => false,
                },
                None => false,
            },
            Event::AttemptFailed { step, attempt, .. }
            | Event::AttemptPutAway { step, attempt, .. } => self.is_under_way(*step, *attempt),
            Event::StepSucceeded { step, attempt, .. }
            | Event::AttemptSuspended { step, attempt, .. } => self.is_running(*step, *attempt),
            Event::StepContinued { step, attempt, .. } => {
                attempt.checked_sub(1).is_some_and(|before| self.is_running(*step, before))
            }
            Event::AttemptResumed { step, attempt, .. } => {
                self.wait_of(*step).is_some() && self.is_under_way(*step, *attempt)
            }
            Event::ChildStarted { step, .. } => {
                matches!(self.state_of(*step), Some(StepState::Running))
            }
            Event::ChildEnded { step, child } => self.children.get(child) == Some(step),
            Event::StepFailed { step, .. } => matches!(
                self.state_of(*step),
                Some(StepState::Pending { waiting_for: 0 } | StepState::Looping)
            ),
            Event::IterationsStarted { step, first, count } => self
                .looping(*step)
                .is_some_and(|all| all.next == *first && *count <= all.count - all.next),
            Event::IterationEnded { step, index, .. } => {
                self.looping(*step).is_some_and(|all| all.in_flight.contains(index))
            }
            Event::ForeachSucceeded { step } => {
                self.looping(*step).is_some_and(|all| all.succeeded == all.count)
            }
            Event::ForeachStopRequested { step, .. } => {
                self.looping(*step).is_some_and(|all| !all.stopping)
            }
            Event::ForeachStopped { step } => {
                self.looping(*step).is_some_and(|all| all.in_flight.is_empty())
            }
            Event::StopRequested { .. } => status.is_open() && self.stop.is_none(),
            Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped => {
                *status == RunStatus::Running
                    && self.active == 0
                    && self.is_abandoned_or_childless()
            }
        };
        if fits {
            return Ok(());
        }
        let step = event.step();
        let state = step.and_then(|step| self.state_of(step)).map(StepState::as_str);
        Err(Corrupt::Misfit {
            step,
            state: state.unwrap_or_else(|| status.as_str()),
            event: format!("{event:?}").chars().take(200).collect(),
        })
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

    /// Whether no run that a step started keeps this one from ending: a run
    /// that is stopped waits for them, any other leaves them to go on.
    pub(crate) fn is_abandoned_or_childless(&self) -> bool {
        self.stop.is_none() || self.children.is_empty()
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
        let ready = |step: &StepRun| step.state == (StepState::Pending { waiting_for: 0 });
        self.agenda = (0..self.steps.len() as StepIndex)
            .filter(|place| ready(&self.steps[*place as usize]))
            .collect();
        if let (Some(timeout), Some(_)) = (self.timeout_ms(), self.origin.number()) {
            self.deadlines.insert((at.plus_ms(timeout), Deadline::Run));
        }
    }

    fn give_input(&mut self, at: Timestamp, place: StepIndex, input: &Payload) {
        self.agenda.remove(&place);
        self.active += 1;
        let step = &mut self.steps[place as usize];
        step.input = Some(input.clone());
        step.started_at = Some(at);
        step.since = at;
        step.state = StepState::Running;
    }

    fn start_attempt(&mut self, at: Timestamp, place: StepIndex, attempt: u32) {
        if let StepState::BackingOff { until } = self.steps[place as usize].state {
            self.deadlines.remove(&(until, Deadline::Backoff(place)));
        }
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
                step.state = StepState::BackingOff { until };
                step.since = at;
                self.deadlines.insert((until, Deadline::Backoff(place)));
            }
            None => self.finish(at, place, StepState::Failed { failure: failure.clone() }),
        }
    }

    /// Puts a step into a state that it keeps.
    fn finish(&mut self, at: Timestamp, place: StepIndex, state: StepState) {
        self.agenda.remove(&place);
        self.clear_timeout(place);
        self.clear_wait(place);
        let step = &mut self.steps[place as usize];
        if matches!(
            step.state,
            StepState::Running
                | StepState::BackingOff { .. }
                | StepState::Suspended { .. }
                | StepState::Looping
        ) {
            self.active -= 1;
        }
        step.state = state;
        step.since = at;
        match &self.steps[place as usize].state {
            StepState::Failed { failure } if self.failure.is_none() => {
                self.failure = Some(self.name_step(place, failure));
            }
            state if state.is_complete() => self.release_dependents(place),
            _ => {}
        }
    }

    fn name_step(&self, place: StepIndex, failure: &Failure) -> Failure {
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
                Some(
                    StepState::Pending { .. }
                    | StepState::Running
                    | StepState::Suspended { .. }
                    | StepState::BackingOff { .. },
                ) => self.finish(at, place, StepState::Cancelled),
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
        if let Some(timeout) = self.timeout_of(place) {
            self.deadlines.insert((at.plus_ms(timeout), Deadline::Step(place)));
        }
    }

    fn clear_timeout(&mut self, place: StepIndex) {
        if let Some(timeout) = self.timeout_of(place) {
            let since = self.steps[place as usize].attempt_at;
            self.deadlines.remove(&(since.plus_ms(timeout), Deadline::Step(place)));
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
