//! What the API shows of workflows: versions, properties and the history of
//! changes.

use crate::clock::rfc3339;
use crate::store::{Properties, VersionRecord, WorkflowAction, WorkflowChange, WorkflowRecord};
use segno_engine::workflow::{Param, Workflow};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One version of a workflow, with what belongs to the workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowView {
    /// Its name.
    pub workflow: String,
    /// The version that this shows.
    pub version: u64,
    /// The version that was pushed last.
    pub latest_version: u64,
    /// The version that a start gets that names none; absent if none is active,
    /// and such a start then gets the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_version: Option<u64>,
    /// What is set for the workflow, whatever the version.
    pub properties: PropertiesView,
    /// What a run may be given.
    pub params: Vec<ParamView>,
    /// The component that each reference stands for, by digest.
    pub components: Vec<PinView>,
    /// When this version was pushed.
    pub created_at: String,
    /// Who pushed it.
    pub created_by: String,
    /// The definition as it was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the very same was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<bool>,
}

/// A workflow without its versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowItemView {
    /// Its name.
    pub workflow: String,
    /// The version that was pushed last.
    pub latest_version: u64,
    /// The version that a start gets that names none; absent if none is active,
    /// and such a start then gets the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_version: Option<u64>,
    /// What is set for the workflow.
    pub properties: PropertiesView,
    /// When any of this changed last.
    pub changed_at: String,
}

/// What is set for a workflow beside its versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct PropertiesView {
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is found by, and whose permits all its steps need.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Which of its runs go on at once.
    #[schema(example = "parallel(20)")]
    pub run_strategy: String,
    /// How many steps run code at once in all its runs together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_concurrency: Option<u32>,
    /// Whether no run begins for now.
    pub paused: bool,
    /// Why, as whoever paused it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_note: Option<String>,
}

/// A version in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionItemView {
    /// Its number.
    pub version: u64,
    /// Whether it is the active one.
    pub active: bool,
    /// When it was pushed.
    pub created_at: String,
    /// Who pushed it; empty if nobody knows.
    pub created_by: String,
}

/// One change of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowChangeView {
    /// Its number in the history, from 1.
    pub number: u64,
    /// `pushed`, `activated`, `deactivated`, `changed`, `paused`, `resumed` or
    /// `deleted`.
    #[schema(value_type = String)]
    pub action: WorkflowAction,
    /// When.
    pub at: String,
    /// Who did it.
    pub by: String,
    /// What changed, as it was.
    #[schema(value_type = Object)]
    pub before: Map<String, Value>,
    /// The same, as it is since then.
    #[schema(value_type = Object)]
    pub after: Map<String, Value>,
}

/// A parameter of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParamView {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(example = "list<int>")]
    pub kind: String,
    /// Whether every run must give it.
    pub required: bool,
    /// The value where a run gives none, or the text with expressions that give
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub default: Option<Value>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The component that a reference stands for.
#[derive(Debug, Serialize, ToSchema)]
pub struct PinView {
    /// The reference, as the definition has it.
    pub reference: String,
    /// The version that it stood for when the workflow was pushed.
    pub version: String,
    /// The bytes that runs use.
    pub digest: String,
}

/// A version of a workflow, without its source.
pub(super) fn workflow_view(
    record: WorkflowRecord,
    version: VersionRecord,
    workflow: &Workflow,
) -> WorkflowView {
    let pins = version.pins.into_iter().map(|(reference, pin)| PinView {
        reference,
        version: pin.version,
        digest: pin.digest,
    });
    WorkflowView {
        workflow: record.name,
        version: version.version,
        latest_version: record.latest_version,
        active_version: record.active_version,
        properties: record.properties.into(),
        params: workflow.params.iter().map(param_view).collect(),
        components: pins.collect(),
        created_at: rfc3339(version.created_at),
        created_by: version.created_by,
        source: None,
        unchanged: None,
    }
}

fn param_view(param: &Param) -> ParamView {
    ParamView {
        name: param.name.clone(),
        kind: param.kind.to_string(),
        required: param.value.is_none() && !param.optional,
        default: param.value.as_ref().map(|value| match value.constant() {
            Some(constant) => constant.value().clone(),
            None => Value::String(value.to_string()),
        }),
        description: param.description.clone(),
    }
}

impl From<WorkflowRecord> for WorkflowItemView {
    fn from(record: WorkflowRecord) -> Self {
        let WorkflowRecord { name, latest_version, active_version, changed_at, properties } =
            record;
        Self {
            workflow: name,
            latest_version,
            active_version,
            properties: properties.into(),
            changed_at: rfc3339(changed_at),
        }
    }
}

impl From<Properties> for PropertiesView {
    fn from(properties: Properties) -> Self {
        let Properties {
            owner,
            description,
            tags,
            run_strategy,
            step_concurrency,
            paused,
            paused_note,
        } = properties;
        let run_strategy = run_strategy.unwrap_or_default().to_string();
        Self { owner, description, tags, run_strategy, step_concurrency, paused, paused_note }
    }
}

impl From<WorkflowChange> for WorkflowChangeView {
    fn from(change: WorkflowChange) -> Self {
        let WorkflowChange { sequence, action, at, by, before, after } = change;
        Self { number: sequence, action, at: rfc3339(at), by, before, after }
    }
}
