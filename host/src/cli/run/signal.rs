//! `segno run signal`: a word to one run. One wait of it gets the signal.

use crate::cli::answer::{self, Published};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::signal::Payload;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use serde_json::value::RawValue;
use std::process::ExitCode;

/// What to send, and where.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: run_…, or workflow#3
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    run: String,
    /// The signal's name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// What the signal says: JSON, or @FILE for what is in a file
    #[arg(value_name = "PAYLOAD")]
    payload: Option<String>,
    /// Send it once, however often this is asked with the same id
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    id: Option<String>,
}

/// What the server is sent.
#[derive(Serialize)]
struct Body<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { run, name, payload, id } = arguments;
    let payload = payload.as_deref().map(|text| Payload::from(text).read()).transpose()?;
    let body = serde_json::to_vec(&Body { name, id: id.as_deref(), payload })?;
    let answer = client.send(&Route::to(["runs", run, "signals"]), "application/json", &body)?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Published { name, id, repeated, .. } = answer::read(&answer)?;
    let done = if repeated { "unchanged" } else { "sent" };
    terminal.print(&format!("{done} {name} to {run}  {id}"))?;
    Ok(ExitCode::SUCCESS)
}
