//! One execution of a workflow, or of one iteration of a `foreach`: what it is
//! and what can be read of it. Only `apply` changes it.

use crate::event::{Event, Origin, Stop, Unsatisfied};
use crate::failure::Failure;
use crate::id::{Attempt, RunId, StepIndex, Timestamp};
use crate::payload::Payload;
use crate::retry::Tally;
use crate::scope::{RunFacts, Scope, StepResult};
use crate::usage::Usage;
use crate::wait::Wait;
use crate::workflow::{Body, StepKind, Workflow};
use serde_json::{Map, Value};
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
    pub(crate) steps: Vec<StepRun>,
    /// Steps that are running, backing off or looping.
    pub(crate) active: u32,
    /// Steps about which something may have to be decided: `settle` empties it.
    pub(crate) agenda: BTreeSet<StepIndex>,
    pub(crate) deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// Runs that steps started and that are not over, with the step; none once
    /// this run is over itself.
    pub(crate) children: BTreeMap<RunId, StepIndex>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    /// The time of the last event.
    pub(crate) updated_at: Timestamp,
}

/// What a body can see of what is around it. It does not change while the run
/// is open, and comes from the parent, not from the run's own events.
#[derive(Clone, Debug)]
pub struct Surroundings {
    params: Payload,
    steps: Arc<BTreeMap<String, (&'static str, Option<Payload>)>>,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum RunStatus {
    /// It has not started.
    Queued,
    /// Its steps go on.
    Running,
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

/// One step within a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRun {
    /// How it stands.
    pub state: StepState,
    /// Since when.
    pub since: Timestamp,
    /// When it was first given its input.
    pub started_at: Option<Timestamp>,
    /// The last attempt that was started; 0 before the first.
    pub attempt: Attempt,
    /// When that attempt started.
    pub attempt_at: Timestamp,
    /// Its input, once it has one.
    pub input: Option<Payload>,
    /// Where the journal begins: higher each time that the step continued as new.
    pub sequence: u64,
    /// The place of its last wait in the journal.
    pub waited: u64,
    /// How often it continued as new.
    pub continued: u32,
    /// What its inputs since then have taken together.
    pub(crate) continued_bytes: u64,
    /// The last signal of each name that it was given before it continued.
    pub signals_taken: Vec<(String, u64)>,
    /// The iterations of a `foreach` that has started.
    pub iterations: Option<Box<Iterations>>,
    /// The failure of its last failed attempt.
    pub last_failure: Option<Failure>,
    /// What all its attempts used together.
    pub usage: Usage,
    pub(crate) tally: Tally,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// It waits for so many of the steps that it needs.
    Pending {
        /// How many are not complete.
        waiting_for: u32,
    },
    /// An attempt is under way.
    Running,
    /// The next attempt starts later.
    BackingOff {
        /// When.
        until: Timestamp,
    },
    /// The attempt waits.
    Suspended {
        /// For what.
        wait: Box<Wait>,
    },
    /// Its iterations are under way.
    Looping,
    /// It gave this output.
    Succeeded {
        /// The output.
        output: Payload,
    },
    /// It has no tries left.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// Its conditions did not hold.
    Unsatisfied {
        /// Which of them.
        unsatisfied: Unsatisfied,
    },
    /// It was stopped.
    Cancelled,
}

/// The iterations of a `foreach`.
#[derive(Clone, Debug, PartialEq)]
pub struct Iterations {
    /// An object with a list for each loop variable.
    pub items: Payload,
    /// How many there are.
    pub count: u32,
    /// The first that has not started.
    pub next: u32,
    /// Those that are under way.
    pub in_flight: BTreeSet<u32>,
    /// The outputs of those that succeeded, by index, while any is under way.
    pub(crate) outputs: Vec<Option<Payload>>,
    /// How many succeeded.
    pub succeeded: u32,
    /// Those that failed or were cancelled.
    pub failed: BTreeSet<u32>,
    /// The first failure: nothing new starts after it.
    pub failure: Option<Failure>,
    /// Whether those under way are being cancelled.
    pub stopping: bool,
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
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// Whether the run can still change.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

impl StepState {
    /// The status as text, as users see it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Running | Self::Looping => "running",
            Self::BackingOff { .. } => "waiting",
            Self::Suspended { .. } => "suspended",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { failure } if failure.reason == "timeout" => "timed_out",
            Self::Failed { .. } => "failed",
            Self::Unsatisfied { .. } => "unsatisfied",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the steps that need this one may go on.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Unsatisfied { .. })
    }

    fn output(&self) -> Option<&Payload> {
        match self {
            Self::Succeeded { output } => Some(output),
            _ => None,
        }
    }
}

