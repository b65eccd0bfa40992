//! Changes of a workflow beside its versions: which one is active, properties,
//! pauses, deletion, and the history of all of them.

use super::problem::Problem;
use super::user::User;
use super::view::PageView;
use super::workflow_view::{WorkflowChangeView, WorkflowItemView};
use super::{PageQuery, Tenant, paging};
use crate::driver::{Driver, PropertiesChange, VersionSelector};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use segno_engine::strategy::InvalidStrategy;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// Which version becomes the active one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivateBody {
    /// A number, or `latest`.
    #[schema(value_type = Object, example = 3)]
    version: VersionSelector,
}

/// Why a workflow is paused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseBody {
    /// For whoever wonders why.
    note: Option<String>,
}

/// Properties of a workflow: what is absent stays, `null` takes it away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PropertiesBody {
    /// Who answers for it.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    owner: Option<Option<String>>,
    /// What it is for.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// What it is found by, and whose permits all its steps need.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Option<Vec<String>>>,
    /// Which of its runs go on at once: `parallel`, `parallel(20)`,
    /// `sequential`, `strict_sequential`, `first_only`, `last_only` or
    /// `serial_latest_only`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "sequential")]
    run_strategy: Option<Option<String>>,
    /// How many steps run code at once in all its runs together.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    step_concurrency: Option<Option<u32>>,
}

/// Activate a version
///
/// Starts that name no version get it from then on.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/workflows/{workflow}/activate", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = ActivateBody,
    responses((status = 200, body = WorkflowItemView), (status = 404, body = Problem)))]
pub(super) async fn activate(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    body: Result<Json<ActivateBody>, JsonRejection>,
) -> Result<Json<WorkflowItemView>, Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    Ok(Json(driver.activate_workflow(&tenant, &name, body.version, &by).await?.into()))
}

/// Leave a workflow without an active version
#[utoipa::path(post, path = "/v1/tenants/{tenant}/workflows/{workflow}/deactivate", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 200, body = WorkflowItemView), (status = 404, body = Problem)))]
pub(super) async fn deactivate(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
) -> Result<Json<WorkflowItemView>, Problem> {
    Ok(Json(driver.deactivate_workflow(&tenant, &name, &by).await?.into()))
}

/// Pause a workflow
///
/// No run of it begins until it is resumed; those that run go on. The body may
/// be empty.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/workflows/{workflow}/pause", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = Option<PauseBody>,
    responses((status = 200, body = WorkflowItemView), (status = 404, body = Problem)))]
pub(super) async fn pause(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    body: Result<Option<Json<PauseBody>>, JsonRejection>,
) -> Result<Json<WorkflowItemView>, Problem> {
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let note = body.and_then(|Json(body)| body.note);
    Ok(Json(driver.pause_workflow(&tenant, &name, note, &by).await?.into()))
}

/// Resume a workflow
#[utoipa::path(post, path = "/v1/tenants/{tenant}/workflows/{workflow}/resume", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 200, body = WorkflowItemView), (status = 404, body = Problem)))]
pub(super) async fn resume(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
) -> Result<Json<WorkflowItemView>, Problem> {
    Ok(Json(driver.resume_workflow(&tenant, &name, &by).await?.into()))
}

/// Set properties of a workflow
///
/// Without a new version. What is absent stays, `null` takes a property away.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/workflows/{workflow}/properties", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = PropertiesBody,
    responses((status = 200, body = WorkflowItemView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "the open runs do not go with the new run strategy")))]
pub(super) async fn set_properties(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    body: Result<Json<PropertiesBody>, JsonRejection>,
) -> Result<Json<WorkflowItemView>, Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let PropertiesBody { owner, description, tags, run_strategy, step_concurrency } = body;
    let strategy = |text: Option<String>| text.map(|text| text.parse()).transpose();
    let run_strategy = run_strategy.map(strategy).transpose();
    let run_strategy =
        run_strategy.map_err(|error: InvalidStrategy| Problem::bad_request(error.to_string()))?;
    let wanted = PropertiesChange { owner, description, tags, run_strategy, step_concurrency };
    Ok(Json(driver.set_properties(&tenant, &name, wanted, &by).await?.into()))
}

/// List the changes of a workflow, newest first
///
/// Also of one that was deleted.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/workflows/{workflow}/history", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), PageQuery),
    responses((status = 200, body = PageView<WorkflowChangeView>), (status = 404, body = Problem)))]
pub(super) async fn history(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<WorkflowChangeView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().workflow_changes(&tenant, &name, &paging)?;
    if page.items.is_empty() && driver.store().last_workflow_change(&tenant, &name)? == 0 {
        // Nothing was ever done to it, so it must at least be there.
        driver.workflow_named(&tenant, &name)?;
    }
    driver.store().barrier().durable().await?;
    let items = page.items.into_iter().map(WorkflowChangeView::from);
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|next| next.to_string()) }))
}

/// Delete a workflow
///
/// Refused while runs of it are open. Its runs and its history can still be
/// read; a workflow that is pushed under its name goes on with its numbers.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/workflows/{workflow}", tag = "workflows",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 200, body = WorkflowItemView, description = "what was deleted"),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
) -> Result<Json<WorkflowItemView>, Problem> {
    Ok(Json(driver.delete_workflow(&tenant, &name, &by).await?.into()))
}

/// Tells `null` from what is absent.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
