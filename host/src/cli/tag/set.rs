//! `segno tag set`.

use crate::cli::answer::{self, Tag};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

/// Which limit to set.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which tag
    #[arg(value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    tag: String,
    /// How many steps at once; 0 lets none begin
    #[arg(value_name = "LIMIT")]
    limit: u32,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { tag, limit, note } = arguments;
    let body = json!({ "limit": limit, "note": note });
    let answer = client.put(&Route::to(["tags", tag]), &body)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Tag { tag, limit, .. } = answer::read(&answer)?;
    terminal.print(&format!("set {tag} to {limit} at once"))
}
