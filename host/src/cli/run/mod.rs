//! `segno run`: from a workflow to its result.

mod act;
mod bar;
mod batch;
mod board;
mod change;
mod exec;
mod follow;
mod fork;
mod get;
mod journal;
mod lineage;
mod list;
mod logs;
mod next;
mod params;
mod retry;
mod rollup;
mod signal;
mod start;
mod status;
mod step_params;
mod stream;
mod timeline;
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
    /// Tell what happened to a run, and who did what
    Timeline(timeline::Arguments),
    /// Count the steps of a run, with all that is below it
    Rollup(Which),
    /// Show what led to a run: signals, schedules, and the runs before it
    Lineage(lineage::Arguments),
    /// Let nothing new start in a run until it is resumed
    Pause(Which),
    /// Let a paused run go on, or a step past its breakpoint
    Resume(act::RunOrStep),
    /// Stop a run or a step, and what runs inside it
    Cancel(act::RunOrStep),
    /// Stop a run or a step, which has then failed
    Kill(act::RunOrStep),
    /// Go on without a step
    Skip(act::OneStep),
    /// Take the signal that a step waits for as come
    Bypass(act::OneStep),
    /// Go on with a run that is over, or with a failed step of one that is not
    ///
    /// The same run keeps what is complete. With --step it goes on from there.
    Retry(retry::Arguments),
    /// Make a new run from another, with other params or another version
    Fork(fork::Arguments),
    /// Let the runs begin that a failed run keeps from it
    Unblock(Which),
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
        Verb::Timeline(arguments) => timeline::perform(&arguments, client, terminal),
        Verb::Lineage(arguments) => lineage::perform(&arguments, client, terminal),
        Verb::Rollup(which) => rollup::perform(&which, client, terminal),
        Verb::Pause(which) => act::on_run(&which, ("pause", "paused"), client, terminal),
        Verb::Resume(on) => act::on_either(&on, ("resume", "resumed"), client, terminal),
        Verb::Cancel(on) => act::on_either(&on, ("cancel", "cancelled"), client, terminal),
        Verb::Kill(on) => act::on_either(&on, ("kill", "killed"), client, terminal),
        Verb::Skip(on) => act::on_step(&on, ("skip", "skipped"), client, terminal),
        Verb::Bypass(on) => act::on_step(&on, ("bypass", "bypassed"), client, terminal),
        Verb::Retry(arguments) => retry::perform(&arguments, client, terminal),
        Verb::Fork(arguments) => fork::perform(&arguments, client, terminal),
        Verb::Unblock(which) => act::on_run(&which, ("unblock", "unblocked"), client, terminal),
    }
}

/// What the verb's process exits with once the run is over.
fn exit_code(status: &str) -> ExitCode {
    match status {
        "succeeded" => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
