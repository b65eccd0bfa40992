//! `segno schedule pause`, `resume`, `trigger` and `delete`.

use super::Which;
use super::answer::{Schedule, Triggered};
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde_json::{Value, json};

/// What to pause.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PauseArguments {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// What to resume.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResumeArguments {
    #[command(flatten)]
    which: Which,
    /// Why it goes on; it is kept with the pause
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn pause(
    arguments: &PauseArguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<()> {
    let PauseArguments { which, note } = arguments;
    changed((which, "pause"), &json!({ "note": note }), "paused", (client, terminal))
}

pub(super) fn resume(
    arguments: &ResumeArguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<()> {
    let ResumeArguments { which, note } = arguments;
    changed((which, "resume"), &json!({ "note": note }), "resumed", (client, terminal))
}

pub(super) fn trigger(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["schedules", &which.name, "trigger"]);
    let answer = client.send_once(&route, &json!({}), None)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Triggered { schedule, run, run_name } = answer::read(&answer)?;
    let run = run_name.map_or_else(|| run.clone(), |name| format!("{name}  {run}"));
    terminal.print(&format!("started {run} by {schedule}"))
}

pub(super) fn delete(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.delete(&Route::to(["schedules", &which.name]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Schedule { schedule, .. } = answer::read(&answer)?;
    terminal.print(&format!("deleted {schedule}"))
}

fn changed(
    (which, verb): (&Which, &str),
    body: &Value,
    past: &str,
    (client, terminal): (&Client, &Terminal),
) -> Result<()> {
    let answer = client.send_once(&Route::to(["schedules", &which.name, verb]), body, None)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Schedule { schedule, .. } = answer::read(&answer)?;
    terminal.print(&format!("{past} {schedule}"))
}
