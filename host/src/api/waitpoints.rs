//! One-time URLs: whoever has one may answer a run once. The token in the path
//! is all that it takes, so these are the only routes without a tenant.

use super::problem::Problem;
use crate::clock::rfc3339;
use crate::crash;
use crate::driver::Driver;
use crate::store::WaitpointRecord;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use segno_engine::payload::Payload;
use serde::Serialize;
use utoipa::ToSchema;

/// What a one-time URL is for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WaitpointView {
    /// The signal that an answer becomes.
    #[schema(example = "approved")]
    signal: String,
    /// When it was answered; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
    /// What to do, for a person.
    about: &'static str,
}

/// Show what a one-time URL is for
///
/// Looking uses nothing up.
#[utoipa::path(get, path = "/v1/waitpoints/{token}", tag = "signals",
    params(("token" = String, Path)),
    responses((status = 200, body = WaitpointView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(driver): State<Driver>,
    Path(token): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let WaitpointRecord { run: _, name, used_at } = driver.waitpoint(&token).await?;
    let about = match used_at {
        None => "a run waits for an answer: POST a JSON document here, once",
        Some(_) => "this was answered, and takes no other answer",
    };
    let view = WaitpointView { signal: name, used_at: used_at.map(rfc3339), about };
    Ok((private(), Json(view)))
}

/// Answer a run, once
///
/// The body is a JSON document of whatever content type; none stands for
/// `null`. It becomes a signal for the run.
#[utoipa::path(post, path = "/v1/waitpoints/{token}", tag = "signals",
    params(("token" = String, Path)),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = WaitpointView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "the run is over"), (status = 410, body = Problem, description = "it was answered before")))]
pub(super) async fn answer(
    State(driver): State<Driver>,
    Path(token): Path<String>,
    body: String,
) -> Result<impl IntoResponse, Problem> {
    let payload = match body.trim() {
        "" => Payload::null(),
        text => Payload::parse(text).map_err(|error| {
            Problem::bad_request(format!("the body is no JSON: {error}; this URL is still good"))
        })?,
    };
    driver.answer_waitpoint(&token, payload).await?;
    crash::point("url is answered");
    let WaitpointRecord { run: _, name, used_at } = driver.waitpoint(&token).await?;
    let about = "thank you, the run has the answer";
    let view = WaitpointView { signal: name, used_at: used_at.map(rfc3339), about };
    Ok((private(), Json(view)))
}

/// The URL is a secret: nothing on the way should keep it or pass it on.
fn private() -> [(header::HeaderName, HeaderValue); 2] {
    [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}
