//! `segno component`: from a crate to a component on the server.

mod build;
mod cargo;
mod get;
mod list;
mod manifest;
mod push;
mod reference;
mod test;

pub(super) use build::{all as build, one as build_quietly};
pub(super) use cargo::{Built, shortest};
pub(super) use list::short;

use super::client::Client;
use super::terminal::Terminal;
use clap::Subcommand;
use std::process::ExitCode;

/// What can be done with components.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Build the component of a crate
    Build(build::Arguments),
    /// Play the scripts of a component, with time moved by hand
    ///
    /// A crate is built first, and its scripts are in test.yaml beside its
    /// Cargo.toml. Every case is played twice: as it is written, and with the
    /// step stopped at every durable call and played again from its start. No
    /// server is needed, nothing sleeps, and nothing leaves this process.
    Test(test::Arguments),
    /// Push a component to the server
    Push(push::Arguments),
    /// List the components on the server
    List(list::Arguments),
    /// Show a component
    Get(get::Arguments),
}

/// Does it.
pub(super) fn perform(
    verb: Verb,
    client: &Client,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Build(arguments) => build::perform(&arguments, terminal)?,
        Verb::Test(arguments) => return test::perform(&arguments, terminal),
        Verb::Push(arguments) => push::perform(&arguments, client, terminal)?,
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Get(arguments) => get::perform(&arguments, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
