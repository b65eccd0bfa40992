//! `segno run timeline`: what happened to a run, in words.

use super::Which;
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::{day_and_time, time_of_day};
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde::Deserialize;
use std::process::ExitCode;

/// Whose timeline to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Only what happened to this step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// How many entries at most
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

#[derive(Deserialize)]
struct Entry {
    at: String,
    what: String,
    step: Option<String>,
    by: Option<String>,
    times: Option<u32>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { which, step, limit } = arguments;
    let route = Route::to(["runs", &which.run, "timeline"]).with_any("step", step.as_ref());
    let answers = client.list(&route, *limit)?;
    if terminal.is_json() {
        terminal.json(&answers)?;
        return Ok(ExitCode::SUCCESS);
    }
    if answers.is_empty() {
        terminal.note("nothing has happened yet");
        return Ok(ExitCode::SUCCESS);
    }
    terminal.table(&table(answer::read_all(&answers)?))?;
    Ok(ExitCode::SUCCESS)
}

/// The day is said where it changes.
fn table(entries: Vec<Entry>) -> Table {
    let mut table = Table::new(["AT", "STEP", "BY", "WHAT"]);
    let mut today = String::new();
    for Entry { at, what, step, by, times } in entries {
        let day = day_and_time(&at).split(' ').next().unwrap_or_default().to_owned();
        if day != today {
            table.row([Cell::inked(day.clone(), Ink::Strong), "".into(), "".into(), "".into()]);
            today = day;
        }
        let what = match times {
            Some(times) => format!("{what} ({times} times)"),
            None => what,
        };
        let step = step.unwrap_or_else(|| "run".to_owned());
        table.row([
            Cell::inked(time_of_day(&at), Ink::Faint),
            step.into(),
            by.unwrap_or_default().into(),
            what.into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_day_is_said_where_it_changes() {
        let entries = json!([
            { "at": "2012-12-12T23:59:59.999Z", "what": "was created, of version 3", "by": "ada" },
            { "at": "2012-12-13T00:00:00.001Z", "what": "started", "step": "load", "times": 2 },
        ]);
        let lines = [
            "AT            STEP  BY   WHAT",
            "2012-12-12",
            "23:59:59.999  run   ada  was created, of version 3",
            "2012-12-13",
            "00:00:00.001  load       started (2 times)",
        ];
        let entries = serde_json::from_value(entries).unwrap();
        assert_eq!(table(entries).render(false), lines.join("\n"));
    }
}
