//! Runs of one workflow that are started together: all of them or none.

use super::Tenant;
use super::problem::Problem;
use super::user::{User, checked_key};
use crate::driver::{BATCH_MAX, Driver, StartRun, Started, VersionSelector};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use segno_engine::event::Cause;
use segno_engine::id::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Runs that are to start together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchBody {
    /// The workflow's name.
    workflow: String,
    /// A number, `latest`, `active`, or `default`: the active one, and the
    /// latest if none is active. `default` if absent.
    #[schema(value_type = Option<Object>, example = 3)]
    version: Option<VersionSelector>,
    /// The runs, in the order of their numbers; 1 to 100.
    runs: Vec<BatchRunBody>,
}

/// One run of a batch. Everything may be absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BatchRunBody {
    /// The params that are given.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Params for single steps: by step id, names and values.
    #[schema(value_type = Object)]
    step_params: Map<String, Value>,
    /// Asking twice with the same key starts one run.
    idempotency_key: Option<String>,
}

/// The runs of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchView {
    /// The runs, as they were asked for.
    runs: Vec<BatchRunView>,
}

/// One run of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchRunView {
    /// The run.
    run: String,
    /// Its number within the workflow.
    number: u64,
    /// How it stands.
    status: String,
    /// Whether an earlier request with this key has started it.
    repeated: bool,
}

/// Start runs together
///
/// Runs of one workflow: all of them start or none. The answer comes when they
/// are on stable storage.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/batch", tag = "runs",
    params(("tenant" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = BatchBody,
    responses((status = 201, body = BatchView), (status = 200, body = BatchView, description = "their keys have started all of them before"),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn start(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    User(by): User,
    body: Result<Json<BatchBody>, JsonRejection>,
) -> Result<(StatusCode, Json<BatchView>), Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    if body.runs.is_empty() {
        let detail = format!("there are no runs; give 1 to {BATCH_MAX} in `runs`");
        return Err(Problem::bad_request(detail));
    }
    let mut batch = Vec::new();
    for run in body.runs {
        batch.push(StartRun {
            workflow: body.workflow.clone(),
            version: body.version.unwrap_or_default(),
            params: run.params,
            before: None,
            step_params: run.step_params,
            cause: Cause::Manual { by: by.clone() },
            idempotency_key: run.idempotency_key.map(checked_key).transpose()?,
            id: None,
        });
    }
    let started = driver.start_batch(&tenant, batch).await?;
    let status = match started.iter().all(|run| run.repeated) {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    let runs = started.iter().map(|run| run_view(&driver, &tenant, run));
    Ok((status, Json(BatchView { runs: runs.collect::<Result<_, _>>()? })))
}

fn run_view(
    driver: &Driver,
    tenant: &TenantId,
    started: &Started,
) -> Result<BatchRunView, Problem> {
    let &Started { run, number, repeated, status } = started;
    let (number, status) = match number {
        Some(number) => (number, status.to_owned()),
        // It is older, so it can be read.
        None => {
            let known = driver.store().run(tenant, run)?;
            let known = known.ok_or(crate::driver::Error::NoSuchRun(run))?;
            (known.number, known.status)
        }
    };
    Ok(BatchRunView { run: run.to_string(), number, status, repeated })
}
