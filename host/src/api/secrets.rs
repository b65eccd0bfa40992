//! Secrets: set, listed by name, taken away. No answer ever has a value.

use super::problem::Problem;
use super::view::PageView;
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::Driver;
use crate::store::SecretRecord;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The value of a secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretBody {
    /// The value; nothing gives it back.
    value: String,
}

/// A secret, without its value.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecretView {
    /// Its name.
    #[schema(example = "PAY_KEY")]
    name: String,
    /// When it was set.
    set_at: String,
}

/// Set a secret
///
/// It is sealed before it is kept. Steps that are granted it may send it along
/// with their requests, and never see it.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/secrets/{name}", tag = "secrets",
    params(("tenant" = String, Path), ("name" = String, Path)),
    request_body = SecretBody,
    responses((status = 200, body = SecretView), (status = 400, body = Problem)))]
pub(super) async fn set(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    body: Result<Json<SecretBody>, JsonRejection>,
) -> Result<Json<SecretView>, Problem> {
    // What is wrong with the body may quote it, and is not passed on.
    let Json(body) = body.map_err(|_| Problem::bad_request(r#"the body is {"value": "…"}"#))?;
    let record = driver.set_secret(&tenant, &name, &body.value).await?;
    Ok(Json(view(record)))
}

/// List secrets
#[utoipa::path(get, path = "/v1/tenants/{tenant}/secrets", tag = "secrets",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = PageView<SecretView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<SecretView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().secrets(&tenant, &paging)?;
    driver.store().barrier().durable().await?;
    Ok(Json(PageView {
        items: page.items.into_iter().map(view).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

/// Show when a secret was set
#[utoipa::path(get, path = "/v1/tenants/{tenant}/secrets/{name}", tag = "secrets",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = SecretView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<SecretView>, Problem> {
    let record = driver.secret(&tenant, &name)?;
    driver.store().barrier().durable().await?;
    Ok(Json(view(record)))
}

/// Take a secret away
///
/// Requests that would need it fail from then on.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/secrets/{name}", tag = "secrets",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = SecretView, description = "what was taken away"), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<SecretView>, Problem> {
    Ok(Json(view(driver.delete_secret(&tenant, &name).await?)))
}

fn view(record: SecretRecord) -> SecretView {
    let SecretRecord { name, sealed: _, set_at } = record;
    SecretView { name, set_at: rfc3339(set_at) }
}
