//! Reading runs: from memory while they are open, from their events after that,
//! and in both cases only what is on stable storage.

use super::journal::{self, Called};
use super::live::{Live, LiveState};
use super::{Driver, Error};
use crate::sandbox::Watch;
use crate::store::{self, RunRecord, Store, Write};
use segno_engine::apply::Corrupt;
use segno_engine::event::{Cause, Event, Origin, Record};
use segno_engine::id::{RunId, StepIndex, TenantId, Timestamp};
use segno_engine::run::{Run, RunStatus, Surroundings};
use segno_engine::workflow::Workflow;
use std::collections::HashMap;
use std::sync::Arc;

/// Records that are read at a time.
const PAGE_RECORDS: usize = 1_000;

/// A run at one moment, all of it on stable storage.
pub struct Snapshot {
    /// The run.
    pub run: Run,
    /// How many records its log has.
    pub records: u64,
    /// Shows how the attempts that are under way are doing.
    pub attempts: HashMap<StepIndex, Watch>,
}

impl Driver {
    /// How a run stands, if there is such a run.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn snapshot(&self, tenant: &TenantId, run: RunId) -> Result<Option<Snapshot>, Error> {
        if let Some(live) = self.live(tenant, run) {
            let (snapshot, ticket) = snapshot_of(&live);
            ticket.durable().await?;
            return Ok(Some(snapshot));
        }
        // A run that has just ended is in the queue of the store.
        self.0.store.barrier().durable().await?;
        let history = history(&self.0.store, tenant, run)?;
        let Some(workflow) = self.workflow_of(tenant, &history)? else {
            return Ok(None);
        };
        let run = fold(run, workflow, Surroundings::unknown(), &history)
            .map_err(|corrupt| store::Error::corrupt(corrupt.to_string()))?;
        let records = history.len() as u64;
        Ok(Some(Snapshot { run, records, attempts: HashMap::new() }))
    }

    /// How a run ended, once it has.
    ///
    /// # Errors
    /// There is no such run, or the store has failed.
    pub async fn end_of(&self, tenant: &TenantId, run: RunId) -> Result<RunStatus, Error> {
        self.wait_until_over(tenant, run).await?;
        if let Some(live) = self.live(tenant, run) {
            return Ok(live.lock().run.status().clone());
        }
        let snapshot = self.snapshot(tenant, run).await?.ok_or(Error::NoSuchRun(run))?;
        Ok(snapshot.run.status().clone())
    }

    /// Returns when the run has more than `records` records, all on stable
    /// storage, or is over. Returns at once for a run that is not open.
    ///
    /// # Errors
    /// The store has failed.
    pub async fn wait_for_more(
        &self,
        tenant: &TenantId,
        run: RunId,
        records: u64,
    ) -> Result<(), Error> {
        let Some(live) = self.open(tenant, run)? else {
            return Ok(self.0.store.barrier().durable().await?);
        };
        let held = Held { driver: self.clone(), live };
        let live = &held.live;
        loop {
            let changed = live.changed.notified();
            let ticket = {
                let state = live.lock();
                let over = !state.run.status().is_open() || self.is_stopping();
                let more = state.records > records || over;
                more.then(|| state.ticket.clone())
            };
            match ticket {
                Some(ticket) => return Ok(ticket.durable().await?),
                None => changed.await,
            }
        }
    }

    /// Returns when the run is over, and that is on stable storage. Returns at
    /// once for a run that is not open.
    ///
    /// # Errors
    /// The store has failed.
    pub async fn wait_until_over(&self, tenant: &TenantId, run: RunId) -> Result<(), Error> {
        self.wait_for_more(tenant, run, u64::MAX).await
    }

    /// The journal of a step, all of it on stable storage.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn journal(
        &self,
        tenant: &TenantId,
        run: RunId,
        step: StepIndex,
    ) -> Result<Vec<Called>, Error> {
        self.0.store.barrier().durable().await?;
        Ok(journal::shown(&self.0.store, tenant, (run, step))?)
    }

    pub(super) fn workflow_of(
        &self,
        tenant: &TenantId,
        history: &[Record],
    ) -> Result<Option<Arc<Workflow>>, Error> {
        let created = history.first().and_then(|record| record.events.first());
        let Some(Event::RunCreated { workflow, version, .. }) = created else {
            return Ok(None);
        };
        Ok(self.workflow(tenant, workflow, *version)?)
    }
}

