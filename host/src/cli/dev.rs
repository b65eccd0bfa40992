//! `segno dev`: a server for whoever is writing workflows on this machine.

use super::ink::Ink;
use super::server::{self, Listen, Log};
use super::terminal::{Format, Target, Terminal};
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// How to serve.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = ".segno")]
    data_dir: PathBuf,
    #[command(flatten)]
    listen: Listen,
}

pub(super) fn perform(arguments: Arguments) -> Result<ExitCode> {
    let terminal = Terminal::new(Format::Table);
    let data_dir = arguments.data_dir.display().to_string();
    server::serve(arguments.data_dir, &arguments.listen, Log::Text, |address| {
        let address =
            Ink::Strong.paint(&format!("http://{address}"), terminal.looks(Target::Err).colours);
        terminal
            .note(&format!("segno is ready at {address}, its data in {data_dir}; Ctrl-C stops it"));
    })
}
