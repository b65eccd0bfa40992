//! How a run comes into being: its workflow is found, its params are checked,
//! it gets a number, and the same request never starts two.

use super::lanes::{Entrance, Place, Tracks};
use super::live::Live;
use super::{Driver, Due, Extra, Selected, VersionSelector, WorkflowError, dormant, inspect};
use crate::crash;
use crate::store::{self, RequestRecord, Ticket, Write};
use segno_engine::apply::Corrupt;
use segno_engine::command::Command;
use segno_engine::event::{Cause, Event, Given, Origin};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::params::{Bound, ParamSource};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, Surroundings};
use segno_engine::scope::RunFacts;
use segno_engine::strategy::lane::{Admission, Verdict};
use segno_engine::workflow::Workflow;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

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
    /// What it has from the run that it is made from.
    pub before: Option<Before>,
    /// Params for single steps: by step id, a map of names and values.
    pub step_params: Map<String, Value>,
    /// What leads to the run.
    pub cause: Cause,
    /// Names the request, so that asking twice starts one run.
    pub idempotency_key: Option<String>,
    /// The identity of the run, if it follows from what leads to it. A run that
    /// is there already is not started again.
    pub id: Option<RunId>,
}

/// What a run has from the one that it is made from.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its params.
    pub params: Bound,
    /// Its params for single steps.
    pub step_params: Map<String, Value>,
}

/// A run that is to be.
pub(super) struct NewRun {
    pub(super) id: RunId,
    pub(super) workflow: Arc<Workflow>,
    pub(super) version: u64,
    pub(super) origin: Origin,
    /// What becomes of it, if that is known.
    pub(super) admission: Option<Admission>,
    /// Whether a run above it is paused.
    pub(super) is_held: bool,
}

impl NewRun {
    /// A run that arrives by itself.
    pub(super) fn of((id, workflow, version): (RunId, Arc<Workflow>, u64), origin: Origin) -> Self {
        Self { id, workflow, version, origin, admission: None, is_held: false }
    }
}

/// What a run is started with, found and evaluated.
pub(super) struct Checked {
    pub(super) id: RunId,
    pub(super) now: Timestamp,
    pub(super) workflow: Arc<Workflow>,
    pub(super) version: u64,
    pub(super) given: Given,
    /// Tells the request from another with the same key.
    pub(super) hash: [u8; 32],
}

/// A run that only needs to be ordered.
pub(super) struct Prepared {
    pub(super) live: Arc<Live>,
    pub(super) writes: Vec<Write>,
    /// What follows once it is ordered.
    pub(super) follow: VecDeque<Due>,
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
    /// How it stands; nothing is known of an earlier one.
    pub status: &'static str,
}

impl StartRun {
    /// A start of the default version by somebody, with params.
    pub fn new(workflow: &str, params: Map<String, Value>) -> Self {
        Self {
            workflow: workflow.to_owned(),
            version: VersionSelector::Default,
            params,
            before: None,
            step_params: Map::new(),
            cause: Cause::Manual { by: "api".to_owned() },
            idempotency_key: None,
            id: None,
        }
    }

    fn source(&self) -> ParamSource {
        match &self.cause {
            Cause::Manual { .. } => ParamSource::Start,
            Cause::Fork { .. } => ParamSource::Fork,
            Cause::Schedule { .. } => ParamSource::Schedule,
            Cause::Signal { .. } => ParamSource::Signal,
        }
    }
}

