//! `segno trigger list`.

use crate::cli::answer::{self, Trigger};
use crate::cli::client::Client;
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
    let answers = client.list(&Route::to(["triggers"]), arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no workflow waits for signals; add `triggers:` to its definition");
        return Ok(());
    }
    let mut table = Table::new(["TRIGGER", "SIGNALS", "WAITS", "PENDING#", "FIRINGS#"]);
    for trigger in answer::read_all::<Trigger>(&answers)? {
        let names = trigger.signals.iter().map(|part| part.name.as_str());
        table.row([
            format!("{}/{}", trigger.workflow, trigger.id).into(),
            names.collect::<Vec<_>>().join(", ").into(),
            if trigger.subscribed { "yes" } else { "no" }.into(),
            trigger.pending.to_string().into(),
            trigger.firings.to_string().into(),
        ]);
    }
    terminal.table(&table)
}
