//! `segno run fork`: a new run that goes on from a step of another.

use super::Which;
use super::change::Change;
use crate::cli::answer::{self, Run};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use std::process::ExitCode;

/// What is forked.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The step that the new run begins with; what comes before it is taken over
    #[arg(long, value_name = "STEP", value_parser = NonEmptyStringValueParser::new())]
    from: Option<String>,
    /// Another version: a number, latest, active or default
    #[arg(long, value_name = "VERSION", value_parser = NonEmptyStringValueParser::new())]
    version: Option<String>,
    #[command(flatten)]
    change: Change,
    /// Make one run, however often this is asked with the same key
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    idempotency_key: Option<String>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { which, from, version, change, idempotency_key } = arguments;
    let mut body = json!({ "from": from });
    if let Some(version) = version {
        body["version"] = json!(version);
    }
    change.write(&mut body, (&which.run, version.as_deref()), client)?;
    let route = Route::to(["runs", &which.run, "fork"]);
    let answer = client.send_once(&route, &body, idempotency_key.as_deref())?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let run: Run = answer::read(&answer)?;
    terminal.print(&format!("forked {} as {}  {}", which.run, run.name(), run.run))?;
    Ok(ExitCode::SUCCESS)
}
