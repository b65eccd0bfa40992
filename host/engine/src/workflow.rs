//! A workflow as the engine runs it: checked, names resolved to places,
//! components pinned to digests. `definition` makes one from an author's text.

use crate::expression::Expression;
use crate::grant::Grants;
use crate::id::StepIndex;
use crate::retry::RetryRule;
use crate::schedule::Trigger;
use crate::setting::Setting;
use crate::strategy::RunStrategy;
use crate::template::Template;
use crate::trigger::signal::SignalTrigger;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One version of a workflow.
#[derive(Debug)]
pub struct Workflow {
    /// The name that it is known by within its tenant.
    pub name: String,
    /// What it is for, in the author's words.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is found by, and whose permits all its steps need; `None` where
    /// it does not say.
    pub tags: Option<Vec<String>>,
    /// Which of its runs go on at once. A property of the workflow: the last
    /// version that says it sets it.
    pub run_strategy: Option<RunStrategy>,
    /// How many steps run code at once in all runs of the workflow together. A
    /// property, too.
    pub step_concurrency: Option<u32>,
    /// How many steps run code at once in a run, with everything below it.
    pub run_step_concurrency: Option<u32>,
    /// What a run may be given.
    pub params: Vec<Param>,
    /// A run that is not over after so long is timed out.
    pub timeout: Option<Setting>,
    /// What starts runs of it, in the order of the definition.
    pub triggers: Vec<Trigger>,
    /// The steps.
    pub body: Body,
}

impl Workflow {
    /// The body that this path of `foreach` steps leads to.
    pub fn body_at(&self, path: &[StepIndex]) -> Option<&Body> {
        path.iter().try_fold(&self.body, |body, step| {
            body.steps.get(*step as usize)?.kind.inner().map(|inner| &inner.body)
        })
    }

    /// The triggers that signals set off.
    pub fn signal_triggers(&self) -> impl Iterator<Item = &SignalTrigger> {
        self.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Signal(trigger) => Some(&**trigger),
            Trigger::Schedule(_) => None,
        })
    }

    /// The step with this id, also inside of loops.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.body.step(id)
    }
}

impl Body {
    /// How many of its steps are no loops and no subworkflows.
    pub fn leaves(&self) -> u64 {
        let is_leaf = |step: &&Step| {
            step.kind.inner().is_none() && !matches!(step.kind, StepKind::Subworkflow(_))
        };
        self.steps.iter().filter(is_leaf).count() as u64
    }

    /// The step and everything that waits for it, directly or not.
    pub fn dependents(&self, step: StepIndex) -> BTreeSet<StepIndex> {
        let mut all = BTreeSet::from([step]);
        let mut next = vec![step];
        while let Some(step) = next.pop() {
            for dependent in &self.steps[step as usize].needed_by {
                if all.insert(*dependent) {
                    next.push(*dependent);
                }
            }
        }
        all
    }

    /// The place of the step with this id, which is in no loop.
    pub(crate) fn place(&self, id: &str) -> Option<StepIndex> {
        self.steps.iter().position(|step| step.id == id).map(|place| place as StepIndex)
    }

    fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find_map(|step| match step.kind.inner() {
            _ if step.id == id => Some(step),
            Some(inner) => inner.body.step(id),
            None => None,
        })
    }
}

/// One parameter of a workflow.
#[derive(Debug)]
pub struct Param {
    /// Its name, as in `params.<name>`.
    pub name: String,
    /// What it may hold.
    pub kind: ParamType,
    /// The value where a run gives none. Its expressions read other params and
    /// `run`.
    pub value: Option<Template>,
    /// Whether a run may go without it if it has no value; it is then not there.
    pub optional: bool,
    /// Who may change it.
    pub mode: ParamMode,
    /// What it is for, in the author's words.
    pub description: Option<String>,
}

