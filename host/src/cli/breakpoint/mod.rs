//! `segno breakpoint`: steps that stop before they begin.

mod clear;
mod list;
mod set;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// What can be done with breakpoints.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Let a step stop before it begins, in every run of a workflow
    Set(set::Arguments),
    /// List the breakpoints of a workflow
    List(list::Arguments),
    /// Take a breakpoint away
    Clear(clear::Arguments),
}

/// The step that is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Which workflow
    #[arg(value_name = "WORKFLOW", value_parser = NonEmptyStringValueParser::new())]
    workflow: String,
    /// Which step of it
    #[arg(value_name = "STEP", value_parser = NonEmptyStringValueParser::new())]
    step: String,
}

/// Does it.
pub(super) fn perform(
    verb: Verb,
    client: &Client,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Set(arguments) => set::perform(&arguments, client, terminal)?,
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Clear(arguments) => clear::perform(&arguments, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
