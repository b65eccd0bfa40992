//! Takes an attempt from the engine to the sandbox, and its result back.

use super::durable::Player;
use super::journal::{self, Journal};
use super::live::{InFlight, Live, LiveState};
use super::permits::{self, Entry};
use super::{Driver, Due, Extra, dormant, logs};
use crate::crash;
use crate::sandbox::{self, Context, Outcome as Ran, Report, Task, Watch};
use crate::store::{self, AttemptLog, Write};
use segno_engine::command::{Command, Outcome};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::grant::Grants;
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::usage::Usage;
use segno_engine::workflow::{Limits as Wanted, Pin, StepKind};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{debug, warn};

/// The next guest's.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// All that one attempt needs.
struct Work {
    live: Arc<Live>,
    step: StepIndex,
    attempt: Attempt,
    /// Tells one guest of an attempt from the next.
    serial: u64,
    /// The step's id.
    id: String,
    component: Pin,
    wanted: Wanted,
    grants: Box<Grants>,
    /// Where its journal begins.
    sequence: u64,
    /// Whether there may be a journal.
    journaled: bool,
    input: Payload,
    watch: Watch,
    /// How long it may go without a heartbeat.
    heartbeat_ms: Option<u64>,
    /// Signals for everyone that the step was given.
    taken: Arc<Mutex<journal::Taken>>,
    /// The attempt before this one, which has to be gone first.
    previous: Option<InFlight>,
    /// Dropped when the guest is gone.
    _gone: watch::Sender<()>,
}

impl Driver {
    /// Hands an attempt to the sandbox, unless it is no longer wanted.
    /// One that may have been played before, `again`, has its journal read.
    pub(super) fn run_attempt(
        &self,
        live: &Arc<Live>,
        (step, attempt): (StepIndex, Attempt),
        again: bool,
        due: &mut VecDeque<Due>,
    ) {
        if self.is_stopping() {
            return;
        }
        if let Some(work) = self.prepare(live, (step, attempt), again, due) {
            let driver = self.clone();
            spawn(async move { driver.carry_out(work).await });
        }
    }

    fn prepare(
        &self,
        live: &Arc<Live>,
        (step, attempt): (StepIndex, Attempt),
        again: bool,
        due: &mut VecDeque<Due>,
    ) -> Option<Work> {
        let mut state = live.lock();
        let in_flight = state.attempts.get(&step);
        // It may have been asked for twice.
        let has_guest = in_flight.is_some_and(|known| known.attempt == attempt && !known.leaving);
        if has_guest || !state.run.is_running(step, attempt) {
            return None;
        }
        if let Entry::Held(permit) = self.enter(live, &mut state, (step, attempt), due) {
            debug!(run = %live.id, step, permit, "an attempt is held");
            return None;
        }
        let run = &state.run;
        let definition = &run.body().steps[step as usize];
        let StepKind::Call(call) = &definition.kind else { return None };
        let heartbeat = definition.heartbeat_timeout.as_ref();
        let (gone, receiver) = watch::channel(());
        let watch = Watch::new();
        let work = Work {
            live: Arc::clone(live),
            step,
            attempt,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            id: definition.id.clone(),
            component: call.component.clone(),
            wanted: call.limits,
            grants: call.grants.clone(),
            sequence: run.steps()[step as usize].sequence,
            journaled: attempt > 1 || again || state.journaled.contains(&step),
            taken: Arc::default(),
            input: run.steps()[step as usize].input.clone()?,
            watch: watch.clone(),
            heartbeat_ms: heartbeat.and_then(|timeout| timeout.millis(run).ok()),
            previous: None,
            _gone: gone,
        };
        let in_flight =
            InFlight { attempt, serial: work.serial, watch, gone: receiver, leaving: false };
        let previous = state.attempts.insert(step, in_flight);
        Some(Work { previous, ..work })
    }

    async fn carry_out(self, mut work: Work) {
        if let Some(previous) = work.previous.take() {
            previous.wait_until_gone().await;
        }
        let unanswered = Unanswered { driver: &self, work: &work };
        let report = self.run_guest(&work).await;
        std::mem::forget(unanswered);
        crash::point("guest is gone");
        let logs = self.log_writes(&work, &report);
        let usage = usage_of(&report);
        let outcome = match report.outcome {
            Ran::Succeeded { output } => Outcome::Succeeded(output),
            Ran::Failed { failure, delay_ms } => Outcome::Failed { failure, delay_ms },
            Ran::Cancelled => {
                // The engine knows: it was the one that wanted it. An attempt
                // that a stop of the host ends is made again, and logs again.
                if !logs.is_empty() && !self.is_stopping() {
                    self.0.store.commit(logs);
                }
                return self.forget(&work);
            }
            Ran::Suspended => return self.put_guest_away(work, usage, logs).await,
            Ran::Continued { input, sequence } => {
                return self.continue_as_new(&work, (input, sequence), usage, logs);
            }
        };
        self.finish(&work, (outcome, usage), logs);
        self.forget(&work);
        self.rest(&work.live);
    }