/// Why a run was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such workflow or version.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    /// The params do not fit; each mistake begins with its place.
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
    /// The open runs of each workflow.
    pub(super) tracks: Tracks,
    /// Workflows that are deleted, or about to be: whoever has looked one up
    /// before starts none of it any more.
    pub(super) deleted: HashSet<(TenantId, String)>,
    /// Requests whose commits may not be readable yet.
    pub(super) pending: HashMap<(TenantId, String), (RequestRecord, Ticket)>,
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
        let mut due = VecDeque::new();
        let ordered = self.order_start_with(tenant, start, Vec::new(), &mut due)?;
        crash::point("run ordered");
        self.perform(due);
        Ok(ordered)
    }

    /// Starts a run, with `extra` in the same commit; if the run was started
    /// before, `extra` is written alone. The caller performs what is added to
    /// `due`, and holds no lock of a run.
    ///
    /// # Errors
    /// As for `start`; then nothing is written, `extra` neither.
    pub(super) fn order_start_with(
        &self,
        tenant: &TenantId,
        start: StartRun,
        extra: Vec<Write>,
        due: &mut VecDeque<Due>,
    ) -> Result<(Started, Ticket), StartError> {
        self.order_start_then(tenant, (start, Entrance::InTurn), |_, _| Ok(extra), due)
    }

    /// As `order_start_with`, where `extra` depends on which run it is, and on
    /// whether it was started before. It is asked for once.
    ///
    /// # Errors
    /// As for `start`; then nothing is written.
    pub(super) fn order_start_then(
        &self,
        tenant: &TenantId,
        (start, entrance): (StartRun, Entrance),
        extra: impl FnOnce(RunId, bool) -> Result<Vec<Write>, store::Error>,
        due: &mut VecDeque<Due>,
    ) -> Result<(Started, Ticket), StartError> {
        let Checked { id, now, workflow, version, given, hash } = self.checked(tenant, &start)?;
        // Numbers and keys are given away one at a time, in commit order.
        let mut starts = self.lock_starts();
        if let Some((run, ticket)) = self.earlier(&mut starts, tenant, &start, &hash)? {
            let extra = extra(run, true)?;
            let ticket = if extra.is_empty() { ticket } else { self.0.store.commit(extra) };
            return Ok((Started { run, number: None, repeated: true, status: "" }, ticket));
        }
        let number = self.next_number(&mut starts, tenant, &start.workflow)?;
        let origin = Origin::Start { number, given, cause: start.cause };
        let mut writes = extra(id, false)?;
        let to = (&entrance, start.workflow.as_str());
        let admission = self.enter_lane(&mut starts, tenant, to, (id, number))?;
        let new = NewRun { admission, ..NewRun::of((id, workflow, version), origin) };
        let request = RequestRecord { run: id, body_hash: hash };
        if let Some(key) = &start.idempotency_key {
            writes.push(Write::request(tenant, key, &request)?);
        }
        let prepared = self.prepare_run(&mut starts, tenant, (new, now), due)?;
        let (ticket, status) = self.order_run(prepared, writes, due);
        if let Some(key) = start.idempotency_key {
            starts.pending.insert((tenant.clone(), key), (request, ticket.clone()));
        }
        Ok((Started { run: id, number: Some(number), repeated: false, status }, ticket))
    }

    /// What a run is started with, found and evaluated.
    pub(super) fn checked(
        &self,
        tenant: &TenantId,
        start: &StartRun,
    ) -> Result<Checked, StartError> {
        let selected = self.workflow_selected(tenant, &start.workflow, start.version)?;
        let Selected { version, workflow, .. } = selected;
        let id = start.id.unwrap_or_else(|| self.0.clock.new_run_id());
        let now = self.0.clock.now();
        let scheduled_at = start.cause.scheduled_at().unwrap_or(now);
        let facts = RunFacts { scheduled_at, ..facts(id, &workflow, version, now) };
        let bound = match &start.before {
            Some(before) => workflow.rebind(&before.params, &start.params, start.source(), facts),
            None => workflow.bind(&start.params, start.source(), facts),
        };
        let bound = all_right(bound, (&workflow, &start.step_params, start.source()))?;
        let given = match &start.before {
            Some(before) => given(bound, &merged(&before.step_params, &start.step_params)),
            None => given(bound, &start.step_params),
        };
        Ok(Checked { id, now, workflow, version, given, hash: hash_of(start) })
    }

    /// A run with a number that may begin, waits for its turn, or is over at
    /// once because another is open. Nobody knows it before it is ordered.
    pub(super) fn prepare_run(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        (new, now): (NewRun, Timestamp),
        due: &mut VecDeque<Due>,
    ) -> Result<Prepared, store::Error> {
        let NewRun { id, workflow, version, origin, admission, is_held } = new;
        let name = workflow.name.clone();
        let created = Event::RunCreated { workflow: name.clone(), version, origin };
        let corrupt = |error: Corrupt| store::Error::corrupt(error.to_string());
        let (mut run, mut events) =
            Run::create(id, workflow, Surroundings::unknown(), (created, now)).map_err(corrupt)?;
        run.set_breakpoints(self.breakpoints_of(tenant, &name)?);
        run.set_held(is_held);
        let place = Place::of(&run).ok_or_else(|| store::Error::corrupt("a run has no number"))?;
        let admission = match admission {
            Some(admission) => admission,
            None => self.arrive(starts, tenant, (id, &place))?,
        };
        match admission.verdict {
            Verdict::Begin => events.extend(run.admit(now).map_err(corrupt)?),
            Verdict::Queue => {}
            Verdict::Refuse { by } => {
                let refused = run.handle(&Command::Replace { by }, now);
                events.extend(refused.map_err(|error| store::Error::corrupt(error.to_string()))?.1);
            }
        }
        let writes = inspect::opening_writes(tenant, &run)?;
        let live = Live::new(tenant.clone(), run, 0, Ticket::done());
        due.extend(admission.cancel.into_iter().map(|old| Due::replace(&live, old)));
        let mut follow = VecDeque::new();
        let writes = {
            let mut state = live.lock();
            let extra = Extra { writes, ..Extra::default() };
            let mut writes = self.write_up(&live, &mut state, (now, events), (extra, &mut follow));
            if admission.verdict == Verdict::Queue {
                writes.extend(dormant::asleep(&live, &state));
                state.mark_dormant();
                follow.push_back(Due::rest(&live));
            }
            writes
        };
        Ok(Prepared { live, writes, follow })
    }

    /// Orders a run that was prepared, together with `extra`. Says how it
    /// stands, too.
    pub(super) fn order_run(
        &self,
        prepared: Prepared,
        extra: Vec<Write>,
        due: &mut VecDeque<Due>,
    ) -> (Ticket, &'static str) {
        let Prepared { live, writes, follow } = prepared;
        let mut state = live.lock();
        self.lock_live().insert(live.id, Arc::clone(&live));
        let ticket = self.0.store.commit([writes, extra].concat());
        self.committed(&live, &mut state, ticket.clone());
        due.extend(follow);
        (ticket, state.run.status().as_str())
    }

    /// The run that this request has started before.
    pub(super) fn earlier(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        start: &StartRun,
        hash: &[u8; 32],
    ) -> Result<Option<(RunId, Ticket)>, StartError> {
        if let Some(id) = start.id
            && (self.live(tenant, id).is_some() || self.0.store.run(tenant, id)?.is_some())
        {
            return Ok(Some((id, self.0.store.barrier())));
        }
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
        if starts.deleted.contains(&key) {
            return Err(WorkflowError::Unknown(workflow.to_owned()).into());
        }
        let number = match starts.numbers.get(&key) {
            Some(next) => *next,
            None => self.0.store.last_run_number(tenant, workflow)? + 1,
        };
        starts.numbers.insert(key, number + 1);
        Ok(number)
    }
}

