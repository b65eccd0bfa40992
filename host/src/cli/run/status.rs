//! Why something is as it is: the machine's reason as a sentence.

use crate::cli::answer::{Failure, Step};
use crate::cli::measure::{day_and_time, time_of_day};

/// What a reason of the server means.
pub(super) fn explain(reason: &str) -> String {
    match reason.split_once(':').unwrap_or((reason, "")) {
        ("needs", "") => "nothing that it needs lets it run".to_owned(),
        ("needs", steps) => format!("waits for {}", steps.replace(',', ", ")),
        ("slots", _) => "waits for a free slot".to_owned(),
        ("when", _) => "its `when` does not hold".to_owned(),
        ("signal", name) => format!("waits for signal {name}"),
        ("run", run) => format!("waits for {run}"),
        ("held", run) => format!("paused with {run}"),
        ("timer", moment) => format!("sleeps until {}", day_and_time(moment)),
        ("backoff", moment) => format!("is tried again at {}", time_of_day(moment)),
        ("permit", name) => permit(name),
        ("breakpoint", _) => "stopped at a breakpoint".to_owned(),
        ("by", who) => format!("skipped by {who}"),
        ("paused", _) => "its workflow is paused".to_owned(),
        ("blocked", run) => {
            format!("waits for {run}, which has failed, to be retried or unblocked")
        }
        ("run_strategy", run) => format!("waits for the end of {run}"),
        ("replaced_by", run) => format!("made room for {run}"),
        ("concurrency", runs) => format!("waits for its turn: {runs} runs at once are allowed"),
        ("cancelling", _) => "is being cancelled".to_owned(),
        ("killing", _) => "is being killed".to_owned(),
        ("timing_out", _) => "is being stopped: it took too long".to_owned(),
        ("failing", _) => "is being stopped: a step failed".to_owned(),
        ("limit", which) => format!("limit of {which} exceeded"),
        _ => reason.to_owned(),
    }
}

/// What a permit that is short means.
fn permit(name: &str) -> String {
    match name.split_once(':') {
        Some(("tag", tag)) => format!("waits for a permit of tag {tag}"),
        Some(("workflow", workflow)) => {
            format!("waits for other steps of {workflow}: its step_concurrency is reached")
        }
        Some(("root", run)) => {
            format!("waits for other steps of {run}: its run_step_concurrency is reached")
        }
        _ => format!("waits for a permit of {name}"),
    }
}

/// Who has the permit, and who else waits.
fn line_of(step: &Step) -> String {
    let Some(permit) = &step.permit else { return String::new() };
    let of = permit.limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    format!(" ({}{of} in use, {} waiting)", permit.held, permit.waiting)
}

/// Why a step is as it is, and what went wrong last.
pub(super) fn why(step: &Step) -> String {
    let waits = match (&step.reason, &step.child) {
        (Some(reason), Some(child)) if reason.starts_with("run:") => {
            format!("waits for {}", child.name())
        }
        (None, Some(child)) => format!("started {}", child.name()),
        _ => waits(step),
    };
    match &step.failure {
        None => waits,
        Some(failure) if waits.is_empty() => cause(failure),
        Some(failure) => format!("{waits}; {}", cause(failure)),
    }
}

fn waits(step: &Step) -> String {
    match &step.reason {
        Some(reason) if step.failure.as_ref().is_none_or(|failure| failure.reason != *reason) => {
            with_end(explain(reason), step) + &line_of(step)
        }
        _ => String::new(),
    }
}

/// A wait for something that may not come says how long it lasts at most.
fn with_end(why: String, step: &Step) -> String {
    let is_moment = |reason: &str| reason.starts_with("timer:") || reason.starts_with("backoff:");
    let is_timer = step.reason.as_deref().is_some_and(is_moment);
    match &step.until {
        Some(until) if matches!(step.status.as_str(), "suspended" | "waiting") && !is_timer => {
            format!("{why}, until {} at most", day_and_time(until))
        }
        _ => why,
    }
}

/// What a failure says, in one line.
pub(super) fn cause(failure: &Failure) -> String {
    words(&failure.reason, &failure.message)
}

/// A reason and a message, in one line and without saying anything twice.
pub(super) fn words(reason: &str, message: &str) -> String {
    match message.trim() {
        "" => explain(reason),
        message if message.starts_with(reason) => message.to_owned(),
        message => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(reason: Option<&str>, failure: Option<(&str, &str)>) -> Step {
        let failure =
            failure.map(|(reason, message)| json!({ "reason": reason, "message": message }));
        let step = json!({
            "step": "load", "status": "waiting", "attempt": 1, "reason": reason, "failure": failure,
        });
        serde_json::from_str(&step.to_string()).unwrap()
    }

    #[test]
    fn every_wait_is_explained() {
        for (reason, words) in [
            ("needs:load,per-year", "waits for load, per-year"),
            ("needs", "nothing that it needs lets it run"),
            ("slots", "waits for a free slot"),
            ("backoff:2012-12-12T08:30:00.250Z", "is tried again at 08:30:00.250"),
            ("signal:landed", "waits for signal landed"),
            ("timer:2012-12-12T08:30:00.250Z", "sleeps until 2012-12-12 08:30:00"),
            ("run:run_01", "waits for run_01"),
            ("held:run_01", "paused with run_01"),
            ("permit:tag:warehouse", "waits for a permit of tag warehouse"),
            ("blocked:run_01", "waits for run_01, which has failed, to be retried or unblocked"),
        ] {
            assert_eq!(why(&step(Some(reason), None)), words);
        }
        assert_eq!(why(&step(None, None)), "");
    }

    #[test]
    fn a_failure_is_said_once() {
        let failed = step(Some("limit:memory"), Some(("limit:memory", "64 MiB are allowed")));
        assert_eq!(why(&failed), "limit:memory: 64 MiB are allowed");
        let again =
            step(Some("backoff:2012-12-12T08:30:00.250Z"), Some(("trap", "trap: unreachable")));
        assert_eq!(why(&again), "is tried again at 08:30:00.250; trap: unreachable");
    }
}
