//! `segno workflow apply`.

use super::problems;
use crate::cli::answer::{self, Workflow};
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to apply.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A definition in YAML or JSON; `-` is standard input
    file: PathBuf,
    /// Leave the active version as it is
    #[arg(long)]
    inactive: bool,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let source = file::read_text(&arguments.file)?;
    let route = Route::to(["workflows"]).with("active", !arguments.inactive);
    let answer = match client.send(&route, "application/yaml", source.as_bytes()) {
        Ok(answer) => answer,
        Err(error) => return problems::show(&arguments.file, error, terminal),
    };
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Workflow { workflow, version, active_version, components, unchanged, .. } =
        answer::read(&answer)?;
    let done = if unchanged { "unchanged" } else { "applied" };
    let pins: Vec<_> =
        components.iter().map(|pin| format!("{}@{}", pin.name(), pin.version)).collect();
    let state = match active_version {
        Some(active) if active == version => "",
        _ => ", not active",
    };
    let line = format!("{done} {workflow} version {version}{state}  {}", pins.join(" "));
    terminal.print(line.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
