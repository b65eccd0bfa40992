//! `segno workflow get`: what it is for, what a run may be given, and which
//! components it stands on.

use super::properties;
use crate::cli::answer::{self, Param, Workflow};
use crate::cli::client::Client;
use crate::cli::component::short;
use crate::cli::ink::Ink;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use std::process::ExitCode;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which workflow
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Which version: a number, latest, active, or default: the active one, and
    /// the latest if none is active
    #[arg(long, value_name = "VERSION", value_parser = NonEmptyStringValueParser::new())]
    version: Option<String>,
    /// Print the definition as it was applied
    #[arg(long)]
    source: bool,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let route =
        Route::to(["workflows", &arguments.name]).with_any("version", arguments.version.as_ref());
    let answer = client.get(&route)?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let workflow: Workflow = answer::read(&answer)?;
    if arguments.source {
        terminal.print(workflow.source.as_deref().unwrap_or_default().trim_end())?;
    } else {
        show(workflow, terminal)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(workflow: Workflow, terminal: &Terminal) -> Result<()> {
    let mut facts = Table::of_facts();
    facts.fact("workflow", workflow.workflow);
    facts.fact("version", workflow.version.to_string());
    if let Some(active) = workflow.active_version {
        facts.fact("active", active.to_string());
    }
    facts.fact("latest", workflow.latest_version.to_string());
    properties::show(workflow.properties, &mut facts);
    facts.fact("applied", day_and_time(&workflow.created_at));
    terminal.table(&facts)?;
    if !workflow.params.is_empty() {
        let mut params = Table::new(["PARAM", "TYPE", "DEFAULT", "ABOUT"]);
        for Param { name, kind, required, default, description } in workflow.params {
            let default = match &default {
                _ if required => Cell::inked("required", Ink::Waiting),
                default => default.as_ref().map_or("null", |value| value.get()).into(),
            };
            params.row([name.into(), kind.into(), default, description.unwrap_or_default().into()]);
        }
        terminal.print("")?;
        terminal.table(&params)?;
    }
    let mut components = Table::new(["COMPONENT", "VERSION", "DIGEST"]);
    for pin in workflow.components {
        let digest = Cell::inked(short(&pin.digest), Ink::Faint);
        components.row([pin.reference.into(), pin.version.into(), digest]);
    }
    if !components.is_empty() {
        terminal.print("")?;
        terminal.table(&components)?;
    }
    Ok(())
}
