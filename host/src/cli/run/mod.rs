//! `segno run`: from a workflow to its result.

mod bar;
mod board;
mod cancel;
mod exec;
mod follow;
mod get;
mod journal;
mod list;
mod logs;
mod params;
mod signal;
mod start;
mod status;
mod stream;
mod watch;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Start a run, and leave it to itself
    Start(start::Arguments),
    /// Start a run, wait for its end and print what it gave
    ///
    /// Exits with 0 if the run succeeded, with 1 if it did not.
    Exec(exec::Arguments),
    /// List runs, newest first
    List(list::Arguments),
    /// Show a run: its steps, what they wait for, what it gave
    Get(Which),
    /// Follow a run until it is over
    ///
    /// Exits with 0 if the run succeeded, with 1 if it did not.
    Watch(Which),
    /// Show what the steps of a run have logged
    Logs(logs::Arguments),
    /// Show the durable calls that a step has made, and what came of them
    Journal(journal::Arguments),
    /// Send a signal to a run; one step that waits for it gets it
    Signal(signal::Arguments),
    /// Stop a run and what runs inside it
    Cancel(Which),
}

/// The run that is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Which run: run_…, or workflow#3
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    run: String,
}

/// Does it.
pub(super) fn perform(
    verb: Verb,
    client: &Client,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Start(arguments) => start::perform(&arguments, client, terminal),
        Verb::Exec(arguments) => exec::perform(&arguments, client, terminal),
        Verb::List(arguments) => list::perform(&arguments, client, terminal),
        Verb::Get(which) => get::perform(&which, client, terminal),
        Verb::Watch(which) => watch::perform(&which, client, terminal),
        Verb::Logs(arguments) => logs::perform(&arguments, client, terminal),
        Verb::Journal(arguments) => journal::perform(&arguments, client, terminal),
        Verb::Signal(arguments) => signal::perform(&arguments, client, terminal),
        Verb::Cancel(which) => cancel::perform(&which, client, terminal),
    }
}

/// What the verb's process exits with once the run is over.
fn exit_code(status: &str) -> ExitCode {
    match status {
        "succeeded" => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
