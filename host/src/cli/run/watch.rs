//! `segno run watch`: what happens in a run, as it happens.

use super::follow::{self, Lines};
use crate::cli::answer::{self, Run};
use crate::cli::client::Client;
use crate::cli::terminal::{Target, Terminal};
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// What to follow.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: run_…, or workflow#3
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    run: String,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let lines = if terminal.is_json() { Lines::Json } else { Lines::Text(Target::Out) };
    let answer = follow::to_the_end(&arguments.run, lines, client, terminal)?;
    let run: Run = answer::read(&answer)?;
    Ok(super::exit_code(&run.status))
}
