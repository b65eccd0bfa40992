//! Components: pushed once under a name and a version, and listed.

use super::problem::Problem;
use super::view::{ComponentView, PageView};
use super::{Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::Driver;
use crate::store::ComponentRecord;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

/// Under which name a component is pushed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PushQuery {
    /// For example `weather/load`.
    name: String,
    /// For example `1.0.0`.
    version: String,
}

/// Which components are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only the versions of this one.
    name: Option<String>,
    /// Entries on the page, 100 unless said, at most 1,000.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Push a component
///
/// The body is a WebAssembly component, or a core module that can be made into
/// one. It is checked and compiled before the answer.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/components", tag = "components",
    params(("tenant" = String, Path), PushQuery),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = ComponentView), (status = 200, body = ComponentView, description = "the very same was there"),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn push(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<PushQuery>,
    body: Bytes,
) -> Result<(StatusCode, Json<ComponentView>), Problem> {
    let pushed = driver.push_component(&tenant, (&query.name, &query.version), body.into()).await?;
    let status = if pushed.unchanged { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(component_view(pushed.record, Some(pushed.unchanged)))))
}

/// List components
#[utoipa::path(get, path = "/v1/tenants/{tenant}/components", tag = "components",
    params(("tenant" = String, Path), ListQuery),
    responses((status = 200, body = PageView<ComponentView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageView<ComponentView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().components(&tenant, query.name.as_deref(), &paging)?;
    driver.store().barrier().durable().await?;
    Ok(Json(PageView {
        items: page.items.into_iter().map(|record| component_view(record, None)).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

fn component_view(record: ComponentRecord, unchanged: Option<bool>) -> ComponentView {
    ComponentView {
        name: record.name,
        version: record.version,
        digest: record.digest.to_string(),
        size_bytes: record.size_bytes,
        imports: record.imports,
        http: record.requests.http.iter().map(ToString::to_string).collect(),
        secrets: record.requests.secrets,
        pushed_at: rfc3339(record.pushed_at),
        unchanged,
    }
}
