//! `segno signal list`: the names, or the signals of one.

use crate::cli::answer::{self, Signal, SignalName};
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::value::RawValue;

/// More of a payload is not shown in a list.
const PAYLOAD_CHARACTERS_MAX: usize = 60;

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The signals of this name; without it, the names
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// Only names that begin so, as in weather/
    #[arg(long, value_name = "TEXT", conflicts_with = "name")]
    prefix: Option<String>,
    /// Only signals whose params are so, as in '{"amount": {">=": 5}}'
    #[arg(long = "match", value_name = "JSON", requires = "name")]
    pattern: Option<String>,
    /// The newest first
    #[arg(long, requires = "name")]
    newest: bool,
    /// Only signals behind this number; with --newest, before it
    #[arg(long, value_name = "N", requires = "name")]
    after: Option<u64>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { name, prefix, pattern, newest, after, limit } = arguments;
    let route = match name {
        Some(name) => Route::to(["signals", name])
            .with_any("after", *after)
            .with_any("match", pattern.as_ref())
            .with_any("newest", newest.then_some(true)),
        None => Route::to(["signals"]).with_any("prefix", prefix.as_ref()),
    };
    let answers = client.list(&route, *limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("no signals; publish one with `segno signal publish`");
        return Ok(());
    }
    match name {
        Some(_) => terminal.table(&signals(answer::read_all(&answers)?)),
        None => terminal.table(&names(answer::read_all(&answers)?)),
    }
}

fn names(all: Vec<SignalName>) -> Table {
    let mut table = Table::new(["SIGNAL", "LAST#"]);
    for SignalName { name, last } in all {
        table.row([name.into(), last.to_string().into()]);
    }
    table
}

fn signals(all: Vec<Signal>) -> Table {
    let mut table = Table::new(["NUMBER#", "PUBLISHED", "PARAMS", "PAYLOAD", "PUBLISHER", "ID"]);
    for signal in all {
        let params = Some(signal.params.get()).filter(|params| *params != "{}");
        table.row([
            signal.sequence.to_string().into(),
            day_and_time(&signal.published_at).into(),
            params.unwrap_or_default().into(),
            shortened(&signal.payload).into(),
            signal.by.into(),
            Cell::inked(signal.id, Ink::Faint),
        ]);
    }
    table
}

fn shortened(payload: &RawValue) -> String {
    let text = payload.get();
    match text.char_indices().nth(PAYLOAD_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
