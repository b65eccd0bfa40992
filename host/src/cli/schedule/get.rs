//! `segno schedule get`.

use super::Which;
use super::answer::Schedule;
use super::instants::{instants, ticks};
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde_json::Value;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.get(&Route::to(["schedules", &which.name]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let schedule: Schedule = answer::read(&answer)?;
    terminal.table(&facts(&schedule))?;
    let Schedule { next, last, timezone, .. } = schedule;
    if !next.is_empty() {
        terminal.print("")?;
        terminal.table(&instants(next, &timezone))?;
    }
    if !last.is_empty() {
        terminal.print("")?;
        terminal.table(&ticks(last))?;
    }
    Ok(())
}

fn facts(schedule: &Schedule) -> Table {
    let mut facts = Table::of_facts();
    facts.fact("schedule", schedule.schedule.as_str());
    let version = match &schedule.version {
        Value::String(word) => format!("{word} version"),
        number => format!("version {number}"),
    };
    facts.fact("workflow", format!("{}, {version}", schedule.workflow));
    if let Some(trigger) = &schedule.trigger {
        let workflow = &schedule.workflow;
        facts.fact("from", format!("trigger {trigger} of the definition of {workflow}"));
    }
    facts.fact("when", format!("{} ({})", schedule.rule, schedule.timezone));
    for (key, value) in &schedule.spec {
        if ["cron", "every", "timezone", "id", "paused"].contains(&key.as_str()) {
            continue;
        }
        let value = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        facts.fact(key, value);
    }
    facts.fact("status", Cell::status(&schedule.status));
    if let Some(reason) = &schedule.reason {
        facts.fact("why", reason.as_str());
    }
    if let Some(note) = &schedule.note {
        facts.fact("note", note.as_str());
    }
    if !schedule.open.is_empty() {
        facts.fact("open", schedule.open.join(", "));
    }
    if schedule.waiting > 0 {
        facts.fact("waiting", format!("{} instants", schedule.waiting));
    }
    let at = |moment: &str, by: &str| format!("{} by {by}", day_and_time(moment));
    if let Some(pause) = &schedule.last_pause {
        let with = |text: String, note: &Option<String>| match note {
            Some(note) => format!("{text}: {note}"),
            None => text,
        };
        facts.fact("paused", with(at(&pause.since, &pause.by), &pause.note));
        let resumed = at(&pause.resumed_at, &pause.resumed_by);
        facts.fact("resumed", with(resumed, &pause.resume_note));
    }
    facts.fact("created", at(&schedule.created_at, &schedule.created_by));
    if schedule.changed_at != schedule.created_at {
        facts.fact("changed", at(&schedule.changed_at, &schedule.changed_by));
    }
    facts
}
