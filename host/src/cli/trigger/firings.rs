//! `segno trigger firings`: what became of the signals that a trigger used.

use super::Name;
use crate::cli::answer::{self, Firing};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::Result;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The trigger
    #[arg(value_name = "WORKFLOW/ID", value_parser = super::name)]
    trigger: Name,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Name { workflow, id } = &arguments.trigger;
    let route = Route::to(["triggers", workflow, id, "firings"]);
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no signals have set it off; publish some with `segno signal publish`");
        return Ok(());
    }
    let mut table = Table::new(["NUMBER#", "AT", "SIGNALS", "CAME OF IT"]);
    for firing in answer::read_all::<Firing>(&answers)? {
        let signals = firing.signals.iter();
        let signals = signals.map(|signal| format!("{} {}", signal.name, signal.sequence));
        table.row([
            firing.number.to_string().into(),
            day_and_time(&firing.at).into(),
            signals.collect::<Vec<_>>().join(", ").into(),
            came_of_it(&firing).into(),
        ]);
    }
    terminal.table(&table)
}

fn came_of_it(firing: &Firing) -> String {
    match (firing.outcome.as_str(), firing.run_name.as_ref().or(firing.run.as_ref())) {
        (_, Some(run)) if firing.repeated == Some(true) => format!("{run} (was there before)"),
        (_, Some(run)) => run.clone(),
        ("false", _) if firing.kept == Some(true) => "condition is false; kept".to_owned(),
        ("false", _) => "condition is false".to_owned(),
        (outcome, _) => {
            let message = firing.message.as_deref().unwrap_or_default();
            format!("{outcome}: {message}")
        }
    }
}
