//! Steps of runs: shown with what they were given, and their iterations.

use super::Tenant;
use super::around::Around;
use super::problem::Problem;
use super::runs::{bad_cursor, find, snapshot};
use super::step_view::step_view_with_payloads;
use super::view::{IterationView, PageView, StepView};
use crate::driver::{Driver, Snapshot};
use axum::Json;
use axum::extract::{Path, Query, State};
use segno_engine::id::{StepIndex, TenantId};
use segno_engine::run::Iterations;
use serde::Deserialize;
use utoipa::ToSchema;

/// Which iterations are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct IterationsQuery {
    /// Only those that are `running`, `succeeded`, `failed` or `pending`.
    status: Option<IterationStatus>,
    /// `first` unless said; `last` lists from the last that has started back.
    order: Option<Order>,
    /// Entries on the page, 100 unless said, at most 1,000.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// How an iteration stands.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum IterationStatus {
    Pending,
    Running,
    Succeeded,
    Failed,
}

/// Which iterations come first in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    First,
    Last,
}

impl IterationStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// Show a step with its input and output
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/steps/{step}", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path),
        ("step" = String, Path, description = "its id, or the way to it through iterations: `per-year[3].aggregate`")),
    responses((status = 200, body = StepView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run, step)): Path<(String, String, String)>,
) -> Result<Json<StepView>, Problem> {
    Ok(Json(shown(&driver, &tenant, (&run, &step)).await?))
}

/// List the iterations of a loop
///
/// Those that have started.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/steps/{step}/iterations", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("step" = String, Path), IterationsQuery),
    responses((status = 200, body = PageView<IterationView>), (status = 404, body = Problem)))]
pub(super) async fn iterations(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run, step)): Path<(String, String, String)>,
    Query(query): Query<IterationsQuery>,
) -> Result<Json<PageView<IterationView>>, Problem> {
    let (snapshot, place) = find_step(&driver, &tenant, &run, &step).await?;
    let Some(all) = &snapshot.run.steps()[place].iterations else {
        return Ok(Json(PageView { items: Vec::new(), next: None }));
    };
    let cursor = query.cursor.as_deref().map(str::parse::<u32>).transpose();
    let from = cursor.map_err(|_| bad_cursor())?;
    let mut wanted = wanted(all, &query, from);
    let limit = super::limit(query.limit);
    let step = place as StepIndex;
    let items = wanted.by_ref().take(limit).map(|index| IterationView {
        index,
        run: snapshot.run.iteration_id(step, index).to_string(),
        status: all.status_of(index).to_owned(),
        variables: snapshot.run.iteration_variables(step, index),
    });
    let items = items.collect();
    Ok(Json(PageView { items, next: wanted.next().map(|index| index.to_string()) }))
}

/// The iterations that are asked for, from this one on.
fn wanted(
    all: &Iterations,
    query: &IterationsQuery,
    from: Option<u32>,
) -> Box<dyn Iterator<Item = u32> + Send> {
    let indices: Box<dyn Iterator<Item = u32> + Send> = match query.order.unwrap_or_default() {
        Order::First => Box::new(from.unwrap_or(0)..all.next),
        Order::Last => {
            let end = from.map_or(all.next, |from| from.saturating_add(1).min(all.next));
            Box::new((0..end).rev())
        }
    };
    let Some(status) = query.status else { return indices };
    let all = all.clone();
    Box::new(indices.filter(move |index| all.status_of(*index) == status.as_str()))
}

/// A step with its payloads, as it stands.
pub(super) async fn shown(
    driver: &Driver,
    tenant: &TenantId,
    (run, step): (&str, &str),
) -> Result<StepView, Problem> {
    let (snapshot, place) = find_step(driver, tenant, run, step).await?;
    let around = Around::of(driver, tenant, &snapshot).await?;
    Ok(step_view_with_payloads(&snapshot, (place, &around), driver.clock().now()))
}

/// The run with a step, and the step's place in it.
pub(super) async fn find_step(
    driver: &Driver,
    tenant: &TenantId,
    run: &str,
    step: &str,
) -> Result<(Snapshot, usize), Problem> {
    let id = find(driver, tenant, run)?;
    if step.contains(['[', '.']) {
        let (run, place) = driver.locate_step(tenant, (id, step))?;
        return Ok((snapshot(driver, tenant, run).await?, place as usize));
    }
    let snapshot = snapshot(driver, tenant, id).await?;
    let steps = &snapshot.run.body().steps;
    match steps.iter().position(|known| known.id == step) {
        Some(place) => Ok((snapshot, place)),
        None => {
            let ids: Vec<_> = steps.iter().map(|step| step.id.as_str()).collect();
            let detail = format!("run {run} has no step {step:?}, but {}", ids.join(", "));
            Err(Problem::not_found("step_not_found", detail))
        }
    }
}
