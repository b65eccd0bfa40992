//! `segno run watch`: what happens in a run, as it happens.

use super::Which;
use super::follow::{self, Lines};
use crate::cli::answer::{self, Run};
use crate::cli::client::Client;
use crate::cli::terminal::{Target, Terminal};
use anyhow::Result;
use std::process::ExitCode;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<ExitCode> {
    let lines = if terminal.is_json() { Lines::Json } else { Lines::Text(Target::Out) };
    let answer = follow::to_the_end(&which.run, lines, client, terminal)?;
    let run: Run = answer::read(&answer)?;
    Ok(super::exit_code(&run.status))
}
