//! `segno run retry`: the same run goes on.

use super::Which;
use super::change::Change;
use super::status::explain;
use crate::cli::answer::{self, Run};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use std::process::ExitCode;

/// What goes on.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Go on from this step, also if it is complete: load, or per-year[3].aggregate
    #[arg(long, value_name = "STEP", value_parser = NonEmptyStringValueParser::new())]
    step: Option<String>,
    #[command(flatten)]
    change: Change,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { which, step, change } = arguments;
    let mut body = json!({ "step": step });
    change.write(&mut body, (&which.run, None), client)?;
    let answer = client.send_once(&Route::to(["runs", &which.run, "retry"]), &body, None)?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let run: Run = answer::read(&answer)?;
    let why = match &run.reason {
        Some(reason) if run.status == "queued" => format!(" in its turn: {}", explain(reason)),
        _ => String::new(),
    };
    terminal.print(&format!("{} goes on{why}", run.name()))?;
    Ok(ExitCode::SUCCESS)
}
