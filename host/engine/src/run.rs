//! One execution of a workflow, or of one iteration of a `foreach`: what it is
//! and what can be read of it. Only `apply` changes it.

mod step;
mod surroundings;

pub(crate) use self::step::Match;
pub use self::step::{Iterations, StepRun, StepState};
pub use self::surroundings::Surroundings;

use crate::command::Rejection;
use crate::event::{Event, Given, Origin, Stop};
use crate::failure::Failure;
use crate::id::{RunId, StepIndex, Timestamp};
use crate::payload::Payload;
use crate::rollup::Rollup;
use crate::scope::{RunFacts, Scope, StepResult};
use crate::wait::Wait;
use crate::workflow::{Body, StepKind, Workflow};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A run: the fold of its events.
#[derive(Clone, Debug)]
pub struct Run {
    pub(crate) id: RunId,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) version: u64,
    pub(crate) origin: Origin,
    pub(crate) surroundings: Surroundings,
    pub(crate) status: RunStatus,
    pub(crate) stop: Option<Stop>,
    /// The first failure of a step: what the run will fail with.
    pub(crate) failure: Option<Failure>,
    /// Whether one of the failures ends the run at once.
    pub(crate) fails_at_once: bool,
    pub(crate) steps: Vec<StepRun>,
    /// Steps that are running, backing off or looping.
    pub(crate) active: u32,
    /// Steps about which something may have to be decided: `settle` empties it.
    pub(crate) agenda: BTreeSet<StepIndex>,
    pub(crate) deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// Runs that steps started and that are not over, with the step; none once
    /// this run is over itself.
    pub(crate) children: BTreeMap<RunId, StepIndex>,
    /// What the run was given, if it is no iteration; a retry may change it.
    pub(crate) given: Option<Given>,
    /// How often it was taken up again after its end.
    pub(crate) generation: u32,
    /// Steps before which somebody wants the run to stop. Not part of its
    /// history: whoever moves the run says it.
    pub(crate) breakpoints: Arc<BTreeSet<String>>,
    /// Whether the run around it is paused. Not part of its history.
    pub(crate) is_held: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    /// The time of the last event.
    pub(crate) updated_at: Timestamp,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum RunStatus {
    /// It has not started.
    Queued,
    /// Its steps go on.
    Running,
    /// Nothing new starts.
    Paused,
    /// It gave this output.
    Succeeded {
        /// The output.
        output: Payload,
    },
    /// A step failed.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// Somebody stopped it.
    Cancelled,
    /// It took longer than its workflow allows.
    TimedOut,
}

/// A moment at which something has to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// The workflow's `timeout`.
    Run,
    /// The `timeout` of the step's attempt, or of the whole `foreach`.
    Step(StepIndex),
    /// The end of the step's back-off.
    Backoff(StepIndex),
    /// The moment that the step's attempt waits for.
    Wait(StepIndex),
}

impl RunStatus {
    /// The status as text, as users see it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// Whether the run can still change.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Paused)
    }
}

impl Run {
    /// The run's identifier.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The workflow that it runs.
    pub fn workflow(&self) -> &Arc<Workflow> {
        &self.workflow
    }

    /// The version of that workflow.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How it stands.
    pub fn status(&self) -> &RunStatus {
        &self.status
    }

    /// Why it is being stopped, if it is.
    pub fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// Its steps, in the order of the definition.
    pub fn steps(&self) -> &[StepRun] {
        &self.steps
    }

