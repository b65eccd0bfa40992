//! What the API shows of a run that is not part of the run: why it waits for its
//! turn, who paused it, and what the runs around and below it are called.

use super::problem::Problem;
use super::view::{ChildView, PermitView};
use crate::driver::{Driver, Snapshot};
use crate::store;
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::run::{Run, RunStatus, StepState};
use segno_engine::strategy::RunStrategy;
use std::collections::HashMap;

/// Records that are read at a time, from the last one back.
const RECORDS_PER_READ: u64 = 100;

/// What is known of a run beside the run itself.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Why it waits for its turn.
    pub(super) queue_reason: Option<String>,
    /// Whether it has failed and keeps others from beginning.
    pub(super) blocks: bool,
    /// Who paused it.
    pub(super) paused_by: Option<String>,
    /// The step that started it.
    pub(super) step_above: Option<String>,
    /// The runs of its subworkflows.
    pub(super) children: HashMap<StepIndex, ChildView>,
    /// The permits that its steps wait for.
    pub(super) permits: HashMap<String, PermitView>,
}

impl Around {
    /// Finds it; what is read is on stable storage.
    pub(super) async fn of(
        driver: &Driver,
        tenant: &TenantId,
        snapshot: &Snapshot,
    ) -> Result<Self, Problem> {
        let run = &snapshot.run;
        let mut around = Self { permits: permits(driver, tenant, run), ..Self::default() };
        match run.status() {
            RunStatus::Queued => {
                let place = (run.workflow().name.as_str(), run.id());
                around.queue_reason = driver.queue_reason(tenant, place);
            }
            RunStatus::Paused => around.paused_by = paused_by(driver, tenant, snapshot)?,
            RunStatus::Failed { .. } => around.blocks = blocks(driver, tenant, run).await?,
            _ => {}
        }
        if let Origin::Child { parent, step, .. } = run.origin() {
            around.step_above = step_of(driver, tenant, (*parent, *step)).await?;
        }
        for (place, step) in run.steps().iter().enumerate() {
            if let Some(child) = step.child {
                around.children.insert(place as StepIndex, child_view(driver, tenant, child)?);
            }
        }
        if !around.children.is_empty() || around.paused_by.is_some() {
            driver.store().barrier().durable().await?;
        }
        Ok(around)
    }
}

/// Whether a failed run keeps others of its workflow from beginning: only one of
/// the run strategies lets it.
async fn blocks(driver: &Driver, tenant: &TenantId, run: &Run) -> Result<bool, Problem> {
    let workflow = &run.workflow().name;
    let is_strict = driver
        .workflow_named(tenant, workflow)
        .is_ok_and(|record| record.properties.run_strategy == Some(RunStrategy::StrictSequential));
    if !is_strict || run.origin().number().is_none() {
        return Ok(false);
    }
    // What has just ended is still on its way into the store.
    driver.store().barrier().durable().await?;
    let blockers = driver.store().blockers(tenant, workflow)?;
    Ok(blockers.iter().any(|(_, blocker)| *blocker == run.id()))
}

/// The permits that are short, as they stand now.
fn permits(driver: &Driver, tenant: &TenantId, run: &Run) -> HashMap<String, PermitView> {
    let is_short = run.steps().iter().any(|step| matches!(step.state, StepState::Queued { .. }));
    if !is_short {
        return HashMap::new();
    }
    all_permits(driver, tenant).map(|permit| (permit.name.clone(), permit)).collect()
}

/// Every permit of a tenant that somebody has or waits for.
pub(super) fn all_permits(
    driver: &Driver,
    tenant: &TenantId,
) -> impl Iterator<Item = PermitView> + use<> {
    let all = driver.permits(tenant).into_iter();
    all.map(|(name, limit, held, waiting)| PermitView { name, limit, held, waiting })
}

/// Whoever paused a run did so not long ago, in records: nothing new has begun
/// since.
fn paused_by(
    driver: &Driver,
    tenant: &TenantId,
    snapshot: &Snapshot,
) -> Result<Option<String>, Problem> {
    let run = snapshot.run.id();
    let mut end = snapshot.records;
    while end > 0 {
        let first = end.saturating_sub(RECORDS_PER_READ);
        let (mut next, mut found) = (first, None);
        while next < end {
            let records = driver.store().events(tenant, run, next, (end - next) as usize)?;
            let Some((last, _)) = records.last() else { break };
            next = last + 1;
            for (number, bytes) in &records {
                let events = decoded(run, (*number, bytes))?.events.into_iter().rev();
                found = events.filter_map(pauser).next().or(found);
            }
        }
        if found.is_some() {
            return Ok(found);
        }
        end = first;
    }
    Ok(None)
}

fn pauser(event: Event) -> Option<String> {
    match event {
        Event::RunPaused { by } => Some(by),
        _ => None,
    }
}

/// A record of a run's log.
pub(super) fn decoded(run: RunId, (number, bytes): (u64, &[u8])) -> Result<Record, store::Error> {
    Record::decode(bytes)
        .map_err(|error| store::Error::corrupt(format!("record {number} of {run}: {error}")))
}

async fn step_of(
    driver: &Driver,
    tenant: &TenantId,
    (run, step): (RunId, StepIndex),
) -> Result<Option<String>, Problem> {
    let above = driver.snapshot(tenant, run).await?;
    Ok(above.and_then(|above| Some(above.run.body().steps.get(step as usize)?.id.clone())))
}

fn child_view(driver: &Driver, tenant: &TenantId, child: RunId) -> Result<ChildView, Problem> {
    let record = driver.store().run(tenant, child)?;
    let run = child.to_string();
    Ok(match record {
        Some(record) => ChildView {
            run,
            workflow: Some(record.workflow),
            number: Some(record.number),
            status: Some(record.status),
        },
        None => ChildView { run, workflow: None, number: None, status: None },
    })
}
