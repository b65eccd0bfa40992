//! Schedules: fire times against croniter's, fire lists over a year with clock
//! changes, the parts of rules, and ten thousand schedules over a month.

mod croniter;
mod instants;
mod rules;
mod simulation;
mod states;

use segno_engine::id::Timestamp;
use segno_engine::schedule::{Rule, Schedule, Spec};

/// A schedule with a cron rule in a zone.
pub fn cron(rule: &str, zone: &str) -> Schedule {
    schedule(Spec { timezone: zone.to_owned(), ..Spec::of(Rule::Cron(rule.to_owned())) })
}

/// A schedule that must be right.
pub fn schedule(spec: Spec) -> Schedule {
    Schedule::new(spec).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A moment as RFC 3339 has it.
pub fn moment(text: &str) -> Timestamp {
    let moment = chrono::DateTime::parse_from_rfc3339(text).expect("a moment");
    Timestamp(moment.timestamp_millis() as u64)
}
