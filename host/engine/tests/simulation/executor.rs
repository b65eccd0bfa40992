//! The sandbox of the simulation: attempts that take their time and go wrong
//! in every way that a guest can. It knows no more than a real one: a run, a
//! step, an attempt, an input.

use crate::model;
use crate::plan::Choices;
use segno_engine::command::{Command, Outcome};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{Attempt, RunId, StepIndex};
use segno_engine::payload::Payload;
use segno_engine::usage::Usage;
use std::collections::BTreeMap;

/// How long an attempt may take before the sandbox itself ends it.
const WALL_LIMIT_MS: u64 = 600_000;

/// One attempt.
pub type Key = (RunId, StepIndex, Attempt);

/// The attempts under way.
#[derive(Default)]
pub struct Executor {
    running: BTreeMap<Key, Guest>,
}

struct Guest {
    outcome: Outcome,
    /// Nobody waits for it any more, and it goes on all the same.
    is_deaf: bool,
}

impl Executor {
    /// Starts an attempt of step `number` and returns after how many
    /// milliseconds it will be over; nothing if it is already under way.
    pub fn start(
        &mut self,
        key: Key,
        (number, input): (usize, &Payload),
        unreliable: bool,
        choices: &mut Choices,
    ) -> Option<u64> {
        if self.running.contains_key(&key) {
            return None;
        }
        let output = Payload::from(model::guest(number, input.value()));
        let well = Outcome::Succeeded(output);
        let outcome = if unreliable { outcome(well, choices) } else { well };
        let hangs = matches!(&outcome, Outcome::Failed { failure, .. } if failure.reason == HANGS);
        self.running.insert(key, Guest { outcome, is_deaf: false });
        let scale = [1, 50, 5_000][choices.below(3) as usize];
        Some(if hangs { WALL_LIMIT_MS } else { u64::from(choices.below(scale)) })
    }

    /// Ends an attempt: at once, or it goes on and gives a result too late.
    pub fn abort(&mut self, key: Key, choices: &mut Choices) {
        if choices.chance(50) {
            self.running.remove(&key);
        } else if let Some(guest) = self.running.get_mut(&key) {
            guest.is_deaf = true;
        }
    }

    /// The result of an attempt that is over; nothing if it was ended before.
    pub fn finish(&mut self, (run, step, attempt): Key) -> Option<Command> {
        let guest = self.running.remove(&(run, step, attempt))?;
        let usage = Usage { host_calls: 1, ..Usage::default() };
        Some(Command::FinishAttempt { step, attempt, outcome: guest.outcome, usage })
    }

    /// Whether the attempt runs and somebody waits for it.
    pub fn is_awaited(&self, key: Key) -> bool {
        self.running.get(&key).is_some_and(|guest| !guest.is_deaf)
    }

    /// The process dies, and all guests with it.
    pub fn crash(&mut self) {
        self.running.clear();
    }
}

const HANGS: &str = "limit:wall";

fn outcome(well: Outcome, choices: &mut Choices) -> Outcome {
    let failed = |kind, reason: &str, delay_ms| Outcome::Failed {
        failure: Failure::new(kind, reason, "the dice wanted it"),
        delay_ms,
    };
    match choices.below(16) {
        0 => failed(FailureKind::User, "user", None),
        1 => failed(FailureKind::User, "user", Some(u64::from(choices.below(30_000)))),
        2 | 3 => failed(FailureKind::Platform, "trap", None),
        4 => failed(FailureKind::Timeout, HANGS, None),
        5 if choices.chance(30) => failed(FailureKind::Fatal, "user", None),
        _ => well,
    }
}