/// Who may give a parameter another value than the definition does. Each mode
/// allows less than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamMode {
    /// Everyone: a start, a retry or fork, and for a step's param its output.
    #[default]
    Mutable,
    /// A start, and a retry or fork.
    MutableOnStartRestart,
    /// Only a start.
    MutableOnStart,
    /// Nobody but the definition.
    Immutable,
    /// Nobody: it is what it says.
    Constant,
}

/// What a parameter may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number that fits in 64 bits.
    Int,
    /// Any number.
    Double,
    /// `true` or `false`.
    Bool,
    /// Any JSON value.
    Json,
    /// A list of values of one type.
    List(Box<ParamType>),
    /// A map from text to values of one type.
    Map(Box<ParamType>),
}

/// A graph of steps: a workflow's, or that of one iteration of a `foreach`.
#[derive(Debug)]
pub struct Body {
    /// The steps, in the order of the definition.
    pub steps: Vec<Step>,
    /// What a run of this body gives back. Without it: the output of the one
    /// step that no other needs, or an object of them by id if there are more.
    pub output: Option<Template>,
}

/// A node of the graph.
#[derive(Debug)]
pub struct Step {
    /// Its id, unique among the steps that can see it.
    pub id: String,
    /// The steps it waits for, each with the condition on that edge.
    pub needs: Vec<Need>,
    /// The steps that wait for it: the inverse of `needs`.
    pub needed_by: Vec<StepIndex>,
    /// Runs only if this holds.
    pub when: Option<Expression>,
    /// What it does.
    pub kind: StepKind,
    /// What makes its input; empty for loops.
    pub params: StepParams,
    /// What its output has to have, if that is said: an object with these
    /// fields and no others.
    pub outputs: Option<Vec<(String, ParamType)>>,
    /// What it publishes when its work is done, before it succeeds: a list of
    /// `{ name, params, payload }`.
    pub signals: Option<Template>,
    /// How often it is tried again, and when.
    pub retry: RetryRule,
    /// An attempt that is not over after so long is timed out; so is a loop, a
    /// wait or a subworkflow.
    pub timeout: Option<Setting>,
    /// An attempt that does not call `progress.heartbeat` for so long is timed
    /// out.
    pub heartbeat_timeout: Option<Setting>,
    /// What its failure means for the run.
    pub failure_mode: FailureMode,
    /// The permits that it needs to run code, besides those of its workflow.
    pub tags: Vec<String>,
    /// What it is for, in the author's words.
    pub description: Option<String>,
}

/// What the failure of a step means for its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureMode {
    /// What does not depend on it goes on; then the run has failed.
    #[default]
    FailAfterRunning,
    /// Everything else is stopped.
    FailImmediately,
    /// It counts as complete, with the status `completed_with_error`.
    IgnoreFailure,
}

/// The params of a step: what it is given.
#[derive(Debug)]
pub enum StepParams {
    /// A JSON object as it is written.
    Whole(Template),
    /// One by one: some have a type, a mode, or read others of the same step as
    /// `self.<name>`. In an order in which each can be evaluated.
    Each(Vec<StepParam>),
}

/// One parameter of a step.
#[derive(Debug)]
pub struct StepParam {
    /// Its name.
    pub name: String,
    /// What it may hold, if that is said.
    pub kind: Option<ParamType>,
    /// Its value.
    pub value: Template,
    /// Who may change it.
    pub mode: ParamMode,
}

/// An edge of the graph.
#[derive(Debug)]
pub struct Need {
    /// The step that has to be complete.
    pub step: StepIndex,
    /// The edge holds if this does; without it, if the needed step succeeded.
    pub condition: Option<Expression>,
}

/// What a step does.
#[derive(Debug)]
pub enum StepKind {
    /// Runs a component.
    Call(Call),
    /// Runs a body once for each element of a list.
    Foreach(Foreach),
    /// Runs a body again and again while a condition holds.
    While(While),
    /// Runs another workflow.
    Subworkflow(Subworkflow),
    /// Waits for a time: a number of seconds, or text as in `5m`.
    Sleep(Template),
    /// Waits for a signal, past or future.
    Wait(Gate),
    /// Nothing: its output is its params.
    Noop,
}

