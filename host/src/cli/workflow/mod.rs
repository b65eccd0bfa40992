//! `segno workflow`: definitions, checked and kept by the server.

mod activate;
mod apply;
mod delete;
mod get;
mod history;
mod import;
mod list;
mod pause;
pub(super) mod problems;
mod properties;
mod schema;
mod set;
mod unblock;
mod validate;
mod versions;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
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
    /// List the versions of a workflow, newest first
    Versions(versions::Arguments),
    /// Make a version the one that a start gets that names none
    Activate(activate::Arguments),
    /// Leave a workflow without an active version
    Deactivate(Which),
    /// Let no run of a workflow begin for now
    Pause(pause::Arguments),
    /// Let the runs of a workflow begin again
    Resume(Which),
    /// Set properties of a workflow, without a new version
    Set(set::Arguments),
    /// Show who changed what of a workflow, and when
    History(history::Arguments),
    /// Let the runs begin that failed runs keep from it
    Unblock(Which),
    /// Delete a workflow that has no open runs
    ///
    /// Its runs and its history can still be read, and a workflow that is
    /// applied under its name goes on with its numbers.
    Delete(Which),
    /// Translate a definition of another system, and say what was made of it
    Import(import::Arguments),
    /// Print the JSON Schema of definitions, for editors
    Schema,
}

/// The workflow that is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Which workflow
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
        Verb::Apply(arguments) => return apply::perform(&arguments, client, terminal),
        Verb::Validate(arguments) => return validate::perform(&arguments, client, terminal),
        Verb::List(arguments) => return list::perform(&arguments, client, terminal),
        Verb::Get(arguments) => return get::perform(&arguments, client, terminal),
        Verb::Import(arguments) => return import::perform(&arguments, terminal),
        Verb::Schema => return schema::perform(terminal),
        Verb::Versions(arguments) => versions::perform(&arguments, client, terminal)?,
        Verb::Activate(arguments) => activate::activate(&arguments, client, terminal)?,
        Verb::Deactivate(which) => activate::deactivate(&which, client, terminal)?,
        Verb::Pause(arguments) => pause::pause(&arguments, client, terminal)?,
        Verb::Resume(which) => pause::resume(&which, client, terminal)?,
        Verb::Unblock(which) => unblock::perform(&which, client, terminal)?,
        Verb::Set(arguments) => set::perform(&arguments, client, terminal)?,
        Verb::History(arguments) => history::perform(&arguments, client, terminal)?,
        Verb::Delete(which) => delete::perform(&which, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
