//! `segno workflow validate`: what `apply` would say, without applying.

use super::problems;
use crate::cli::answer::{self, Workflow};
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to check.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A definition in YAML or JSON; `-` is standard input
    file: PathBuf,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let source = file::read_text(&arguments.file)?;
    let route = Route::to(["workflows"]).with("dry_run", true);
    match client.send(&route, "application/yaml", source.as_bytes()) {
        Err(error) => return problems::show(&arguments.file, error, terminal),
        Ok(_) if terminal.is_json() => terminal.json(&json!({ "valid": true, "problems": [] }))?,
        Ok(answer) => {
            let Workflow { workflow, .. } = answer::read(&answer)?;
            let file = problems::name_of(&arguments.file);
            terminal.print(&format!("{file} is a valid definition of {workflow}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
