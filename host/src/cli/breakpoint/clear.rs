//! `segno breakpoint clear`.

use super::Which;
use crate::cli::answer::{self, Breakpoint};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;

/// Where not to stop any more.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Let the steps that stopped there go on
    #[arg(long)]
    resume: bool,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { which: Which { workflow, step }, resume } = arguments;
    let route = Route::to(["workflows", workflow, "breakpoints", step]).with("resume", resume);
    let answer = client.delete(&route)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Breakpoint { step, .. } = answer::read(&answer)?;
    terminal.print(&format!("{workflow} does not stop before {step} any more"))
}
