//! `segno schedule list`.

use super::answer::Schedule;
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only the schedules of this one
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["schedules"]).with_any("workflow", arguments.workflow.as_ref());
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no schedules; make one with `segno schedule create`");
        return Ok(());
    }
    let mut table =
        Table::new(["SCHEDULE", "WORKFLOW", "WHEN", "ZONE", "STATUS", "NEXT (UTC)", "WHY"]);
    for schedule in answer::read_all::<Schedule>(&answers)? {
        let next = schedule.next.first().map(|next| day_and_time(&next.at));
        table.row([
            schedule.schedule.into(),
            schedule.workflow.into(),
            schedule.rule.into(),
            Cell::inked(schedule.timezone, Ink::Faint),
            Cell::status(&schedule.status),
            next.unwrap_or_default().into(),
            schedule.note.or(schedule.reason).unwrap_or_default().into(),
        ]);
    }
    terminal.table(&table)
}
