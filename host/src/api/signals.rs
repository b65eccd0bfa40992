//! Signals: published to everyone or to one run, listed, shown.

use super::problem::Problem;
use super::runs::find;
use super::user::User;
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
use segno_engine::id::TenantId;
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, Pattern, Publisher};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// So many pages are looked at for one, where few signals fit.
const PAGES_MAX: usize = 50;

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
    /// Who published it: `kind` is `api`, `step`, `webhook` or `url`, and what
    /// else is known.
    #[schema(value_type = Object)]
    publisher: Publisher,
    /// The same, in words.
    by: String,
}

/// Which names of signals are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NamesQuery {
    /// Only names that begin so, as in `weather/`.
    prefix: Option<String>,
    /// Entries on the page, 100 unless said, at most 1,000.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Which signals of a name are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those behind this sequence; with `newest` before it.
    after: Option<u64>,
    /// Only those whose params are so: a JSON object as in a wait's `match`.
    #[serde(rename = "match")]
    #[param(rename = "match", example = json!("{\"amount\": {\">=\": 5}}"))]
    pattern: Option<String>,
    /// The newest first.
    #[serde(default)]
    newest: bool,
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
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "the signal's id"),
        ("x-segno-user" = Option<String>, Header)),
    request_body = PublishBody,
    responses((status = 201, body = PublishedView), (status = 200, body = PublishedView, description = "this id has published it before"),
        (status = 400, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem)))]
pub(super) async fn publish(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    User(by): User,
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
        publisher: Publisher::Api { by },
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
        ("Idempotency-Key" = Option<String>, Header, description = "the signal's id"),
        ("x-segno-user" = Option<String>, Header)),
    request_body = RunSignalBody,
    responses((status = 201, body = PublishedView), (status = 200, body = PublishedView, description = "this id has sent it before"),
        (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn send_to_run(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    (User(by), headers): (User, HeaderMap),
    body: Result<Json<RunSignalBody>, JsonRejection>,
) -> Result<(StatusCode, Json<PublishedView>), Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let run = find(&driver, &tenant, &run)?;
    let signal = RunSignal {
        name: body.name,
        id: id(&headers, body.id)?,
        payload: payload(body.payload)?,
        publisher: Publisher::Api { by },
    };
    let published = driver.signal_run(&tenant, run, signal).await?;
    crash::point("run signal is answered");
    Ok(answer(published))
}

/// List the names of signals
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signals", tag = "signals",
    params(("tenant" = String, Path), NamesQuery),
    responses((status = 200, body = PageView<SignalNameView>)))]
pub(super) async fn names(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<NamesQuery>,
) -> Result<Json<PageView<SignalNameView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let begin = query.prefix.as_deref().unwrap_or_default();
    let page = driver.store().signal_names(&tenant, begin, &paging)?;
    driver.store().barrier().durable().await?;
    let items = page.items.into_iter();
    let items = items.map(|record| SignalNameView { name: record.name, last: record.last });
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|next| next.to_string()) }))
}

/// List the signals of a name that are kept
///
/// The oldest first, unless the newest are wanted first. A page may have fewer
/// than its limit and still a `next`.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signals/{name}", tag = "signals",
    params(("tenant" = String, Path), ("name" = String, Path), ListQuery),
    responses((status = 200, body = PageView<SignalView>), (status = 400, body = Problem)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageView<SignalView>>, Problem> {
    let after = match &query.cursor {
        Some(cursor) => Some(cursor.parse().map_err(|_| {
            Problem::bad_request(
                "this cursor was not given out here; take `next` of the page before",
            )
        })?),
        None => query.after,
    };
    let pattern = match &query.pattern {
        Some(text) => {
            Pattern::parse(text).map_err(|error| Problem::bad_request(error.to_string()))?
        }
        None => Pattern::default(),
    };
    let wanted = (name.as_str(), &pattern);
    let (page, next) = match query.newest {
        true => newest(&driver, &tenant, wanted, (after, limit(query.limit)))?,
        false => oldest(&driver, &tenant, wanted, (after, limit(query.limit)))?,
    };
    driver.store().barrier().durable().await?;
    let next = next.map(|next| next.to_string());
    Ok(Json(PageView { items: page.into_iter().map(view).collect(), next }))
}

/// A page, and where the next begins.
type Found = (Vec<SignalRecord>, Option<u64>);

fn oldest(
    driver: &Driver,
    tenant: &TenantId,
    (name, pattern): (&str, &Pattern),
    (after, limit): (Option<u64>, usize),
) -> Result<Found, Problem> {
    let store = driver.store();
    let after = driver.expired_signals(tenant, name, after.unwrap_or_default())?;
    let page = match pattern.is_empty() {
        true => store.signals(tenant, name, after, limit)?,
        false => driver.signals_that_fit(tenant, (name, pattern), after, limit)?,
    };
    let last = page.last().map(|last| last.sequence);
    let is_over = match (last, pattern.is_empty()) {
        (Some(last), true) => store.signals(tenant, name, last, 1)?.is_empty(),
        (Some(last), false) => {
            driver.signals_that_fit(tenant, (name, pattern), last, 1)?.is_empty()
        }
        (None, _) => true,
    };
    Ok((page, last.filter(|_| !is_over)))
}

fn newest(
    driver: &Driver,
    tenant: &TenantId,
    (name, pattern): (&str, &Pattern),
    (before, limit): (Option<u64>, usize),
) -> Result<Found, Problem> {
    let mut page = Vec::new();
    let mut before = before;
    let some_before = |before, limit| {
        let mut some = driver.store().signals_before(tenant, name, before, limit)?;
        some.retain(|signal| !driver.is_expired(signal));
        Ok::<_, Problem>(some)
    };
    for _ in 0..PAGES_MAX {
        let some = some_before(before, limit)?;
        let Some(last) = some.last() else { return Ok((page, None)) };
        before = Some(last.sequence);
        for signal in some.into_iter().filter(|signal| pattern.fits(&signal.params)) {
            let place = signal.sequence;
            page.push(signal);
            if page.len() == limit {
                let is_over = some_before(Some(place), 1)?.is_empty();
                return Ok((page, Some(place).filter(|_| !is_over)));
            }
        }
    }
    Ok((page, before))
}

/// Show a signal
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signals/{name}/{sequence}", tag = "signals",
    params(("tenant" = String, Path), ("name" = String, Path),
        ("sequence" = String, Path, description = "its number, or `latest`")),
    responses((status = 200, body = SignalView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name, place)): Path<(String, String, String)>,
) -> Result<Json<SignalView>, Problem> {
    let last = driver.store().last_signal(&tenant, &name)?;
    let sequence = match place.as_str() {
        "latest" => last,
        number => number.parse().map_err(|_| {
            Problem::bad_request(format!("{number:?} is no number; give one, or `latest`"))
        })?,
    };
    let found = driver.store().signal(&tenant, &name, sequence)?;
    let found = found.filter(|signal| !driver.is_expired(signal));
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
    let SignalRecord { name, sequence, id, params, payload, published_at, publisher } = record;
    SignalView {
        name,
        sequence,
        id,
        params: params.to_value(),
        payload,
        published_at: rfc3339(published_at),
        by: publisher.to_string(),
        publisher,
    }
}
