//! `segno run start`: the run goes on by itself.

use super::batch;
use super::follow::{self, Lines};
use super::params::{Params, both};
use super::step_params::StepParams;
use crate::cli::answer::{self, Run, Workflow};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::{Target, Terminal};
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use serde_json::value::RawValue;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to start.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub(super) request: Request,
    /// Follow the run until it is over, and exit with 1 if it did not succeed
    #[arg(long)]
    watch: bool,
    /// Start a run for each line of a file, which is an object of params: all of
    /// them or none
    ///
    /// JSON lines or a JSON list; - is standard input.
    #[arg(long, value_name = "FILE",
        conflicts_with_all = ["watch", "given", "params_file", "step_params", "idempotency_key"])]
    batch: Option<PathBuf>,
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
    if let Some(path) = &arguments.batch {
        let Request { workflow, version, .. } = &arguments.request;
        return batch::perform((workflow, version.as_deref()), path, client, terminal);
    }
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
        });
        let (params, step_params) = both(params, step_params.bind())?;
        let mut body = json!({
            "workflow": workflow, "params": params, "step_params": step_params,
        });
        if let Some(version) = version {
            body["version"] = json!(version);
        }
        let route = Route::to(["runs"]).with_any("wait", wait_s);
        Ok(client.send_once(&route, &body, idempotency_key.as_deref())?)
    }
}
