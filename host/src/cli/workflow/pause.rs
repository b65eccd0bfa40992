//! `segno workflow pause` and `resume`: whether its runs begin.

use super::Which;
use crate::cli::answer::{self, WorkflowItem};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde_json::json;

/// What to pause.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn pause(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { which, note } = arguments;
    done(which, ("pause", "paused"), &json!({ "note": note }), (client, terminal))
}

pub(super) fn resume(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    done(which, ("resume", "resumed"), &json!({}), (client, terminal))
}

fn done(
    which: &Which,
    (verb, past): (&str, &str),
    body: &serde_json::Value,
    (client, terminal): (&Client, &Terminal),
) -> Result<()> {
    let answer = client.send_once(&Route::to(["workflows", &which.name, verb]), body, None)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let WorkflowItem { workflow, .. } = answer::read(&answer)?;
    terminal.print(&format!("{past} {workflow}"))
}
