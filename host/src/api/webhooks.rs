//! Webhooks: created, listed, shown, changed, taken away, and what came to them.
//! `hooks` is where requests come in.

use super::problem::Problem;
use super::user::User;
use super::view::PageView;
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::{Driver, Hook};
use crate::store::DeliveryRecord;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use segno_engine::id::TenantId;
use segno_engine::webhook::Source;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The tolerance of those that name none.
const TOLERANCE: &str = "5m";

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookView {
    /// Its name.
    #[schema(example = "pushes")]
    name: String,
    /// Where its sender posts to.
    url: String,
    /// Whether requests are taken.
    enabled: bool,
    /// `github`, `stripe`, `slack` or `hmac`.
    kind: String,
    /// The names of the secrets that requests may be signed with.
    secrets: Vec<String>,
    /// How far from now a request may be signed, if its kind says when.
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerance: Option<String>,
    /// The header with the signature, of kind `hmac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// `hex` or `base64`, of kind `hmac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<String>,
    /// What stands before the signature, of kind `hmac`.
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    /// The signal's name.
    #[schema(example = "github.${headers['x-github-event']}")]
    signal: String,
    /// The signal's params.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// The signal's payload; the body if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    payload: Option<Value>,
    /// The signal's id; what the kind has for it if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Which requests become signals; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<String>,
    /// Who created it.
    created_by: String,
    /// When it was created.
    created_at: String,
    /// Who changed it last.
    changed_by: String,
    /// When it was changed last.
    changed_at: String,
}

/// A delivery, or several that were refused alike.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryView {
    /// Its place among those of the webhook.
    sequence: u64,
    /// `published`, `repeated`, `ignored`, `challenge`, `bad_body`,
    /// `bad_signature`, `too_old`, `too_large`, `disabled` or `no_secret`.
    #[schema(value_type = String)]
    outcome: crate::store::DeliveryOutcome,
    /// When it came; of several, the first.
    at: String,
    /// When the last of several came.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<String>,
    /// How many there were.
    count: u64,
    /// Where it came from; of several, the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The name of its signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    /// The place of its signal among those of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal_sequence: Option<u64>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Create a webhook
///
/// The body is a definition in YAML or JSON. Every problem is named at once,
/// with its place and the remedy; then nothing has changed.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/webhooks", tag = "webhooks",
    params(("tenant" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 201, body = WebhookView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    User(by): User,
    source: String,
) -> Result<(StatusCode, Json<WebhookView>), Problem> {
    let hook = driver.create_webhook(&tenant, &source, &by).await?;
    Ok((StatusCode::CREATED, Json(view(&driver, &tenant, &hook))))
}

/// List webhooks
#[utoipa::path(get, path = "/v1/tenants/{tenant}/webhooks", tag = "webhooks",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = PageView<WebhookView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<WebhookView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().webhooks(&tenant, &paging)?;
    driver.store().barrier().durable().await?;
    let mut items = Vec::new();
    for record in page.items {
        // One that was deleted meanwhile is left out.
        if let Ok(hook) = driver.webhook(&tenant, &record.name) {
            items.push(view(&driver, &tenant, &hook));
        }
    }
    Ok(Json(PageView { items, next: page.next.map(|next| next.to_string()) }))
}

/// Show a webhook
#[utoipa::path(get, path = "/v1/tenants/{tenant}/webhooks/{name}", tag = "webhooks",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = WebhookView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<WebhookView>, Problem> {
    let hook = driver.webhook(&tenant, &name)?;
    driver.store().barrier().durable().await?;
    Ok(Json(view(&driver, &tenant, &hook)))
}

/// Change a webhook
///
/// The body has keys of the definition: what is absent stays, `null` takes a
/// key away. Requests that come from then on see it.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/webhooks/{name}", tag = "webhooks",
    params(("tenant" = String, Path), ("name" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = Object,
    responses((status = 200, body = WebhookView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<WebhookView>, Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let hook = driver.change_webhook(&tenant, &name, &body, &by).await?;
    Ok(Json(view(&driver, &tenant, &hook)))
}

/// Take a webhook away
///
/// With all that came to it. The signals that it published stay.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/webhooks/{name}", tag = "webhooks",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = WebhookView, description = "what was taken away"), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<WebhookView>, Problem> {
    let hook = driver.delete_webhook(&tenant, &name).await?;
    Ok(Json(view(&driver, &tenant, &hook)))
}

/// List what came to a webhook lately, newest first
///
/// The last 1,000 are kept. Refusals that are alike are one entry an hour, with
/// a count.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/webhooks/{name}/deliveries", tag = "webhooks",
    params(("tenant" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = PageView<DeliveryView>), (status = 404, body = Problem)))]
pub(super) async fn deliveries(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<DeliveryView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.deliveries(&tenant, &name, &paging).await?;
    Ok(Json(PageView {
        items: page.items.into_iter().map(DeliveryView::from).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

fn view(driver: &Driver, tenant: &TenantId, hook: &Hook) -> WebhookView {
    let Hook { record, webhook } = hook;
    let Source { kind, secrets, tolerance, header, encoding, prefix, .. } = webhook.source.clone();
    let Source { signal, params, payload, id, when, .. } = webhook.source.clone();
    let tolerance = tolerance.or_else(|| webhook.form.is_dated().then(|| TOLERANCE.to_owned()));
    WebhookView {
        name: record.name.clone(),
        url: driver.webhook_url(tenant, &record.name),
        enabled: webhook.enabled,
        kind,
        secrets,
        tolerance,
        header,
        encoding,
        prefix,
        signal,
        params,
        payload,
        id,
        when,
        created_by: record.created_by.clone(),
        created_at: rfc3339(record.created_at),
        changed_by: record.changed_by.clone(),
        changed_at: rfc3339(record.changed_at),
    }
}

impl From<DeliveryRecord> for DeliveryView {
    fn from(record: DeliveryRecord) -> Self {
        let DeliveryRecord { sequence, outcome, at, last_at, count, .. } = record;
        let (signal, signal_sequence) = record.signal.unzip();
        Self {
            sequence,
            outcome,
            at: rfc3339(at),
            last_at: last_at.map(rfc3339),
            count,
            remote: record.remote,
            id: record.id,
            signal,
            signal_sequence,
            detail: record.detail,
        }
    }
}
