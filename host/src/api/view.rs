//! What the API shows: plain data with stable names. Moments are RFC 3339 in
//! UTC with milliseconds; payloads are JSON as the step gave it.

use segno_engine::failure::{Failure, FailureKind};
use segno_engine::payload::Payload;
use segno_engine::run::Iterations;
use segno_engine::usage::Usage;
use segno_engine::workflow::ParamMode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageView<T: ToSchema> {
    /// The entries.
    pub items: Vec<T>,
    /// Give this as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A component.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComponentView {
    /// Its name.
    #[schema(example = "weather/load")]
    pub name: String,
    /// Its version.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// The identity of its bytes.
    pub digest: String,
    /// How many bytes they are.
    pub size_bytes: u64,
    /// The interfaces that it asks for.
    pub imports: Vec<String>,
    /// Where it asks to send requests.
    #[schema(example = json!(["https://api.example.com"]))]
    pub http: Vec<String>,
    /// The names of the secrets that it asks for.
    #[schema(example = json!(["PAY_KEY"]))]
    pub secrets: Vec<String>,
    /// When it was pushed.
    pub pushed_at: String,
    /// Whether the very same was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<bool>,
}

/// A run in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunItemView {
    /// Its identifier.
    pub run: String,
    /// Its workflow.
    pub workflow: String,
    /// The version of that workflow.
    pub version: u64,
    /// Its number within the workflow.
    pub number: u64,
    /// How it stands.
    #[schema(example = "succeeded")]
    pub status: String,
    /// Why, for a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was created.
    pub created_at: String,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// The schedule that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The instant that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<String>,
    /// The trigger that started it for signals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunView {
    /// Its identifier.
    #[schema(example = "run_01JD9Z3N5V8Q2R4T6W8Y0A2C4E")]
    pub run: String,
    /// Its workflow.
    pub workflow: String,
    /// The version of that workflow.
    pub version: u64,
    /// Its number within the workflow; absent for an iteration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// The run whose `foreach` this run is an iteration of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Which iteration it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration: Option<u32>,
    /// The loop variables of an iteration, with those around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub loop_variables: Option<Payload>,
    /// What led to it.
    pub cause: CauseView,
    /// How often it was taken up again after its end.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// How it stands: `queued`, `running`, `paused`, `succeeded`, `failed`,
    /// `cancelled` or `timed_out`.
    pub status: String,
    /// Why, for a program: `paused` (its workflow is), `blocked:<run>`,
    /// `run_strategy:<run>` or `concurrency:<runs>` of a run that waits for its
    /// turn, `replaced_by:<run>` of one that made room, `held:<run>` if the run
    /// above it or one above that is paused, `cancelling`, `killing`,
    /// `timing_out` or `failing` of one that is being stopped, or the reason of
    /// the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who paused or stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What may be done with it as it stands.
    #[schema(value_type = Vec<String>, example = json!(["pause", "cancel", "kill"]))]
    pub allowed: Vec<&'static str>,
    /// Since when it has this status.
    pub since: String,
    /// When it was created.
    pub created_at: String,
    /// When its first step could start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// From start to end, or until now.
    pub duration_ms: u64,
    /// What it gave, once it has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output: Option<Payload>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// What it was given, in the order of the definition; an iteration has the
    /// params of the run around it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<RunParamView>,
    /// Its steps, in the order of the definition.
    pub steps: Vec<StepView>,
}

/// What led to a run.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct CauseView {
    /// `manual`, `fork`, `schedule`, `signal`, `step` (it is a subworkflow or was
    /// started by a step) or `iteration`.
    pub kind: &'static str,
    /// Who wanted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The run that it was forked from, or whose step it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// That step, or the one that a fork goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The schedule that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The instant of the schedule that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The backfill that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<String>,
    /// The trigger that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The signals that the trigger waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<CauseSignalView>,
}

/// A signal that led to a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseSignalView {
    /// Its name.
    pub name: String,
    /// Its place among all of its name.
    pub sequence: u64,
}

impl CauseSignalView {
    /// The view of one of a trigger's signals.
    pub fn of((name, sequence): &(String, u64)) -> Self {
        Self { name: name.clone(), sequence: *sequence }
    }
}

/// A param of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunParamView {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(example = "list<int>")]
    pub kind: String,
    /// Who may change it.
    #[schema(value_type = String, example = "mutable")]
    pub mode: ParamMode,
    /// Its value; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub value: Option<Value>,
    /// Where the value comes from: `definition`, `start`, `retry`, `fork`,
    /// `parent`, `schedule` or `signal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
}

/// A param of a step.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepParamView {
    /// Its name.
    pub name: String,
    /// Its type, if one is declared.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its value; absent until it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub value: Option<Value>,
    /// Where the value comes from: `definition`, or `start` if it was given for
    /// this step when the run was started, retried or forked.
    pub source: &'static str,
}

