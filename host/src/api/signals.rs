//! Signals: published to everyone or to one run, listed, shown.

use super::problem::Problem;
use super::runs::find;
use super::view::PageView;
use super::{Tenant, limit, paging};
use crate::clock::rfc3339;
use crate::crash;
use crate::driver::{Driver, Publish, Published, RunSignal};
use crate::store::SignalRecord;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use segno_engine::payload::Payload;
use segno_engine::signal::Params;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A signal that is published to everyone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishBody {
    /// Its name.
    #[schema(example = "weather.landed")]
    name: String,
    /// Its identity within the name; a fresh one if absent. Publishing twice
    /// under one id is publishing once.
    id: Option<String>,
    /// Strings, numbers and booleans by which it is found.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({ "station": "seattle" }))]
    params: Map<String, Value>,
    /// What it says; `null` if absent.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
}

/// A signal for one run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunSignalBody {
    /// Its name.
    #[schema(example = "approved")]
    name: String,
    /// Its identity within the run; a fresh one if absent.
    id: Option<String>,
    /// What it says; `null` if absent.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
}

/// A signal that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PublishedView {
    /// Its name.
    name: String,
    /// Its identity.
    id: String,
    /// Its place among all of its name, or among all for the run, from 1.
    sequence: u64,
    /// Whether it was there before, under the same id.
    repeated: bool,
}

/// A name under which signals were published.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignalNameView {
    /// The name.
    name: String,
    /// The sequence of the last one.
    last: u64,
}

/// A signal for everyone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignalView {
    /// Its name.
    name: String,
    /// Its place among all of its name, from 1.
    sequence: u64,
    /// Its identity.
    id: String,
    /// By what it is found.
    #[schema(value_type = Object)]
    params: Value,
    /// What it says.
    #[schema(value_type = Object)]
    payload: Payload,
    /// When it was accepted.
    published_at: String,
    /// Who published it: `api`, or a run and its step.
    by: String,
}

/// Which signals of a name are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those behind this sequence.
    after: Option<u64>,
    /// Entries on the page, 100 unless said, at most 1,000.
    limit: Option<usize>,
    /// `next` of the page before; goes before `after`.
    cursor: Option<String>,
}

/// Publish a signal to everyone
///
/// Every step that waits for it gets it, now or as long as it is kept. With an
/// `id` or an `Idempotency-Key`, publishing twice publishes once. The answer
/// comes when the signal is on stable storage.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/signals", tag = "signals",
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "the signal's id")),
    request_body = PublishBody,
    responses((status = 201, body = PublishedView), (status = 200, body = PublishedView, description = "this id has published it before"),
        (status = 400, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem)))]
pub(super) async fn publish(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    body: Result<Json<PublishBody>, JsonRejection>,
) -> Result<(StatusCode, Json<PublishedView>), Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let params = Params::of(&Value::Object(body.params))
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    let publish = Publish {
        name: body.name,
        id: id(&headers, body.id)?,
        params,
        payload: payload(body.payload)?,
        by: "api".to_owned(),
    };
    let published = driver.publish(&tenant, publish).await?;
    crash::point("signal is answered");
    Ok(answer(published))
}

/// Send a signal to one run
///
/// One wait of the run gets it, now or when a step comes to wait for it.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/runs/{run}/signals", tag = "signals",
    params(("tenant" = String, Path), ("run" = String, Path, description = "`run_…` or `workflow#number`"),
        ("Idempotency-Key" = Option<String>, Header, description = "the signal's id")),
    request_body = RunSignalBody,
    responses((status = 201, body = PublishedView), (status = 200, body = PublishedView, description = "this id has sent it before"),
        (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn send_to_run(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<RunSignalBody>, JsonRejection>,
) -> Result<(StatusCode, Json<PublishedView>), Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let run = find(&driver, &tenant, &run)?;
    let signal = RunSignal {
        name: body.name,
        id: id(&headers, body.id)?,
        payload: payload(body.payload)?,
        by: "api".to_owned(),
    };
    let published = driver.signal_run(&tenant, run, signal).await?;
    crash::point("run signal is answered");
    Ok(answer(published))
}

/// List the names of signals
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signals", tag = "signals",
    params(("tenant" = String, Path), super::PageQuery),
    responses((status = 200, body = PageView<SignalNameView>)))]
