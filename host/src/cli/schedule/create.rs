//! `segno schedule create`.

use super::answer::Schedule;
use super::spec::{File, Spec};
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use crate::cli::workflow::problems;
use anyhow::{Result, bail};
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// Which schedule to make.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its name; a file may have it
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    spec: Spec,
    /// Make it paused
    #[arg(long)]
    paused: bool,
    /// What it is for, or why it is paused
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { name, file, spec, paused, note } = arguments;
    let shown = file.file.as_deref().unwrap_or(Path::new("the schedule"));
    let route = Route::to(["schedules"]).with_any("name", name.as_ref());
    let sent = match file.read()? {
        Some(source) => client.send(&route, "application/yaml", source.as_bytes()),
        None if name.is_none() => bail!("name the schedule, or give a --file"),
        None => {
            let mut body = spec.body()?;
            if *paused {
                body.insert("paused".to_owned(), json!(true));
            }
            if let Some(note) = note {
                body.insert("note".to_owned(), json!(note));
            }
            let body = Value::Object(body).to_string();
            client.send(&route, "application/json", body.as_bytes())
        }
    };
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => return problems::show(shown, error, terminal),
    };
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let schedule: Schedule = answer::read(&answer)?;
    terminal.print(&format!("created {}", schedule.in_short()))?;
    Ok(ExitCode::SUCCESS)
}
