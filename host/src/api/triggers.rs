//! Triggers that signals set off: which there are, how far each has come, and
//! what became of the signals that it used. They follow the definition of their
//! workflow; nothing here changes one.

use super::problem::Problem;
use super::runs::run_name;
use super::view::PageView;
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::Driver;
use crate::store::{self, FiringRecord, Outcome, TriggerRecord};
use axum::Json;
use axum::extract::{Path, Query, State};
use segno_engine::id::TenantId;
use segno_engine::trigger::signal::Part;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A trigger that signals set off.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TriggerView {
    /// The workflow whose runs it starts.
    workflow: String,
    /// Its id within the workflow.
    id: String,
    /// The version of the workflow that it is from, and starts runs of.
    version: u64,
    /// Whether it waits for signals: not while no version is active.
    subscribed: bool,
    /// Since when it does, or did. Only signals behind that count.
    since: String,
    /// The signals that make a set, one of each.
    signals: Vec<TriggerPartView>,
    /// How many signals wait for others.
    pending: u64,
    /// How many signals went because too many waited, or were no longer kept.
    dropped: u64,
    /// How many sets there were, whatever came of them.
    firings: u64,
}

/// One of the signals that make a set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TriggerPartView {
    /// The signal's name.
    name: String,
    /// What its params must be.
    #[serde(rename = "match")]
    #[schema(value_type = Object)]
    pattern: Value,
    /// The params that join.
    join: Vec<String>,
    /// The sequence of the last one of the name that was looked at.
    place: u64,
}

/// What became of the signals of a set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FiringView {
    /// Counted from 1.
    number: u64,
    /// When it was.
    at: String,
    /// The signals, in the order of the trigger's list.
    signals: Vec<SignalNumberView>,
    /// `run`, `false` if the condition did not hold, or `failed`.
    outcome: &'static str,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The run as people call it, `workflow#number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_name: Option<String>,
    /// Whether another set with the same key had started the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<bool>,
    /// Whether the signals wait for others still.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<bool>,
    /// What is wrong, with the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// A signal, by its name and number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignalNumberView {
    /// Its name.
    name: String,
    /// Its place among all of its name, from 1.
    sequence: u64,
}

/// List the triggers that signals set off
#[utoipa::path(get, path = "/v1/tenants/{tenant}/triggers", tag = "triggers",
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = PageView<TriggerView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<TriggerView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().triggers(&tenant, &paging)?;
    driver.store().barrier().durable().await?;
    let items = page.items.into_iter().map(TriggerView::from).collect();
    Ok(Json(PageView { items, next: page.next.map(|next| next.to_string()) }))
}

/// Show a trigger
#[utoipa::path(get, path = "/v1/tenants/{tenant}/triggers/{workflow}/{id}", tag = "triggers",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = TriggerView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, workflow, id)): Path<(String, String, String)>,
) -> Result<Json<TriggerView>, Problem> {
    let found = find(&driver, &tenant, (&workflow, &id))?;
    driver.store().barrier().durable().await?;
    Ok(Json(found.into()))
}

/// List what became of the signals that a trigger used, newest first
///
/// The last 1,000 are kept.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/triggers/{workflow}/{id}/firings", tag = "triggers",
    params(("tenant" = String, Path), ("workflow" = String, Path), ("id" = String, Path), PageQuery),
    responses((status = 200, body = PageView<FiringView>), (status = 404, body = Problem)))]
pub(super) async fn firings(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, workflow, id)): Path<(String, String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<FiringView>>, Problem> {
    find(&driver, &tenant, (&workflow, &id))?;
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = driver.store().firings(&tenant, (&workflow, &id), &paging)?;
    driver.store().barrier().durable().await?;
    let items = page.items.into_iter().map(|firing| FiringView::of(&driver, &tenant, firing));
    let items = items.collect::<Result<_, _>>()?;
    Ok(Json(PageView { items, next: page.next.map(|next| next.to_string()) }))
}

fn find(
    driver: &Driver,
    tenant: &TenantId,
    (workflow, id): (&str, &str),
) -> Result<TriggerRecord, Problem> {
    let found = driver.store().trigger(tenant, (workflow, id))?;
    found.ok_or_else(|| {
        let detail = format!(
            "there is no trigger {workflow}/{id} with signals; `segno trigger list` shows what \
             there is"
        );
        Problem::not_found("trigger_not_found", detail)
    })
}

impl From<TriggerRecord> for TriggerView {
    fn from(record: TriggerRecord) -> Self {
        let place = |name: &str| {
            let place = record.places.iter().find(|(its, _)| its == name);
            place.map_or(0, |(_, sequence)| *sequence)
        };
        let part = |Part { name, pattern, join }: &Part| TriggerPartView {
            name: name.clone(),
            pattern: pattern.to_value(),
            join: join.clone(),
            place: place(name),
        };
        let signals = record.parts.iter().map(part).collect();
        Self {
            workflow: record.workflow,
            id: record.id,
            version: record.version,
            subscribed: record.is_subscribed,
            since: rfc3339(record.since),
            signals,
            pending: record.pending,
            dropped: record.dropped,
            firings: record.firings,
        }
    }
}

impl FiringView {
    fn of(driver: &Driver, tenant: &TenantId, firing: FiringRecord) -> Result<Self, store::Error> {
        let run_name = match &firing.outcome {
            Outcome::Run { run, .. } => run_name(driver, tenant, *run)?,
            _ => None,
        };
        Ok(Self { run_name, ..Self::from(firing) })
    }
}

impl From<FiringRecord> for FiringView {
    fn from(FiringRecord { number, at, signals, outcome }: FiringRecord) -> Self {
        let signal = |(name, sequence)| SignalNumberView { name, sequence };
        let view = Self {
            number,
            at: rfc3339(at),
            signals: signals.into_iter().map(signal).collect(),
            outcome: "run",
            run: None,
            run_name: None,
            repeated: None,
            kept: None,
            message: None,
        };
        match outcome {
            Outcome::Run { run, repeated } => {
                Self { run: Some(run.to_string()), repeated: Some(repeated), ..view }
            }
            Outcome::False { kept } => Self { outcome: "false", kept: Some(kept), ..view },
            Outcome::Failed { message } => {
                Self { outcome: "failed", message: Some(message), ..view }
            }
        }
    }
}
