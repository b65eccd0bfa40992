//! What led to what: from a run to whatever started it, across signals, the runs
//! that published them, schedules, forks and the runs above.

use super::beginning::Beginning;
use super::{Driver, Error};
use crate::store::{self, RunRecord, SignalRecord};
use segno_engine::event::{Cause, Origin};
use segno_engine::id::{RunId, StepIndex, TenantId, Timestamp};
use segno_engine::signal::Publisher;
use std::collections::{BTreeSet, VecDeque};

/// The longest chain that is followed.
pub const LINEAGE_DEPTH_MAX: u32 = 100;

/// The most runs that are named.
pub const LINEAGE_RUNS_MAX: usize = 1_000;

/// What led to a run.
#[derive(Debug, Clone)]
pub struct Lineage {
    /// The run and those that led to it, the nearest first, each once.
    pub links: Vec<Link>,
    /// Whether there is nothing further back.
    pub is_complete: bool,
}

/// A run, and what led to it.
#[derive(Debug, Clone)]
pub struct Link {
    /// How many are between it and the run that was asked for.
    pub depth: u32,
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// Its version.
    pub version: u64,
    /// Its number.
    pub number: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What led to it.
    pub source: Source,
}

/// What led to a run.
#[derive(Debug, Clone)]
pub enum Source {
    /// Somebody, a schedule, or a fork.
    Cause(Cause),
    /// Signals, which a trigger took.
    Signals {
        /// The trigger.
        trigger: String,
        /// Each, in the order of its list.
        signals: Vec<SourceSignal>,
    },
    /// A step of another run.
    Step {
        /// The run.
        run: RunId,
        /// The step, if its definition can be read.
        step: Option<String>,
    },
}

/// A signal that led to a run.
#[derive(Debug, Clone)]
pub struct SourceSignal {
    /// Its name.
    pub name: String,
    /// Its place among all of its name.
    pub sequence: u64,
    /// The signal, if it is kept.
    pub signal: Option<SignalRecord>,
    /// The run with a number and the step that published it, if one did.
    pub publisher: Option<(RunId, String)>,
}

impl Driver {
    /// What led to a run, at most so many runs back and so many in all.
    ///
    /// # Errors
    /// There is no such run, or the store cannot answer.
    pub async fn lineage(
        &self,
        tenant: &TenantId,
        run: RunId,
        (depth_max, runs_max): (u32, usize),
    ) -> Result<Lineage, Error> {
        self.0.store.barrier().durable().await?;
        let first = self.numbered(tenant, run)?.ok_or(Error::NoSuchRun(run))?;
        let mut seen = BTreeSet::from([first]);
        let mut open = VecDeque::from([(first, 0)]);
        let mut lineage = Lineage { links: Vec::new(), is_complete: true };
        while let Some((run, depth)) = open.pop_front() {
            if depth > depth_max || lineage.links.len() >= runs_max {
                lineage.is_complete = false;
                break;
            }
            let Some(link) = self.link(tenant, run, depth)? else { continue };
            for before in before(&link.source) {
                if let Some(before) = self.numbered(tenant, before)?
                    && seen.insert(before)
                {
                    open.push_back((before, depth + 1));
                }
            }
            lineage.links.push(link);
            tokio::task::consume_budget().await;
        }
        Ok(lineage)
    }

    /// The run with a number that a run is, or is an iteration of, with its
    /// workflow and number.
    ///
    /// # Errors
    /// The store cannot answer.
    pub fn named_run(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<Option<RunRecord>, store::Error> {
        match self.numbered(tenant, run)? {
            Some(run) => self.0.store.run(tenant, run),
            None => Ok(None),
        }
    }

    /// The run, or for an iteration the run that it belongs to.
    fn numbered(&self, tenant: &TenantId, run: RunId) -> Result<Option<RunId>, store::Error> {
        Ok(self.stored_beginning(tenant, run)?.map(|beginning| beginning.numbered(run)))
    }

    fn link(
        &self,
        tenant: &TenantId,
        run: RunId,
        depth: u32,
    ) -> Result<Option<Link>, store::Error> {
        let Some(Beginning { workflow, version, origin, at }) =
            self.stored_beginning(tenant, run)?
        else {
            return Ok(None);
        };
        let number = origin.number();
        let source = match origin {
            Origin::Start { cause: Cause::Signal { trigger, signals }, .. } => {
                let mut found = Vec::new();
                for (name, sequence) in signals {
                    found.push(self.source_signal(tenant, name, sequence)?);
                }
                Source::Signals { trigger, signals: found }
            }
            Origin::Start { cause, .. } => Source::Cause(cause),
            Origin::Child { parent, step, .. } => {
                let name = self.step_name(tenant, parent, step)?;
                Source::Step { run: self.numbered(tenant, parent)?.unwrap_or(parent), step: name }
            }
            Origin::Iteration { root, .. } => Source::Step { run: root, step: None },
        };
        Ok(Some(Link { depth, run, workflow, version, number, created_at: at, source }))
    }

    fn source_signal(
        &self,
        tenant: &TenantId,
        name: String,
        sequence: u64,
    ) -> Result<SourceSignal, store::Error> {
        let signal = self.0.store.signal(tenant, &name, sequence)?;
        let publisher = match signal.as_ref().map(|signal| &signal.publisher) {
            Some(Publisher::Step { run, step, .. }) => {
                Some((self.numbered(tenant, *run)?.unwrap_or(*run), step.clone()))
            }
            _ => None,
        };
        Ok(SourceSignal { name, sequence, signal, publisher })
    }

    /// The id of a step of a run.
    fn step_name(
        &self,
        tenant: &TenantId,
        run: RunId,
        step: StepIndex,
    ) -> Result<Option<String>, store::Error> {
        let Some(beginning) = self.stored_beginning(tenant, run)? else { return Ok(None) };
        let workflow = self.workflow(tenant, &beginning.workflow, beginning.version)?;
        let step = workflow.as_deref().and_then(|workflow| beginning.step(workflow, step));
        Ok(step.map(|step| step.id.clone()))
    }
}

/// The runs from which a run comes.
fn before(source: &Source) -> Vec<RunId> {
    match source {
        Source::Cause(Cause::Fork { of, .. }) => vec![*of],
        Source::Cause(_) => Vec::new(),
        Source::Signals { signals, .. } => {
            signals.iter().filter_map(|signal| signal.publisher.as_ref().map(|it| it.0)).collect()
        }
        Source::Step { run, .. } => vec![*run],
    }
}
