//! `segno trigger`: what starts runs when signals come.

mod firings;
mod get;
mod list;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use std::process::ExitCode;

/// What can be done with triggers.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the triggers that signals set off
    List(list::Arguments),
    /// Show a trigger
    Get(get::Arguments),
    /// List what became of the signals that a trigger used, newest first
    Firings(firings::Arguments),
}

/// A trigger as people name it: `workflow/id`.
#[derive(Debug, Clone)]
struct Name {
    workflow: String,
    id: String,
}

/// Does it.
pub(super) fn perform(
    verb: Verb,
    client: &Client,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Get(arguments) => get::perform(&arguments, client, terminal)?,
        Verb::Firings(arguments) => firings::perform(&arguments, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads `workflow/id`.
fn name(text: &str) -> Result<Name, String> {
    match text.split_once('/') {
        Some((workflow, id)) if !workflow.is_empty() && !id.is_empty() => {
            Ok(Name { workflow: workflow.to_owned(), id: id.to_owned() })
        }
        _ => Err("name the workflow and the trigger's id, as in report/landed".to_owned()),
    }
}
