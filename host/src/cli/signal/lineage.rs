//! `segno signal lineage`: who published a signal, and who used it.

use crate::cli::answer::{SignalLineage, SignalUse};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::Value;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The signal's name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Its number among all of that name
    #[arg(value_name = "NUMBER")]
    sequence: u64,
    /// How many uses at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { name, sequence, limit } = arguments;
    let route = Route::to(["signals", name, &sequence.to_string(), "lineage"]);
    let answer = client.with_list(&route, *limit)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let lineage: SignalLineage = serde_json::from_value(Value::Object(answer))?;
    let at = day_and_time(&lineage.published_at);
    terminal.print(&format!("signal {} {}  {at}", lineage.name, lineage.sequence))?;
    terminal.print(&format!("  published by {}", lineage.by))?;
    if lineage.items.is_empty() {
        terminal.print("  nobody has used it")?;
    }
    for used in &lineage.items {
        terminal.print(&format!("  {}  {}", said(used), day_and_time(&used.at)))?;
    }
    if lineage.next.is_some() {
        terminal.note("there are more; give a higher --limit");
    }
    Ok(())
}

fn said(used: &SignalUse) -> String {
    let run = match (&used.workflow, used.number) {
        (Some(workflow), Some(number)) => format!("{workflow}#{number} {}", used.run),
        _ => used.run.clone(),
    };
    match (&used.step, &used.trigger) {
        (Some(step), _) => format!("released step {step} of {run}"),
        (None, Some(trigger)) => format!("trigger {trigger} started {run}"),
        (None, None) => format!("used by {run}"),
    }
}
