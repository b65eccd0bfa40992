//! `segno tag`: how many steps that carry a tag run code at once.

mod delete;
mod list;
mod set;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use std::process::ExitCode;

/// What can be done with tags.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Set how many steps with a tag run code at once
    Set(set::Arguments),
    /// List the tags that have a limit
    List(list::Arguments),
    /// Take the limit of a tag away
    Delete(delete::Arguments),
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
        Verb::Delete(arguments) => delete::perform(&arguments, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
