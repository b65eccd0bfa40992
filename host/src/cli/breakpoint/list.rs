//! `segno breakpoint list`.

use crate::cli::answer::{self, Breakpoint};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which workflow
    #[arg(value_name = "WORKFLOW", value_parser = NonEmptyStringValueParser::new())]
    workflow: String,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["workflows", &arguments.workflow, "breakpoints"]);
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no breakpoints; set one with `segno breakpoint set`");
        return Ok(());
    }
    let mut table = Table::new(["STEP", "SET", "BY", "NOTE"]);
    for Breakpoint { step, note, set_by, set_at } in answer::read_all(&answers)? {
        let note = note.unwrap_or_default();
        table.row([step.into(), day_and_time(&set_at).into(), set_by.into(), note.into()]);
    }
    terminal.table(&table)
}
