//! `segno workflow list`.

use crate::cli::answer::{self, WorkflowItem};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use std::process::ExitCode;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let answers = client.list(&Route::to(["workflows"]), arguments.limit)?;
    if terminal.is_json() {
        terminal.json(&answers)?;
        return Ok(ExitCode::SUCCESS);
    }
    if answers.is_empty() {
        terminal.note("no workflows; apply one with `segno workflow apply`");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["WORKFLOW", "VERSION#", "CHANGED"]);
    for item in answer::read_all::<WorkflowItem>(&answers)? {
        let version = item.version.to_string();
        table.row([item.workflow.into(), version.into(), day_and_time(&item.changed_at).into()]);
    }
    terminal.table(&table)?;
    Ok(ExitCode::SUCCESS)
}
