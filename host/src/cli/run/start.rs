//! `segno run start`: the run goes on by itself.

use super::follow::{self, Lines};
use super::params::Params;
use super::step_params::StepParams;
use crate::cli::answer::{self, Run, Workflow};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::{Target, Terminal};
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use serde_json::value::RawValue;
use std::process::ExitCode;

/// What to start.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub(super) request: Request,
    /// Follow the run until it is over, and exit with 1 if it did not succeed
    #[arg(long)]
    watch: bool,
}

/// A run that somebody wants.
#[derive(Debug, clap::Args)]
pub(super) struct Request {
    /// Which workflow
    #[arg(value_name = "WORKFLOW", value_parser = NonEmptyStringValueParser::new())]
    workflow: String,
    /// Which version of it: a number, latest, active, or default: the active one,
    /// and the latest if none is active
    #[arg(long, value_name = "VERSION", value_parser = NonEmptyStringValueParser::new())]
    version: Option<String>,
    #[command(flatten)]
    params: Params,
    #[command(flatten)]
    step_params: StepParams,
    /// Start one run, however often this is asked with the same key
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    idempotency_key: Option<String>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let answer = arguments.request.send(client, None)?;
    let run: Run = answer::read(&answer)?;
    if !arguments.watch {
        if terminal.is_json() {
            terminal.json(&answer)?;
        } else {
            terminal.print(&format!("started {}  {}", run.name(), run.run))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let lines = if terminal.is_json() { Lines::Json } else { Lines::Text(Target::Out) };
    let ended: Run = answer::read(&follow::to_the_end(&run.run, lines, client, terminal)?)?;
    Ok(super::exit_code(&ended.status))
}

impl Request {
    /// Starts the run; the answer waits so many seconds for its end.
    pub(super) fn send(&self, client: &Client, wait_s: Option<u32>) -> Result<Box<RawValue>> {
        let Self { workflow, version, params, step_params, idempotency_key } = self;
        let params = params.bind(workflow, || {
            let route = Route::to(["workflows", workflow]).with_any("version", version.as_ref());
            Ok(answer::read::<Workflow>(&client.get(&route)?)?.params)
        })?;
        let mut body = json!({
            "workflow": workflow, "params": params, "step_params": step_params.bind()?,
        });
        if let Some(version) = version {
            body["version"] = json!(version);
        }
        let route = Route::to(["runs"]).with_any("wait", wait_s);
        Ok(client.send_once(&route, &body, idempotency_key.as_deref())?)
    }
}
