//! Makes the durable calls of one attempt and records them. A call is ordered
//! together with its journal row; only what leaves the process waits until all
//! before it is on stable storage.

mod fetch;
mod values;

use super::journal::{self, Pending, Taken};
use super::live::{Live, LiveState};
use super::signals::Publish;
use super::{Driver, Error, Extra, PublishError, RunSignal, SignalRunError, logs};
use crate::sandbox::{Answer, Answering, Call, Durable, Gone, LogLine, NewEntry, Refusal};
use crate::store::{self, AttemptLog, Ticket, Write};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::grant::{Grants, Requests};
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId};
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, Publisher, check_name};
use segno_engine::workflow::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much may be on its way to the disk before steps wait for it.
const QUEUED_BYTES_MAX: u64 = 64 << 20;

/// One attempt, as its durable calls see it.
pub(super) struct Player {
    pub(super) driver: Driver,
    pub(super) live: Arc<Live>,
    pub(super) step: StepIndex,
    pub(super) attempt: Attempt,
    /// The step's id.
    pub(super) id: String,
    pub(super) grants: Box<Grants>,
    /// What it runs.
    pub(super) component: Pin,
    /// A call that was made, and whose answer nobody knows.
    pub(super) pending: Option<Pending>,
    /// Signals for everyone that the step was given.
    pub(super) taken: Arc<Mutex<Taken>>,
}

impl Durable for Player {
    fn call(&self, entry: NewEntry, call: Call) -> Answering<'_> {
        Box::pin(async move {
            let begun = self.begun(&entry)?;
            self.keep_pace().await?;
            match call {
                Call::Sleep { .. }
                | Call::SleepUntil { .. }
                | Call::WaitSignal { .. }
                | Call::WaitRun { .. }
                | Call::WaitAny { .. } => self.wait(entry, call).await,
                Call::Publish { name, params, payload } => {
                    self.intend(&entry, begun)?;
                    let published = self.publish(&entry, name, (&params, payload)).await?;
                    self.answered(&entry, Answer::Published(published))
                }
                Call::PublishToRun { run, name, payload } => {
                    self.intend(&entry, begun)?;
                    let published = self.publish_to_run(&entry, (&run, name), payload)?;
                    self.answered(&entry, Answer::Published(published))
                }
                Call::OneTimeUrl { name } => self.one_time_url(&entry, &name),
                Call::StartRun { workflow, version, params } => {
                    self.start_run(&entry, (workflow, version), &params)
                }
                Call::KvGet { namespace, key } => self.value(&entry, (&namespace, &key)).await,
                Call::KvSet { namespace, key, value } => {
                    self.set_value(&entry, (&namespace, &key), value)
                }
                Call::KvDelete { namespace, key } => self.delete_value(&entry, (&namespace, &key)),
                Call::Secret { name } => self.secret(&entry, &name),
                Call::Fetch(request) => self.fetch(&entry, *request, begun).await,
                Call::Memo { .. } => Err(Gone::Unwanted),
            }
        })
    }

    fn record(&self, entry: NewEntry, answer: Answer) -> Answering<'_> {
        Box::pin(async move {
            self.begun(&entry)?;
            self.keep_pace().await?;
            self.done(&entry, answer)
        })
    }
}

impl Player {
    pub(super) fn tenant(&self) -> &TenantId {
        &self.live.tenant
    }

    /// Whose journal it is.
    pub(super) fn of(&self) -> (RunId, StepIndex) {
        (self.live.id, self.step)
    }

    /// Who publishes what the step publishes.
    fn publisher(&self) -> Publisher {
        Publisher::Step { run: self.live.id, step: self.id.clone(), attempt: self.attempt }
    }

    /// What the call does outside is known by this, however often it is made.
    fn identity(&self, entry: &NewEntry) -> String {
        format!("{}/{}/{}", self.live.id, self.id, entry.sequence)
    }

    /// A signal is known by what it says, too: a step that is tried again may
    /// have another to publish at the same place.
    fn signal_id(&self, entry: &NewEntry) -> String {
        let [a, b, c, d, ..] = entry.hash;
        format!("{}/{a:02x}{b:02x}{c:02x}{d:02x}", self.identity(entry))
    }

    /// A step that records faster than the disk takes it waits for the disk.
    async fn keep_pace(&self) -> Result<(), Gone> {
        let store = &self.driver.0.store;
        if store.stats().queued_bytes > QUEUED_BYTES_MAX {
            store.barrier().durable().await.map_err(|error| broken(&error))?;
        }
        Ok(())
    }