/// What the expressions of params know of a run that is to be.
pub(super) fn facts(
    id: RunId,
    workflow: &Workflow,
    version: u64,
    created_at: Timestamp,
) -> RunFacts<'_> {
    RunFacts {
        id,
        number: None,
        workflow: &workflow.name,
        version,
        created_at,
        scheduled_at: created_at,
        retries: 0,
    }
}

/// What a run begins with.
pub(super) fn given(bound: Bound, step_params: &Map<String, Value>) -> Given {
    let step_params = match step_params.is_empty() {
        true => Payload::empty_object().clone(),
        false => Payload::from(Value::Object(step_params.clone())),
    };
    Given { params: bound.values, sources: bound.sources, step_params }
}

/// Params for single steps, with those that are given in their place.
pub(super) fn merged(
    before: &Map<String, Value>,
    given: &Map<String, Value>,
) -> Map<String, Value> {
    let mut all = before.clone();
    for (step, params) in given {
        let known = all.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
        if let (Value::Object(known), Value::Object(params)) = (known, params) {
            known.extend(params.clone());
        }
    }
    all
}

/// The params of a run, unless they or those for single steps do not fit: then
/// all that is wrong with either.
pub(super) fn all_right(
    bound: Result<Bound, Vec<String>>,
    (workflow, step_params, source): (&Workflow, &Map<String, Value>, ParamSource),
) -> Result<Bound, StartError> {
    let wrong = step_mistakes(workflow, step_params, source);
    match bound {
        Ok(bound) if wrong.is_empty() => Ok(bound),
        Ok(_) => Err(StartError::BadParams(wrong)),
        Err(mistakes) => Err(StartError::BadParams([mistakes, wrong].concat())),
    }
}

/// What is wrong with params for single steps, each with its place.
fn step_mistakes(
    workflow: &Workflow,
    given: &Map<String, Value>,
    source: ParamSource,
) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (id, params) in given {
        let place = format!("step_params.{id}");
        let Some(step) = workflow.step(id) else {
            mistakes.push(format!("{place}: the workflow has no such step; leave it out"));
            continue;
        };
        let Value::Object(params) = params else {
            mistakes.push(format!("{place}: give names and values, as in {{\"year\": 2012}}"));
            continue;
        };
        let wrong = step.params.check_overrides(params, source);
        mistakes.extend(wrong.into_iter().map(|mistake| format!("{place}.{mistake}")));
    }
    mistakes
}

/// Tells one request from another with the same key.
fn hash_of(start: &StartRun) -> [u8; 32] {
    let StartRun { workflow, version, params, step_params, cause, .. } = start;
    if let Cause::Signal { trigger, .. } = cause {
        // A trigger's key alone says which run it is, whatever the signals say.
        return Sha256::digest(trigger).into();
    }
    // A request without a version has always been hashed like this.
    let version = Some(version).filter(|version| **version != VersionSelector::Default);
    let mut text = serde_json::json!([workflow, version, params]).to_string();
    if !step_params.is_empty() {
        text.push_str(&serde_json::json!(step_params).to_string());
    }
    if let Cause::Fork { of, from, .. } = cause {
        text.push_str(&format!("{of} {from}"));
    }
    Sha256::digest(text).into()
}
