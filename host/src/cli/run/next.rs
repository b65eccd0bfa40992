//! What a user may type next: the verbs that fit how a run stands, the most
//! telling first.

use crate::cli::answer::{Run, Step};

/// The most lines that are shown.
const LINES_MAX: usize = 5;

/// A command line, and what it is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// What to type.
    pub(super) line: String,
    /// What comes of it.
    pub(super) why: String,
}

/// What fits how the run and its steps stand.
pub(super) fn next(run: &Run) -> Vec<Next> {
    let mut all = of_run(run);
    for step in &run.steps {
        all.extend(of_step(run, step));
    }
    all.truncate(LINES_MAX);
    all
}

fn of_run(run: &Run) -> Vec<Next> {
    let name = run.name();
    let can = |action: &str| run.allowed.iter().any(|allowed| allowed == action);
    let reason = run.reason.as_deref().unwrap_or_default();
    match run.status.as_str() {
        "queued" => match reason.split_once(':').unwrap_or((reason, "")) {
            ("paused", _) => {
                one(format!("workflow resume {}", run.workflow), "lets its runs begin")
            }
            ("blocked", other) => vec![
                said(format!("run retry {other}"), "has it go on"),
                said(format!("run unblock {other}"), "lets others begin without it"),
            ],
            _ => Vec::new(),
        },
        "paused" => one(format!("run resume {name}"), "lets it go on"),
        "failed" | "cancelled" | "timed_out" if can("retry") => {
            one(format!("run retry {name}"), "goes on with what is not complete")
        }
        _ => Vec::new(),
    }
}

fn of_step(run: &Run, Step { step, status, allowed, kind, .. }: &Step) -> Vec<Next> {
    let name = run.name();
    let can = |action: &str| allowed.iter().any(|allowed| allowed == action);
    match status.as_str() {
        "paused" => one(format!("run resume {name} --step {step}"), "lets it past its breakpoint"),
        "waiting" if can("bypass") && kind == "wait" => {
            one(format!("run bypass {name} {step}"), "takes its signal as come")
        }
        "failed" | "timed_out" | "cancelled" if run.is_open() && can("retry") => {
            one(format!("run retry {name} --step {step}"), "tries it again")
        }
        "failed" | "timed_out" if can("skip") => {
            one(format!("run skip {name} {step}"), "goes on without it")
        }
        _ => Vec::new(),
    }
}

fn one(line: String, why: &str) -> Vec<Next> {
    vec![said(line, why)]
}

fn said(line: String, why: &str) -> Next {
    Next { line: format!("segno {line}"), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn lines(status: &str, reason: Option<&str>, step: &Value) -> Vec<String> {
        let run = json!({
            "run": "run_01", "workflow": "report", "version": 2, "number": 3, "status": status,
            "reason": reason, "created_at": "2012-12-12T08:30:00.250Z", "duration_ms": 0,
            "allowed": ["retry"], "steps": [step],
        });
        let run: Run = serde_json::from_str(&run.to_string()).unwrap();
        next(&run).into_iter().map(|next| next.line).collect()
    }

    #[test]
    fn what_fits_is_offered() {
        let step = |status: &str, allowed: &[&str]| json!({ "step": "gate", "kind": "wait", "status": status, "attempt": 0, "allowed": allowed });
        let pending = step("pending", &["cancel"]);
        assert_eq!(lines("paused", None, &pending), ["segno run resume report#3"]);
        assert_eq!(lines("queued", Some("paused"), &pending), ["segno workflow resume report"]);
        assert_eq!(
            lines("queued", Some("blocked:run_02"), &pending),
            ["segno run retry run_02", "segno run unblock run_02"]
        );
        assert_eq!(
            lines("running", None, &step("waiting", &["bypass", "skip"])),
            ["segno run bypass report#3 gate"]
        );
        assert_eq!(
            lines("failed", Some("user"), &step("failed", &["retry", "skip"])),
            ["segno run retry report#3", "segno run skip report#3 gate"]
        );
        assert!(lines("running", None, &pending).is_empty());
    }
}
