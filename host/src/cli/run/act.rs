//! `segno run pause`, `resume`, `cancel`, `kill`, `skip`, `bypass` and `unblock`:
//! one thing that is done with a run, or with a step of it.

use super::Which;
use super::status::explain;
use crate::cli::answer::{self, Run};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::{Terminal, printable};
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// A run, or a step of it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RunOrStep {
    #[command(flatten)]
    which: Which,
    /// Only this step: load, or per-year[3].aggregate inside a loop
    #[arg(long, value_name = "STEP", value_parser = NonEmptyStringValueParser::new())]
    step: Option<String>,
}

/// A step of a run.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct OneStep {
    #[command(flatten)]
    which: Which,
    /// Which of its steps: load, or per-year[3].aggregate inside a loop
    #[arg(value_name = "STEP", value_parser = NonEmptyStringValueParser::new())]
    step: String,
}

/// A verb, and how it is said once it is done.
type Words = (&'static str, &'static str);

/// Does something with a run or a step.
pub(super) fn on_either(
    on: &RunOrStep,
    words: Words,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    match &on.step {
        Some(step) => step_done(&on.which, (step, words), client, terminal),
        None => on_run(&on.which, words, client, terminal),
    }
}

/// Does something with a step.
pub(super) fn on_step(
    on: &OneStep,
    words: Words,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    step_done(&on.which, (&on.step, words), client, terminal)
}

/// Does something with a run.
pub(super) fn on_run(
    which: &Which,
    (verb, done): Words,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let route = Route::to(["runs", &which.run, verb]);
    let answer = client.send(&route, "application/json", b"")?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let run: Run = answer::read(&answer)?;
    let line = match &run.reason {
        // It takes a moment until everything inside has stopped.
        Some(reason) if run.is_open() && run.is_stopping() => {
            format!("{} {}", run.name(), explain(reason))
        }
        _ => format!("{done} {}", run.name()),
    };
    terminal.print(&line)?;
    Ok(ExitCode::SUCCESS)
}

fn step_done(
    which: &Which,
    (step, (verb, done)): (&str, Words),
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let route = Route::to(["runs", &which.run, "steps", step, verb]);
    let answer = client.send(&route, "application/json", b"")?;
    if terminal.is_json() {
        terminal.json(&answer)?;
    } else {
        terminal.print(&printable(&format!("{done} step {step} of {}", which.run)))?;
    }
    Ok(ExitCode::SUCCESS)
}
