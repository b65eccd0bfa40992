//! How many steps of a run stand how, with all that is below it.

use super::Tenant;
use super::problem::Problem;
use super::runs::find;
use crate::driver::Driver;
use axum::Json;
use axum::extract::{Path, State};
use segno_engine::rollup::Rollup;
use serde::Serialize;
use utoipa::ToSchema;

/// The leaves of a run: every step that is no loop and no subworkflow, in the run
/// and in all runs below it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RollupView {
    /// How many there are, as far as that is known: iterations that have not
    /// started are not counted.
    total: u32,
    /// How many stand how, by status.
    #[schema(value_type = Object, example = json!({"succeeded": 1098, "running": 4}))]
    steps: Rollup,
}

/// Count the steps of a run, with all that is below it
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/rollup", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path)),
    responses((status = 200, body = RollupView), (status = 404, body = Problem)))]
pub(super) async fn rollup(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
) -> Result<Json<RollupView>, Problem> {
    let run = find(&driver, &tenant, &run)?;
    let steps = driver.rollup(&tenant, run).await?;
    Ok(Json(RollupView { total: steps.total(), steps }))
}
