//! `segno tag delete`.

use crate::cli::answer::{self, Tag};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;

/// Which limit to take away.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which tag
    #[arg(value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    tag: String,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.delete(&Route::to(["tags", &arguments.tag]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Tag { tag, .. } = answer::read(&answer)?;
    terminal.print(&format!("deleted the limit of {tag}"))
}
