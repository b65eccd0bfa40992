//! `segno webhook list`.

use super::get::state;
use crate::cli::answer::{self, Webhook};
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
    let answers = client.list(&Route::to(["webhooks"]), arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no webhooks; create one with `segno webhook create`");
        return Ok(());
    }
    let mut table = Table::new(["WEBHOOK", "KIND", "STATUS", "SIGNAL", "CHANGED", "BY"]);
    for webhook in answer::read_all::<Webhook>(&answers)? {
        table.row([
            webhook.name.into(),
            webhook.kind.into(),
            state(webhook.enabled),
            webhook.signal.into(),
            day_and_time(&webhook.changed_at).into(),
            webhook.changed_by.into(),
        ]);
    }
    terminal.table(&table)
}
