//! A workflow as the engine runs it: checked, names resolved to places,
//! components pinned to digests. `definition` makes one from an author's text.

use crate::expression::Expression;
use crate::grant::Grants;
use crate::id::StepIndex;
use crate::retry::Retry;
use crate::template::Template;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One version of a workflow.
#[derive(Debug)]
pub struct Workflow {
    /// The name that it is known by within its tenant.
    pub name: String,
    /// What it is for, in the author's words.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What a run may be given.
    pub params: Vec<Param>,
    /// A run that is not over after so many milliseconds is timed out.
    pub timeout_ms: Option<u64>,
    /// The steps.
    pub body: Body,
}

impl Workflow {
    /// The body that this path of `foreach` steps leads to.
    pub(crate) fn body_at(&self, path: &[StepIndex]) -> Option<&Body> {
        path.iter().try_fold(&self.body, |body, step| match &body.steps.get(*step as usize)?.kind {
            StepKind::Foreach(foreach) => Some(&foreach.body),
            StepKind::Call(_) => None,
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
    /// The value where a run gives none; absent if every run must give one.
    pub default: Option<Value>,
    /// What it is for, in the author's words.
    pub description: Option<String>,
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
    /// How often it is tried again, and when.
    pub retry: Retry,
    /// An attempt that is not over after so many milliseconds is timed out.
    pub timeout_ms: Option<u64>,
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
}

/// A step that runs a component.
#[derive(Debug)]
pub struct Call {
    /// The exact component.
    pub component: Pin,
    /// Makes the input: a JSON object.
    pub params: Template,
    /// The limits that the author set.
    pub limits: Limits,
    /// What it may reach beyond its input.
    pub grants: Box<Grants>,
}

/// A step that runs a body for each element of the product of its lists; the
/// first variable varies fastest.
#[derive(Debug)]
pub struct Foreach {
    /// The loop variables, each with the list that it runs over.
    pub variables: Vec<(String, Template)>,
    /// How many iterations run at once.
    pub concurrency: u32,
    /// What runs in each iteration.
    pub body: Body,
    /// The ids of the steps around this body whose outputs its expressions
    /// read, in this body or deeper. All of them are complete before it starts.
    pub outer_steps: Vec<String>,
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