/// Why something failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    /// Which budget of retries it drew on: `user`, `platform`, `timeout` or
    /// `fatal`.
    #[schema(value_type = String)]
    pub kind: FailureKind,
    /// The cause, for a program.
    #[schema(example = "limit:memory")]
    pub reason: String,
    /// The cause, for a person.
    pub message: String,
    /// What the step said beyond that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Payload>,
}

/// A step of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// Its id.
    pub step: String,
    /// `component`, `foreach`, `while`, `workflow`, `sleep`, `wait` or `noop`.
    pub kind: String,
    /// The component that it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// How it stands: `pending`, `queued`, `running`, `suspended`, `waiting`,
    /// `paused`, `succeeded`, `failed`, `timed_out`, `completed_with_error`,
    /// `skipped`, `unsatisfied` or `cancelled`.
    pub status: String,
    /// Why, for a program: `needs:<steps>`, `slots`, `permit:<name>`,
    /// `breakpoint`, `signal:<name>`, `timer:<moment>`, `run:<id>`,
    /// `backoff:<moment>`, `when`, `by:<who>`, or the reason of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it has this status.
    pub since: String,
    /// When it goes on at the latest, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The last attempt that was started.
    pub attempt: u32,
    /// When its first attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// From its start to its end, or until now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How often the step continued as new.
    #[serde(skip_serializing_if = "is_zero")]
    pub continued: u32,
    /// Runs that it started and that are not over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<String>,
    /// When the guest last said that it is alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_at: Option<String>,
    /// How far the guest says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// The iterations of a loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<IterationsView>,
    /// The run of its subworkflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<ChildView>,
    /// The tags whose permits it needs, besides those of its workflow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The permit that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permit: Option<PermitView>,
    /// What may be done with it as it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, example = json!(["cancel", "kill", "skip"]))]
    pub allowed: Vec<&'static str>,
    /// Why its last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// What its attempts used together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageView>,
    /// Its params. Only where one step of a run is asked for that is no iteration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<StepParamView>,
    /// What its component was given. Only where one step is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub input: Option<Payload>,
    /// What it gave. Only where one step is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output: Option<Payload>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The run of a subworkflow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChildView {
    /// The run.
    pub run: String,
    /// Its workflow; absent while the run does not exist yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Its number within that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// How it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// A permit, and who stands in line for it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PermitView {
    /// `tag:<tag>`, `workflow:<name>` (its `step_concurrency`) or `root:<run>`
    /// (the run's `run_step_concurrency`).
    #[schema(example = "tag:warehouse")]
    pub name: String,
    /// How many there are; absent if any number may have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many attempts have it.
    pub held: usize,
    /// How many attempts wait that need it.
    pub waiting: usize,
}

/// How far a guest says it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgressView {
    /// Parts that are finished.
    pub done: u64,
    /// Parts in all; 0 if nobody knows.
    pub total: u64,
    /// The present part.
    pub message: String,
}

/// The iterations of a loop, counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct IterationsView {
    /// All of them.
    pub total: u32,
    /// Under way.
    pub running: u32,
    /// Succeeded.
    pub succeeded: u32,
    /// Failed or cancelled.
    pub failed: u32,
}

/// One iteration of a loop.
#[derive(Debug, Serialize, ToSchema)]
pub struct IterationView {
    /// Which one, from 0.
    pub index: u32,
    /// Its run.
    pub run: String,
    /// `pending` if it is about to go on, `running`, `succeeded`, or `failed` if
    /// it failed or was cancelled.
    pub status: String,
    /// Its loop variables, with those around it; of a `while` only the last
    /// iteration shows them here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub variables: Option<Payload>,
}

/// What attempts used.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    /// Time in guest code, in milliseconds.
    pub cpu_ms: f64,
    /// Time from start to end, in milliseconds.
    pub wall_ms: f64,
    /// The most memory held at once, in bytes.
    pub memory_bytes: u64,
    /// Calls from the guest to the host.
    pub host_calls: u64,
}

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        let Failure { kind, reason, message, details } = failure.clone();
        Self { kind, reason, message, details }
    }
}

impl From<&Iterations> for IterationsView {
    fn from(all: &Iterations) -> Self {
        Self {
            total: all.count,
            running: all.in_flight.len() as u32,
            succeeded: all.succeeded,
            failed: all.failed.len() as u32,
        }
    }
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        Self {
            cpu_ms: usage.cpu_us as f64 / 1e3,
            wall_ms: usage.wall_us as f64 / 1e3,
            memory_bytes: usage.memory_bytes,
            host_calls: usage.host_calls,
        }
    }
}

/// One line of a run's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogLineView {
    /// When it was written.
    pub at: String,
    /// The run or iteration that wrote it.
    pub run: String,
    /// Which iteration that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration: Option<u32>,
    /// The step that wrote it.
    pub step: String,
    /// The attempt that wrote it.
    pub attempt: u32,
    /// How much it matters.
    pub level: String,
    /// The line.
    pub message: String,
    /// Whether its attempt is still under way.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}
