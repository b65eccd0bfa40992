//! `segno workflow list`.

use crate::cli::answer::{self, WorkflowItem};
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
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
    let mut table = Table::new(["WORKFLOW", "ACTIVE#", "LATEST#", "OWNER", "CHANGED", "STATE"]);
    for item in answer::read_all::<WorkflowItem>(&answers)? {
        let active = item.active_version.map(|version| version.to_string());
        let state = match item.properties.paused {
            true => Cell::inked("paused", Ink::Waiting),
            false => "".into(),
        };
        table.row([
            item.workflow.into(),
            active.unwrap_or_default().into(),
            item.latest_version.to_string().into(),
            item.properties.owner.unwrap_or_default().into(),
            day_and_time(&item.changed_at).into(),
            state,
        ]);
    }
    terminal.table(&table)?;
    Ok(ExitCode::SUCCESS)
}
