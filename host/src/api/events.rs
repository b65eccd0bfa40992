//! A run as it happens: server-sent events, each one on stable storage before
//! it is sent, and in between what running guests say of their progress.

use super::around::decoded;
use super::problem::Problem;
use super::step_view::reason;
use super::{Tenant, runs};
use crate::clock::rfc3339;
use crate::driver::{Driver, Snapshot};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event as Sent, KeepAlive};
use futures_core::Stream;
use segno_engine::event::{Event, IterationResult};
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::workflow::Body;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

/// How often a running guest's progress is looked at.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Records that are read at a time.
const RECORDS_PER_READ: usize = 100;

/// Watch a run
///
/// Give the last `id` as `Last-Event-ID` to go on behind it. The stream ends
/// with the run.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/events", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), ("Last-Event-ID" = Option<String>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, body = Problem)))]
pub(super) async fn stream(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Problem> {
    let run = runs::find(&driver, &tenant, &run)?;
    let snapshot = runs::snapshot(&driver, &tenant, run).await?;
    let last = headers.get("last-event-id").and_then(|id| place_of(id.to_str().ok()?));
    let watcher = Watcher {
        driver,
        tenant,
        run,
        next: last.map_or(0, |(record, _)| record),
        skip: last.map_or(0, |(_, event)| event.saturating_add(1)),
        ready: VecDeque::new(),
        progress: HashMap::new(),
        snapshot,
        over: false,
    };
    let events = futures_util::stream::unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Follows one run for one client.
struct Watcher {
    driver: Driver,
    tenant: TenantId,
    run: RunId,
    /// The next record to send.
    next: u64,
    /// How many of its events the client has.
    skip: usize,
    ready: VecDeque<Sent>,
    /// What was last said of each step's progress.
    progress: HashMap<StepIndex, (u64, u64)>,
    /// The run as it was when it was last looked at.
    snapshot: Snapshot,
    /// Whether the last end of the run is behind it: a retry may follow.
    over: bool,
}

impl Watcher {
    /// The next event; none after the last. A store that fails ends the stream:
    /// the client comes back with the last identifier and finds out.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.driver.is_stopping() || self.read().is_err() {
                return None;
            }
            if !self.ready.is_empty() {
                // What was read may not be on the disk yet.
                self.driver.store().barrier().durable().await.ok()?;
                continue;
            }
            if self.over {
                return None;
            }
            let more = self.driver.wait_for_more(&self.tenant, self.run, self.next);
            match tokio::time::timeout(PROGRESS_EVERY, more).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => self.look().await?,
            }
        }
    }

    /// Takes in the records that have come since.
    fn read(&mut self) -> Result<(), Problem> {
        let store = self.driver.store();
        for (number, bytes) in store.events(&self.tenant, self.run, self.next, RECORDS_PER_READ)? {
            let record = decoded(self.run, (number, &bytes))?;
            let body = self.snapshot.run.body();
            let skip = std::mem::take(&mut self.skip);
            for (place, event) in record.events.iter().enumerate().skip(skip) {
                let (name, mut data) = shown(event, body);
                data["type"] = json!(name);
                data["at"] = json!(rfc3339(record.at));
                let sent = Sent::default().id(format!("{number}.{place}")).event(name);
                self.ready.push_back(sent.data(data.to_string()));
                match event {
                    Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped => {
                        self.over = true;
                    }
                    Event::RunRetried { .. } => self.over = false,
                    _ => {}
                }
            }
            self.next = number + 1;
        }
        Ok(())
    }

    /// Says where running guests have come further.
    async fn look(&mut self) -> Option<()> {
        self.snapshot = self.driver.snapshot(&self.tenant, self.run).await.ok()??;
        let body = self.snapshot.run.body();
        for (step, watch) in &self.snapshot.attempts {
            let Some(progress) = watch.progress() else { continue };
            let now = (progress.done, progress.total);
            if self.progress.insert(*step, now) != Some(now) {
                let data = json!({
                    "type": "progress",
                    "at": rfc3339(self.driver.clock().now()),
                    "step": body.steps[*step as usize].id,
                    "done": progress.done,
                    "total": progress.total,
                    "message": progress.message,
                });
                self.ready.push_back(Sent::default().event("progress").data(data.to_string()));
            }
        }
        Some(())
    }
}

/// The record and the event in it that an `id` names.
fn place_of(id: &str) -> Option<(u64, usize)> {
    let (record, event) = id.split_once('.')?;
    Some((record.parse().ok()?, event.parse().ok()?))
}

