//! `segno workflow`: definitions, checked and kept by the server.

mod apply;
mod get;
mod list;
mod problems;
mod properties;
mod schema;
mod validate;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use std::process::ExitCode;

/// What can be done with workflows.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a definition the next version of its workflow
    Apply(apply::Arguments),
    /// Check a definition against the server, and change nothing
    Validate(validate::Arguments),
    /// List the workflows on the server
    List(list::Arguments),
    /// Show a workflow
    Get(get::Arguments),
    /// Print the JSON Schema of definitions, for editors
    Schema,
}

/// Does it.
pub(super) fn perform(
    verb: Verb,
    client: &Client,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Apply(arguments) => apply::perform(&arguments, client, terminal),
        Verb::Validate(arguments) => validate::perform(&arguments, client, terminal),
        Verb::List(arguments) => list::perform(&arguments, client, terminal),
        Verb::Get(arguments) => get::perform(&arguments, client, terminal),
        Verb::Schema => schema::perform(terminal),
    }
}
