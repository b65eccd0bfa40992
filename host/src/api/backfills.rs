//! Backfills: runs of a schedule for the instants of a range.

use super::problem::Problem;
use super::schedule_view::{BackfillView, backfill_view};
use super::schedules::moment;
use super::user::{Once, User};
use super::view::PageView;
use super::{PageQuery, Tenant, paging};
use crate::driver::{BackfillAction, Driver, NewBackfill};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// A backfill that somebody wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BackfillBody {
    /// The first moment of the range.
    #[schema(example = "2026-11-01T00:00:00Z")]
    from: String,
    /// The moment behind the range.
    until: String,
    /// How many of its runs are open at once, 1 to 100; 1 unless said.
    concurrency: Option<u32>,
}

/// Why a backfill is paused or cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteBody {
    /// For whoever wonders why.
    note: Option<String>,
}

/// Make a backfill
///
/// Every instant of the schedule in the range gets exactly one run, oldest first,
/// by the rule and the params that the schedule has now. The overlap policy has
/// nothing to do with them. With an `Idempotency-Key`, asking twice makes one.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/schedules/{schedule}/backfills", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("Idempotency-Key" = Option<String>, Header),
        ("x-segno-user" = Option<String>, Header)),
    request_body = BackfillBody,
    responses((status = 200, body = BackfillView), (status = 201, body = BackfillView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, schedule)): Path<(String, String)>,
    Once { by, key }: Once,
    body: Result<Json<BackfillBody>, JsonRejection>,
) -> Result<(StatusCode, Json<BackfillView>), Problem> {
    let Json(body) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let wanted = NewBackfill {
        from: moment("from", &body.from)?,
        until: moment("until", &body.until)?,
        concurrency: body.concurrency.unwrap_or(1),
        key,
    };
    let (made, repeated) = driver.create_backfill(&tenant, (&schedule, wanted), &by).await?;
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(backfill_view(&schedule, &made))))
}

/// List the backfills of a schedule, newest first
#[utoipa::path(get, path = "/v1/tenants/{tenant}/schedules/{schedule}/backfills", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), PageQuery),
    responses((status = 200, body = PageView<BackfillView>), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, schedule)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<BackfillView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.backfills(&tenant, &schedule, &paging).await?;
    let items = page.items.iter().map(|record| backfill_view(&schedule, record)).collect();
    Ok(Json(PageView { items, next: page.next.map(|next| next.to_string()) }))
}

/// Show a backfill
#[utoipa::path(get, path = "/v1/tenants/{tenant}/schedules/{schedule}/backfills/{number}", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("number" = u64, Path)),
    responses((status = 200, body = BackfillView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, schedule, number)): Path<(String, String, u64)>,
) -> Result<Json<BackfillView>, Problem> {
    let found = driver.backfill(&tenant, &schedule, number).await?;
    Ok(Json(backfill_view(&schedule, &found)))
}

/// Pause, resume or cancel a backfill
///
/// `action` is `pause`, `resume` or `cancel`. Runs that are open go on. The body
/// may be empty.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/schedules/{schedule}/backfills/{number}/{action}", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("number" = u64, Path), ("action" = String, Path),
        ("x-segno-user" = Option<String>, Header)),
    request_body = Option<NoteBody>,
    responses((status = 200, body = BackfillView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn act(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, schedule, number, action)): Path<(String, String, u64, String)>,
    User(by): User,
    body: Result<Option<Json<NoteBody>>, JsonRejection>,
) -> Result<Json<BackfillView>, Problem> {
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let note = body.and_then(|Json(body)| body.note);
    let action = match action.as_str() {
        "pause" => BackfillAction::Pause,
        "resume" => BackfillAction::Resume,
        "cancel" => BackfillAction::Cancel,
        other => {
            let detail =
                format!("a backfill knows no {other:?}; it knows pause, resume and cancel");
            return Err(Problem::not_found("no_such_route", detail));
        }
    };
    let which = (schedule.as_str(), number);
    let changed = driver.act_on_backfill(&tenant, which, (action, note), &by).await?;
    Ok(Json(backfill_view(&schedule, &changed)))
}
