//! `segno tag list`.

use crate::cli::answer::{self, Tag};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::Result;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let answers = client.list(&Route::to(["tags"]), arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no tag has a limit; set one with `segno tag set`");
        return Ok(());
    }
    let mut table = Table::new(["TAG", "LIMIT#", "HELD#", "WAITING#", "SET", "BY", "NOTE"]);
    for Tag { tag, limit, held, waiting, note, set_by, set_at } in answer::read_all(&answers)? {
        table.row([
            tag.into(),
            limit.to_string().into(),
            held.to_string().into(),
            waiting.to_string().into(),
            day_and_time(&set_at).into(),
            set_by.into(),
            note.unwrap_or_default().into(),
        ]);
    }
    terminal.table(&table)
}
