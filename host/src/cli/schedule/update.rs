//! `segno schedule update`.

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

/// What to change.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which schedule
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    spec: Spec,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Take these away, as in end,jitter
    #[arg(long, value_name = "KEY,…", value_delimiter = ',')]
    reset: Vec<String>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { name, file, spec, note, reset } = arguments;
    let shown = file.file.as_deref().unwrap_or(Path::new("the schedule"));
    let route = Route::to(["schedules", name]);
    let sent = match file.read()? {
        Some(source) => client.replace(&route, "application/yaml", source.as_bytes()),
        None => {
            let mut body = spec.body()?;
            if let Some(note) = note {
                body.insert("note".to_owned(), json!(note));
            }
            for key in reset {
                if body.insert(key.clone(), Value::Null).is_some() {
                    bail!("{key} is both set and reset; leave out one of them");
                }
            }
            if body.is_empty() {
                bail!("nothing to change; name something, as in `--cron \"0 7 * * *\"`");
            }
            client.patch(&route, &Value::Object(body))
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
    terminal.print(&format!("changed {}", schedule.in_short()))?;
    Ok(ExitCode::SUCCESS)
}
