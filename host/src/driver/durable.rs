//! Makes the durable calls of one attempt and records them. A call is ordered
//! together with its journal row; only what leaves the process waits until all
//! before it is on stable storage.

use super::journal::{self, Pending, Taken};
use super::live::Live;
use super::signals::Publish;
use super::{Driver, Error, Extra, PublishError, RunSignal, SignalRunError, logs};
use crate::crash;
use crate::egress;
use crate::sandbox::{
    Answer, Answering, Call, Durable, Gone, LogLine, NewEntry, Refusal, Request, Response,
};
use crate::store::{self, AttemptLog, Ticket, ValueRecord, Write};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::grant::{Grants, Origin};
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId};
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, check_name};
use segno_engine::workflow::Pin;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest key, and the largest value, that a step may set.
const VALUE_BYTES_MAX: usize = 256 << 10;

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
            match call {
                Call::Sleep { .. }
                | Call::SleepUntil { .. }
                | Call::WaitSignal { .. }
                | Call::WaitRun { .. }
                | Call::WaitAny { .. } => self.wait(entry, call).await,
                Call::Publish { name, params, payload } => {
                    let published = self.publish(&entry, name, (&params, payload)).await?;
                    self.done(&entry, Answer::Published(published))
                }
                Call::PublishToRun { run, name, payload } => {
                    let published = self.publish_to_run(&entry, (&run, name), payload);
                    self.done(&entry, Answer::Published(published?))
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

    fn record(&self, entry: NewEntry, answer: Answer) -> Result<(), Gone> {
        self.begun(&entry)?;
        self.done(&entry, answer).map(|_| ())
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

    /// What the call does to others is known by this, however often it is made.
    fn identity(&self, entry: &NewEntry) -> String {
        format!("{}/{}/{}", self.live.id, self.id, entry.sequence)
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
        self.append(entry, Some(&answer), Vec::new())?;
        Ok(answer)
    }

    /// Orders the row of a call, what the step logged before it, and `more`.
    fn append(
        &self,
        entry: &NewEntry,
        answer: Option<&Answer>,
        mut more: Vec<Write>,
    ) -> Result<Ticket, Gone> {
        more.push(journal::call_row(self.tenant(), self.of(), self.attempt, (entry, answer)));
        self.commit(entry, more)
    }

    fn commit(&self, entry: &NewEntry, mut writes: Vec<Write>) -> Result<Ticket, Gone> {
        let mut state = self.live.lock();
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
        let id = Some(self.identity(entry));
        let by = format!("{}/{}", self.live.id, self.id);
        let publish = Publish { name, id, params, payload, by };
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
        let id = Some(self.identity(entry));
        let by = format!("{}/{}", self.live.id, self.id);
        let signal = RunSignal { name, id, payload, by };
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

    async fn value(
        &self,
        entry: &NewEntry,
        (namespace, key): (&str, &str),
    ) -> Result<Answer, Gone> {
        let namespace = match self.namespace(namespace) {
            Ok(namespace) => namespace,
            Err(refusal) => return self.done(entry, Answer::Value(Err(refusal))),
        };
        let store = &self.driver.0.store;
        // The step's own writes are seen once they are applied.
        store.barrier().durable().await.map_err(|error| broken(&error))?;
        let value = match store.value(self.tenant(), &namespace, key) {
            Ok(value) => Ok(value.map(|record| record.value.text().to_owned())),
            Err(error) => Err(refusal_of(error)?),
        };
        self.done(entry, Answer::Value(value))
    }

    fn set_value(
        &self,
        entry: &NewEntry,
        (namespace, key): (&str, &str),
        value: String,
    ) -> Result<Answer, Gone> {
        let write = self.namespace(namespace).and_then(|namespace| {
            if value.len() > VALUE_BYTES_MAX {
                let message = format!("a value has at most {VALUE_BYTES_MAX} bytes");
                return Err(refusal("limit", message));
            }
            let value = parsed(value, "a value")?;
            let record = ValueRecord { value, set_at: self.driver.0.clock.now() };
            Write::value(self.tenant(), (&namespace, key), &record)
                .map_err(|error| refusal("invalid", error.to_string()))
        });
        self.written(entry, write)
    }

    fn delete_value(
        &self,
        entry: &NewEntry,
        (namespace, key): (&str, &str),
    ) -> Result<Answer, Gone> {
        let write = self.namespace(namespace).and_then(|namespace| {
            Write::value_deleted(self.tenant(), &namespace, key)
                .map_err(|error| refusal("invalid", error.to_string()))
        });
        self.written(entry, write)
    }

    fn written(&self, entry: &NewEntry, write: Result<Write, Refusal>) -> Result<Answer, Gone> {
        let (answer, writes) = match write {
            Ok(write) => (Answer::Done(Ok(())), vec![write]),
            Err(refusal) => (Answer::Done(Err(refusal)), Vec::new()),
        };
        self.append(entry, Some(&answer), writes)?;
        Ok(answer)
    }

    /// The namespace as it is kept: the workflow's own is named after it.
    fn namespace(&self, namespace: &str) -> Result<String, Refusal> {
        if namespace.is_empty() {
            return Ok(format!("workflow:{}", self.live.lock().run.workflow().name));
        }
        if self.grants.has_namespace(namespace) {
            return Ok(namespace.to_owned());
        }
        let message = format!(
            "step `{}` may not use the namespace {namespace:?}; add `grants: {{ kv: [{namespace}] \
             }}` to the step",
            self.id
        );
        Err(refusal("denied", message))
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
        match self.driver.0.store.secret(self.tenant(), name).map_err(|error| broken(&error))? {
            Some(_) => Ok(Ok(format!("{HANDLE}{name}"))),
            None => Ok(refused(
                "not-found",
                format!("there is no secret {name:?}; set it with `segno secret set {name}`"),
            )),
        }
    }

    async fn fetch(&self, entry: &NewEntry, request: Request, begun: bool) -> Result<Answer, Gone> {
        if begun && request.report_crash {
            let message = format!(
                "{}: the host stopped after it was sent, and whether it was received is not known",
                entry.summary
            );
            let answer = Answer::Response(refused("unknown-outcome", message));
            return self.answered(entry, answer);
        }
        let secrets = match self.secrets_of(&request)? {
            Ok(secrets) => secrets,
            Err(refusal) => return self.done(entry, Answer::Response(Err(refusal))),
        };
        let request = outbound(request);
        let egress = &self.driver.0.outside.egress;
        let requested = self.requested()?;
        let checked = match egress.check(&request, &requested, &self.grants.http) {
            Ok(checked) => checked,
            Err(error) => return self.done(entry, Answer::Response(Err(error.into()))),
        };
        let ticket = match begun {
            true => self.driver.0.store.barrier(),
            false => self.append(entry, None, Vec::new())?,
        };
        // Nothing leaves before everything that led to it is on stable storage.
        ticket.durable().await.map_err(|error| broken(&error))?;
        crash::point("request leaves");
        let sent = egress.send(checked, &self.identity(entry), &secrets).await;
        crash::point("request answered");
        let response = sent.map(Response::from).map_err(Refusal::from);
        self.answered(entry, Answer::Response(response))
    }

    /// The hosts that the component asks for.
    fn requested(&self) -> Result<Vec<Origin>, Gone> {
        let Pin { name, version, .. } = &self.component;
        let record = self.driver.0.store.component(self.tenant(), name, version);
        let record = record.map_err(|error| broken(&error))?;
        Ok(record.map(|record| record.requests.http).unwrap_or_default())
    }

    /// Records the answer of a call whose row is there.
    fn answered(&self, entry: &NewEntry, answer: Answer) -> Result<Answer, Gone> {
        let row = journal::later_row(self.tenant(), self.of(), entry.sequence, &answer);
        let said = NewEntry { lines: Vec::new(), ..entry.clone() };
        self.commit(&said, vec![row])?;
        Ok(answer)
    }

    /// The secrets that a request uses, in clear.
    fn secrets_of(
        &self,
        request: &Request,
    ) -> Result<Result<HashMap<String, String>, Refusal>, Gone> {
        let mut secrets = HashMap::new();
        for (_, _, handle) in &request.secret_headers {
            let name = name_of(handle);
            if let Err(refusal) = self.secret_handle(name)? {
                return Ok(Err(refusal));
            }
            match self.driver.reveal(self.tenant(), name) {
                Ok(value) => secrets.insert(name.to_owned(), value),
                Err(error) => return Ok(refused("not-found", error.to_string())),
            };
        }
        Ok(Ok(secrets))
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

fn outbound(request: Request) -> egress::Request {
    let Request { method, url, headers, secret_headers, body, timeout_ms, .. } = request;
    let secret_headers = secret_headers.into_iter();
    egress::Request {
        method,
        url,
        headers,
        secret_headers: secret_headers
            .map(|(name, prefix, handle)| (name, prefix, name_of(&handle).to_owned()))
            .collect(),
        body,
        timeout_ms,
    }
}

impl From<egress::Response> for Response {
    fn from(response: egress::Response) -> Self {
        let egress::Response { status, headers, body } = response;
        Self { status, headers, body }
    }
}

impl From<egress::Refused> for Refusal {
    fn from(refused: egress::Refused) -> Self {
        Self { code: refused.code.to_owned(), message: refused.message }
    }
}

fn parsed(text: String, what: &str) -> Result<Payload, Refusal> {
    Payload::parse(text).map_err(|error| refusal("invalid", format!("{what} is no JSON: {error}")))
}

pub(super) fn refusal(code: &str, message: String) -> Refusal {
    Refusal { code: code.to_owned(), message }
}

pub(super) fn refused<T>(code: &str, message: String) -> Result<T, Refusal> {
    Err(refusal(code, message))
}

/// A name that the store does not take is the step's business; a store that
/// fails is not.
fn refusal_of(error: store::Error) -> Result<Refusal, Gone> {
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
