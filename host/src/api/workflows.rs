//! Workflows: definitions that are checked, versioned and shown.

use super::problem::Problem;
use super::view::{PageView, ParamView, PinView, WorkflowItemView, WorkflowView};
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::Driver;
use crate::store::VersionRecord;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use segno_engine::workflow::{Param, Workflow};
use serde::Deserialize;

/// Whether a definition is only checked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ApplyQuery {
    /// Check the definition, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Which version of a workflow is meant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionQuery {
    /// The latest unless said.
    version: Option<u64>,
}

/// Push a workflow
///
/// The body is a definition in YAML or JSON. Every problem is named at once,
/// with its place and the remedy; then nothing has changed.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/workflows", tag = "workflows",
    params(("tenant" = String, Path), ApplyQuery),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 201, body = WorkflowView), (status = 200, body = WorkflowView, description = "a dry run, or the very same was there"),
        (status = 422, body = Problem)))]
pub(super) async fn apply(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<ApplyQuery>,
    source: String,
) -> Result<(StatusCode, Json<WorkflowView>), Problem> {
    if query.dry_run {
        let (record, workflow) = driver.validate_workflow(&tenant, &source)?;
        return Ok((StatusCode::OK, Json(workflow_view(&record, &workflow))));
    }
    let applied = driver.apply_workflow(&tenant, &source).await?;
    let status = if applied.unchanged { StatusCode::OK } else { StatusCode::CREATED };
    let view = workflow_view(&applied.record, &applied.workflow);
    Ok((status, Json(WorkflowView { unchanged: Some(applied.unchanged), ..view })))
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
    let items = page.items.into_iter().map(|record| WorkflowItemView {
        workflow: record.name,
        version: record.latest_version,
        changed_at: rfc3339(record.changed_at),
    });
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
    let Some((record, workflow)) = driver.workflow_record(&tenant, &name, query.version)? else {
        let what = query.version.map_or(String::new(), |version| format!(" version {version} of"));
        let detail = format!(
            "there is no{what} workflow {name:?}; `segno workflow list` shows what there is"
        );
        return Err(Problem::not_found("workflow_not_found", detail));
    };
    driver.store().barrier().durable().await?;
    let view = workflow_view(&record, &workflow);
    Ok(Json(WorkflowView { source: Some(record.source), ..view }))
}

fn workflow_view(record: &VersionRecord, workflow: &Workflow) -> WorkflowView {
    let pins = record.pins.iter().map(|(reference, pin)| PinView {
        reference: reference.clone(),
        version: pin.version.clone(),
        digest: pin.digest.clone(),
    });
    WorkflowView {
        workflow: record.workflow.clone(),
        version: record.version,
        description: workflow.description.clone(),
        owner: workflow.owner.clone(),
        params: workflow.params.iter().map(param_view).collect(),
        components: pins.collect(),
        created_at: rfc3339(record.created_at),
        source: None,
        unchanged: None,
    }
}

fn param_view(param: &Param) -> ParamView {
    ParamView {
        name: param.name.clone(),
        kind: param.kind.to_string(),
        required: param.value.is_none() && !param.optional,
        default: param
            .value
            .as_ref()
            .and_then(|value| value.constant())
            .map(|value| value.value().clone()),
        description: param.description.clone(),
    }
}
