//! `segno component`: from a crate to a component on the server.

mod build;
mod cargo;
mod get;
mod list;
mod manifest;
mod push;
mod reference;

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
        Verb::Push(arguments) => push::perform(&arguments, client, terminal)?,
        Verb::List(arguments) => list::perform(&arguments, client, terminal)?,
        Verb::Get(arguments) => get::perform(&arguments, client, terminal)?,
    }
    Ok(ExitCode::SUCCESS)
}
