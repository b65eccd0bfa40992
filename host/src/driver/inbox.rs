//! Signals for one run: a queue that each wait of the run takes from once. It is
//! part of the run in memory, so that giving a signal to a wait and recording it
//! in the journal are one commit.

use super::live::{Live, LiveState};
use super::signals::{
    PAYLOAD_BYTES_MAX, PublishError, Published, is_of_step, new_token, tenant_of,
};
use super::{Driver, Error, Extra};
use crate::crash;
use crate::sandbox::{Answer, Happening, Signal};
use crate::store::{
    self, RunSignalRecord, SIGNAL_ID_BYTES_MAX, Store, Ticket, WaitpointRecord, Write,
};
use segno_engine::command::Command;
use segno_engine::decide::Refusal;
use segno_engine::id::{RunId, StepIndex, TenantId};
use segno_engine::payload::Payload;
use segno_engine::signal::{Publisher, check_name};
use segno_engine::wait::Wake;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Signals that may wait for a run at once, and what they may say together.
const PENDING_MAX: usize = 1_000;
const PENDING_BYTES_MAX: usize = 4 << 20;

/// Signals for a run that no wait has taken.
#[derive(Default)]
pub(crate) struct Inbox {
    signals: VecDeque<RunSignalRecord>,
    /// The sequence of the last one.
    last: u64,
    /// Identities that were given since the run is in memory.
    ids: HashMap<String, u64>,
}

/// A signal for one run.
#[derive(Debug, Clone)]
pub struct RunSignal {
    /// Its name.
    pub name: String,
    /// Its identity within the run; a fresh one if absent.
    pub id: Option<String>,
    /// What it says.
    pub payload: Payload,
    /// Who sends it.
    pub publisher: Publisher,
}

/// Why a run was not sent a signal.
#[derive(Debug, thiserror::Error)]
pub enum SignalRunError {
    /// The signal is no good.
    #[error("{0}")]
    Invalid(String),
    /// The run is over.
    #[error("run {0} is over: nobody would get the signal")]
    Over(RunId),
    /// The run has too many.
    #[error(
        "run {0} has as many signals that no step has taken as it may have ({PENDING_MAX}, or 4 MiB); wait until it takes some"
    )]
    Full(RunId),
    /// There is no such run, or the store fails.
    #[error(transparent)]
    Driver(#[from] Error),
}

/// Why a one-time URL was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WaitpointError {
    /// There is none.
    #[error("there is no such URL; check that all of it was copied")]
    Unknown,
    /// Somebody used it.
    #[error("this URL was used before: it takes one answer only")]
    Used,
    /// The signal could not be sent.
    #[error(transparent)]
    Signal(#[from] SignalRunError),
}

impl From<store::Error> for WaitpointError {
    fn from(error: store::Error) -> Self {
        Self::Signal(SignalRunError::Driver(error.into()))
    }
}

impl Inbox {
    /// Reads what a run has.
    pub(super) fn load(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<(), store::Error> {
        self.last = store.last_run_signal(tenant, run)?;
        if self.last > 0 {
            self.signals = store.run_signals(tenant, run)?.into();
        }
        Ok(())
    }

    /// The first of this name, if there is one.
    pub(super) fn first(&self, name: &str) -> Option<&RunSignalRecord> {
        self.signals.iter().find(|signal| signal.name == name)
    }

    fn has_room(&self, more: &RunSignalRecord) -> bool {
        let bytes = |signal: &RunSignalRecord| signal.payload.text().len() + signal.name.len();
        let pending: usize = self.signals.iter().map(bytes).sum();
        self.signals.len() < PENDING_MAX && pending + bytes(more) <= PENDING_BYTES_MAX
    }

    /// Takes a signal out; the caller writes that down.
    pub(super) fn take(&mut self, sequence: u64) {
        self.signals.retain(|signal| signal.sequence != sequence);
    }
}

impl RunSignalRecord {
    /// The signal as a step sees it.
    pub(super) fn shown(&self) -> Signal {
        Signal {
            name: self.name.clone(),
            id: self.id.clone(),
            sequence: self.sequence,
            params: "{}".to_owned(),
            payload: self.payload.text().to_owned(),
            published_at_ms: self.published_at.0,
            this_run: true,
        }
    }
}

impl Driver {
    /// Sends a signal to a run, and returns when it is on stable storage. It is
    /// given to one wait, now or later.
    ///
    /// # Errors
    /// The signal is no good, its id is for those of steps, the run is unknown or
    /// over, or it has too many.
    pub async fn signal_run(
        &self,
        tenant: &TenantId,
        run: RunId,
        signal: RunSignal,
    ) -> Result<Published, SignalRunError> {
        if signal.id.as_deref().is_some_and(is_of_step) {
            return Err(SignalRunError::Invalid(PublishError::ReservedId.to_string()));
        }
        let (published, ticket) = self.order_signal(tenant, run, signal, Vec::new())?;
        ticket.durable().await.map_err(Error::from)?;
        Ok(published)
    }

