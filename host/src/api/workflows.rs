//! Workflows: definitions that are checked, versioned and shown.

use super::problem::Problem;
use super::user::User;
use super::view::PageView;
use super::workflow_view::{VersionItemView, WorkflowItemView, WorkflowView, workflow_view};
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::{Applied, Apply, Driver, VersionSelector};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

/// What becomes of a definition.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ApplyQuery {
    /// Check the definition, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// Whether its version becomes the active one; `true` unless said.
    active: Option<bool>,
}

/// Which version of a workflow is meant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionQuery {
    /// A number, `latest`, `active`, or `default`: the active one, and the
    /// latest if none is active. `default` unless said.
    version: Option<String>,
}

/// Push a workflow
///
/// The body is a definition in YAML or JSON. Every problem is named at once,
/// with its place and the remedy; then nothing has changed. Properties that it
/// names become the workflow's, the others stay. The very same definition makes
/// no new version.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/workflows", tag = "workflows",
    params(("tenant" = String, Path), ApplyQuery, ("x-segno-user" = Option<String>, Header)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 201, body = WorkflowView), (status = 200, body = WorkflowView, description = "a dry run, or the very same was there"),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn apply(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    User(by): User,
    Query(query): Query<ApplyQuery>,
    source: String,
) -> Result<(StatusCode, Json<WorkflowView>), Problem> {
    let apply = Apply { source: &source, active: query.active.unwrap_or(true), by: &by };
    let Applied { record, version, workflow, unchanged } = match query.dry_run {
        true => driver.validate_workflow(&tenant, apply).await?,
        false => driver.apply_workflow(&tenant, apply).await?,
    };
    let status = match query.dry_run || unchanged {
        true => StatusCode::OK,
        false => StatusCode::CREATED,
    };
    let view = workflow_view(record, version, &workflow);
    let unchanged = Some(unchanged).filter(|_| !query.dry_run);
    Ok((status, Json(WorkflowView { unchanged, ..view })))
}

/// List workflows
#[utoipa::path(get, path = "/v1/tenants/{tenant}/workflows", tag = "workflows",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = PageView<WorkflowItemView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<WorkflowItemView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().workflows(&tenant, &paging)?;
    driver.store().barrier().durable().await?;
    let items = page.items.into_iter().map(WorkflowItemView::from);
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|next| next.to_string()) }))
}

/// Show a workflow
#[utoipa::path(get, path = "/v1/tenants/{tenant}/workflows/{workflow}", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), VersionQuery),
    responses((status = 200, body = WorkflowView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<VersionQuery>,
) -> Result<Json<WorkflowView>, Problem> {
    let selector: VersionSelector = match query.version {
        Some(version) => version.parse()?,
        None => VersionSelector::Default,
    };
    let selected = driver.workflow_selected(&tenant, &name, selector)?;
    let version = driver.version_record(&tenant, &name, selected.version)?;
    driver.store().barrier().durable().await?;
    let source = Some(version.source.clone());
    let view = workflow_view(selected.record, version, &selected.workflow);
    Ok(Json(WorkflowView { source, ..view }))
}

/// List the versions of a workflow, newest first
#[utoipa::path(get, path = "/v1/tenants/{tenant}/workflows/{workflow}/versions", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), PageQuery),
    responses((status = 200, body = PageView<VersionItemView>), (status = 404, body = Problem)))]
pub(super) async fn versions(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<VersionItemView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let record = driver.workflow_named(&tenant, &name)?;
    let page = driver.store().versions(&tenant, &name, &paging)?;
    driver.store().barrier().durable().await?;
    let items = page.items.into_iter().map(|version| VersionItemView {
        version: version.version,
        active: record.active_version == Some(version.version),
        created_at: rfc3339(version.created_at),
        created_by: version.created_by,
    });
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|next| next.to_string()) }))
}
