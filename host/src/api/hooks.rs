//! Where other systems post to. Their signature is all that lets them in, so a
//! request costs little before it holds: what its headers claim is looked at
//! first, then at most 1 MiB is read, and nothing is parsed before.

use super::problem::Problem;
use crate::driver::{Delivered, DeliveryError, Driver, Incoming};
use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use segno_engine::id::TenantId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;
use utoipa::ToSchema;

/// The largest body.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// What became of a delivery.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct DeliveredView {
    /// The signal that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    /// The signal's place among all of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    /// Whether an earlier delivery with the same id had become it.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<bool>,
    /// The delivery's id, where it became no signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
    /// What Slack asks for when a URL is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
}

/// Deliver to a webhook
///
/// The body is JSON or a form, signed as the webhook's kind says. It becomes one
/// signal, however often it is delivered. The answer comes when the signal is on
/// stable storage.
#[utoipa::path(post, path = "/hooks/{tenant}/{name}", tag = "webhooks",
    params(("tenant" = String, Path), ("name" = String, Path)),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = DeliveredView), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem, description = "no signal can be made of it")))]
pub(super) async fn receive(
    State(driver): State<Driver>,
    Path((tenant, name)): Path<(String, String)>,
    request: Request,
) -> Result<Json<DeliveredView>, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|_| DeliveryError::Unknown)?;
    let (parts, body) = request.into_parts();
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let incoming = Incoming {
        headers: texts(&parts.headers),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        remote: remote.map(|ConnectInfo(address)| address.ip().to_string()),
    };
    let admitted = driver.admit_request(&tenant, &name, incoming)?;
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
    let body = match length.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
        true => Err(too_large()),
        false => read(body).await,
    };
    let body = body.inspect_err(|problem| {
        if problem.code == TOO_LARGE {
            driver.note_too_large(&admitted);
        }
    })?;
    Ok(Json(match driver.deliver(admitted, &body).await? {
        Delivered::Signal(published) => DeliveredView {
            signal: Some(published.name),
            sequence: Some(published.sequence),
            repeated: Some(published.repeated),
            ..DeliveredView::default()
        },
        Delivered::Ignored { id } => {
            DeliveredView { ignored: Some(id), ..DeliveredView::default() }
        }
        Delivered::Challenge(answer) => {
            DeliveredView { challenge: Some(answer), ..DeliveredView::default() }
        }
    }))
}

const TOO_LARGE: &str = "body_too_large";

fn too_large() -> Problem {
    let detail = format!("a delivery has at most {} MiB; send less", BODY_BYTES_MAX >> 20);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE, detail)
}

async fn read(body: Body) -> Result<axum::body::Bytes, Problem> {
    let reading = tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, BODY_BYTES_MAX));
    let Ok(read) = reading.await else {
        let detail = "the body took too long; send it again";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail));
    };
    read.map_err(|error| match error.source() {
        Some(source) if source.is::<LengthLimitError>() => too_large(),
        _ => Problem::bad_request("the body broke off; send it again"),
    })
}

/// The headers that are text. One that is there several times is a list with
/// commas, as HTTP has it.
fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        match all.get_mut(name.as_str()) {
            Some(before) => {
                before.push_str(", ");
                before.push_str(value);
            }
            None => {
                all.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
    }
    all
}
