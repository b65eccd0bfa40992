//! What the server answers about triggers and lineage.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A trigger that signals set off.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Trigger {
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) id: String,
    pub(in crate::cli) version: u64,
    pub(in crate::cli) subscribed: bool,
    pub(in crate::cli) since: String,
    pub(in crate::cli) signals: Vec<TriggerPart>,
    pub(in crate::cli) pending: u64,
    pub(in crate::cli) dropped: u64,
    pub(in crate::cli) firings: u64,
}

/// One of the signals that set a trigger off.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct TriggerPart {
    pub(in crate::cli) name: String,
    #[serde(rename = "match")]
    pub(in crate::cli) pattern: Box<RawValue>,
    pub(in crate::cli) join: Vec<String>,
    pub(in crate::cli) place: u64,
}

/// What became of signals that a trigger used.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Firing {
    pub(in crate::cli) number: u64,
    pub(in crate::cli) at: String,
    pub(in crate::cli) signals: Vec<SignalNumber>,
    pub(in crate::cli) outcome: String,
    pub(in crate::cli) run: Option<String>,
    pub(in crate::cli) run_name: Option<String>,
    pub(in crate::cli) repeated: Option<bool>,
    pub(in crate::cli) kept: Option<bool>,
    pub(in crate::cli) message: Option<String>,
}

/// A signal, by its name and number.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct SignalNumber {
    pub(in crate::cli) name: String,
    pub(in crate::cli) sequence: u64,
}

/// What led to a run.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Lineage {
    pub(in crate::cli) items: Vec<LineageLink>,
    pub(in crate::cli) complete: bool,
}

/// A run, and what led to it.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct LineageLink {
    pub(in crate::cli) run: String,
    pub(in crate::cli) workflow: String,
    pub(in crate::cli) number: Option<u64>,
    pub(in crate::cli) created_at: String,
    pub(in crate::cli) cause: LineageCause,
}

/// What led to a run.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct LineageCause {
    pub(in crate::cli) kind: String,
    pub(in crate::cli) by: Option<String>,
    pub(in crate::cli) run: Option<String>,
    pub(in crate::cli) step: Option<String>,
    pub(in crate::cli) schedule: Option<String>,
    pub(in crate::cli) at: Option<String>,
    pub(in crate::cli) trigger: Option<String>,
    #[serde(default)]
    pub(in crate::cli) signals: Vec<LineageSignal>,
}

/// A signal that led to a run, and who published it.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct LineageSignal {
    pub(in crate::cli) name: String,
    pub(in crate::cli) sequence: u64,
    pub(in crate::cli) published_at: Option<String>,
    pub(in crate::cli) by: Option<String>,
    pub(in crate::cli) run: Option<String>,
    pub(in crate::cli) step: Option<String>,
}

/// Who published a signal, and who used it.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct SignalLineage {
    pub(in crate::cli) name: String,
    pub(in crate::cli) sequence: u64,
    pub(in crate::cli) published_at: String,
    pub(in crate::cli) by: String,
    pub(in crate::cli) items: Vec<SignalUse>,
    pub(in crate::cli) next: Option<String>,
}

/// One use of a signal.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct SignalUse {
    pub(in crate::cli) run: String,
    pub(in crate::cli) workflow: Option<String>,
    pub(in crate::cli) number: Option<u64>,
    pub(in crate::cli) step: Option<String>,
    pub(in crate::cli) trigger: Option<String>,
    pub(in crate::cli) at: String,
}
