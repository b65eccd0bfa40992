//! Plays a case: does what its script says, step by step, and plays the guest
//! from its start whenever what it waited for has happened.

use super::script::{Action, Case, Step};
use super::world::{Made, Manner, RUN, STEP, Shared, World};
use super::{Failure, Rehearsal};
use crate::egress::Egress;
use crate::sandbox::{Context, Limits, LogLine, Outcome, Report, Task, Watch};
use segno_engine::failure::Failure as StepFailure;
use segno_engine::grant::Grants;
use segno_engine::payload::Payload;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often a step may continue as new in a case.
const CONTINUATIONS_MAX: usize = 1_000;

/// How the step ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Returned(Payload),
    Failed(StepFailure),
}

/// What a play leaves behind.
pub(super) struct Trace {
    pub(super) calls: Vec<Made>,
    pub(super) lines: Vec<LogLine>,
    pub(super) end: Option<End>,
    /// Why the case failed.
    pub(super) failure: Option<Failure>,
}

/// A case that is being played.
pub(super) struct Play<'r> {
    rehearsal: &'r Rehearsal,
    pub(super) world: Shared,
    pub(super) end: Option<End>,
    /// Whether the script has looked at how the step ended.
    pub(super) is_judged: bool,
    continuations: usize,
}

impl<'r> Play<'r> {
    pub(super) fn new(
        rehearsal: &'r Rehearsal,
        case: &Case,
        rules: (Grants, Egress),
        manner: Manner,
    ) -> Self {
        let world = World::new(case, rules, &rehearsal.manifest.http, manner);
        Self { rehearsal, world: Shared::new(world), end: None, is_judged: false, continuations: 0 }
    }

    /// Plays all steps of the case, up to the first that fails.
    pub(super) async fn perform(mut self, case: &Case) -> Trace {
        let failure = self.perform_all(case).await.err();
        let mut world = self.world.lock();
        let (calls, lines) = (std::mem::take(&mut world.calls), std::mem::take(&mut world.lines));
        drop(world);
        Trace { calls, lines, end: self.end, failure }
    }

    async fn perform_all(&mut self, case: &Case) -> Result<(), Failure> {
        for step in &case.steps {
            self.world.lock().line = step.line;
            self.perform_step(step).await?;
        }
        self.run_on().await?;
        match &self.end {
            Some(end @ End::Failed(_)) if !self.is_judged => Err(Failure {
                line: self.world.lock().line,
                what: "the end of the case".to_owned(),
                expected: "no failure that the script does not look at; add `- fails: { … }` if \
                           it is meant"
                    .to_owned(),
                actual: end.to_string(),
            }),
            _ => Ok(()),
        }
    }

    async fn perform_step(&mut self, step: &Step) -> Result<(), Failure> {
        match &step.action {
            Action::Publish { name, id, params, payload } => {
                let mut world = self.world.lock();
                let number = world.board.len() + 1;
                let id = id.clone().unwrap_or_else(|| format!("test/{number}"));
                let signal = world.signal(name, id, payload.clone());
                world.publish(signal, params.clone());
                world.settle();
            }
            Action::Signal { name, payload } => self.signal(name, payload),
            Action::Post { url, payload } => {
                self.run_on().await?;
                let name = self.world.lock().board.use_url(url).map_err(|actual| Failure {
                    line: step.line,
                    what: "post".to_owned(),
                    expected: format!("{url} is a URL that the step made and nobody used"),
                    actual,
                })?;
                self.signal(&name, payload);
            }
            Action::Advance { by_ms } => self.advance(*by_ms).await?,
            Action::TryAgain => self.try_again(step.line).await?,
            Action::Expect(expectation) => {
                self.run_on().await?;
                self.check(step.line, expectation)?;
            }
        }
        Ok(())
    }

    fn signal(&self, name: &str, payload: &str) {
        let mut world = self.world.lock();
        let signal = world.signal(name, "test".to_owned(), payload.to_owned());
        world.publish_to_run(signal);
        world.settle();
    }

    /// Moves the time, and plays the step at each moment on the way at which
    /// something ends.
    async fn advance(&mut self, by_ms: u64) -> Result<(), Failure> {
        let until_ms = self.world.lock().now_ms().saturating_add(by_ms);
        loop {
            self.run_on().await?;
            let mut world = self.world.lock();
            match world.deadline_ms().filter(|deadline_ms| *deadline_ms <= until_ms) {
                Some(deadline_ms) => world.move_to(deadline_ms),
                None => {
                    world.move_to(until_ms);
                    return Ok(());
                }
            }
        }
    }

    async fn try_again(&mut self, line: u32) -> Result<(), Failure> {
        self.run_on().await?;
        if let Some(End::Failed(_)) = &self.end {
            self.world.lock().try_again();
            self.end = None;
            self.is_judged = false;
            return Ok(());
        }
        Err(Failure {
            line,
            what: "try_again".to_owned(),
            expected: "the step failed".to_owned(),
            actual: self.now(),
        })
    }

    /// Plays the guest until it waits for something that has not happened, or
    /// ends.
    async fn run_on(&mut self) -> Result<(), Failure> {
        while self.end.is_none() && self.world.lock().open.is_none() {
            let task = self.task();
            let Report { outcome, mut log, .. } =
                self.rehearsal.sandbox.run(task, &Watch::new()).await;
            let mut world = self.world.lock();
            world.lines.append(&mut log);
            if let Some(fault) = world.fault.take() {
                return Err(fault);
            }
            let line = world.line;
            match outcome {
                Outcome::Succeeded { output } => self.end = Some(End::Returned(output)),
                Outcome::Failed { failure, .. } => self.end = Some(End::Failed(failure)),
                Outcome::Suspended => {}
                Outcome::Continued { input, sequence } => {
                    world.go_on_with(input, sequence);
                    drop(world);
                    self.count_continuation(line)?;
                }
                Outcome::Cancelled => {
                    let actual = "the sandbox ended it".to_owned();
                    let (what, expected) = ("the step".to_owned(), "it goes on".to_owned());
                    return Err(Failure { line, what, expected, actual });
                }
            }
        }
        Ok(())
    }

    fn count_continuation(&mut self, line: u32) -> Result<(), Failure> {
        self.continuations += 1;
        if self.continuations <= CONTINUATIONS_MAX {
            return Ok(());
        }
        Err(Failure {
            line,
            what: "continue-as-new".to_owned(),
            expected: "it ends, or waits for something that the script brings".to_owned(),
            actual: format!("the step continued as new more than {CONTINUATIONS_MAX} times"),
        })
    }

    fn task(&self) -> Task {
        let world = self.world.lock();
        let clock = world.clock();
        Task {
            component: self.rehearsal.component.clone(),
            context: Context { run: RUN.to_owned(), step: STEP.to_owned(), attempt: world.attempt },
            input: world.input.clone(),
            limits: Limits::default(),
            seed: seed(world.first_sequence),
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            journal: world.journal.clone(),
            first_sequence: world.first_sequence,
            durable: Some(Arc::new(self.world.clone())),
        }
    }
}

/// The randomness of the step: the same in every rehearsal, and as on a host
/// another once it continued as new.
fn seed(first_sequence: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"rehearsal");
    hash.update(first_sequence.to_be_bytes());
    hash.finalize().into()
}