    /// Records that the call is about to be made, with what led to it: if the
    /// host stops before the answer is recorded, the same call is made again.
    fn intend(&self, entry: &NewEntry, begun: bool) -> Result<(), Gone> {
        if !begun {
            self.append(entry, None, Vec::new())?;
        }
        Ok(())
    }

    pub(super) fn lock_taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the call was made before, and its answer is not known.
    fn begun(&self, entry: &NewEntry) -> Result<bool, Gone> {
        let Some(pending) = &self.pending else { return Ok(false) };
        if pending.sequence != entry.sequence {
            return Ok(false);
        }
        if pending.hash == entry.hash {
            return Ok(true);
        }
        let message = format!(
            "the step took another turn when it was played again: at call {} the journal has {}, \
             and the step now called {}",
            entry.sequence, pending.summary, entry.summary
        );
        Err(Gone::Failed(Failure::new(FailureKind::Fatal, "nondeterminism", message)))
    }

    /// Records a call with its answer.
    pub(super) fn done(&self, entry: &NewEntry, answer: Answer) -> Result<Answer, Gone> {
        self.done_with(entry, answer, Vec::new())
    }

    /// The same, with `more` in the same commit.
    pub(super) fn done_with(
        &self,
        entry: &NewEntry,
        answer: Answer,
        more: Vec<Write>,
    ) -> Result<Answer, Gone> {
        self.append(entry, Some(&answer), more)?;
        Ok(answer)
    }

    /// Orders the row of a call, what the step logged before it, and `more`.
    fn append(
        &self,
        entry: &NewEntry,
        answer: Option<&Answer>,
        mut more: Vec<Write>,
    ) -> Result<Ticket, Gone> {
        more.extend(self.call_writes(entry, answer).writes);
        self.commit(&mut self.live.lock(), entry, more)
    }

    /// Orders rows of an attempt that is still wanted, and what the step logged
    /// before the call. The caller holds the run.
    pub(super) fn commit(
        &self,
        state: &mut LiveState,
        entry: &NewEntry,
        mut writes: Vec<Write>,
    ) -> Result<Ticket, Gone> {
        if !state.run.is_running(self.step, self.attempt) {
            return Err(Gone::Unwanted);
        }
        writes.extend(self.log_row(&entry.lines, state.run.origin()));
        state.ticket = self.driver.0.store.commit(writes);
        state.journaled.insert(self.step);
        Ok(state.ticket.clone())
    }

    /// What the step logged.
    pub(super) fn log_row(
        &self,
        lines: &[LogLine],
        origin: &segno_engine::event::Origin,
    ) -> Option<Write> {
        if lines.is_empty() {
            return None;
        }
        let (root, iteration) = logs::root_of(self.live.id, origin);
        let log = AttemptLog {
            run: self.live.id,
            iteration,
            step: self.id.clone(),
            attempt: self.attempt,
            dropped: 0,
            lines: lines.iter().map(logs::stored).collect(),
        };
        Some(logs::write(self.tenant(), root, self.driver.0.clock.now(), &log))
    }