    async fn run_guest(&self, work: &Work) -> Report {
        let tenant = &work.live.tenant;
        let digest = &work.component.digest;
        let load = async || self.component_bytes(tenant, digest);
        let component = match self.0.sandbox.component(digest, load).await {
            Ok(component) => component,
            Err(error) => {
                warn!(run = %work.live.id, step = work.id, %error, "no component");
                let message = format!(
                    "component {}@{} cannot be used: {error}",
                    work.component.name, work.component.version
                );
                return failed(Failure::new(FailureKind::Platform, "component", message));
            }
        };
        let journal = match self.journal_of(work).await {
            Ok(journal) => journal,
            Err(error) => {
                warn!(run = %work.live.id, step = work.id, %error, "no journal");
                let message = format!("the step's journal cannot be read: {error}");
                return failed(Failure::new(FailureKind::Platform, "journal", message));
            }
        };
        let task = self.task_of(work, component, journal);
        crash::point("guest starts");
        match work.heartbeat_ms {
            None => self.0.sandbox.run(task, &work.watch).await,
            Some(patience) => {
                let mut guest = pin!(self.0.sandbox.run(task, &work.watch));
                tokio::select! {
                    report = &mut guest => report,
                    failure = self.heart_stops(work, patience) => {
                        // The attempt is over when its guest is gone.
                        work.watch.cancel();
                        let outcome = Ran::Failed { failure, delay_ms: None };
                        Report { outcome, ..guest.await }
                    }
                }
            }
        }
    }

    /// Returns when an attempt has gone without a heartbeat for too long. While
    /// it waits, for a slot too, it need not give one.
    async fn heart_stops(&self, work: &Work, patience_ms: u64) -> Failure {
        let mut last = Timestamp(work.watch.begun().await);
        loop {
            self.0.clock.sleep_until(last.plus_ms(patience_ms)).await;
            let beat = work.watch.heartbeat_ms().map_or(last, Timestamp);
            let waits = !work.live.lock().run.is_running(work.step, work.attempt);
            last = match waits {
                true => self.0.clock.now(),
                false if beat > last => beat,
                false => break,
            };
        }
        let patience = humantime::format_duration(Duration::from_millis(patience_ms));
        let message = format!(
            "gave no heartbeat for {patience}, its `heartbeat_timeout`; call `progress.heartbeat` \
             more often, or give it more time"
        );
        Failure::new(FailureKind::Timeout, "timeout", message)
    }

    /// What the step did when it was played before.
    async fn journal_of(&self, work: &Work) -> Result<Journal, store::Error> {
        if !work.journaled {
            return Ok(Journal::default());
        }
        // The store shows all that was ordered once that is durable.
        let ticket = work.live.lock().ticket.clone();
        ticket.durable().await?;
        let of = (work.live.id, work.step);
        let from = (work.attempt, work.sequence);
        let mut journal = Journal::load(&self.0.store, &work.live.tenant, of, from)?;
        let stale = std::mem::take(&mut journal.stale);
        if !stale.is_empty() {
            let mut state = work.live.lock();
            if state.run.is_running(work.step, work.attempt) {
                state.ticket = self.0.store.commit(stale);
            }
        }
        Ok(journal)
    }

    fn task_of(&self, work: &Work, component: sandbox::Component, journal: Journal) -> Task {
        *work.taken.lock().unwrap_or_else(PoisonError::into_inner) = journal.taken();
        let clock = self.0.clock.clone();
        let player = Player {
            driver: self.clone(),
            live: Arc::clone(&work.live),
            step: work.step,
            attempt: work.attempt,
            id: work.id.clone(),
            grants: work.grants.clone(),
            component: work.component.clone(),
            taken: Arc::clone(&work.taken),
            pending: journal.pending,
        };
        Task {
            component,
            context: Context {
                run: work.live.id.to_string(),
                step: work.id.clone(),
                attempt: journal.began.unwrap_or(work.attempt),
            },
            input: work.input.clone(),
            limits: self.0.limits.of_step(&work.wanted),
            seed: seed(work.live.id, work.step, work.sequence),
            clock: Arc::new(move || clock.now().0),
            journal: journal.entries,
            first_sequence: work.sequence,
            durable: Some(Arc::new(player)),
        }
    }

    /// The guest of an attempt that waits is gone; if its run only waits, it
    /// need not be in memory.
    async fn put_guest_away(&self, work: Work, usage: Usage, logs: Vec<Write>) {
        let live = Arc::clone(&work.live);
        let mut due = VecDeque::new();
        {
            let mut state = live.lock();
            forget(&mut state, &work);
            let (step, attempt) = (work.step, work.attempt);
            let command = Command::PutAway { step, attempt, usage };
            let asleep = dormant::asleep(&live, &state);
            let is_dormant = asleep.is_some();
            let writes = logs.into_iter().chain(asleep).collect();
            let extra = Extra { writes, answer: None };
            let turn = self.turn_locked(&live, &mut state, (&command, extra), &mut due);
            match turn {
                Ok(()) if is_dormant => state.mark_dormant(),
                Ok(()) => {}
                Err((refusal, _)) => debug!(run = %live.id, %refusal, "nobody waits any more"),
            }
            permits::note_free(&live, &state, &mut due);
        }
        self.perform(due);
        crash::point("put away");
        drop(work);
        self.let_sleep(live).await;
    }

