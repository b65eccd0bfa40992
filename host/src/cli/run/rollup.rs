//! `segno run rollup`: how many steps stand how, with all that is below a run.

use super::Which;
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::process::ExitCode;

#[derive(Deserialize)]
pub(super) struct Rollup {
    total: u64,
    steps: Map<String, Value>,
}

impl Rollup {
    /// The counts in one line, such as `3 succeeded, 2 waiting`.
    pub(super) fn line(&self) -> String {
        let counts = self.steps.iter().map(|(status, count)| format!("{count} {status}"));
        counts.collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<ExitCode> {
    let answer = client.get(&Route::to(["runs", &which.run, "rollup"]))?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Rollup { total, steps } = answer::read(&answer)?;
    let mut table = Table::new(["STATUS", "STEPS#"]);
    for (status, count) in &steps {
        table.row([Cell::status(status), count.to_string().into()]);
    }
    table.row(["all".into(), total.to_string().into()]);
    terminal.table(&table)?;
    Ok(ExitCode::SUCCESS)
}