pub(super) async fn names(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<super::PageQuery>,
) -> Result<Json<PageView<SignalNameView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().signal_names(&tenant, &paging)?;
    driver.store().barrier().durable().await?;
    let items = page.items.into_iter();
    let items = items.map(|record| SignalNameView { name: record.name, last: record.last });
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|next| next.to_string()) }))
}

/// List the signals of a name that are kept, oldest first
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signals/{name}", tag = "signals",
    params(("tenant" = String, Path), ("name" = String, Path), ListQuery),
    responses((status = 200, body = PageView<SignalView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageView<SignalView>>, Problem> {
    let after = match &query.cursor {
        Some(cursor) => cursor.parse().map_err(|_| {
            Problem::bad_request(
                "this cursor was not given out here; take `next` of the page before",
            )
        })?,
        None => query.after.unwrap_or_default(),
    };
    let store = driver.store();
    let page = store.signals(&tenant, &name, after, limit(query.limit))?;
    let next = match page.last().map(|last| last.sequence) {
        Some(last) if !store.signals(&tenant, &name, last, 1)?.is_empty() => Some(last.to_string()),
        _ => None,
    };
    store.barrier().durable().await?;
    Ok(Json(PageView { items: page.into_iter().map(view).collect(), next }))
}

/// Show a signal
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signals/{name}/{sequence}", tag = "signals",
    params(("tenant" = String, Path), ("name" = String, Path), ("sequence" = u64, Path)),
    responses((status = 200, body = SignalView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name, sequence)): Path<(String, String, u64)>,
) -> Result<Json<SignalView>, Problem> {
    let found = driver.store().signal(&tenant, &name, sequence)?;
    let last = driver.store().last_signal(&tenant, &name)?;
    driver.store().barrier().durable().await?;
    found.map(view).map(Json).ok_or_else(|| {
        let why = match (sequence, last) {
            (_, 0) => format!("there is no signal {name:?}"),
            (1.., _) if sequence <= last => {
                format!("signal {name} number {sequence} is no longer kept")
            }
            _ => format!("signal {name} has the numbers 1 to {last}, and no {sequence}"),
        };
        let detail = format!("{why}; `segno signal list` shows what there is");
        Problem::not_found("signal_not_found", detail)
    })
}

/// The signal's id: one of the two, or the same in both.
fn id(headers: &HeaderMap, given: Option<String>) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(given);
    };
    let key = key.to_str().ok().filter(|text| (1..=255).contains(&text.len()));
    let Some(key) = key else {
        let detail = "an Idempotency-Key has 1 to 255 visible ASCII characters";
        return Err(Problem::bad_request(detail));
    };
    match given {
        Some(id) if id != key => {
            let detail = "the Idempotency-Key is the signal's id; give one of the two";
            Err(Problem::bad_request(detail))
        }
        _ => Ok(Some(key.to_owned())),
    }
}

fn payload(given: Option<Box<RawValue>>) -> Result<Payload, Problem> {
    let Some(raw) = given else {
        return Ok(Payload::null());
    };
    Payload::parse(Box::<str>::from(raw))
        .map_err(|error| Problem::bad_request(format!("the payload is no good: {error}")))
}

fn answer(published: Published) -> (StatusCode, Json<PublishedView>) {
    let Published { name, id, sequence, repeated } = published;
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    (status, Json(PublishedView { name, id, sequence, repeated }))
}

fn view(record: SignalRecord) -> SignalView {
    let SignalRecord { name, sequence, id, params, payload, published_at, by } = record;
    SignalView {
        name,
        sequence,
        id,
        params: params.to_value(),
        payload,
        published_at: rfc3339(published_at),
        by,
    }
}