    fn continue_as_new(
        &self,
        work: &Work,
        (input, sequence): (Payload, u64),
        usage: Usage,
        logs: Vec<Write>,
    ) {
        let (step, attempt) = (work.step, work.attempt);
        let of = (work.live.id, step);
        let gone = journal::gone(&work.live.tenant, of, (work.sequence, sequence)).collect();
        let signals_taken = self.signals_taken(work);
        let command = Command::Continue { step, attempt, input, sequence, signals_taken, usage };
        self.forget(work);
        let mut due = VecDeque::new();
        let extra = Extra { writes: [logs.clone(), gone].concat(), answer: None };
        let turn = self.turn_locked(&work.live, &mut work.live.lock(), (&command, extra), &mut due);
        if let Err((refusal, _)) = turn {
            debug!(run = %work.live.id, step = work.id, %refusal, "nobody wants it any more");
            // The next attempt needs the journal.
            self.0.store.commit(logs);
        }
        self.perform(due);
    }

    /// The last signal of each name that a step was given, now or before it
    /// continued as new.
    fn signals_taken(&self, work: &Work) -> Vec<(String, u64)> {
        let state = work.live.lock();
        let before = state.run.steps()[work.step as usize].signals_taken.clone();
        let mut last: BTreeMap<String, u64> = before.into_iter().collect();
        let taken = work.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, sequences) in &*taken {
            let highest = sequences.iter().max().copied().unwrap_or_default();
            let known = last.entry(name.clone()).or_default();
            *known = highest.max(*known);
        }
        last.into_iter().collect()
    }

    fn component_bytes(&self, tenant: &TenantId, digest: &str) -> Result<Vec<u8>, store::Error> {
        let bytes = self.0.store.component_bytes(tenant, &digest.parse()?)?;
        bytes.ok_or_else(|| store::Error::corrupt(format!("the bytes of {digest} are gone")))
    }

    fn finish(&self, work: &Work, (outcome, usage): (Outcome, Usage), logs: Vec<Write>) {
        let (step, attempt) = (work.step, work.attempt);
        let command = Command::FinishAttempt { step, attempt, outcome, usage };
        if let Err(refusal) = self.submit(&work.live, &command, logs) {
            debug!(run = %work.live.id, step = work.id, %refusal, "a result came too late");
        }
    }

    fn forget(&self, work: &Work) {
        let mut due = VecDeque::new();
        {
            let mut state = work.live.lock();
            forget(&mut state, work);
            permits::note_free(&work.live, &state, &mut due);
        }
        self.perform(due);
    }

    fn log_writes(&self, work: &Work, report: &Report) -> Vec<Write> {
        if report.log.is_empty() && report.log_dropped == 0 {
            return Vec::new();
        }
        let (root, iteration) = logs::root_of(work.live.id, work.live.lock().run.origin());
        let log = AttemptLog {
            run: work.live.id,
            iteration,
            step: work.id.clone(),
            attempt: work.attempt,
            dropped: report.log_dropped,
            lines: report.log.iter().map(logs::stored).collect(),
        };
        vec![logs::write(&work.live.tenant, root, self.0.clock.now(), &log)]
    }
}

/// Answers for an attempt whose task panics, so that its run goes on.
struct Unanswered<'a> {
    driver: &'a Driver,
    work: &'a Work,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let message = "the host failed while it ran the step; its log says more";
        let failure = Failure::new(FailureKind::Platform, "host", message);
        let outcome = Outcome::Failed { failure, delay_ms: None };
        self.driver.forget(self.work);
        self.driver.finish(self.work, (outcome, Usage::default()), Vec::new());
    }
}

/// The guest is gone.
fn forget(state: &mut LiveState, work: &Work) {
    if state.attempts.get(&work.step).is_some_and(|known| known.serial == work.serial) {
        state.attempts.remove(&work.step);
        state.parked.remove(&work.step);
    }
}

/// The report of an attempt that never began.
fn failed(failure: Failure) -> Report {
    Report {
        outcome: Ran::Failed { failure, delay_ms: None },
        log: Vec::new(),
        log_dropped: 0,
        usage: sandbox::Usage::default(),
    }
}

fn usage_of(report: &Report) -> Usage {
    Usage {
        cpu_us: report.usage.cpu_us,
        wall_us: report.usage.wall_us,
        memory_bytes: report.usage.memory_bytes_peak,
        host_calls: report.usage.host_calls,
    }
}

/// The randomness of a step: the same for all attempts of it in this run, until
/// it continues as new.
fn seed(run: RunId, step: StepIndex, sequence: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(run.to_bytes());
    hash.update(step.to_be_bytes());
    if sequence > 0 {
        hash.update(sequence.to_be_bytes());
    }
    hash.finalize().into()
}

#[expect(clippy::disallowed_methods, reason = "attempts are tasks of their own")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
