//! `segno run cancel`.

use super::Which;
use super::status::explain;
use crate::cli::answer::{self, Run};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use std::process::ExitCode;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<ExitCode> {
    let route = Route::to(["runs", &which.run, "cancel"]);
    let answer = client.send(&route, "application/json", b"")?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let run: Run = answer::read(&answer)?;
    let how = match &run.reason {
        Some(reason) if run.is_open() => explain(reason),
        _ => format!("is {}", run.status),
    };
    terminal.print(&format!("{} {how}", run.name()))?;
    Ok(ExitCode::SUCCESS)
}
