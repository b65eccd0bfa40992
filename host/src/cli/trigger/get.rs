//! `segno trigger get`: how far a trigger has come.

use super::Name;
use crate::cli::answer::{self, Trigger};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::Result;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The trigger
    #[arg(value_name = "WORKFLOW/ID", value_parser = super::name)]
    trigger: Name,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Name { workflow, id } = &arguments.trigger;
    let answer = client.get(&Route::to(["triggers", workflow, id]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let trigger: Trigger = answer::read(&answer)?;
    let mut facts = Table::of_facts();
    facts.fact("trigger", format!("{}/{}", trigger.workflow, trigger.id));
    facts.fact("version", trigger.version.to_string());
    let state = if trigger.subscribed { "waits since" } else { "does not wait; waited from" };
    facts.fact(state, day_and_time(&trigger.since));
    facts.fact("firings", trigger.firings.to_string());
    facts.fact("pending", trigger.pending.to_string());
    if trigger.dropped > 0 {
        facts.fact("dropped", trigger.dropped.to_string());
    }
    terminal.table(&facts)?;
    terminal.print("")?;
    let mut table = Table::new(["SIGNAL", "LOOKED AT#", "MATCH", "JOIN"]);
    for part in trigger.signals {
        let pattern = Some(part.pattern.get()).filter(|pattern| *pattern != "{}");
        table.row([
            part.name.into(),
            part.place.to_string().into(),
            pattern.unwrap_or_default().into(),
            part.join.join(", ").into(),
        ]);
    }
    terminal.table(&table)
}
