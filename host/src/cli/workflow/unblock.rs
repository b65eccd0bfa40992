//! `segno workflow unblock`: failed runs no longer keep others from beginning.

use super::Which;
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Unblocked {
    runs: Vec<String>,
}

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["workflows", &which.name, "unblock"]);
    let answer = client.send_once(&route, &json!({}), None)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Unblocked { runs } = answer::read(&answer)?;
    let which = &which.name;
    match runs.as_slice() {
        [] => terminal.print(&format!("no failed run of {which} was in the way")),
        [run] => terminal.print(&format!("unblocked {which}: {run} was in the way")),
        runs => terminal
            .print(&format!("unblocked {which}: {} failed runs were in the way", runs.len())),
    }
}
