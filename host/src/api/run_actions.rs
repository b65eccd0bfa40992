//! What somebody does with a run: pauses it, stops it, has it taken up again,
//! makes another from it.

use super::Tenant;
use super::problem::Problem;
use super::runs::{find, idempotency_key, shown};
use super::user::User;
use super::view::RunView;
use crate::driver::{Driver, ForkRun, RetryRun, RunAction, VersionSelector};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use segno_engine::id::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// How a run is taken up again. Everything may be absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RetryBody {
    /// The step that it goes on from, as in `load` or `per-year[3].aggregate`;
    /// without one, everything that is not complete.
    step: Option<String>,
    /// Params that are others from now on.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Params for single steps: by step id, names and values.
    #[schema(value_type = Object)]
    step_params: Map<String, Value>,
}

/// What a fork is made of. Everything may be absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ForkBody {
    /// The step that the new run begins with; what comes before it is taken
    /// over. Without one the new run begins at the beginning.
    from: Option<String>,
    /// A number, `latest`, `active` or `default`; the version of the other run if
    /// absent.
    #[schema(value_type = Option<Object>, example = 3)]
    version: Option<VersionSelector>,
    /// Params that are others.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Params for single steps: by step id, names and values.
    #[schema(value_type = Object)]
    step_params: Map<String, Value>,
}

/// Failed runs that no longer keep others from beginning.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnblockedView {
    /// The runs.
    runs: Vec<String>,
}

/// The answer to an action that is on its way.
type Done = Result<(StatusCode, Json<RunView>), Problem>;

/// A body that may be absent.
pub(super) fn optional<T: Default>(
    body: Result<Option<Json<T>>, JsonRejection>,
) -> Result<T, Problem> {
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    Ok(body.map(|Json(body)| body).unwrap_or_default())
}

async fn act(
    driver: &Driver,
    tenant: &TenantId,
    (run, action, by): (&str, RunAction, &str),
) -> Done {
    let run = find(driver, tenant, run)?;
    driver.act(tenant, run, (action, by)).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(driver, tenant, run).await?)))
}

/// Cancel a run
///
/// What runs inside is stopped, iterations and subworkflows with it.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/cancel", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn cancel(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    User(by): User,
) -> Done {
    act(&driver, &tenant, (&run, RunAction::Cancel, &by)).await
}

/// Kill a run
///
/// As cancel does, and the run has failed.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/kill", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn kill(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    User(by): User,
) -> Done {
    act(&driver, &tenant, (&run, RunAction::Kill, &by)).await
}

/// Pause a run
///
/// Nothing new starts in it until it is resumed; attempts that run go on.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/pause", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn pause(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    User(by): User,
) -> Done {
    act(&driver, &tenant, (&run, RunAction::Pause, &by)).await
}

/// Resume a run
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/resume", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn resume(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    User(by): User,
) -> Done {
    act(&driver, &tenant, (&run, RunAction::Resume, &by)).await
}

/// Unblock a failed run
///
/// Under `strict_sequential` a failed run keeps the next from beginning; it no
/// longer does.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/unblock", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn unblock(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    User(by): User,
) -> Done {
    let run = find(&driver, &tenant, &run)?;
    driver.unblock(&tenant, run, &by).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&driver, &tenant, run).await?)))
}

/// Unblock a workflow
///
/// The same for every failed run of it.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/workflows/{workflow}/unblock", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 202, body = UnblockedView), (status = 404, body = Problem)))]
pub(super) async fn unblock_workflow(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
) -> Result<(StatusCode, Json<UnblockedView>), Problem> {
    let runs = driver.unblock_all(&tenant, &name, &by).await?;
    let runs = runs.into_iter().map(|run| run.to_string()).collect();
    Ok((StatusCode::ACCEPTED, Json(UnblockedView { runs })))
}

/// Retry a run
///
/// The same run goes on with what is not complete, or from a step; a run that is
/// open only with steps that are over. The answer is the run that goes on: one
/// above it for an iteration or a subworkflow. The body may be empty.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/retry", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = Option<RetryBody>,
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn retry(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    User(by): User,
    body: Result<Option<Json<RetryBody>>, JsonRejection>,
) -> Done {
    let RetryBody { step, params, step_params } = optional(body)?;
    retried(&driver, &tenant, (&run, RetryRun { step, params, step_params, by })).await
}

/// Has a run taken up again, and shows the run that goes on.
pub(super) async fn retried(
    driver: &Driver,
    tenant: &TenantId,
    (run, retry): (&str, RetryRun),
) -> Done {
    let run = find(driver, tenant, run)?;
    let goes_on = driver.retry(tenant, run, retry).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(driver, tenant, goes_on).await?)))
}

/// Fork a run
///
/// A new run with other params or another version, which goes on from a step of
/// this one. With an `Idempotency-Key`, asking twice makes one run. The body may
/// be empty.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/fork", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("Idempotency-Key" = Option<String>, Header),
        ("x-segno-user" = Option<String>, Header)),
    request_body = Option<ForkBody>,
    responses((status = 201, body = RunView), (status = 200, body = RunView, description = "this key has made it before"),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn fork(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    (User(by), headers): (User, HeaderMap),
    body: Result<Option<Json<ForkBody>>, JsonRejection>,
) -> Done {
    let ForkBody { from, version, params, step_params } = optional(body)?;
    let of = find(&driver, &tenant, &run)?;
    let idempotency_key = idempotency_key(&headers)?;
    let fork = ForkRun { of, from, version, params, step_params, by, idempotency_key };
    let started = driver.fork(&tenant, fork).await?;
    let status = if started.repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(shown(&driver, &tenant, started.run).await?)))
}
