//! The one table from what can go wrong to what a client sees: RFC 9457
//! problems with a stable `code`.

use crate::driver::{
    self, ActionError, ApplyError, BreakpointError, DeliveryError, PublishError, PushError,
    ScheduleError, SecretError, SignalRunError, StartError, TagError, WaitpointError, WebhookError,
    WorkflowError,
};
use crate::store;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use segno_engine::command::Rejection;
use segno_engine::decide::Refusal;
use segno_engine::definition;
use segno_engine::id::InvalidId;
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

/// An answer that says what is wrong and what to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, for a program; never changes its meaning.
    #[schema(value_type = String, example = "workflow_not_found")]
    pub code: &'static str,
    /// What is wrong and what to do, for a person.
    pub detail: String,
    /// Every problem of a definition or of params.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemItem>,
}

/// One problem of a definition.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemItem {
    /// The line, from 1; 0 if it is not in a text.
    pub line: u32,
    /// The column, from 1; 0 if it is not in a text.
    pub column: u32,
    /// Where in the document.
    #[schema(example = "steps[2].needs[0]")]
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            problems: Vec::new(),
        }
    }

    /// The request is malformed.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// A definition is no good, for all these reasons.
    fn bad_definition(all: Vec<definition::Problem>) -> Self {
        let count = all.len();
        let detail = match count {
            1 => "the definition has a problem".to_owned(),
            _ => format!("the definition has {count} problems"),
        };
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_definition", detail);
        let problems = all.into_iter().map(ProblemItem::from);
        Self { problems: problems.collect(), ..problem }
    }

    /// There is nothing of this name.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, Json(self)).into_response()
    }
}

impl From<InvalidId> for Problem {
    fn from(error: InvalidId) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Invalid { .. } => Self::bad_request(error.to_string()),
            store::Error::Unavailable { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", error.to_string())
            }
            other => {
                error!(error = %other, "the store is not as it should be");
                let detail = format!("the host cannot read its data: {other}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store_corrupt", detail)
            }
        }
    }
}

impl From<driver::Error> for Problem {
    fn from(error: driver::Error) -> Self {
        match error {
            driver::Error::NoSuchRun(_) => Self::not_found("run_not_found", error.to_string()),
            driver::Error::Refused(Refusal::Rejected(rejection)) => {
                let code = match rejection {
                    Rejection::Over { .. } => "run_is_over",
                    Rejection::NoSuchStep { .. } => "step_not_found",
                    _ => "not_allowed",
                };
                Self::new(StatusCode::CONFLICT, code, rejection.to_string())
            }
            driver::Error::Refused(Refusal::Corrupt(corrupt)) => {
                error!(%corrupt, "the engine contradicts itself");
                let detail = "the host has hit a bug; its log says more";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
            driver::Error::Store(error) => error.into(),
        }
    }
}

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Run(error) => error.into(),
            ActionError::Start(error) => error.into(),
            ActionError::NoSuchStep { .. } => Self::not_found("step_not_found", error.to_string()),
            ActionError::NotAllowed(why) => Self::new(StatusCode::CONFLICT, "not_allowed", why),
        }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let detail = error.to_string();
        match error {
            StartError::Workflow(error) => error.into(),
            StartError::BadParams(all) => {
                let problems = all.into_iter().map(|message| ProblemItem {
                    line: 0,
                    column: 0,
                    path: place_of(&message),
                    message,
                    remedy: "`segno workflow get` shows the params".to_owned(),
                });
                let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_params", detail);
                Self { problems: problems.collect(), ..problem }
            }
            StartError::KeyReused(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            StartError::Busy => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail),
            StartError::Store(error) => error.into(),
        }
    }
}

/// Where in a request the mistake is that a message begins with: `params`,
/// `step_params.load.year`, and before that the run of a batch.
fn place_of(message: &str) -> String {
    let (run, rest) = match message.split_once("]: ") {
        Some((run, rest)) if run.starts_with("runs[") => (format!("{run}]."), rest),
        _ => (String::new(), message),
    };
    let place = match rest.starts_with("step_params.") {
        true => rest.split([':', ' ']).next().unwrap_or(rest),
        false => "params",
    };
    format!("{run}{place}")
}

impl From<WorkflowError> for Problem {
    fn from(error: WorkflowError) -> Self {
        let detail = error.to_string();
        let conflict = StatusCode::CONFLICT;
        match error {
            WorkflowError::Unknown(_) | WorkflowError::NoSuchVersion { .. } => {
                Self::not_found("workflow_not_found", detail)
            }
            WorkflowError::Inactive(_) => Self::new(conflict, "workflow_inactive", detail),
            WorkflowError::BadProperty(_) => Self::bad_request(detail),
            WorkflowError::StrategyRefused(_) => {
                Self::new(conflict, "run_strategy_refused", detail)
            }
            WorkflowError::OpenRuns { .. } => Self::new(conflict, "runs_are_open", detail),
            WorkflowError::Store(error) => error.into(),
        }
    }
}

impl From<TagError> for Problem {
    fn from(error: TagError) -> Self {
        match error {
            TagError::BadNote(_) => Self::bad_request(error.to_string()),
            TagError::Unlimited(_) => Self::not_found("tag_not_limited", error.to_string()),
            TagError::Store(error) => error.into(),
        }
    }
}

