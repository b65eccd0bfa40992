//! `segno run get`: where a run stands, step by step, and what it gave.

use super::Which;
use super::next::next;
use super::rollup::Rollup;
use super::status::{cause, explain, why};
use crate::cli::answer::{self, Cause, Run, RunParam, Step};
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::json;
use crate::cli::measure::{day_and_time, duration, percent, size};
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::{Target, Terminal, printable};
use anyhow::Result;
use serde_json::value::RawValue;
use std::process::ExitCode;

/// An output with more lines or bytes than this is not shown between other things.
const OUTPUT_LINES_MAX: usize = 40;
const OUTPUT_BYTES_MAX: usize = 4_000;

/// As much of a param's value is shown.
const PARAM_CHARS_MAX: usize = 60;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<ExitCode> {
    let answer = client.get(&Route::to(["runs", &which.run]))?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let run: Run = answer::read(&answer)?;
    let mut facts = facts(&run);
    // What an iteration waits for shows in no line of a step.
    let loops = run.steps.iter().any(|step| step.status == "running" && step.iterations.is_some());
    if loops {
        let below = client.get(&Route::to(["runs", &which.run, "rollup"]))?;
        facts.fact(
            "steps",
            format!("{} with all iterations", answer::read::<Rollup>(&below)?.line()),
        );
    }
    terminal.table(&facts)?;
    terminal.print("")?;
    terminal.table(&steps(&run.steps))?;
    let offers = offers(&run);
    if !offers.is_empty() {
        terminal.print("")?;
        terminal.table(&offers)?;
    }
    if run.failure.is_some() || run.output.is_some() {
        terminal.print("")?;
        show_result(&run, terminal)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a run gave, or why it gave nothing.
pub(super) fn show_result(run: &Run, terminal: &Terminal) -> Result<()> {
    if let Some(failure) = &run.failure {
        let looks = terminal.looks(Target::Out);
        let head = Ink::Bad.paint(&run.status, looks.colours);
        terminal.print(&format!("{head}  {}", printable(&cause(failure))))?;
        if let Some(details) = &failure.details {
            terminal.json(details)?;
        }
    } else if let Some(output) = &run.output {
        terminal.print(&shortened(output, &run.name()))?;
    } else {
        terminal.print(&run.status)?;
    }
    Ok(())
}

fn facts(run: &Run) -> Table {
    let mut facts = Table::of_facts();
    facts.fact("run", format!("{}  {}", run.name(), run.run).trim_end().to_owned());
    facts.fact("workflow", format!("{} version {}", run.workflow, run.version));
    if let Some(from) = origin(run) {
        facts.fact("from", from);
    }
    if let Some(variables) = &run.loop_variables {
        facts.fact("loop", variables.get().to_owned());
    }
    facts.fact("status", Cell::status(&run.status));
    if let Some(why) = why_so(run) {
        facts.fact("why", why);
    }
    if !run.allowed.is_empty() {
        facts.fact("may", run.allowed.join(", "));
    }
    if run.retries > 0 {
        facts.fact("retries", run.retries.to_string());
    }
    for (place, param) in run.params.iter().enumerate() {
        let name = if place == 0 { "params" } else { "" };
        facts.fact(name, param_line(param));
    }
    facts.fact("created", day_and_time(&run.created_at));
    if let Some(ended) = &run.ended_at {
        facts.fact("ended", day_and_time(ended));
    }
    if run.started_at.is_some() {
        facts.fact("time", duration(run.duration_ms));
    }
    facts
}

/// Who or what the run comes from.
fn origin(run: &Run) -> Option<String> {
    let Cause { kind, by, run: other, step, schedule, .. } = &run.cause;
    let asked_by = by.as_deref();
    let by = by.as_deref().unwrap_or("nobody");
    let other = other.as_deref().unwrap_or_default();
    let step = step.as_deref().unwrap_or_default();
    match (kind.as_str(), run.iteration) {
        ("manual", _) => Some(format!("started by {by}")),
        ("fork", _) if step.is_empty() => Some(format!("forked of {other} by {by}")),
        ("fork", _) => Some(format!("forked of {other} from step {step} by {by}")),
        ("schedule", _) => {
            Some(of_schedule(&run.cause, schedule.as_deref().unwrap_or_default(), asked_by))
        }
        ("step", _) => Some(format!("step {step} of {other}")),
        (_, Some(iteration)) => {
            let parent = run.parent.as_deref().unwrap_or(other);
            Some(format!("iteration {iteration} of {step} in {parent}").replace(" of  in ", " of "))
        }
        _ => None,
    }
}

/// The instant of a schedule that a run is for, and who asked for it if it was not
/// its turn.
fn of_schedule(cause: &Cause, schedule: &str, by: Option<&str>) -> String {
    let at = cause.at.as_deref().map(day_and_time).unwrap_or_default();
    let backfill = cause.backfill.as_ref().map(|number| format!(", backfill {number}"));
    let by = by.map(|by| format!(", asked for by {by}"));
    format!(
        "schedule {schedule} at {at} UTC{}{}",
        backfill.unwrap_or_default(),
        by.unwrap_or_default()
    )
}

/// Why it stands as it does, and who wanted that.
fn why_so(run: &Run) -> Option<String> {
    let reason = run.reason.as_deref().filter(|_| run.failure.is_none());
    let by = run.by.as_deref().filter(|_| run.failure.is_none());
    match (reason, by) {
        (Some(reason), Some(by)) => Some(format!("{}, by {by}", explain(reason))),
        (Some(reason), None) => Some(explain(reason)),
        (None, Some(by)) => Some(format!("{} by {by}", run.status)),
        (None, None) => None,
    }
}

fn param_line(param: &RunParam) -> String {
    let RunParam { name, kind, value, source } = param;
    let value = value.as_ref().map_or("(absent)", |value| value.get());
    let value = match value.char_indices().nth(PARAM_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    };
    let source = match source.as_deref() {
        None | Some("definition") => String::new(),
        Some(source) => format!("  from {source}"),
    };
    format!("{name} = {value}  {kind}{source}")
}

/// What may be typed next.
fn offers(run: &Run) -> Table {
    let mut table = Table::of_facts();
    for offer in next(run) {
        table.row([offer.line.into(), Cell::inked(offer.why, Ink::Faint)]);
    }
    table
}

fn steps(steps: &[Step]) -> Table {
    let mut table = Table::new(["STEP", "STATUS", "ATTEMPT#", "TIME#", "PROGRESS", "WHAT", "WHY"]);
    for step in steps {
        let attempt = if step.attempt > 0 { step.attempt.to_string() } else { String::new() };
        table.row([
            step.step.as_str().into(),
            Cell::status(&step.status),
            attempt.into(),
            step.duration_ms.map(duration).unwrap_or_default().into(),
            progress(step).into(),
            Cell::inked(step.component.as_deref().unwrap_or(&step.kind), Ink::Faint),
            why(step).into(),
        ]);
    }
    table
}

fn progress(step: &Step) -> String {
    if let Some(all) = &step.iterations {
        let done = all.succeeded + all.failed;
        let failed = match (all.failed, step.status.as_str()) {
            (0, _) => String::new(),
            (failed, "cancelled" | "killed") => format!(", {failed} failed or cancelled"),
            (failed, _) => format!(", {failed} failed"),
        };
        return format!("{done}/{} {}%{failed}", all.total, percent(done, all.total));
    }
    match &step.progress {
        Some(at) if at.total > 0 => {
            let percent = percent(at.done, at.total);
            format!("{}/{} {percent}% {}", at.done, at.total, at.message).trim_end().to_owned()
        }
        Some(at) => format!("{} {}", at.done, at.message).trim_end().to_owned(),
        None => String::new(),
    }
}

fn shortened(output: &RawValue, run: &str) -> String {
    let text = json::laid_out(output.get());
    if text.len() <= OUTPUT_BYTES_MAX && text.lines().count() <= OUTPUT_LINES_MAX {
        return text;
    }
    let size = size(output.get().len() as u64);
    format!("output of {size}; `segno run get {run} -o json` shows it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_run_is_shown_with_what_it_waits_for() {
        let run = json!({
            "run": "run_01", "workflow": "report", "version": 2, "number": 3, "status": "running",
            "created_at": "2012-12-12T08:30:00.250Z", "started_at": "2012-12-12T08:30:00.251Z",
            "duration_ms": 1250,
            "steps": [
                { "step": "load", "status": "succeeded", "attempt": 1, "duration_ms": 40, "component": "weather/load@1.0.0" },
                { "step": "per-year", "status": "running", "attempt": 0, "duration_ms": 1200,
                  "iterations": { "total": 500, "succeeded": 11, "failed": 1, "running": 4 } },
                { "step": "report", "status": "pending", "attempt": 0, "reason": "needs:per-year" },
            ],
            "cause": { "kind": "manual", "by": "ada" }, "allowed": ["pause", "cancel"],
            "params": [
                { "name": "year", "type": "int", "value": 2012, "source": "start" },
                { "name": "note", "type": "string" },
            ],
        });
        let run: Run = serde_json::from_str(&run.to_string()).unwrap();
        let lines = [
            "run       report#3  run_01",
            "workflow  report version 2",
            "from      started by ada",
            "status    running",
            "may       pause, cancel",
            "params    year = 2012  int  from start",
            "          note = (absent)  string",
            "created   2012-12-12 08:30:00",
            "time      1.25s",
        ];
        assert_eq!(facts(&run).render(false), lines.join("\n"));
        let lines = [
            "STEP      STATUS     ATTEMPT   TIME  PROGRESS             WHAT                WHY",
            "load      succeeded        1   40ms                       weather/load@1.0.0",
            "per-year  running             1.20s  12/500 2%, 1 failed",
            "report    pending                                                             waits for per-year",
        ];
        assert_eq!(steps(&run.steps).render(false), lines.join("\n"));
    }

    #[test]
    fn a_large_output_does_not_bury_the_rest() {
        let raw = |value: Value| serde_json::value::to_raw_value(&value).unwrap();
        assert_eq!(shortened(&raw(json!([1])), "a#1"), "[\n  1\n]");
        let long = shortened(&raw(json!("x".repeat(5_000))), "a#1");
        assert_eq!(long, "output of 4.9 KiB; `segno run get a#1 -o json` shows it");
    }
}
