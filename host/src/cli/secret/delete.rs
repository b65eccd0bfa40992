//! `segno secret delete`.

use super::Which;
use crate::cli::answer::{self, Secret};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.delete(&Route::to(["secrets", &which.name]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Secret { name, .. } = answer::read(&answer)?;
    terminal.print(&format!("deleted {name}"))
}