    /// When it was created.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When it started.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// When it last changed: for a run that is over, when it ended.
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// The next moment at which it wants `Command::CheckDeadlines`.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let waits = self.is_on_hold();
        self.deadlines
            .iter()
            .find(|(_, what)| !(waits && what.starts_something()))
            .map(|(at, _)| *at)
    }

    /// Whether nothing new may start.
    pub fn is_on_hold(&self) -> bool {
        self.is_held || self.status == RunStatus::Paused
    }

    /// Says before which steps somebody wants the run to stop.
    pub fn set_breakpoints(&mut self, steps: Arc<BTreeSet<String>>) {
        self.breakpoints = steps;
    }

    /// Whether a step waits for the end of the run that it leaves its work to,
    /// which a pause of this one holds back, too.
    pub fn has_subworkflow(&self, step: StepIndex) -> bool {
        let step = self.body().steps.get(step as usize);
        step.is_some_and(|step| matches!(&step.kind, StepKind::Subworkflow(it) if it.sync))
    }

    /// Whether a run above it is paused, as it was last told.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Says whether a run above it is paused.
    pub fn set_held(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Says what is around it: a retry of the run there may have changed it.
    pub fn set_surroundings(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
    }

    /// The steps before which somebody wants the run to stop.
    pub fn breakpoints(&self) -> Arc<BTreeSet<String>> {
        Arc::clone(&self.breakpoints)
    }

    /// What it was given, if it is no iteration.
    pub fn given(&self) -> Option<&Given> {
        self.given.as_ref()
    }

    /// The runs of its iterations that are under way.
    pub fn iterations_under_way(&self) -> Vec<RunId> {
        let steps = 0..self.steps.len() as StepIndex;
        let looping = steps.filter_map(|step| Some((step, self.looping(step)?)));
        looping
            .flat_map(|(step, iterations)| {
                iterations.in_flight.iter().map(move |index| self.iteration_id(step, *index))
            })
            .collect()
    }

    /// Whether the step itself waits for a signal, for the time `sequence`.
    pub fn is_gate(&self, step: StepIndex, sequence: u64) -> bool {
        let state = self.state_of(step);
        matches!(state, Some(StepState::Waiting { wait }) if wait.sequence == sequence)
    }

    /// The engine's answer to an action that does not fit how the run stands.
    pub fn not_allowed(&self, action: &'static str) -> Rejection {
        crate::decide::not_allowed(self, action)
    }

    /// The engine's answer to an action on a step of a run that is over.
    pub fn step_is_over(&self, step: StepIndex, action: &'static str) -> Rejection {
        crate::decide::step_not_allowed(self, step, action)
    }

    /// Whether the step has left its work to this run.
    pub fn is_delegated(&self, step: StepIndex, run: RunId) -> bool {
        let state = self.state_of(step);
        matches!(state, Some(StepState::Delegated { child, .. }) if *child == run)
    }

    /// Whether it has had its turn.
    pub fn has_begun(&self) -> bool {
        self.status != RunStatus::Queued
    }

    /// How often the step has had this run, which it started, taken up again.
    pub fn child_generation(&self, child: RunId, step: StepIndex) -> u32 {
        let known = self.steps.get(step as usize).filter(|step| step.child == Some(child));
        known.map_or(0, |step| step.child_generation)
    }

    /// How often it was taken up again after its end.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Runs that its steps started and that are not over.
    pub fn children(&self) -> &BTreeMap<RunId, StepIndex> {
        &self.children
    }

    /// What the step's attempt waits for, if it does.
    pub fn wait_of(&self, step: StepIndex) -> Option<&Wait> {
        match self.state_of(step) {
            Some(StepState::Suspended { wait } | StepState::Waiting { wait }) => Some(wait),
            _ => None,
        }
    }

    /// How its steps stand, those in loops and subworkflows included that are
    /// over; `below` says how those stand that are under way.
    pub fn rollup(&self, below: &mut dyn FnMut(RunId) -> Rollup) -> Rollup {
        let mut all = Rollup::default();
        for (place, step) in self.steps.iter().enumerate() {
            let kind = &self.body().steps[place].kind;
            match (&step.iterations, kind) {
                (Some(iterations), _) => {
                    all = all.plus(iterations.rollup);
                    let is_open = !step.state.is_over();
                    let open = iterations.in_flight.iter().filter(|_| is_open);
                    all = open.fold(all, |all, index| {
                        all.plus(below(self.iteration_id(place as StepIndex, *index)))
                    });
                }
                (None, StepKind::Subworkflow(_)) => {
                    all = all.plus(step.below);
                    if let StepState::Delegated { child, .. } = &step.state {
                        all = all.plus(below(*child));
                    }
                }
                (None, StepKind::Foreach(_) | StepKind::While(_)) => {}
                (None, _) => all.add(step.state.status()),
            }
        }
        all
    }

    /// Whether nothing of it has to be in memory: it only waits.
    pub fn is_dormant(&self) -> bool {
        let dormant = |step: &StepRun| match &step.state {
            StepState::Running
            | StepState::Looping
            | StepState::Queued { .. }
            | StepState::Publishing { .. } => false,
            StepState::Pending { .. }
            | StepState::Paused
            | StepState::BackingOff { .. }
            | StepState::Suspended { .. }
            | StepState::Waiting { .. }
            | StepState::Delegated { .. }
            | StepState::Succeeded { .. }
            | StepState::CompletedWithError { .. }
            | StepState::Failed { .. }
            | StepState::Skipped { .. }
            | StepState::Unsatisfied { .. }
            | StepState::Cancelled => true,
        };
        let waits = self.active > 0 || self.status != RunStatus::Running;
        self.stop.is_none()
            && self.status.is_open()
            && waits
            // Whoever is around it keeps it here, to let it go on.
            && !self.is_held
            && self.steps.iter().all(dormant)
    }

    /// The graph that it runs.
    pub fn body(&self) -> &Body {
        self.workflow.body_at(self.path()).expect("creation checked the path")
    }

    /// The steps that this one waits for, by id.
    pub fn incomplete_needs(&self, step: StepIndex) -> impl Iterator<Item = &str> {
        let body = self.body();
        body.steps[step as usize]
            .needs
            .iter()
            .filter(|need| !self.steps[need.step as usize].state.is_complete())
            .map(|need| body.steps[need.step as usize].id.as_str())
    }

    fn status_of(&self, id: &str) -> Option<&'static str> {
        match self.place_of(id) {
            Some(place) => Some(self.steps[place].state.as_str()),
            None => self.surroundings.steps.get(id).map(|seen| seen.status),
        }
    }

    fn place_of(&self, id: &str) -> Option<usize> {
        self.body().steps.iter().position(|step| step.id == id)
    }

    /// The output where the body has no `output` of its own: that of the one
    /// step that no other needs, or an object of them by id.
    pub(crate) fn default_output(&self) -> Payload {
        let body = self.body();
        let last = || (0..body.steps.len()).filter(|place| body.steps[*place].needed_by.is_empty());
        let output =
            |place: usize| self.steps[place].state.output().cloned().unwrap_or_else(Payload::null);
        match (last().next(), last().nth(1)) {
            (Some(only), None) => output(only),
            _ => Payload::from_fields(
                last().map(|place| (body.steps[place].id.as_str(), output(place))),
            ),
        }
    }

    /// Builds the run from its history.
    ///
    /// # Errors
    /// The history does not begin with `RunCreated`, or does not fit the
    /// workflow.
    pub fn replay<'a>(
        id: RunId,
        workflow: Arc<Workflow>,
        surroundings: Surroundings,
        history: impl IntoIterator<Item = (Timestamp, &'a Event)>,
    ) -> Result<Self, crate::apply::Corrupt> {
        let mut history = history.into_iter();
        let (at, first) = history.next().ok_or(crate::apply::Corrupt::Empty)?;
        let mut run = Self::created(id, workflow, surroundings, (at, first))?;
        for (at, event) in history {
            run.apply(at, event)?;
        }
        Ok(run)
    }
}

