//! `segno signal get`: all that a signal says.

use crate::cli::answer::{self, Signal};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The signal's name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Its number among all of that name, or latest
    #[arg(value_name = "NUMBER", value_parser = place)]
    place: String,
}

fn place(text: &str) -> Result<String, String> {
    match text == "latest" || text.parse::<u64>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err("give a number, or latest".to_owned()),
    }
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { name, place } = arguments;
    let answer = client.get(&Route::to(["signals", name, place]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let signal: Signal = answer::read(&answer)?;
    let mut facts = Table::of_facts();
    facts.fact("signal", format!("{} {}", signal.name, signal.sequence));
    facts.fact("id", signal.id);
    facts.fact("published", day_and_time(&signal.published_at));
    facts.fact("publisher", signal.by);
    if signal.params.get() != "{}" {
        facts.fact("params", signal.params.get());
    }
    terminal.table(&facts)?;
    terminal.print("")?;
    terminal.json(&signal.payload)
}