impl Iterations {
    /// How an iteration stands, as users see it.
    pub fn status_of(&self, index: u32) -> &'static str {
        if index >= self.next {
            "pending"
        } else if self.in_flight.contains(&index) {
            "running"
        } else if self.failed.contains(&index) {
            "failed"
        } else {
            "succeeded"
        }
    }
}

impl Surroundings {
    /// What the body of a workflow sees: the params.
    pub fn of_root(params: Payload) -> Self {
        Self { params, steps: Arc::default() }
    }

    /// What somebody sees who only looks at an ended run.
    pub fn unknown() -> Self {
        Self::of_root(Payload::null())
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
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Runs that its steps started and that are not over.
    pub fn children(&self) -> &BTreeMap<RunId, StepIndex> {
        &self.children
    }

    /// What the step's attempt waits for, if it does.
    pub fn wait_of(&self, step: StepIndex) -> Option<&Wait> {
        match self.state_of(step) {
            Some(StepState::Suspended { wait }) => Some(wait),
            _ => None,
        }
    }

    /// Whether nothing of it has to be in memory: it only waits.
    pub fn is_dormant(&self) -> bool {
        let dormant = |step: &StepRun| match &step.state {
            StepState::Running | StepState::Looping => false,
            StepState::Pending { .. }
            | StepState::BackingOff { .. }
            | StepState::Suspended { .. }
            | StepState::Succeeded { .. }
            | StepState::Failed { .. }
            | StepState::Unsatisfied { .. }
            | StepState::Cancelled => true,
        };
        self.stop.is_none() && self.active > 0 && self.steps.iter().all(dormant)
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

    /// What the iterations of `step` can see of this run. The steps that they
    /// may read are complete, so it is the same for all of them.
    pub fn surroundings_of(&self, step: StepIndex) -> Surroundings {
        let Some(inner) = self.body().steps[step as usize].kind.inner() else {
            return self.surroundings.clone();
        };
        let seen = inner.outer_steps.iter().filter_map(|id| {
            let result = self.step(id)?;
            let status = self.status_of(id)?;
            Some((id.clone(), (status, result.output.cloned())))
        });
        Surroundings { params: self.surroundings.params.clone(), steps: Arc::new(seen.collect()) }
    }

    /// The identifier of iteration `index` of `step` and the origin that it is
    /// created with, if it is under way.
    pub fn iteration(&self, step: StepIndex, index: u32) -> Option<(RunId, Origin)> {
        let iterations = self.looping(step)?;
        if !iterations.in_flight.contains(&index) {
            return None;
        }
        let (root, mut path) = match &self.origin {
            Origin::Start { .. } | Origin::Child { .. } => (self.id, Vec::new()),
            Origin::Iteration { root, path, .. } => (*root, path.clone()),
        };
        path.push(step);
        let origin = Origin::Iteration {
            parent: self.id,
            root,
            path,
            index,
            loop_variables: self.loop_variables_of(iterations, step, index),
        };
        Some((RunId::child(self.id, step, index), origin))
    }

    /// The element of the product of all lists at `index`; the first variable
    /// varies fastest, as in Maestro.
    fn loop_variables_of(&self, iterations: &Iterations, step: StepIndex, index: u32) -> Payload {
        let mut variables = match self.loop_variables().value() {
            Value::Object(around) => around.clone(),
            _ => Map::new(),
        };
        let mut rest = index as usize;
        if let StepKind::Foreach(foreach) = &self.body().steps[step as usize].kind {
            for (name, _) in &foreach.variables {
                let Some(list) = iterations.items.value().get(name).and_then(Value::as_array)
                else {
                    continue;
                };
                if let Some(element) = list.get(rest % list.len().max(1)) {
                    variables.insert(name.clone(), element.clone());
                }
                rest /= list.len().max(1);
            }
        }
        Payload::from(Value::Object(variables))
    }

    fn status_of(&self, id: &str) -> Option<&'static str> {
        match self.place_of(id) {
            Some(place) => Some(self.steps[place].state.as_str()),
            None => self.surroundings.steps.get(id).map(|(status, _)| *status),
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
        let mut run = Self::create(id, workflow, surroundings, (at, first))?;
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
                let state = &self.steps[place].state;
                Some(StepResult { status: state.as_str(), output: state.output(), params: None })
            }
            None => self.surroundings.steps.get(id).map(|(status, output)| StepResult {
                status,
                output: output.as_ref(),
                params: None,
            }),
        }
    }

    fn run(&self) -> RunFacts<'_> {
        RunFacts {
            id: self.id,
            number: self.origin.number(),
            workflow: &self.workflow.name,
            version: self.version,
            created_at: self.created_at,
            retries: 0,
        }
    }
}
