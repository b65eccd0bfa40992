//! `segno breakpoint set`.

use super::Which;
use crate::cli::answer::{self, Breakpoint};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde_json::json;

/// Where to stop.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { which: Which { workflow, step }, note } = arguments;
    let route = Route::to(["workflows", workflow, "breakpoints", step]);
    let answer = client.put(&route, &json!({ "note": note }))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Breakpoint { step, .. } = answer::read(&answer)?;
    terminal.print(&format!("{workflow} stops before {step}"))
}