    /// Sends a signal to a run. A crash may still undo it. `extra` is written in
    /// the same commit. The caller holds no lock of a run.
    ///
    /// # Errors
    /// As for `signal_run`.
    pub(super) fn order_signal(
        &self,
        tenant: &TenantId,
        run: RunId,
        signal: RunSignal,
        extra: Vec<Write>,
    ) -> Result<(Published, Ticket), SignalRunError> {
        check(&signal)?;
        let Some(live) = self.open(tenant, run)? else {
            if let Some(published) = self.sent_before(tenant, run, &signal)? {
                return Ok((published, self.0.store.barrier()));
            }
            let known = !self.0.store.events(tenant, run, 0, 1).map_err(Error::from)?.is_empty();
            return Err(match known {
                true => SignalRunError::Over(run),
                false => SignalRunError::Driver(Error::NoSuchRun(run)),
            });
        };
        let mut due = VecDeque::new();
        let ordered = self.put_in(&live, signal, extra, &mut due);
        crash::point("run signal ordered");
        self.perform(due);
        self.rest(&live);
        ordered
    }

    fn put_in(
        &self,
        live: &Arc<Live>,
        signal: RunSignal,
        mut extra: Vec<Write>,
        due: &mut VecDeque<super::Due>,
    ) -> Result<(Published, Ticket), SignalRunError> {
        let mut state = live.lock();
        let RunSignal { name, id, payload, publisher } = signal;
        if let Some(id) = &id
            && let Some(sequence) = self.known(live, &state, id)?
        {
            let published = Published { name, id: id.clone(), sequence, repeated: true };
            return Ok((published, state.ticket.clone()));
        }
        if !state.run.status().is_open() {
            return Err(SignalRunError::Over(live.id));
        }
        let sequence = state.inbox.last + 1;
        let fresh = || self.0.clock.new_run_id().to_string().replacen("run_", "sig_", 1);
        let id = id.unwrap_or_else(fresh);
        let published_at = self.0.clock.now();
        let record = RunSignalRecord {
            name: name.clone(),
            sequence,
            id: id.clone(),
            payload,
            published_at,
            publisher,
        };
        extra.extend(Write::run_signal(&live.tenant, live.id, &record).map_err(Error::from)?);
        let wanted = waiting_for(&state, &name);
        match wanted {
            Some((step, index)) => {
                extra.push(Write::run_signal_taken(&live.tenant, live.id, sequence));
                let wake = Wake::RunSignal { index, name: name.clone(), sequence };
                let place = state.run.steps()[step as usize].waited;
                let command = Command::Wake { step, sequence: place, wake };
                let happening = Happening::Signal(record.shown());
                let answer = Some(Answer::Woken { index, happening });
                let extra = Extra { writes: extra, answer };
                let turn = self.turn_locked(live, &mut state, (&command, extra), due);
                turn.map_err(|(refusal, _)| Error::Refused(refusal))?;
            }
            None if !state.inbox.has_room(&record) => {
                return Err(SignalRunError::Full(live.id));
            }
            None => {
                state.inbox.signals.push_back(record);
                state.ticket = self.0.store.commit(extra);
            }
        }
        state.inbox.last = sequence;
        // The store knows those that it has.
        if state.inbox.ids.len() >= PENDING_MAX && state.ticket.is_durable() {
            state.inbox.ids.clear();
        }
        state.inbox.ids.insert(id.clone(), sequence);
        Ok((Published { name, id, sequence, repeated: false }, state.ticket.clone()))
    }

