//! Breakpoints: set on a step, listed, taken away.

use super::problem::Problem;
use super::user::User;
use super::view::PageView;
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::Driver;
use crate::store::Breakpoint;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why there is a breakpoint.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BreakpointBody {
    /// For whoever wonders why.
    note: Option<String>,
}

/// What becomes of the steps that stopped.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ClearQuery {
    /// Whether the steps that stopped here go on; `false` unless said.
    #[serde(default)]
    resume: bool,
}

/// A step that stops before it begins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BreakpointView {
    /// The step's id.
    step: String,
    /// Why, as whoever set it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Who set it.
    set_by: String,
    /// When it was set.
    set_at: String,
}

/// Set a breakpoint
///
/// The step stops before it begins, in every run of the workflow and in every
/// iteration. The body may be empty.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/workflows/{workflow}/breakpoints/{step}", tag = "breakpoints",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("step" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = Option<BreakpointBody>,
    responses((status = 200, body = BreakpointView), (status = 404, body = Problem)))]
pub(super) async fn set(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, workflow, step)): Path<(String, String, String)>,
    User(by): User,
    body: Result<Option<Json<BreakpointBody>>, JsonRejection>,
) -> Result<Json<BreakpointView>, Problem> {
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let note = body.and_then(|Json(body)| body.note);
    Ok(Json(driver.set_breakpoint(&tenant, (&workflow, &step), note, &by).await?.into()))
}

/// List the breakpoints of a workflow
#[utoipa::path(get, path = "/v1/tenants/{tenant}/workflows/{workflow}/breakpoints", tag = "breakpoints",
    params(("tenant" = String, Path), ("workflow" = String, Path), PageQuery),
    responses((status = 200, body = PageView<BreakpointView>), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, workflow)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<BreakpointView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    driver.workflow_named(&tenant, &workflow)?;
    let page = driver.store().breakpoints_page(&tenant, &workflow, &paging)?;
    driver.store().barrier().durable().await?;
    Ok(Json(PageView {
        items: page.items.into_iter().map(BreakpointView::from).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

/// Take a breakpoint away
///
/// Steps that stopped there stay stopped, or go on with `resume=true`.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/workflows/{workflow}/breakpoints/{step}", tag = "breakpoints",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("step" = String, Path), ClearQuery),
    responses((status = 200, body = BreakpointView, description = "what was taken away"), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, workflow, step)): Path<(String, String, String)>,
    Query(query): Query<ClearQuery>,
) -> Result<Json<BreakpointView>, Problem> {
    Ok(Json(driver.remove_breakpoint(&tenant, &workflow, &step, query.resume).await?.into()))
}

impl From<Breakpoint> for BreakpointView {
    fn from(record: Breakpoint) -> Self {
        let Breakpoint { step, note, by, at } = record;
        Self { step, note, set_by: by, set_at: rfc3339(at) }
    }
}
