//! `segno webhook`: signed requests of other systems that become signals.

mod create;
mod delete;
mod deliveries;
mod get;
mod keys;
mod list;
mod set;
mod test;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// What can be done with webhooks.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Create a webhook from a file, or from options
    Create(create::Arguments),
    /// List the webhooks on the server
    List(list::Arguments),
    /// Show a webhook
    Get(Which),
    /// Change what a webhook does
    Set(set::Arguments),
    /// Take requests again
    Enable(Which),
    /// Take no requests until it is enabled
    Disable(Which),
    /// Take a webhook away, with all that came to it
    Delete(Which),
    /// List what came to a webhook lately, newest first
    Deliveries(deliveries::Arguments),
    /// Sign a request as the sender would, and deliver it
    Test(test::Arguments),
}

/// The webhook that is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Which webhook
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
        Verb::Set(arguments) => return set::perform(&arguments, client, terminal),
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Get(which) => get::perform(&which, client, terminal)?,
        Verb::Enable(which) => set::enable(&which, true, client, terminal)?,
        Verb::Disable(which) => set::enable(&which, false, client, terminal)?,
        Verb::Delete(which) => delete::perform(&which, client, terminal)?,
        Verb::Deliveries(arguments) => deliveries::perform(&arguments, client, terminal)?,
        Verb::Test(arguments) => test::perform(&arguments, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