    /// A signal that a run which is over was sent before.
    fn sent_before(
        &self,
        tenant: &TenantId,
        run: RunId,
        signal: &RunSignal,
    ) -> Result<Option<Published>, Error> {
        let Some(id) = &signal.id else { return Ok(None) };
        let known = self.0.store.run_signal_by_id(tenant, run, id)?;
        let (name, id) = (signal.name.clone(), id.clone());
        Ok(known.map(|sequence| Published { name, id, sequence, repeated: true }))
    }

    fn known(&self, live: &Live, state: &LiveState, id: &str) -> Result<Option<u64>, Error> {
        if let Some(sequence) = state.inbox.ids.get(id) {
            return Ok(Some(*sequence));
        }
        if state.inbox.last == 0 {
            return Ok(None);
        }
        Ok(self.0.store.run_signal_by_id(&live.tenant, live.id, id)?)
    }

    /// Publishes what somebody answered to a one-time URL, and returns when that
    /// is on stable storage.
    ///
    /// # Errors
    /// There is no such URL, or it was used; or the run is over.
    pub async fn answer_waitpoint(
        &self,
        token: &str,
        payload: Payload,
    ) -> Result<RunId, WaitpointError> {
        let tenant = tenant_of(token).ok_or(WaitpointError::Unknown)?;
        let record = self.0.store.waitpoint(&tenant, token)?;
        let record = record.ok_or(WaitpointError::Unknown)?;
        let WaitpointRecord { run, ref name, used_at } = record;
        if used_at.is_some() {
            return Err(WaitpointError::Used);
        }
        // The identity makes sure of once; the mark is for whoever looks.
        let id = format!("waitpoint:{}", store::Digest::of(token.as_bytes()));
        let signal =
            RunSignal { name: name.clone(), id: Some(id), payload, publisher: Publisher::Url };
        let used = WaitpointRecord { used_at: Some(self.0.clock.now()), ..record.clone() };
        let writes = vec![Write::waitpoint(&tenant, token, &used)];
        let (published, ticket) = self.order_signal(&tenant, run, signal, writes)?;
        if published.repeated {
            return Err(WaitpointError::Used);
        }
        ticket.durable().await?;
        Ok(run)
    }

    /// A URL by which somebody can send this run one signal, and what has to be
    /// written for it.
    pub(super) fn new_waitpoint(&self, live: &Live, name: &str) -> (String, Write) {
        let token = new_token(&live.tenant);
        let record = WaitpointRecord { run: live.id, name: name.to_owned(), used_at: None };
        let write = Write::waitpoint(&live.tenant, &token, &record);
        (format!("{}/v1/waitpoints/{token}", self.0.outside.public_url), write)
    }
}

fn check(signal: &RunSignal) -> Result<(), SignalRunError> {
    check_name("a signal's name", &signal.name)
        .map_err(|error| SignalRunError::Invalid(error.to_string()))?;
    let bytes = signal.payload.text().len();
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(SignalRunError::Invalid(format!(
            "the payload has {bytes} bytes, and a signal takes at most {PAYLOAD_BYTES_MAX}; send a \
             reference to the data"
        )));
    }
    let bad = |id: &String| {
        id.is_empty() || id.len() > SIGNAL_ID_BYTES_MAX || id.contains(char::is_control)
    };
    if signal.id.as_ref().is_some_and(bad) {
        return Err(SignalRunError::Invalid(format!(
            "a signal's id has 1 to {SIGNAL_ID_BYTES_MAX} bytes and no control characters"
        )));
    }
    Ok(())
}

/// The first step that waits for a signal of this name to its run, and the
/// place of its condition.
fn waiting_for(state: &LiveState, name: &str) -> Option<(StepIndex, u32)> {
    let steps = 0..state.run.steps().len() as StepIndex;
    let mut waits = steps.filter_map(|step| Some((step, state.run.wait_of(step)?)));
    waits.find_map(|(step, wait)| Some((step, wait.index_of_run_signal(name)?)))
}

impl From<Refusal> for SignalRunError {
    fn from(refusal: Refusal) -> Self {
        Self::Driver(Error::Refused(refusal))
    }
}
