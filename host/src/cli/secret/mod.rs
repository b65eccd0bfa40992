//! `segno secret`: values that steps use in requests without seeing them.

mod delete;
mod list;
mod set;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Set a secret to what standard input says
    ///
    /// A line break at the end does not belong to it. Nothing shows it again.
    Set(Which),
    /// List the secrets on the server, without their values
    List(list::Arguments),
    /// Take a secret away
    Delete(Which),
}

/// The secret that is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Which secret, for example PAY_KEY
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
}

/// Does it.
pub(super) fn perform(
    verb: Verb,
    client: &Client,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Set(which) => set::perform(&which, client, terminal)?,
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Delete(which) => delete::perform(&which, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
