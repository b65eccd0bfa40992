//! How a step fails. A guest's fault is part of history: data, never an `Err`.

use crate::payload::Payload;
use serde::{Deserialize, Serialize};

/// Why an attempt, or a whole step, did not give a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Which budget of retries it draws on.
    pub kind: FailureKind,
    /// The cause for a program: `user`, `trap`, `limit:memory`, `timeout`, …
    pub reason: String,
    /// The cause for a person, with the remedy where there is one.
    pub message: String,
    /// What the step said beyond its message.
    pub details: Option<Payload>,
}

/// Who is to blame, which decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The step said so, or its expressions could not be evaluated.
    User,
    /// A trap, a limit, or the host.
    Platform,
    /// It took too long.
    Timeout,
    /// The step said that trying again is useless.
    Fatal,
}

impl Failure {
    /// A failure without details.
    pub fn new(kind: FailureKind, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), message: message.into(), details: None }
    }
}