    async fn publish(
        &self,
        entry: &NewEntry,
        name: String,
        (params, payload): (&str, String),
    ) -> Result<Result<u64, Refusal>, Gone> {
        if !self.grants.may_publish(&name) {
            let remedy = format!("add `grants: {{ signals: [{name}] }}` to the step");
            let message = format!("step `{}` may not publish signal {name:?}; {remedy}", self.id);
            return Ok(refused("denied", message));
        }
        let params = match Params::parse(params) {
            Ok(params) => params,
            Err(error) => return Ok(refused("invalid", error.to_string())),
        };
        let payload = match parsed(payload, "a signal's payload") {
            Ok(payload) => payload,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = Some(self.signal_id(entry));
        let publish = Publish { name, id, params, payload, publisher: self.publisher() };
        loop {
            match self.driver.order_publish(self.tenant(), publish.clone(), Vec::new()) {
                Ok((published, _)) => return Ok(Ok(published.sequence)),
                Err(PublishError::Store(error)) => return Err(broken(&error)),
                Err(PublishError::Busy) => {
                    let barrier = self.driver.0.store.barrier();
                    barrier.durable().await.map_err(|error| broken(&error))?;
                }
                Err(error) => return Ok(refused("invalid", error.to_string())),
            }
        }
    }

    fn publish_to_run(
        &self,
        entry: &NewEntry,
        (run, name): (&str, String),
        payload: String,
    ) -> Result<Result<u64, Refusal>, Gone> {
        let run: RunId = match run.parse() {
            Ok(run) => run,
            Err(error) => return Ok(refused("invalid", format!("{error}"))),
        };
        let payload = match parsed(payload, "a signal's payload") {
            Ok(payload) => payload,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = Some(self.signal_id(entry));
        let signal = RunSignal { name, id, payload, publisher: self.publisher() };
        match self.driver.order_signal(self.tenant(), run, signal, Vec::new()) {
            Ok((published, _)) => Ok(Ok(published.sequence)),
            Err(SignalRunError::Invalid(message)) => Ok(refused("invalid", message)),
            Err(error @ SignalRunError::Over(_)) => Ok(refused("over", error.to_string())),
            Err(error @ SignalRunError::Full(_)) => Ok(refused("limit", error.to_string())),
            Err(SignalRunError::Driver(error @ Error::NoSuchRun(_))) => {
                Ok(refused("not-found", error.to_string()))
            }
            Err(SignalRunError::Driver(error)) => Err(broken(&error)),
        }
    }

    fn one_time_url(&self, entry: &NewEntry, name: &str) -> Result<Answer, Gone> {
        if let Err(error) = check_name("a signal's name", name) {
            return self.done(entry, Answer::Text(refused("invalid", error.to_string())));
        }
        let (url, write) = self.driver.new_waitpoint(&self.live, name);
        let answer = Answer::Text(Ok(url));
        self.append(entry, Some(&answer), vec![write])?;
        Ok(answer)
    }

    fn secret(&self, entry: &NewEntry, name: &str) -> Result<Answer, Gone> {
        let handle = self.secret_handle(name)?;
        self.done(entry, Answer::Text(handle))
    }

    fn secret_handle(&self, name: &str) -> Result<Result<String, Refusal>, Gone> {
        if !self.grants.has_secret(name) {
            let message = format!(
                "step `{}` may not use secret {name:?}; add `grants: {{ secrets: [{name}] }}` to \
                 the step",
                self.id
            );
            return Ok(refused("denied", message));
        }
        if !self.requests()?.secrets.iter().any(|known| known == name) {
            let message = format!(
                "component {}@{} does not ask for secret {name:?}; add `secrets = [{name:?}]` to \
                 its [package.metadata.segno] and push it again",
                self.component.name, self.component.version
            );
            return Ok(refused("denied", message));
        }
        match self.driver.0.store.secret(self.tenant(), name).map_err(|error| broken(&error))? {
            Some(_) => Ok(Ok(format!("{HANDLE}{name}"))),
            None => Ok(refused(
                "not-found",
                format!("there is no secret {name:?}; set it with `segno secret set {name}`"),
            )),
        }
    }

    /// What the component asks for.
    fn requests(&self) -> Result<Requests, Gone> {
        let Pin { name, version, .. } = &self.component;
        let record = self.driver.0.store.component(self.tenant(), name, version);
        let record = record.map_err(|error| broken(&error))?;
        Ok(record.map(|record| record.requests).unwrap_or_default())
    }

    /// Records the answer of a call whose row is there.
    fn answered(&self, entry: &NewEntry, answer: Answer) -> Result<Answer, Gone> {
        let row = journal::later_row(self.tenant(), self.of(), entry.sequence, &answer);
        let said = NewEntry { lines: Vec::new(), ..entry.clone() };
        self.commit(&mut self.live.lock(), &said, vec![row])?;
        Ok(answer)
    }

    /// A turn with the row of a call.
    pub(super) fn call_writes(&self, entry: &NewEntry, answer: Option<&Answer>) -> Extra {
        let row = journal::call_row(self.tenant(), self.of(), self.attempt, (entry, answer));
        Extra { writes: vec![row], answer: None }
    }
}

/// What the handle of a secret begins with.
const HANDLE: &str = "secret:";

fn name_of(handle: &str) -> &str {
    handle.strip_prefix(HANDLE).unwrap_or(handle)
}

fn parsed(text: String, what: &str) -> Result<Payload, Refusal> {
    Payload::parse(text).map_err(|error| refusal("invalid", format!("{what} is no JSON: {error}")))
}

pub(super) fn refusal(code: &str, message: String) -> Refusal {
    Refusal::new(code, message)
}

pub(super) fn refused<T>(code: &str, message: String) -> Result<T, Refusal> {
    Err(refusal(code, message))
}

/// A name that the store does not take is the step's business; a store that
/// fails is not.
pub(super) fn refusal_of(error: store::Error) -> Result<Refusal, Gone> {
    match error {
        store::Error::Invalid { .. } => Ok(refusal("invalid", error.to_string())),
        other => Err(broken(&other)),
    }
}

/// The host cannot do what it should: another attempt may find it better.
pub(super) fn broken(error: &impl std::fmt::Display) -> Gone {
    tracing::error!(%error, "a durable call could not be made");
    let message = "the host could not make a durable call; its log says more";
    Gone::Failed(Failure::new(FailureKind::Platform, "host", message))
}
