//! `segno workflow versions`.

use super::Which;
use crate::cli::answer::{self, VersionItem};
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
    #[command(flatten)]
    which: Which,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["workflows", &arguments.which.name, "versions"]);
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    let mut table = Table::new(["VERSION#", "APPLIED", "BY", "STATE"]);
    for VersionItem { version, active, created_at, created_by } in answer::read_all(&answers)? {
        let state = match active {
            true => Cell::inked("active", Ink::Good),
            false => "".into(),
        };
        let applied = day_and_time(&created_at);
        table.row([version.to_string().into(), applied.into(), created_by.into(), state]);
    }
    terminal.table(&table)
}
