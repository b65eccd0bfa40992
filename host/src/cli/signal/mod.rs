//! `segno signal`: named messages that steps wait for.

mod get;
mod lineage;
mod list;
mod payload;
mod publish;

pub(super) use payload::Payload;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use std::process::ExitCode;

/// What can be done with signals.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Publish a signal to every step that waits for it
    Publish(publish::Arguments),
    /// List the names of signals, or the signals of one name
    List(list::Arguments),
    /// Show a signal
    Get(get::Arguments),
    /// Show who published a signal, and which runs and steps used it
    Lineage(lineage::Arguments),
}

/// Does it.
pub(super) fn perform(
    verb: Verb,
    client: &Client,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Publish(arguments) => publish::perform(&arguments, client, terminal)?,
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Get(arguments) => get::perform(&arguments, client, terminal)?,
        Verb::Lineage(arguments) => lineage::perform(&arguments, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
