//! What a step has done durably: its journal, for people.

use super::problem::Problem;
use super::steps::find_step;
use super::view::PageView;
use super::{PageQuery, Tenant};
use crate::driver::{Called, Driver};
use axum::Json;
use axum::extract::{Path, Query, State};
use segno_engine::id::StepIndex;
use serde::Serialize;
use utoipa::ToSchema;

/// A durable call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallView {
    /// Its place in the journal.
    sequence: u64,
    /// The attempt that made it.
    attempt: u32,
    /// What was called.
    #[schema(example = "timers.sleep(86400000 ms)")]
    call: String,
    /// What came of it; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

/// Show the journal of a step
///
/// Each durable call that the step made, in order, with what came of it. A step
/// that is played again gets these answers.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/steps/{step}/journal", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("step" = String, Path), PageQuery),
    responses((status = 200, body = PageView<CallView>), (status = 404, body = Problem)))]
pub(super) async fn journal(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run, step)): Path<(String, String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<CallView>>, Problem> {
    let (snapshot, place) = find_step(&driver, &tenant, &run, &step).await?;
    let from: u64 = match &query.cursor {
        Some(cursor) => cursor
            .parse()
            .map_err(|_| Problem::bad_request("this cursor was not given out here"))?,
        None => 0,
    };
    let all = driver.journal(&tenant, snapshot.run.id(), place as StepIndex).await?;
    let mut rest = all.into_iter().filter(|called| called.sequence >= from);
    let items: Vec<_> = rest.by_ref().take(query.limit()).map(CallView::from).collect();
    let next = rest.next().map(|called| called.sequence.to_string());
    Ok(Json(PageView { items, next }))
}

impl From<Called> for CallView {
    fn from(called: Called) -> Self {
        let Called { sequence, attempt, call, answer } = called;
        Self { sequence, attempt, call, answer }
    }
}