impl Scope for Run {
    fn params(&self) -> &Payload {
        &self.surroundings.params
    }

    fn loop_variables(&self) -> &Payload {
        match &self.origin {
            Origin::Start { .. } | Origin::Child { .. } => Payload::empty_object(),
            Origin::Iteration { loop_variables, .. } => loop_variables,
        }
    }

    fn step(&self, id: &str) -> Option<StepResult<'_>> {
        match self.place_of(id) {
            Some(place) => {
                let StepRun { state, input, .. } = &self.steps[place];
                let params = input.as_ref();
                Some(StepResult { status: state.as_str(), output: state.output(), params })
            }
            None => {
                let seen = self.surroundings.steps.get(id)?;
                let (output, params) = (seen.output.as_ref(), seen.params.as_ref());
                Some(StepResult { status: seen.status, output, params })
            }
        }
    }

    fn run(&self) -> RunFacts<'_> {
        RunFacts {
            id: self.id,
            number: self.origin.number(),
            workflow: &self.workflow.name,
            version: self.version,
            created_at: self.created_at,
            scheduled_at: self.scheduled_at(),
            retries: self.generation.max(self.surroundings.retries),
        }
    }
}

impl Run {
    /// The instant of the schedule that started the run, or else when it was
    /// created; that of the run around it, above it, or that it is a fork of.
    fn scheduled_at(&self) -> Timestamp {
        self.origin.scheduled_at().or(self.surroundings.scheduled_at).unwrap_or(self.created_at)
    }
}

impl Deadline {
    /// Whether it only lets something new begin, which a pause holds back.
    pub(crate) fn starts_something(self) -> bool {
        matches!(self, Self::Backoff(_))
    }
}