impl From<BreakpointError> for Problem {
    fn from(error: BreakpointError) -> Self {
        let detail = error.to_string();
        match error {
            BreakpointError::Workflow(error) => error.into(),
            BreakpointError::BadNote(_) => Self::bad_request(detail),
            BreakpointError::NoSuchStep { .. } => Self::not_found("step_not_found", detail),
            BreakpointError::Absent { .. } => Self::not_found("breakpoint_not_found", detail),
            BreakpointError::Store(error) => error.into(),
        }
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Problems(all) => Self::bad_definition(all),
            ApplyError::Refused(error) => error.into(),
            ApplyError::Store(error) => error.into(),
        }
    }
}

impl From<PushError> for Problem {
    fn from(error: PushError) -> Self {
        let detail = error.to_string();
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        match error {
            PushError::BadName(_) => Self::bad_request(detail),
            PushError::Refused(_) => Self::new(unprocessable, "component_refused", detail),
            PushError::Sandbox(_) => Self::new(unprocessable, "component_not_compiled", detail),
            PushError::Taken { .. } => {
                Self::new(StatusCode::CONFLICT, "component_version_taken", detail)
            }
            PushError::Store(error) => error.into(),
        }
    }
}

impl From<definition::Problem> for ProblemItem {
    fn from(item: definition::Problem) -> Self {
        let definition::Problem { line, column, path, message, remedy } = item;
        Self { line, column, path, message, remedy }
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        let detail = error.to_string();
        let (conflict, unfit) = (StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY);
        match error {
            ScheduleError::Unknown(_) => Self::not_found("schedule_not_found", detail),
            ScheduleError::NoBackfill { .. } => Self::not_found("backfill_not_found", detail),
            ScheduleError::Exists(_) => Self::new(conflict, "schedule_exists", detail),
            ScheduleError::OfDefinition { .. } => {
                Self::new(conflict, "schedule_of_definition", detail)
            }
            ScheduleError::BackfillOver { .. } => Self::new(conflict, "backfill_is_over", detail),
            ScheduleError::KeyReused(_) => Self::new(unfit, "idempotency_key_reused", detail),
            ScheduleError::Renamed { .. } => Self::new(unfit, "schedule_renamed", detail),
            ScheduleError::BadBackfill(_) => Self::new(unfit, "bad_backfill", detail),
            ScheduleError::BadName(_) | ScheduleError::BadNote(_) => Self::bad_request(detail),
            ScheduleError::Workflow(error) => error.into(),
            ScheduleError::Start(error) => error.into(),
            ScheduleError::Store(error) => error.into(),
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        match error {
            PublishError::BadName(_) | PublishError::BadId | PublishError::ReservedId => {
                Self::bad_request(detail)
            }
            PublishError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
            }
            PublishError::IdTaken { .. } => {
                Self::new(StatusCode::CONFLICT, "signal_id_taken", detail)
            }
            PublishError::Busy => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail),
            PublishError::Store(error) => error.into(),
        }
    }
}

impl From<SignalRunError> for Problem {
    fn from(error: SignalRunError) -> Self {
        let detail = error.to_string();
        match error {
            SignalRunError::Invalid(_) => Self::bad_request(detail),
            SignalRunError::Over(_) => Self::new(StatusCode::CONFLICT, "run_is_over", detail),
            SignalRunError::Full(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_signals", detail)
            }
            SignalRunError::Driver(error) => error.into(),
        }
    }
}

impl From<WaitpointError> for Problem {
    fn from(error: WaitpointError) -> Self {
        let detail = error.to_string();
        match error {
            WaitpointError::Unknown => Self::not_found("waitpoint_not_found", detail),
            WaitpointError::Used => Self::new(StatusCode::GONE, "waitpoint_used", detail),
            WaitpointError::Signal(error) => error.into(),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let detail = error.to_string();
        match error {
            WebhookError::Unknown(_) => Self::not_found("webhook_not_found", detail),
            WebhookError::Taken(_) => Self::new(StatusCode::CONFLICT, "webhook_exists", detail),
            WebhookError::TooLong { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
            }
            WebhookError::Problems(all) => Self::bad_definition(all),
            WebhookError::Store(error) => error.into(),
        }
    }
}

impl From<DeliveryError> for Problem {
    fn from(error: DeliveryError) -> Self {
        let detail = error.to_string();
        match error {
            DeliveryError::Unknown => Self::not_found("webhook_not_found", detail),
            DeliveryError::BadSignature => {
                Self::new(StatusCode::UNAUTHORIZED, "bad_signature", detail)
            }
            DeliveryError::TooOld => {
                Self::new(StatusCode::UNAUTHORIZED, "delivery_too_old", detail)
            }
            DeliveryError::NoSecret => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "webhook_not_ready", detail)
            }
            DeliveryError::Unfit(unfit) => {
                let problem =
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_delivery", detail.clone());
                let (line, column, path) = (0, 0, unfit.place);
                let remedy = "`segno webhook get` shows what is made of a request".to_owned();
                let item = ProblemItem { line, column, path, message: unfit.message, remedy };
                Self { problems: vec![item], ..problem }
            }
            DeliveryError::Publish(error) => error.into(),
            DeliveryError::Store(error) => error.into(),
        }
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        let detail = error.to_string();
        match error {
            SecretError::BadName(_) | SecretError::BadLength(_) => Self::bad_request(detail),
            SecretError::Unknown(_) => Self::not_found("secret_not_found", detail),
            SecretError::Sealed(_) => {
                error!(%error, "a secret does not open");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "secret_sealed", detail)
            }
            SecretError::Store(error) => error.into(),
        }
    }
}
