//! How a run comes into being: its workflow is found, its params are checked,
//! it gets a number, and the same request never starts two.

use super::{Driver, Extra, Selected, VersionSelector, WorkflowError, inspect};
use crate::crash;
use crate::driver::live::Live;
use crate::store::{self, RequestRecord, Ticket, Write};
use segno_engine::event::{Event, Origin};
use segno_engine::id::{RunId, TenantId};
use segno_engine::run::{Run, Surroundings};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::PoisonError;

/// The most requests whose commits may be on their way at once.
const PENDING_REQUESTS_MAX: usize = 10_000;

/// What a run is started with.
#[derive(Debug, Clone)]
pub struct StartRun {
    /// The workflow's name.
    pub workflow: String,
    /// Its version.
    pub version: VersionSelector,
    /// The params that are given.
    pub params: Map<String, Value>,
    /// Names the request, so that asking twice starts one run.
    pub idempotency_key: Option<String>,
}

/// A run that was started, now or by the same request before.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Its number within the workflow, if this request started it.
    pub number: Option<u64>,
    /// Whether an earlier request with the same key started it.
    pub repeated: bool,
}

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such workflow or version.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// The params do not fit.
    #[error("the params do not fit: {}", .0.join("; "))]
    BadParams(Vec<String>),
    /// The key was used for another request.
    #[error(
        "idempotency key {0:?} belongs to a start with another workflow, version or params; use a new key"
    )]
    KeyReused(String),
    /// Too many starts are on their way to the disk.
    #[error("too many runs are being started at once; try again in a moment")]
    Busy,
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What is being given away to runs that start.
#[derive(Default)]
pub(super) struct Starts {
    /// The next number of each workflow that was started since the host is up.
    numbers: HashMap<(TenantId, String), u64>,
    /// Requests whose commits may not be readable yet.
    pending: HashMap<(TenantId, String), (RequestRecord, Ticket)>,
}

impl Driver {
    /// Starts a run, and returns when it is on stable storage.
    ///
    /// # Errors
    /// The workflow is unknown, the params do not fit, or the store fails.
    pub async fn start(&self, tenant: &TenantId, start: StartRun) -> Result<Started, StartError> {
        let (started, ticket) = self.order_start(tenant, start)?;
        ticket.durable().await?;
        Ok(started)
    }

    /// Starts a run. A crash may still undo it: nobody outside may hear of it
    /// before the ticket is durable.
    ///
    /// # Errors
    /// As for `start`.
    pub fn order_start(
        &self,
        tenant: &TenantId,
        start: StartRun,
    ) -> Result<(Started, Ticket), StartError> {
        let selected = self.workflow_selected(tenant, &start.workflow, start.version)?;
        let Selected { version, workflow, .. } = selected;
        let params = workflow.bind_params(&start.params).map_err(StartError::BadParams)?;
        let hash = hash_of(&start);
        let mut due = VecDeque::new();
        let (started, ticket) = {
            // Numbers and keys are given away one at a time, in commit order.
            let mut starts = self.0.starts.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((run, ticket)) = self.earlier(&mut starts, tenant, &start, &hash)? {
                (Started { run, number: None, repeated: true }, ticket)
            } else {
                let number = self.next_number(&mut starts, tenant, &start.workflow)?;
                let id = self.0.clock.new_run_id();
                let origin = Origin::Start { number, params };
                let name = workflow.name.clone();
                let created = Event::RunCreated { workflow: name, version, origin };
                let now = self.0.clock.now();
                let surroundings = Surroundings::unknown();
                let (run, events) = Run::begin(id, workflow, surroundings, created, now)
                    .map_err(|corrupt| store::Error::corrupt(corrupt.to_string()))?;
                let mut writes = inspect::opening_writes(tenant, &run)?;
                let request = RequestRecord { run: id, body_hash: hash };
                if let Some(key) = &start.idempotency_key {
                    writes.push(Write::request(tenant, key, &request)?);
                }
                let live = Live::new(tenant.clone(), run, 0, Ticket::done());
                self.lock_live().insert(id, live.clone());
                let mut state = live.lock();
                let extra = Extra { writes, ..Extra::default() };
                self.record(&live, &mut state, (now, events), (extra, &mut due));
                if let Some(key) = start.idempotency_key {
                    let ticket = state.ticket.clone();
                    starts.pending.insert((tenant.clone(), key), (request, ticket));
                }
                (Started { run: id, number: Some(number), repeated: false }, state.ticket.clone())
            }
        };
        crash::point("run ordered");
        self.perform(due);
        Ok((started, ticket))
    }

    /// The run that this request has started before.
    fn earlier(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        start: &StartRun,
        hash: &[u8; 32],
    ) -> Result<Option<(RunId, Ticket)>, StartError> {
        let Some(key) = &start.idempotency_key else {
            return Ok(None);
        };
        if starts.pending.len() >= PENDING_REQUESTS_MAX {
            starts.pending.retain(|_, (_, ticket)| !ticket.is_durable());
            if starts.pending.len() >= PENDING_REQUESTS_MAX {
                return Err(StartError::Busy);
            }
        }
        let pending = starts.pending.get(&(tenant.clone(), key.clone())).cloned();
        let (request, ticket) = match pending {
            Some(known) => known,
            None => match self.0.store.request(tenant, key)? {
                Some(request) => (request, self.0.store.barrier()),
                None => return Ok(None),
            },
        };
        if request.body_hash != *hash {
            return Err(StartError::KeyReused(key.clone()));
        }
        Ok(Some((request.run, ticket)))
    }

    pub(super) fn next_number(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        workflow: &str,
    ) -> Result<u64, StartError> {
        let key = (tenant.clone(), workflow.to_owned());
        let number = match starts.numbers.get(&key) {
            Some(next) => *next,
            None => self.0.store.last_run_number(tenant, workflow)? + 1,
        };
        starts.numbers.insert(key, number + 1);
        Ok(number)
    }
}

/// Tells one request from another with the same key.
fn hash_of(start: &StartRun) -> [u8; 32] {
    let StartRun { workflow, version, params, idempotency_key: _ } = start;
    // A request without a version has always been hashed like this.
    let version = Some(version).filter(|version| **version != VersionSelector::Default);
    let text = serde_json::json!([workflow, version, params]).to_string();
    Sha256::digest(text).into()
}
