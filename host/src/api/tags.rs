//! Limits of tags: set, listed, taken away.

use super::around::all_permits;
use super::problem::Problem;
use super::user::User;
use super::view::{PageView, PermitView};
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::Driver;
use crate::store::TagLimit;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use segno_engine::id::TenantId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// The limit of a tag.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagBody {
    /// The most steps with the tag that run code at once; 0 lets none begin.
    limit: u32,
    /// For whoever wonders why.
    note: Option<String>,
}

/// A tag with a limit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TagView {
    /// The tag.
    #[schema(example = "warehouse")]
    tag: String,
    /// The most steps with the tag that run code at once; 0 lets none begin.
    limit: u32,
    /// How many attempts have its permit.
    held: usize,
    /// How many attempts wait that need it.
    waiting: usize,
    /// Why, as whoever set it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Who set it.
    set_by: String,
    /// When it was set.
    set_at: String,
}

/// Set the limit of a tag
///
/// So many steps that carry the tag, or whose workflow does, run code at once.
/// It counts from now on: what runs goes on.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/tags/{tag}", tag = "tags",
    params(("tenant" = String, Path), ("tag" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = TagBody,
    responses((status = 200, body = TagView), (status = 400, body = Problem)))]
pub(super) async fn set(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, tag)): Path<(String, String)>,
    User(by): User,
    body: Result<Json<TagBody>, JsonRejection>,
) -> Result<Json<TagView>, Problem> {
    let Json(TagBody { limit, note }) =
        body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let set = driver.set_tag_limit(&tenant, (&tag, limit), note, &by).await?;
    let usage = usage(&driver, &tenant);
    Ok(Json(with_usage(&usage, set)))
}

/// List the tags that have a limit
#[utoipa::path(get, path = "/v1/tenants/{tenant}/tags", tag = "tags",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = PageView<TagView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<TagView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().tag_limits_page(&tenant, &paging)?;
    driver.store().barrier().durable().await?;
    let usage = usage(&driver, &tenant);
    Ok(Json(PageView {
        items: page.items.into_iter().map(|limit| with_usage(&usage, limit)).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

/// Take the limit of a tag away
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/tags/{tag}", tag = "tags",
    params(("tenant" = String, Path), ("tag" = String, Path)),
    responses((status = 200, body = TagView, description = "what was taken away"), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, tag)): Path<(String, String)>,
) -> Result<Json<TagView>, Problem> {
    Ok(Json(driver.delete_tag_limit(&tenant, &tag).await?.into()))
}

impl From<TagLimit> for TagView {
    fn from(record: TagLimit) -> Self {
        let TagLimit { tag, max_allowed, note, by, at } = record;
        let (held, waiting) = (0, 0);
        Self { tag, limit: max_allowed, held, waiting, note, set_by: by, set_at: rfc3339(at) }
    }
}

/// The permits of a tenant that somebody has or waits for, by name.
fn usage(driver: &Driver, tenant: &TenantId) -> HashMap<String, PermitView> {
    all_permits(driver, tenant).map(|permit| (permit.name.clone(), permit)).collect()
}

/// A tag, with how many have its permit and how many wait for it.
fn with_usage(usage: &HashMap<String, PermitView>, limit: TagLimit) -> TagView {
    let permit = usage.get(&format!("tag:{}", limit.tag));
    let (held, waiting) = permit.map_or((0, 0), |permit| (permit.held, permit.waiting));
    TagView { held, waiting, ..limit.into() }
}
