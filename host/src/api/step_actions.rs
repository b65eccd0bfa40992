//! What somebody does with a step of a run, also of one inside of loops.

use super::Tenant;
use super::problem::Problem;
use super::run_actions::{optional, retried};
use super::runs::find;
use super::steps::shown;
use super::user::User;
use super::view::{RunView, StepView};
use crate::driver::{Driver, RetryRun};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use segno_engine::command::StepAction;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What the run is given when it goes on from a step. Everything may be absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StepRetryBody {
    /// Params of the run that are others from now on.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Params for single steps: by step id, names and values.
    #[schema(value_type = Object)]
    step_params: Map<String, Value>,
}

/// Do something with a step
///
/// `cancel` stops it, and what needs it does not start; `kill` ends it as failed;
/// `skip` goes on without it; `resume` lets it past a breakpoint; `bypass` takes
/// the signal that it waits for as come. What is skipped in a run that is over is
/// skipped in a retry of that run.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/steps/{step}/{action}", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path),
        ("step" = String, Path, description = "its id, or the way to it through iterations: `per-year[3].aggregate`"),
        ("action" = String, Path, description = "`cancel`, `kill`, `skip`, `resume` or `bypass`"),
        ("x-segno-user" = Option<String>, Header)),
    responses((status = 202, body = StepView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn act(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run, step, action)): Path<(String, String, String, String)>,
    User(by): User,
) -> Result<(StatusCode, Json<StepView>), Problem> {
    let action = named(&action)?;
    let id = find(&driver, &tenant, &run)?;
    driver.act_on_step(&tenant, (id, &step), (action, &by)).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&driver, &tenant, (&run, &step)).await?)))
}

/// Retry a run from a step
///
/// As retrying the run with `step`. The answer is the run that goes on. The body
/// may be empty.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/steps/{step}/retry", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("step" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = Option<StepRetryBody>,
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn retry(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run, step)): Path<(String, String, String)>,
    User(by): User,
    body: Result<Option<Json<StepRetryBody>>, JsonRejection>,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let StepRetryBody { params, step_params } = optional(body)?;
    let retry = RetryRun { step: Some(step), params, step_params, by };
    retried(&driver, &tenant, (&run, retry)).await
}

fn named(action: &str) -> Result<StepAction, Problem> {
    use StepAction::{Bypass, Cancel, Kill, Resume, Skip};
    let all = [Cancel, Kill, Skip, Resume, Bypass];
    all.into_iter().find(|known| known.as_str() == action).ok_or_else(|| {
        let detail = format!(
            "nothing is called {action:?} here; use cancel, kill, skip, resume, bypass or retry"
        );
        Problem::not_found("no_such_route", detail)
    })
}
