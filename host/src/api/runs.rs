//! Runs: started, listed, shown, with their logs.

use super::around::Around;
use super::problem::Problem;
use super::run_view::run_view;
use super::user::Once;
use super::view::{LogLineView, PageView, RunItemView, RunView};
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::crash;
use crate::driver::{Driver, Snapshot, StartRun, VersionSelector};
use crate::store::{self, RunRecord};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use segno_engine::event::Cause;
use segno_engine::id::{RunId, TenantId};
use segno_engine::run::RunStatus;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use utoipa::ToSchema;

/// The longest that a request may wait for the end of a run, in seconds.
const WAIT_S_MAX: f64 = 60.0;

/// What a run is started with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartBody {
    /// The workflow's name.
    workflow: String,
    /// A number, `latest`, `active`, or `default`: the active one, and the
    /// latest if none is active. `default` if absent.
    #[schema(value_type = Option<Object>, example = 3)]
    version: Option<VersionSelector>,
    /// The params that are given.
    #[serde(default)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// Params for single steps: by step id, names and values.
    #[serde(default)]
    #[schema(value_type = Object)]
    step_params: Map<String, Value>,
}

/// How long an answer may wait.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// Answer when the run is over, or after so many seconds; 60 at most.
    wait: Option<f64>,
}

/// Which runs are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those of this workflow.
    workflow: Option<String>,
    /// Entries on the page, 100 unless said, at most 1,000.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Start a run
///
/// With an `Idempotency-Key`, asking twice starts one run. The answer comes
/// when the start is on stable storage.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs", tag = "runs",
    params(("tenant" = String, Path), WaitQuery, ("Idempotency-Key" = Option<String>, Header),
        ("x-segno-user" = Option<String>, Header)),
    request_body = StartBody,
    responses((status = 201, body = RunView), (status = 200, body = RunView, description = "this key has started it before"),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn start(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<WaitQuery>,
    Once { by, key }: Once,
    body: Result<Json<StartBody>, JsonRejection>,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let start = StartRun {
        workflow: body.workflow,
        version: body.version.unwrap_or_default(),
        params: body.params,
        before: None,
        step_params: body.step_params,
        cause: Cause::Manual { by },
        idempotency_key: key,
        id: None,
    };
    let started = driver.start(&tenant, start).await?;
    crash::point("start is answered");
    let status = if started.repeated { StatusCode::OK } else { StatusCode::CREATED };
    let view = shown_after(&driver, &tenant, started.run, query.wait).await?;
    Ok((status, Json(view)))
}

/// List runs, newest first
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs", tag = "runs",
    params(("tenant" = String, Path), ListQuery),
    responses((status = 200, body = PageView<RunItemView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageView<RunItemView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().runs(&tenant, query.workflow.as_deref(), &paging)?;
    driver.store().barrier().durable().await?;
    Ok(Json(PageView {
        items: page.items.into_iter().map(|run| run_item(&driver, &tenant, run)).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

/// Show a run
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path, description = "`run_…` or `workflow#number`"), WaitQuery),
    responses((status = 200, body = RunView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    Query(query): Query<WaitQuery>,
) -> Result<Json<RunView>, Problem> {
    let run = find(&driver, &tenant, &run)?;
    Ok(Json(shown_after(&driver, &tenant, run, query.wait).await?))
}

/// Show the log of a run and of all its iterations
///
/// In the order in which the attempts ended; what is under way comes last.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/logs", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), PageQuery),
    responses((status = 200, body = PageView<LogLineView>), (status = 404, body = Problem)))]
pub(super) async fn logs(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<LogLineView>>, Problem> {
    let run = find(&driver, &tenant, &run)?;
    let after = match &query.cursor {
        Some(cursor) => Some(cursor.parse::<u64>().map_err(|_| bad_cursor())?),
        None => None,
    };
    let page = driver.logs(&tenant, run, after, query.limit()).await?;
    let stored = page.attempts.iter().map(|log| (log, false));
    let all = stored.chain(page.live.iter().map(|log| (log, true)));
    let items = all.flat_map(|(log, live)| {
        log.lines.iter().map(move |line| LogLineView {
            at: rfc3339(line.at),
            run: log.run.to_string(),
            iteration: log.iteration,
            step: log.step.clone(),
            attempt: log.attempt,
            level: line.level.clone(),
            message: line.message.clone(),
            live,
        })
    });
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|next| next.to_string()) }))
}

/// The run that a path names: by identifier, or as `workflow#number`.
pub(super) fn find(driver: &Driver, tenant: &TenantId, name: &str) -> Result<RunId, Problem> {
    let Some((workflow, number)) = name.split_once('#') else {
        return Ok(name.parse()?);
    };
    let number = number.parse().map_err(|_| {
        Problem::bad_request(format!("{name:?} is not a run: write run_… or workflow#3"))
    })?;
    match driver.store().run_by_number(tenant, workflow, number)? {
        Some(record) => Ok(record.run),
        None => Err(Problem::not_found(
            "run_not_found",
            format!("workflow {workflow:?} has no run number {number}; see `segno run list`"),
        )),
    }
}

/// How a run stands, if there is such a run.
pub(super) async fn snapshot(
    driver: &Driver,
    tenant: &TenantId,
    run: RunId,
) -> Result<Snapshot, Problem> {
    let snapshot = driver.snapshot(tenant, run).await?;
    snapshot.ok_or_else(|| crate::driver::Error::NoSuchRun(run).into())
}

async fn shown_after(
    driver: &Driver,
    tenant: &TenantId,
    run: RunId,
    wait_s: Option<f64>,
) -> Result<RunView, Problem> {
    let wait = wait_s.filter(|wait| *wait > 0.0).map(|wait| wait.min(WAIT_S_MAX));
    if let Some(wait) = wait {
        let over = driver.wait_until_over(tenant, run);
        if let Ok(result) = tokio::time::timeout(Duration::from_secs_f64(wait), over).await {
            result?;
        }
    }
    shown(driver, tenant, run).await
}

/// A run as it stands.
pub(super) async fn shown(
    driver: &Driver,
    tenant: &TenantId,
    run: RunId,
) -> Result<RunView, Problem> {
    let snapshot = snapshot(driver, tenant, run).await?;
    let around = Around::of(driver, tenant, &snapshot).await?;
    Ok(run_view(&snapshot, &around, driver.clock().now()))
}

/// What people call a run that has a number: `workflow#number`.
pub(super) fn run_name(
    driver: &Driver,
    tenant: &TenantId,
    run: RunId,
) -> Result<Option<String>, store::Error> {
    let record = driver.store().run(tenant, run)?;
    Ok(record.map(|RunRecord { workflow, number, .. }| format!("{workflow}#{number}")))
}

fn run_item(driver: &Driver, tenant: &TenantId, record: RunRecord) -> RunItemView {
    let is_queued = record.status == RunStatus::Queued.as_str();
    let place = (record.workflow.as_str(), record.run);
    let reason = is_queued.then(|| driver.queue_reason(tenant, place)).flatten();
    let (schedule, at) = record.schedule.unzip();
    RunItemView {
        run: record.run.to_string(),
        workflow: record.workflow,
        version: record.version,
        number: record.number,
        status: record.status,
        reason: reason.or(record.reason),
        created_at: rfc3339(record.created_at),
        ended_at: record.ended_at.map(rfc3339),
        schedule,
        scheduled_at: at.map(rfc3339),
        trigger: record.trigger,
    }
}

pub(super) fn bad_cursor() -> Problem {
    Problem::bad_request("this cursor was not given out here; take `next` of the page before")
}
