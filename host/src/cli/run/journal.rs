//! `segno run journal`: what a step has done durably, and what came of it.

use super::Which;
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::{Terminal, printable};
use anyhow::Result;
use serde::Deserialize;
use std::process::ExitCode;

/// Whose journal to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Which of its steps
    #[arg(value_name = "STEP")]
    step: String,
    /// How many calls at most
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

#[derive(Deserialize)]
struct Call {
    sequence: u64,
    attempt: u32,
    call: String,
    answer: Option<String>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { which, step, limit } = arguments;
    let answers =
        client.list(&Route::to(["runs", &which.run, "steps", step, "journal"]), *limit)?;
    if terminal.is_json() {
        terminal.json(&answers)?;
        return Ok(ExitCode::SUCCESS);
    }
    if answers.is_empty() {
        terminal.note("the step has made no durable call");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["PLACE#", "ATTEMPT#", "CALL", "ANSWER"]);
    for call in answer::read_all::<Call>(&answers)? {
        let Call { sequence, attempt, call, answer } = call;
        table.row([
            sequence.to_string().into(),
            attempt.to_string().into(),
            printable(&call).into(),
            answer.map_or_else(String::new, |answer| printable(&answer)).into(),
        ]);
    }
    terminal.table(&table)?;
    Ok(ExitCode::SUCCESS)
}
