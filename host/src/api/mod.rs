//! The HTTP API: the list of routes, and what every handler shares. Handlers
//! turn a request into a call of the driver and its answer into a view; none
//! decides anything.

mod around;
mod backfills;
mod breakpoints;
mod components;
mod events;
mod hooks;
mod journal;
mod lineage;
mod problem;
mod rollup;
mod run_actions;
mod run_batch;
mod run_view;
mod runs;
mod schedule_view;
mod schedules;
mod schemas;
mod secrets;
mod sentence;
mod signals;
mod step_actions;
mod step_view;
mod steps;
mod tags;
mod timeline;
mod triggers;
mod user;
mod view;
mod waitpoints;
mod webhooks;
mod workflow_changes;
mod workflow_view;
mod workflows;

use crate::driver::Driver;
use crate::store::Paging;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
pub use problem::Problem;
use segno_engine::id::TenantId;
use serde::Deserialize;
use std::collections::HashMap;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

/// The largest request that is not a component.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The largest component.
const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// Entries of a page where the request says nothing, and at most.
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;

/// All routes.
pub fn router(driver: Driver) -> Router {
    let (router, description) = documented().split_for_parts();
    let text = serde_json::to_string(&description).expect("a description is plain data");
    let openapi = move || async move {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text)
    };
    router
        .route("/openapi.json", get(openapi))
        .route("/healthz", get(health))
        .fallback(no_route)
        .layer(middleware::from_fn(explain_plain_errors))
        .with_state(driver)
}

fn documented() -> OpenApiRouter<Driver> {
    let mut description = OpenApi::default();
    "Segno".clone_into(&mut description.info.title);
    env!("CARGO_PKG_VERSION").clone_into(&mut description.info.version);
    description.info.description = Some(
        "Durable workflows whose steps are sandboxed WebAssembly components. A 2xx answer means \
         that it is on stable storage. Errors are `application/problem+json` with a stable `code`."
            .to_owned(),
    );
    OpenApiRouter::with_openapi(description)
        .routes(routes!(components::push).layer(DefaultBodyLimit::max(COMPONENT_BYTES_MAX)))
        .routes(routes!(components::list))
        .routes(routes!(workflows::apply))
        .routes(routes!(workflows::list))
        .routes(routes!(workflows::get))
        .routes(routes!(workflows::versions))
        .routes(routes!(workflow_changes::activate))
        .routes(routes!(workflow_changes::deactivate))
        .routes(routes!(workflow_changes::pause))
        .routes(routes!(workflow_changes::resume))
        .routes(routes!(workflow_changes::set_properties))
        .routes(routes!(workflow_changes::history))
        .routes(routes!(workflow_changes::delete))
        .routes(routes!(breakpoints::set))
        .routes(routes!(breakpoints::list))
        .routes(routes!(breakpoints::delete))
        .routes(routes!(tags::set))
        .routes(routes!(tags::list))
        .routes(routes!(tags::delete))
        .routes(routes!(schemas::workflow))
        .routes(routes!(runs::start))
        .routes(routes!(run_batch::start))
        .routes(routes!(runs::list))
        .routes(routes!(runs::get))
        .routes(routes!(steps::get))
        .routes(routes!(steps::iterations))
        .routes(routes!(journal::journal))
        .routes(routes!(runs::logs))
        .routes(routes!(events::stream))
        .routes(routes!(timeline::timeline))
        .routes(routes!(rollup::rollup))
        .routes(routes!(run_actions::cancel))
        .routes(routes!(run_actions::kill))
        .routes(routes!(run_actions::pause))
        .routes(routes!(run_actions::resume))
        .routes(routes!(run_actions::unblock))
        .routes(routes!(run_actions::unblock_workflow))
        .routes(routes!(run_actions::retry))
        .routes(routes!(run_actions::fork))
        .routes(routes!(step_actions::retry))
        .routes(routes!(step_actions::act))
        .merge(of_schedules())
        .merge(of_triggers())
        .routes(routes!(signals::send_to_run))
        .routes(routes!(signals::publish))
        .routes(routes!(signals::names))
        .routes(routes!(signals::list))
        .routes(routes!(signals::get))
        .routes(routes!(waitpoints::show))
        .routes(routes!(waitpoints::answer))
        .routes(routes!(secrets::set))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::get))
        .routes(routes!(secrets::delete))
        .merge(of_webhooks())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

fn of_webhooks() -> OpenApiRouter<Driver> {
    OpenApiRouter::new()
        .routes(routes!(webhooks::create))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::get))
        .routes(routes!(webhooks::change))
        .routes(routes!(webhooks::delete))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(hooks::receive))
}

fn of_triggers() -> OpenApiRouter<Driver> {
    OpenApiRouter::new()
        .routes(routes!(triggers::list))
        .routes(routes!(triggers::get))
        .routes(routes!(triggers::firings))
        .routes(routes!(lineage::run))
        .routes(routes!(lineage::signal))
}

fn of_schedules() -> OpenApiRouter<Driver> {
    OpenApiRouter::new()
        .routes(routes!(schedules::create))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::get))
        .routes(routes!(schedules::replace))
        .routes(routes!(schedules::change))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::trigger))
        .routes(routes!(schedules::preview))
        .routes(routes!(schedules::preview_of))
        .routes(routes!(schedules::ticks))
        .routes(routes!(schedules::delete))
        .routes(routes!(backfills::create))
        .routes(routes!(backfills::list))
        .routes(routes!(backfills::get))
        .routes(routes!(backfills::act))
}

async fn health() -> impl IntoResponse {
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

async fn no_route(request: Request) -> Problem {
    let detail = format!(
        "there is no {} {}; /openapi.json lists what there is",
        request.method(),
        request.uri().path()
    );
    Problem::not_found("no_such_route", detail)
}

/// The framework's own refusals (malformed query, body too large, wrong
/// method) are plain text: clients get problems for everything.
async fn explain_plain_errors(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_plain {
        return response;
    }
    let body = axum::body::to_bytes(response.into_body(), 8 << 10).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body).trim().to_owned();
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            "this path knows other methods; /openapi.json lists them".to_owned()
        }
        StatusCode::PAYLOAD_TOO_LARGE => format!(
            "the body is larger than the {} MiB that a request may have, or {} MiB for a component",
            BODY_BYTES_MAX >> 20,
            COMPONENT_BYTES_MAX >> 20
        ),
        _ => text,
    };
    let code = match status {
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        _ if status.is_client_error() => "bad_request",
        _ => "internal",
    };
    Problem::new(status, code, detail).into_response()
}

/// The tenant that a path names: the one place where requests are let in.
pub(crate) struct Tenant(pub(crate) TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(names) = path.map_err(|error| Problem::bad_request(error.body_text()))?;
        let tenant = names.get("tenant").map(String::as_str).unwrap_or_default();
        Ok(Self(tenant.parse()?))
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Entries on the page, 100 unless said, at most 1,000.
    pub(crate) limit: Option<usize>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn limit(&self) -> usize {
        limit(self.limit)
    }
}

fn limit(wanted: Option<usize>) -> usize {
    wanted.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
}

/// The page of a stored list that a request asks for.
pub(crate) fn paging(wanted: Option<usize>, cursor: Option<&str>) -> Result<Paging, Problem> {
    let after = cursor.map(str::parse).transpose()?;
    Ok(Paging::first(limit(wanted)).after(after))
}