impl StepKind {
    /// The kind as text, as users see it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Call(_) => "component",
            Self::Foreach(_) => "foreach",
            Self::While(_) => "while",
            Self::Subworkflow(_) => "workflow",
            Self::Sleep(_) => "sleep",
            Self::Wait(_) => "wait",
            Self::Noop => "noop",
        }
    }

    /// What it runs again and again, if it is a loop.
    pub fn inner(&self) -> Option<&Inner> {
        match self {
            Self::Foreach(foreach) => Some(&foreach.inner),
            Self::While(looped) => Some(&looped.inner),
            Self::Call(_) | Self::Subworkflow(_) | Self::Sleep(_) | Self::Wait(_) | Self::Noop => {
                None
            }
        }
    }
}

/// A step that runs a component.
#[derive(Debug)]
pub struct Call {
    /// The exact component.
    pub component: Pin,
    /// The limits that the author set.
    pub limits: Limits,
    /// What it may reach beyond its input.
    pub grants: Box<Grants>,
}

/// What a loop runs in each iteration.
#[derive(Debug)]
pub struct Inner {
    /// The steps.
    pub body: Body,
    /// The ids of the steps around this body that its expressions read, in this
    /// body or deeper. All of them are complete before it starts.
    pub outer_steps: Vec<String>,
}

/// A step that runs a body for each element of the product of its lists; the
/// first variable varies fastest.
#[derive(Debug)]
pub struct Foreach {
    /// The loop variables, each with the list that it runs over.
    pub variables: Vec<(String, Template)>,
    /// How many iterations run at once.
    pub concurrency: u32,
    /// Whether an iteration that is slow holds back those that are more than
    /// `concurrency` after it.
    pub strict_ordering: bool,
    /// What runs in each iteration.
    pub inner: Inner,
}

/// A step that runs a body as long as a condition holds.
#[derive(Debug)]
pub struct While {
    /// Evaluated before each iteration.
    pub condition: Expression,
    /// The loop variables with their first values. The next are the fields of
    /// the same name of an iteration's output; what it does not have stays.
    pub variables: Vec<(String, Template)>,
    /// The most iterations; one more fails the step.
    pub max_iterations: u32,
    /// What runs in each iteration.
    pub inner: Inner,
}

/// A step that runs another workflow as a run of its own.
#[derive(Debug)]
pub struct Subworkflow {
    /// The workflow's name.
    pub workflow: Template,
    /// Which version: a number, `active`, `latest` or `default`.
    pub version: Template,
    /// Whether the step waits for the end of the run.
    pub sync: bool,
    /// Whether only the params of the step are handed on. Otherwise the
    /// workflow's are, too, where the other workflow has a param of that name.
    pub explicit_params: bool,
}

/// What a `wait` step waits for.
#[derive(Debug)]
pub struct Gate {
    /// The signal's name.
    pub signal: Template,
    /// What its params must be: a JSON object of values and tests.
    pub pattern: Template,
}

/// A component, found once, when the workflow was pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Its name, for example `weather/load`.
    pub name: String,
    /// The version that the name stood for.
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits: the bytes that every run uses.
    pub digest: String,
}

/// Ceilings of one attempt. An absent field means the operator's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// All linear memories together, in bytes.
    pub memory_bytes: Option<u64>,
    /// Elements of all tables together.
    pub table_elements: Option<u64>,
    /// Time spent in guest code, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Time from start to end, waits included, in milliseconds.
    pub wall_ms: Option<u64>,
    /// Resource handles that are open at once.
    pub handles: Option<u64>,
    /// Bytes that one host call may carry in.
    pub host_call_bytes: Option<u64>,
    /// Bytes of log that are kept.
    pub log_bytes: Option<u64>,
    /// Bytes of the output.
    pub output_bytes: Option<u64>,
    /// Bytes of the journal.
    pub journal_bytes: Option<u64>,
    /// Durable calls in the journal.
    pub journal_entries: Option<u64>,
}
