//! Takes an attempt from the engine to the sandbox, and its result back.

use super::live::{InFlight, Live};
use super::{Driver, logs};
use crate::sandbox::{self, Context, Outcome as Ran, Report, Task, Watch};
use crate::store::{self, AttemptLog, Write};
use segno_engine::command::{Command, Outcome};
use segno_engine::event::Origin;
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{Attempt, RunId, StepIndex, TenantId};
use segno_engine::payload::Payload;
use segno_engine::usage::Usage;
use segno_engine::workflow::{Limits as Wanted, Pin, StepKind};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{debug, warn};

/// All that one attempt needs.
struct Work {
    live: Arc<Live>,
    step: StepIndex,
    attempt: Attempt,
    /// The step's id.
    id: String,
    component: Pin,
    wanted: Wanted,
    input: Payload,
    watch: Watch,
    /// The attempt before this one, which has to be gone first.
    previous: Option<InFlight>,
    /// Dropped when the guest is gone.
    _gone: watch::Sender<()>,
}

impl Driver {
    /// Hands an attempt to the sandbox, unless it is no longer wanted.
    pub(super) fn run_attempt(&self, live: &Arc<Live>, step: StepIndex, attempt: Attempt) {
        if self.is_stopping() {
            return;
        }
        if let Some(work) = prepare(live, step, attempt) {
            let driver = self.clone();
            spawn(async move { driver.carry_out(work).await });
        }
    }

    async fn carry_out(self, mut work: Work) {
        if let Some(previous) = work.previous.take() {
            previous.wait_until_gone().await;
        }
        let unanswered = Unanswered { driver: &self, work: &work };
        let report = self.run_guest(&work).await;
        std::mem::forget(unanswered);
        let logs = self.log_writes(&work, &report);
        let usage = usage_of(&report);
        let outcome = match report.outcome {
            Ran::Succeeded { output } => Outcome::Succeeded(output),
            Ran::Failed { failure, delay_ms } => Outcome::Failed { failure, delay_ms },
            Ran::Cancelled => {
                // The engine knows: it was the one that wanted it.
                if !logs.is_empty() {
                    self.0.store.commit(logs);
                }
                return self.forget(&work);
            }
        };
        self.forget(&work);
        self.finish(&work, (outcome, usage), logs);
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
        let clock = self.0.clock.clone();
        let task = Task {
            component,
            context: Context {
                run: work.live.id.to_string(),
                step: work.id.clone(),
                attempt: work.attempt,
            },
            input: work.input.clone(),
            limits: self.0.limits.of_step(&work.wanted),
            seed: seed(work.live.id, work.step),
            clock: Arc::new(move || clock.now().0),
        };
        self.0.sandbox.run(task, &work.watch).await
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
        let mut state = work.live.lock();
        if state.attempts.get(&work.step).is_some_and(|known| known.attempt == work.attempt) {
            state.attempts.remove(&work.step);
        }
    }

    fn log_writes(&self, work: &Work, report: &Report) -> Vec<Write> {
        if report.log.is_empty() && report.log_dropped == 0 {
            return Vec::new();
        }
        let (root, iteration) = match work.live.lock().run.origin() {
            Origin::Start { .. } => (work.live.id, None),
            Origin::Iteration { root, index, .. } => (*root, Some(*index)),
        };
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

fn prepare(live: &Arc<Live>, step: StepIndex, attempt: Attempt) -> Option<Work> {
    let mut state = live.lock();
    let run = &state.run;
    let wanted = run.is_running(step, attempt);
    let definition = &run.body().steps[step as usize];
    let (StepKind::Call(call), true) = (&definition.kind, wanted) else {
        return None;
    };
    let (gone, receiver) = watch::channel(());
    let watch = Watch::new();
    let work = Work {
        live: Arc::clone(live),
        step,
        attempt,
        id: definition.id.clone(),
        component: call.component.clone(),
        wanted: call.limits,
        input: run.steps()[step as usize].input.clone()?,
        watch: watch.clone(),
        previous: None,
        _gone: gone,
    };
    let previous = state.attempts.insert(step, InFlight { attempt, watch, gone: receiver });
    Some(Work { previous, ..work })
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

/// The randomness of a step: the same for all attempts of it in this run.
fn seed(run: RunId, step: StepIndex) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(run.to_bytes());
    hash.update(step.to_be_bytes());
    hash.finalize().into()
}

#[expect(clippy::disallowed_methods, reason = "attempts are tasks of their own")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