/// An event's name and what is shown of it: names instead of places, and no
/// payloads, which may be large and can be asked for.
fn shown(event: &Event, body: &Body) -> (&'static str, Value) {
    let (name, mut data) = match event {
        Event::RunCreated { workflow, version, .. } => {
            ("run_created", json!({ "workflow": workflow, "version": version }))
        }
        Event::RunStarted => ("run_started", json!({})),
        Event::StepStarted { .. } => ("step_started", json!({})),
        Event::AttemptStarted { attempt, .. } => ("attempt_started", json!({ "attempt": attempt })),
        Event::AttemptFailed { attempt, failure, retry_at, .. } => (
            "attempt_failed",
            json!({ "attempt": attempt, "failure": failure, "retry_at": retry_at.map(rfc3339) }),
        ),
        Event::StepSucceeded { attempt, .. } => ("step_succeeded", json!({ "attempt": attempt })),
        Event::StepFailed { failure, .. } => ("step_failed", json!({ "failure": failure })),
        Event::StepUnsatisfied { unsatisfied, .. } => {
            ("step_unsatisfied", json!({ "reason": unsatisfied }))
        }
        Event::ForeachStarted { count, .. } => ("foreach_started", json!({ "count": count })),
        Event::IterationsStarted { first, count, .. } => {
            ("iterations_started", json!({ "first": first, "count": count }))
        }
        Event::IterationEnded { index, result, .. } => {
            let (status, failure) = match result {
                IterationResult::Succeeded(_) => ("succeeded", None),
                IterationResult::Failed(failure) => ("failed", Some(failure)),
                IterationResult::Cancelled => ("cancelled", None),
            };
            ("iteration_ended", json!({ "index": index, "status": status, "failure": failure }))
        }
        Event::LoopSucceeded { .. } => ("step_succeeded", json!({})),
        Event::StepPublishing { attempt, signals, .. } => {
            let names: Vec<_> = signals.iter().map(|signal| &signal.name).collect();
            ("step_publishing", json!({ "attempt": attempt, "signals": names }))
        }
        Event::StepPublished { attempt, sequences, .. } => {
            ("step_succeeded", json!({ "attempt": attempt, "published": sequences }))
        }
        Event::LoopStopRequested { ending, .. } => {
            ("loop_stop_requested", json!({ "ending": ending }))
        }
        Event::LoopStopped { .. } => ("step_cancelled", json!({})),
        Event::StopRequested { stop } => ("stop_requested", json!({ "stop": stop })),
        Event::RunSucceeded { .. } => ("run_succeeded", json!({})),
        Event::RunFailed { failure } => ("run_failed", json!({ "failure": failure })),
        Event::RunStopped => ("run_stopped", json!({})),
        Event::AttemptSuspended { attempt, wait, .. } => {
            ("attempt_suspended", json!({ "attempt": attempt, "reason": reason(wait) }))
        }
        Event::AttemptResumed { attempt, wake, .. } => {
            ("attempt_resumed", json!({ "attempt": attempt, "wake": wake }))
        }
        Event::AttemptPutAway { attempt, .. } => {
            ("attempt_put_away", json!({ "attempt": attempt }))
        }
        Event::StepContinued { attempt, .. } => ("step_continued", json!({ "attempt": attempt })),
        Event::ChildStarted { child, .. } => ("child_started", json!({ "run": child.to_string() })),
        Event::ChildEnded { child, .. } => ("child_ended", json!({ "run": child.to_string() })),
        _ => shown_action(event),
    };
    if let Some(step) = event.step() {
        data["step"] = json!(body.steps[step as usize].id);
    }
    (name, data)
}

/// The same for what somebody wanted, and for steps without a guest.
fn shown_action(event: &Event) -> (&'static str, Value) {
    match event {
        Event::WaitStarted { wait, .. } => ("wait_started", json!({ "reason": reason(wait) })),
        Event::WhileStarted { .. } => ("while_started", json!({})),
        Event::WhileContinued { index, variables, .. } => {
            ("while_continued", json!({ "index": index, "variables": variables.value() }))
        }
        Event::SubworkflowStarted { child, workflow, version, .. } => (
            "subworkflow_started",
            json!({ "run": child.to_string(), "workflow": workflow, "version": version }),
        ),
        Event::StepUnready { attempt, failure, retry_at, .. } => (
            "step_unready",
            json!({ "attempt": attempt, "failure": failure, "retry_at": retry_at.map(rfc3339) }),
        ),
        Event::StepReady { .. } => ("step_ready", json!({})),
        Event::AttemptHeld { attempt, permit, .. } => {
            ("attempt_held", json!({ "attempt": attempt, "permit": permit }))
        }
        Event::AttemptReleased { attempt, .. } => {
            ("attempt_released", json!({ "attempt": attempt }))
        }
        Event::StepPaused { .. } => ("step_paused", json!({})),
        Event::StepResumed { by, .. } => ("step_resumed", json!({ "by": by })),
        Event::StepSkipped { by, .. } => ("step_skipped", json!({ "by": by })),
        Event::StepCancelled { by, .. } => ("step_cancelled", json!({ "by": by })),
        Event::StepKilled { by, .. } => ("step_killed", json!({ "by": by })),
        Event::WaitBypassed { by, .. } => ("wait_bypassed", json!({ "by": by })),
        Event::RunPaused { by } => ("run_paused", json!({ "by": by })),
        Event::RunResumed { by } => ("run_resumed", json!({ "by": by })),
        Event::RunRetried { by, generation, queued, .. } => {
            ("run_retried", json!({ "by": by, "retry": generation, "queued": queued }))
        }
        Event::IterationRetried { index, .. } => ("iteration_retried", json!({ "index": index })),
        Event::RunUnblocked { by } => ("run_unblocked", json!({ "by": by })),
        _ => ("event", json!({})),
    }
}
