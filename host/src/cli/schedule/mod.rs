//! `segno schedule`: when runs start by themselves.

mod act;
mod answer;
mod backfill;
mod create;
mod get;
mod instants;
mod list;
mod preview;
mod spec;
mod ticks;
mod update;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// What can be done with schedules.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a schedule for a workflow
    Create(create::Arguments),
    /// List the schedules, with the next instant of each
    List(list::Arguments),
    /// Show a schedule: how it stands, what comes next, what came of the last instants
    Get(Which),
    /// Change a schedule; what is not named stays
    Update(update::Arguments),
    /// Let no run start by a schedule
    Pause(act::PauseArguments),
    /// Let runs start by a schedule again, from now on
    Resume(act::ResumeArguments),
    /// Start one run of a schedule now
    Trigger(Which),
    /// Show the next instants of a schedule, or of one that is not made yet
    Preview(preview::Arguments),
    /// List what became of the instants of a schedule, newest first
    Ticks(ticks::Arguments),
    /// Start runs for the instants of a range
    #[command(subcommand)]
    Backfill(backfill::Verb),
    /// Delete a schedule; its runs stay
    Delete(Which),
}

/// Which schedule.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Which schedule; one of a definition goes by WORKFLOW/TRIGGER
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
        Verb::Create(arguments) => return create::perform(&arguments, client, terminal),
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Get(which) => get::perform(&which, client, terminal)?,
        Verb::Update(arguments) => return update::perform(&arguments, client, terminal),
        Verb::Pause(arguments) => act::pause(&arguments, client, terminal)?,
        Verb::Resume(arguments) => act::resume(&arguments, client, terminal)?,
        Verb::Trigger(which) => act::trigger(&which, client, terminal)?,
        Verb::Preview(arguments) => return preview::perform(&arguments, client, terminal),
        Verb::Ticks(arguments) => ticks::perform(&arguments, client, terminal)?,
        Verb::Backfill(verb) => backfill::perform(verb, client, terminal)?,
        Verb::Delete(which) => act::delete(&which, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
