//! What the server answers about schedules, as far as the tables show it.

use crate::cli::measure::day_and_time;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A schedule.
#[derive(Debug, Deserialize)]
pub(super) struct Schedule {
    pub(super) schedule: String,
    pub(super) workflow: String,
    pub(super) version: Value,
    pub(super) rule: String,
    pub(super) timezone: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) note: Option<String>,
    pub(super) last_pause: Option<Pause>,
    pub(super) trigger: Option<String>,
    pub(super) spec: Map<String, Value>,
    #[serde(default)]
    pub(super) next: Vec<Instant>,
    #[serde(default)]
    pub(super) open: Vec<String>,
    #[serde(default)]
    pub(super) waiting: u64,
    #[serde(default)]
    pub(super) last: Vec<Tick>,
    pub(super) created_at: String,
    pub(super) created_by: String,
    pub(super) changed_at: String,
    pub(super) changed_by: String,
}

impl Schedule {
    /// What it starts, by which rule, and when next.
    pub(super) fn in_short(&self) -> String {
        let Self { schedule, workflow, rule, next, .. } = self;
        let next = next.first().map(|next| format!(", next {} UTC", day_and_time(&next.at)));
        format!("{schedule}: {workflow} {rule}{}", next.unwrap_or_default())
    }
}

/// A pause that is over.
#[derive(Debug, Deserialize)]
pub(super) struct Pause {
    pub(super) since: String,
    pub(super) by: String,
    pub(super) note: Option<String>,
    pub(super) resumed_at: String,
    pub(super) resumed_by: String,
    pub(super) resume_note: Option<String>,
}

/// A moment at which a schedule fires.
#[derive(Debug, Deserialize)]
pub(super) struct Instant {
    pub(super) at: String,
    pub(super) local: String,
    pub(super) starts_at: String,
    pub(super) remark: Option<String>,
}

/// The next instants of a schedule.
#[derive(Debug, Deserialize)]
pub(super) struct Preview {
    pub(super) rule: String,
    pub(super) timezone: String,
    pub(super) instants: Vec<Instant>,
}

/// What became of an instant, or of several in a row.
#[derive(Debug, Deserialize)]
pub(super) struct Tick {
    pub(super) at: String,
    pub(super) last: Option<String>,
    pub(super) count: u64,
    pub(super) outcome: String,
    pub(super) run: Option<String>,
    pub(super) run_name: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) decided_at: String,
    pub(super) backfill: Option<u64>,
    pub(super) by: Option<String>,
}

/// A backfill.
#[derive(Debug, Deserialize)]
pub(super) struct Backfill {
    pub(super) backfill: u64,
    pub(super) schedule: String,
    pub(super) from: String,
    pub(super) until: String,
    pub(super) concurrency: u32,
    pub(super) status: String,
    pub(super) instants: u64,
    pub(super) started: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) open: Vec<String>,
    pub(super) left: u64,
    pub(super) note: Option<String>,
    pub(super) created_at: String,
    pub(super) created_by: String,
}

/// A run that was started out of turn.
#[derive(Debug, Deserialize)]
pub(super) struct Triggered {
    pub(super) schedule: String,
    pub(super) run: String,
    pub(super) run_name: Option<String>,
}