/// A run that somebody watches. It is in memory for that, and may leave it
/// afterwards, also when the watcher goes away in between.
struct Held {
    driver: Driver,
    live: Arc<Live>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.driver.sleep_soon(&self.live);
    }
}

fn snapshot_of(live: &Live) -> (Snapshot, store::Ticket) {
    let state = live.lock();
    let attempts = state.attempts.iter();
    let snapshot = Snapshot {
        run: state.run.clone(),
        records: state.records,
        attempts: attempts.map(|(step, running)| (*step, running.watch.clone())).collect(),
    };
    (snapshot, state.ticket.clone())
}

/// All records of a run, in order; none if there is no such run.
pub(super) fn history(
    store: &Store,
    tenant: &TenantId,
    run: RunId,
) -> Result<Vec<Record>, store::Error> {
    let mut history = Vec::new();
    loop {
        let page = store.events(tenant, run, history.len() as u64, PAGE_RECORDS)?;
        let last = page.is_empty();
        for (_, bytes) in page {
            let record = Record::decode(&bytes);
            history.push(record.map_err(|error| {
                store::Error::corrupt(format!("record {} of {run}: {error}", history.len()))
            })?);
        }
        if last {
            return Ok(history);
        }
    }
}

/// The run with this history.
pub(super) fn fold(
    id: RunId,
    workflow: Arc<Workflow>,
    surroundings: Surroundings,
    history: &[Record],
) -> Result<Run, Corrupt> {
    let events =
        history.iter().flat_map(|record| record.events.iter().map(|event| (record.at, event)));
    Run::replay(id, workflow, surroundings, events)
}

/// What is written besides its events when somebody starts a run.
pub(super) fn opening_writes(tenant: &TenantId, run: &Run) -> Result<Vec<Write>, store::Error> {
    match record_of(run) {
        Some(record) => Write::run_created(tenant, &record),
        None => Ok(Vec::new()),
    }
}

/// What is written besides its events when a run is over. Iterations are found
/// through their parents and have no rows of their own.
pub(super) fn closing_writes(tenant: &TenantId, run: &Run) -> Vec<Write> {
    match record_of(run) {
        Some(record) => Write::run_ended(tenant, &record),
        None => Vec::new(),
    }
}

/// What one event changes beside the events, while a run is open or because it
/// is open again.
pub(super) fn rows_of(live: &Live, state: &LiveState, event: &Event) -> Vec<Write> {
    let (tenant, run) = (&live.tenant, &state.run);
    let blocker_gone = || {
        let number = run.origin().number()?;
        Write::blocker_gone(tenant, &run.workflow().name, number).ok()
    };
    match event {
        Event::RunStarted if !state.was_dormant => Vec::new(),
        Event::RunStarted | Event::RunPaused { .. } | Event::RunResumed { .. } => {
            record_of(run).map(|record| Write::run(tenant, &record)).into_iter().collect()
        }
        Event::RunRetried { .. } if state.was_over => {
            let opened = opening_writes(tenant, run).unwrap_or_default();
            opened.into_iter().chain(blocker_gone()).collect()
        }
        Event::RunUnblocked { .. } => blocker_gone().into_iter().collect(),
        Event::RunFailed { .. } => {
            let number = run.origin().number();
            let blocker = number.and_then(|number| {
                Write::blocker(tenant, &run.workflow().name, number, run.id()).ok()
            });
            blocker.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The row by which lists show a run.
fn record_of(run: &Run) -> Option<RunRecord> {
    let number = run.origin().number()?;
    let status = run.status();
    Some(RunRecord {
        run: run.id(),
        workflow: run.workflow().name.clone(),
        version: run.version(),
        number,
        status: status.as_str().to_owned(),
        reason: match status {
            RunStatus::Failed { failure } => Some(failure.reason.clone()),
            _ => None,
        },
        created_at: run.created_at(),
        started_at: run.started_at(),
        ended_at: (!status.is_open()).then(|| run.updated_at()),
        schedule: schedule_of(run),
        trigger: trigger_of(run),
    })
}

/// The trigger that started a run for signals.
fn trigger_of(run: &Run) -> Option<String> {
    match run.origin() {
        Origin::Start { cause: Cause::Signal { trigger, .. }, .. } => Some(trigger.clone()),
        _ => None,
    }
}

/// The schedule that started a run, and the instant that it is for.
fn schedule_of(run: &Run) -> Option<(String, Timestamp)> {
    match run.origin() {
        Origin::Start { cause: Cause::Schedule { schedule, at, .. }, .. } => {
            Some((schedule.clone(), *at))
        }
        _ => None,
    }
}
