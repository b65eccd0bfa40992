//! `segno workflow activate` and `deactivate`: which version a start gets that
//! names none.

use super::Which;
use crate::cli::answer::{self, WorkflowItem};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

/// Which version becomes the active one.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Which version: a number, or latest
    #[arg(value_name = "VERSION", value_parser = NonEmptyStringValueParser::new())]
    version: String,
}

pub(super) fn activate(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { which, version } = arguments;
    let route = Route::to(["workflows", &which.name, "activate"]);
    let answer = client.send_once(&route, &json!({ "version": version }), None)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let WorkflowItem { workflow, active_version, .. } = answer::read(&answer)?;
    let version = active_version.map(|version| version.to_string()).unwrap_or_default();
    terminal.print(&format!("activated {workflow} version {version}"))
}

pub(super) fn deactivate(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["workflows", &which.name, "deactivate"]);
    let answer = client.send_once(&route, &json!({}), None)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let WorkflowItem { workflow, latest_version, .. } = answer::read(&answer)?;
    terminal.print(&format!(
        "deactivated {workflow}; a start without a version gets the latest, {latest_version}"
    ))
}
