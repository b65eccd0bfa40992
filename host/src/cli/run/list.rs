//! `segno run list`.

use super::status;
use crate::cli::answer::{self, RunItem};
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::{between, day_and_time, duration};
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;
use std::process::ExitCode;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only the runs of this one
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let route = Route::to(["runs"]).with_any("workflow", arguments.workflow.as_ref());
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        terminal.json(&answers)?;
        return Ok(ExitCode::SUCCESS);
    }
    if answers.is_empty() {
        terminal.note("no runs; start one with `segno run start`");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(["RUN", "VERSION#", "STATUS", "CREATED", "TIME#", "FROM", "ID", "WHY"]);
    for item in answer::read_all::<RunItem>(&answers)? {
        let ended = item.ended_at.as_deref();
        let time = ended.and_then(|ended| between(&item.created_at, ended)).map(duration);
        let from = item.schedule.zip(item.scheduled_at);
        let from = from.map(|(schedule, at)| format!("{schedule} {}", day_and_time(&at)));
        table.row([
            format!("{}#{}", item.workflow, item.number).into(),
            item.version.to_string().into(),
            Cell::status(&item.status),
            day_and_time(&item.created_at).into(),
            time.unwrap_or_default().into(),
            from.or(item.trigger).unwrap_or_default().into(),
            Cell::inked(item.run, Ink::Faint),
            item.reason.map(|reason| status::explain(&reason)).unwrap_or_default().into(),
        ]);
    }
    terminal.table(&table)?;
    Ok(ExitCode::SUCCESS)
}
