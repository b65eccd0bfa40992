//! `segno webhook deliveries`.

use super::Which;
use crate::cli::answer::{self, Delivery};
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
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["webhooks", &arguments.which.name, "deliveries"]);
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("nothing came yet; try `segno webhook test`");
        return Ok(());
    }
    let mut table = Table::new(["AT", "OUTCOME", "COUNT#", "FROM", "SIGNAL", "ID", "DETAIL"]);
    for delivery in answer::read_all::<Delivery>(&answers)? {
        let signal = match (&delivery.signal, delivery.signal_sequence) {
            (Some(name), Some(sequence)) => format!("{name} {sequence}"),
            _ => String::new(),
        };
        table.row([
            day_and_time(delivery.last_at.as_ref().unwrap_or(&delivery.at)).into(),
            Cell::inked(delivery.outcome.as_str(), ink(&delivery.outcome)),
            delivery.count.to_string().into(),
            delivery.remote.unwrap_or_default().into(),
            signal.into(),
            delivery.id.unwrap_or_default().into(),
            delivery.detail.unwrap_or_default().into(),
        ]);
    }
    terminal.table(&table)
}

fn ink(outcome: &str) -> Ink {
    match outcome {
        "published" => Ink::Good,
        "repeated" | "ignored" | "challenge" => Ink::Faint,
        _ => Ink::Bad,
    }
}
