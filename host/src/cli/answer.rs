//! What the server answers, as far as the tables show it. `-o json` prints the
//! answer itself, so nothing gets lost on the way through here.

mod lineage;

pub(super) use lineage::{
    Firing, Lineage, LineageCause, LineageLink, SignalLineage, SignalUse, Trigger,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A webhook.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) enabled: bool,
    pub(super) kind: String,
    pub(super) secrets: Vec<String>,
    pub(super) tolerance: Option<String>,
    pub(super) header: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) signal: String,
    pub(super) params: Map<String, Value>,
    pub(super) payload: Option<Value>,
    pub(super) id: Option<String>,
    pub(super) when: Option<String>,
    pub(super) created_by: String,
    pub(super) created_at: String,
    pub(super) changed_by: String,
    pub(super) changed_at: String,
}

/// A delivery to a webhook, or several that were refused alike.
#[derive(Debug, Deserialize)]
pub(super) struct Delivery {
    pub(super) outcome: String,
    pub(super) at: String,
    pub(super) last_at: Option<String>,
    pub(super) count: u64,
    pub(super) remote: Option<String>,
    pub(super) id: Option<String>,
    pub(super) signal: Option<String>,
    pub(super) signal_sequence: Option<u64>,
    pub(super) detail: Option<String>,
}

/// What became of a delivery.
#[derive(Debug, Deserialize)]
pub(super) struct Delivered {
    pub(super) signal: Option<String>,
    pub(super) sequence: Option<u64>,
    pub(super) repeated: Option<bool>,
    pub(super) ignored: Option<String>,
    pub(super) challenge: Option<String>,
}

/// A component.
#[derive(Debug, Deserialize)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) digest: String,
    pub(super) size_bytes: u64,
    pub(super) imports: Vec<String>,
    /// Absent from servers that know no requests.
    #[serde(default)]
    pub(super) http: Vec<String>,
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    pub(super) pushed_at: String,
    #[serde(default)]
    pub(super) unchanged: bool,
}

/// A workflow.
#[derive(Debug, Deserialize)]
pub(super) struct Workflow {
    pub(super) workflow: String,
    pub(super) version: u64,
    pub(super) latest_version: u64,
    pub(super) active_version: Option<u64>,
    pub(super) properties: Properties,
    pub(super) params: Vec<Param>,
    pub(super) components: Vec<Pin>,
    pub(super) created_at: String,
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) unchanged: bool,
}

/// What is set for a workflow beside its versions.
#[derive(Debug, Deserialize)]
pub(super) struct Properties {
    pub(super) owner: Option<String>,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    pub(super) run_strategy: String,
    pub(super) step_concurrency: Option<u32>,
    pub(super) paused: bool,
    pub(super) paused_note: Option<String>,
}

/// A parameter of a workflow.
#[derive(Debug, Deserialize)]
pub(super) struct Param {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) default: Option<Box<RawValue>>,
    pub(super) description: Option<String>,
}

/// The component that a reference of a workflow stands for.
#[derive(Debug, Deserialize)]
pub(super) struct Pin {
    pub(super) reference: String,
    pub(super) version: String,
    pub(super) digest: String,
}

/// A workflow in a list.
#[derive(Debug, Deserialize)]
pub(super) struct WorkflowItem {
    pub(super) workflow: String,
    pub(super) latest_version: u64,
    pub(super) active_version: Option<u64>,
    pub(super) properties: Properties,
    pub(super) changed_at: String,
}

/// A run in a list.
#[derive(Debug, Deserialize)]
pub(super) struct RunItem {
    pub(super) run: String,
    pub(super) workflow: String,
    pub(super) version: u64,
    pub(super) number: u64,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) created_at: String,
    pub(super) ended_at: Option<String>,
    pub(super) schedule: Option<String>,
    pub(super) scheduled_at: Option<String>,
    pub(super) trigger: Option<String>,
}

/// A run.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) run: String,
    pub(super) workflow: String,
    pub(super) version: u64,
    pub(super) number: Option<u64>,
    pub(super) parent: Option<String>,
    pub(super) iteration: Option<u32>,
    #[serde(default)]
    pub(super) cause: Cause,
    #[serde(default)]
    pub(super) retries: u32,
    pub(super) loop_variables: Option<Box<RawValue>>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) by: Option<String>,
    #[serde(default)]
    pub(super) allowed: Vec<String>,
    pub(super) created_at: String,
    pub(super) started_at: Option<String>,
    pub(super) ended_at: Option<String>,
    pub(super) duration_ms: u64,
    pub(super) output: Option<Box<RawValue>>,
    pub(super) failure: Option<Failure>,
    #[serde(default)]
    pub(super) params: Vec<RunParam>,
    pub(super) steps: Vec<Step>,
}

/// What led to a run.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Cause {
    pub(super) kind: String,
    pub(super) by: Option<String>,
    pub(super) run: Option<String>,
    pub(super) step: Option<String>,
    pub(super) schedule: Option<String>,
    pub(super) at: Option<String>,
    pub(super) backfill: Option<String>,
}

/// A param of a run.
#[derive(Debug, Deserialize)]
pub(super) struct RunParam {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) value: Option<Box<RawValue>>,
    pub(super) source: Option<String>,
}

