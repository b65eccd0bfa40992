//! What led to what.

use super::problem::Problem;
use super::runs::find;
use super::{PageQuery, Tenant, paging};
use crate::clock::rfc3339;
use crate::driver::{
    Driver, LINEAGE_DEPTH_MAX, LINEAGE_RUNS_MAX, Lineage, Link, Source, SourceSignal,
};
use crate::store::SignalUse;
use axum::Json;
use axum::extract::{Path, Query, State};
use segno_engine::event::Cause;
use segno_engine::signal::Publisher;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far back.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LineageQuery {
    /// How many runs back at most: 20 unless said, at most 100.
    depth: Option<u32>,
    /// How many runs in all: 100 unless said, at most 1,000.
    limit: Option<usize>,
}

/// What led to a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunLineageView {
    /// The run and those that led to it, the nearest first, each once.
    items: Vec<LinkView>,
    /// Whether there is nothing further back.
    complete: bool,
}

/// A run, and what led to it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkView {
    /// How many are between it and the run that was asked for.
    depth: u32,
    /// The run.
    run: String,
    /// Its workflow.
    workflow: String,
    /// The workflow's version.
    version: u64,
    /// Its number within the workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// When it was made.
    created_at: String,
    /// What led to it.
    cause: CauseView,
}

/// What led to a run. Runs that are named are among the items, if there is room.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct CauseView {
    /// `manual`, `fork`, `schedule`, `signal` or `step`.
    kind: &'static str,
    /// Who wanted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// The run that it was forked from, or whose step started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The step of that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// The schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    /// The instant of the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// The backfill that asked for the instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<String>,
    /// The trigger, as `workflow/id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
    /// The signals that it took, in the order of its list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signals: Vec<SourceSignalView>,
}

/// A signal, and who published it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SourceSignalView {
    /// Its name.
    name: String,
    /// Its place among all of its name, from 1.
    sequence: u64,
    /// When it was accepted; absent if it is no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<String>,
    /// Who published it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// The run whose step published it; for a step in a loop the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// That step.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
}

/// Who published a signal, and who used it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignalLineageView {
    /// Its name.
    name: String,
    /// Its place among all of its name, from 1.
    sequence: u64,
    /// When it was accepted.
    published_at: String,
    /// Who published it: `kind` is `api`, `step`, `webhook` or `url`, and what
    /// else is known.
    #[schema(value_type = Object)]
    publisher: Publisher,
    /// The same, in words.
    by: String,
    /// Who used it.
    items: Vec<SignalUseView>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One use of a signal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignalUseView {
    /// The run that was started, or whose step was released; for a step in a loop
    /// its iteration.
    run: String,
    /// The workflow of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    /// The number of the run within the workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// The step that was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// The trigger that started the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
    /// When.
    at: String,
}

/// Show what led to a run
///
/// Across signals and the runs that published them, schedules, forks, and the
/// runs whose steps started it.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/lineage", tag = "lineage",
    params(("tenant" = String, Path), ("run" = String, Path, description = "`run_…` or `workflow#number`"), LineageQuery),
    responses((status = 200, body = RunLineageView), (status = 404, body = Problem)))]
pub(super) async fn run(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    Query(query): Query<LineageQuery>,
) -> Result<Json<RunLineageView>, Problem> {
    let run = find(&driver, &tenant, &run)?;
    let depth = query.depth.unwrap_or(20).min(LINEAGE_DEPTH_MAX);
    let limit = query.limit.unwrap_or(100).clamp(1, LINEAGE_RUNS_MAX);
    let Lineage { links, is_complete } = driver.lineage(&tenant, run, (depth, limit)).await?;
    let items = links.into_iter().map(link).collect();
    Ok(Json(RunLineageView { items, complete: is_complete }))
}

/// Show who published a signal and who used it
///
/// The runs that triggers started with it, and the steps that it released, the
/// oldest run first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/signals/{name}/{sequence}/lineage", tag = "lineage",
    params(("tenant" = String, Path), ("name" = String, Path), ("sequence" = u64, Path), PageQuery),
    responses((status = 200, body = SignalLineageView), (status = 404, body = Problem)))]
pub(super) async fn signal(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name, sequence)): Path<(String, String, u64)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<SignalLineageView>, Problem> {
    let store = driver.store();
    let found = store.signal(&tenant, &name, sequence)?;
    let Some(found) = found.filter(|signal| !driver.is_expired(signal)) else {
        let detail = format!(
            "there is no signal {name:?} number {sequence}, or it is no longer kept; `segno \
             signal list` shows what there is"
        );
        return Err(Problem::not_found("signal_not_found", detail));
    };
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let page = store.signal_uses(&tenant, (&name, sequence), &paging)?;
    store.barrier().durable().await?;
    let mut items = Vec::new();
    for SignalUse { run, step, trigger, at } in page.items {
        let named = driver.named_run(&tenant, run)?;
        let (workflow, number) = named.map(|run| (run.workflow, run.number)).unzip();
        let (run, at) = (run.to_string(), rfc3339(at));
        items.push(SignalUseView { run, workflow, number, step, trigger, at });
    }
    Ok(Json(SignalLineageView {
        name,
        sequence,
        published_at: rfc3339(found.published_at),
        by: found.publisher.to_string(),
        publisher: found.publisher,
        items,
        next: page.next.map(|next| next.to_string()),
    }))
}

fn link(link: Link) -> LinkView {
    let Link { depth, run, workflow, version, number, created_at, source } = link;
    LinkView {
        depth,
        run: run.to_string(),
        workflow,
        version,
        number,
        created_at: rfc3339(created_at),
        cause: cause(source),
    }
}

fn cause(source: Source) -> CauseView {
    let none = CauseView::default();
    match source {
        Source::Cause(Cause::Manual { by }) => CauseView { kind: "manual", by: Some(by), ..none },
        Source::Cause(Cause::Fork { by, of, from, .. }) => {
            let (run, step) = (Some(of.to_string()), Some(from));
            CauseView { kind: "fork", by: Some(by), run, step, ..none }
        }
        Source::Cause(Cause::Schedule { schedule, at, backfill, by }) => CauseView {
            kind: "schedule",
            schedule: Some(schedule),
            at: Some(rfc3339(at)),
            backfill,
            by,
            ..none
        },
        Source::Cause(Cause::Signal { trigger, .. }) => {
            CauseView { kind: "signal", trigger: Some(trigger), ..none }
        }
        Source::Signals { trigger, signals } => CauseView {
            kind: "signal",
            trigger: Some(trigger),
            signals: signals.into_iter().map(of_signal).collect(),
            ..none
        },
        Source::Step { run, step } => {
            CauseView { kind: "step", run: Some(run.to_string()), step, ..none }
        }
    }
}

fn of_signal(signal: SourceSignal) -> SourceSignalView {
    let SourceSignal { name, sequence, signal, publisher } = signal;
    let by = signal.as_ref().map(|signal| signal.publisher.to_string());
    let (run, step) = publisher.map(|(run, step)| (run.to_string(), step)).unzip();
    let published_at = signal.as_ref().map(|signal| rfc3339(signal.published_at));
    SourceSignalView { name, sequence, published_at, by, run, step }
}
