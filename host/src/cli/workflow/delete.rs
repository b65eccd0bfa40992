//! `segno workflow delete`.

use super::Which;
use crate::cli::answer::{self, WorkflowItem};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.delete(&Route::to(["workflows", &which.name]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let WorkflowItem { workflow, .. } = answer::read(&answer)?;
    terminal.print(&format!("deleted {workflow}; its runs can still be read"))
}