/// Why something failed.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) details: Option<Box<RawValue>>,
}

/// A step of a run.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) step: String,
    #[serde(default)]
    pub(super) kind: String,
    pub(super) component: Option<String>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) until: Option<String>,
    pub(super) attempt: u32,
    pub(super) duration_ms: Option<u64>,
    pub(super) progress: Option<Progress>,
    pub(super) iterations: Option<Iterations>,
    pub(super) child: Option<Child>,
    pub(super) permit: Option<Permit>,
    #[serde(default)]
    pub(super) allowed: Vec<String>,
    pub(super) failure: Option<Failure>,
}

/// The run of a subworkflow.
#[derive(Debug, Deserialize)]
pub(super) struct Child {
    pub(super) run: String,
    pub(super) workflow: Option<String>,
    pub(super) number: Option<u64>,
}

/// A permit, and who stands in line for it.
#[derive(Debug, Deserialize)]
pub(super) struct Permit {
    pub(super) limit: Option<u32>,
    pub(super) held: u64,
    pub(super) waiting: u64,
}

/// How far a guest says it is.
#[derive(Debug, Deserialize)]
pub(super) struct Progress {
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) message: String,
}

/// The iterations of a `foreach`, counted.
#[derive(Debug, Deserialize)]
pub(super) struct Iterations {
    pub(super) total: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
}

/// One line of a run's log.
#[derive(Debug, Deserialize)]
pub(super) struct LogLine {
    pub(super) at: String,
    #[serde(default)]
    pub(super) iteration: Option<u32>,
    pub(super) step: String,
    pub(super) attempt: u32,
    pub(super) level: String,
    pub(super) message: String,
}

/// A signal that was taken.
#[derive(Debug, Deserialize)]
pub(super) struct Published {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) sequence: u64,
    pub(super) repeated: bool,
}

/// A name of signals.
#[derive(Debug, Deserialize)]
pub(super) struct SignalName {
    pub(super) name: String,
    pub(super) last: u64,
}

/// A signal for everyone.
#[derive(Debug, Deserialize)]
pub(super) struct Signal {
    pub(super) name: String,
    pub(super) sequence: u64,
    pub(super) id: String,
    pub(super) params: Box<RawValue>,
    pub(super) payload: Box<RawValue>,
    pub(super) published_at: String,
    pub(super) by: String,
}

/// A version in a list.
#[derive(Debug, Deserialize)]
pub(super) struct VersionItem {
    pub(super) version: u64,
    pub(super) active: bool,
    pub(super) created_at: String,
    pub(super) created_by: String,
}

/// One change of a workflow.
#[derive(Debug, Deserialize)]
pub(super) struct WorkflowChange {
    pub(super) number: u64,
    pub(super) action: String,
    pub(super) at: String,
    pub(super) by: String,
    pub(super) before: Map<String, Value>,
    pub(super) after: Map<String, Value>,
}

/// A tag with a limit.
#[derive(Debug, Deserialize)]
pub(super) struct Tag {
    pub(super) tag: String,
    pub(super) limit: u32,
    #[serde(default)]
    pub(super) held: u64,
    #[serde(default)]
    pub(super) waiting: u64,
    pub(super) note: Option<String>,
    pub(super) set_by: String,
    pub(super) set_at: String,
}

/// A step that stops before it begins.
#[derive(Debug, Deserialize)]
pub(super) struct Breakpoint {
    pub(super) step: String,
    pub(super) note: Option<String>,
    pub(super) set_by: String,
    pub(super) set_at: String,
}

/// A secret, without its value.
#[derive(Debug, Deserialize)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) set_at: String,
}

impl Pin {
    /// The component's name.
    pub(super) fn name(&self) -> &str {
        self.reference.split('@').next().unwrap_or_default()
    }
}

impl Child {
    /// Its short name, `report#3`, once it has one.
    pub(super) fn name(&self) -> String {
        match (&self.workflow, self.number) {
            (Some(workflow), Some(number)) => format!("{workflow}#{number}"),
            _ => self.run.clone(),
        }
    }
}

impl Run {
    /// Whether it can still change.
    pub(super) fn is_open(&self) -> bool {
        is_open(&self.status)
    }

    /// Whether everything in it is being stopped.
    pub(super) fn is_stopping(&self) -> bool {
        let words = ["cancelling", "killing", "timing_out", "failing"];
        self.reason.as_deref().is_some_and(|reason| words.contains(&reason))
    }

    /// Its short name, `report#3`; an iteration goes by its identifier.
    pub(super) fn name(&self) -> String {
        match self.number {
            Some(number) => format!("{}#{number}", self.workflow),
            None => self.run.clone(),
        }
    }
}

/// Whether a run with this status can still change.
pub(super) fn is_open(status: &str) -> bool {
    matches!(status, "queued" | "running" | "paused")
}

/// Reads an answer.
pub(super) fn read<T: DeserializeOwned>(answer: &RawValue) -> Result<T> {
    serde_json::from_str(answer.get())
        .context("the server's answer is not what this segno expects; is it of the same version?")
}

/// Reads the entries of a list.
pub(super) fn read_all<T: DeserializeOwned>(answers: &[Box<RawValue>]) -> Result<Vec<T>> {
    answers.iter().map(|answer| read(answer)).collect()
}
