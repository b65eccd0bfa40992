//! `segno schedule preview`: the next instants, in the schedule's zone and in UTC.

use super::answer::Preview;
use super::instants::instants;
use super::spec::{File, Spec};
use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use crate::cli::workflow::problems;
use anyhow::{Result, bail};
use clap::builder::NonEmptyStringValueParser;
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

/// What to preview.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which schedule; without it, what the flags or the file say
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    spec: Spec,
    /// From this moment on; now if it is absent
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// How many instants
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = crate::cli::limit)]
    count: usize,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { name, file, spec, from, count } = arguments;
    let shown = file.file.as_deref().unwrap_or(Path::new("the schedule"));
    let ask = |route: Route| route.with("count", count).with_any("from", from.as_ref());
    let body = spec.body()?;
    let asked = match (name, file.read()?) {
        (Some(name), None) if body.is_empty() => {
            client.get(&ask(Route::to(["schedules", name, "preview"])))
        }
        (Some(_), _) => bail!("a preview is of a NAME, of flags or of a --file; give one of them"),
        (None, Some(source)) => {
            let route = ask(Route::to(["schedule-previews"]));
            client.send(&route, "application/yaml", source.as_bytes())
        }
        (None, None) if body.is_empty() => {
            bail!("name a schedule, or say when: `--cron \"0 6 * * *\"`")
        }
        (None, None) => {
            let route = ask(Route::to(["schedule-previews"]));
            let body = Value::Object(body).to_string();
            client.send(&route, "application/json", body.as_bytes())
        }
    };
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => return problems::show(shown, error, terminal),
    };
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let preview: Preview = answer::read(&answer)?;
    terminal.note(&format!("{} ({})", preview.rule, preview.timezone));
    if preview.instants.is_empty() {
        terminal.note("it never fires");
        return Ok(ExitCode::SUCCESS);
    }
    terminal.table(&instants(preview.instants, &preview.timezone))?;
    Ok(ExitCode::SUCCESS)
}
