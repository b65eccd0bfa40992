//! `segno webhook delete`.

use super::Which;
use crate::cli::answer::{self, Webhook};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.delete(&Route::to(["webhooks", &which.name]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Webhook { name, .. } = answer::read(&answer)?;
    terminal.print(&format!("deleted {name}"))
}
