//! The sandbox of the simulation: guests in memory, each at a call of its
//! program, and the ways in which they go wrong. It knows no more than a real
//! one: a run, a step, an attempt, an input, a journal.

use crate::plan::Choices;
use crate::play::{Ask, Play};
use segno_engine::command::{Command, Outcome};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{Attempt, RunId, StepIndex};
use segno_engine::usage::Usage;
use std::collections::BTreeMap;

/// How long an attempt may take before the sandbox itself ends it.
pub const WALL_LIMIT_MS: u64 = 600_000;

/// One attempt.
pub type Key = (RunId, StepIndex, Attempt);

/// The guests in memory.
#[derive(Default)]
pub struct Executor {
    /// By attempt.
    pub guests: BTreeMap<Key, Guest>,
}

/// One guest.
pub struct Guest {
    /// Where it is in its program.
    pub play: Play,
    /// What it is doing.
    pub phase: Phase,
    /// Nobody waits for it any more, and it goes on all the same.
    pub is_deaf: bool,
    /// How long it takes between its calls, at most.
    pub pace_ms: u32,
}

/// What a guest is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    /// It computes, and will make its next call.
    Busy,
    /// It computes for ever.
    Hangs,
    /// It waits in memory.
    Parked,
    /// It may ask the server as soon as so many commits are durable.
    Holds(usize, Ask),
    /// It has asked the server.
    Asks,
}

impl Executor {
    /// Ends an attempt: at once, or it goes on and gives a result too late.
    pub fn abort(&mut self, key: Key, choices: &mut Choices) {
        if choices.chance(50) {
            self.guests.remove(&key);
        } else if let Some(guest) = self.guests.get_mut(&key) {
            guest.is_deaf = true;
        }
    }

    /// The guests that may ask the server now that so much is durable.
    pub fn released(&mut self, durable: usize) -> Vec<(Key, u64, Ask)> {
        let mut released = Vec::new();
        for (key, guest) in &mut self.guests {
            if let Phase::Holds(position, ask) = guest.phase
                && position <= durable
            {
                guest.phase = Phase::Asks;
                released.push((*key, guest.play.sequence, ask));
            }
        }
        released
    }

    /// The process dies, and all guests with it.
    pub fn crash(&mut self) {
        self.guests.clear();
    }
}

/// What an attempt used that did something.
pub fn usage() -> Usage {
    Usage { host_calls: 1, ..Usage::default() }
}

/// The end of an attempt.
pub fn finish((_, step, attempt): Key, outcome: Outcome) -> Command {
    Command::FinishAttempt { step, attempt, outcome, usage: usage() }
}

/// The sandbox ends an attempt that hangs.
pub fn hung() -> Outcome {
    failed(FailureKind::Timeout, "limit:wall", None)
}

/// What comes of an attempt that could end well.
pub fn outcome(well: Outcome, choices: &mut Choices) -> Outcome {
    match choices.below(16) {
        0..=2 => misfortune(choices),
        _ => well,
    }
}

/// An attempt ends badly.
pub fn misfortune(choices: &mut Choices) -> Outcome {
    match choices.below(12) {
        0..=3 => failed(FailureKind::User, "user", None),
        4 | 5 => failed(FailureKind::User, "user", Some(u64::from(choices.below(30_000)))),
        6 if choices.chance(40) => failed(FailureKind::Fatal, "user", None),
        _ => failed(FailureKind::Platform, "trap", None),
    }
}

fn failed(kind: FailureKind, reason: &str, delay_ms: Option<u64>) -> Outcome {
    Outcome::Failed { failure: Failure::new(kind, reason, "the dice wanted it"), delay_ms }
}
