//! `segno webhook set`, `enable` and `disable`.

use super::Which;
use super::keys::Keys;
use crate::cli::answer::{self, Webhook};
use crate::cli::client::Client;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use crate::cli::workflow::problems;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// What to change.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    keys: Keys,
    /// Take a key away, as in --reset when
    #[arg(long, value_name = "KEY")]
    reset: Vec<String>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { which, keys, reset } = arguments;
    let mut body = keys.given()?;
    for key in reset {
        if body.insert(key.clone(), Value::Null).is_some() {
            bail!("{key} is both set and reset; leave out one of them");
        }
    }
    if body.is_empty() {
        bail!("nothing to set; name a key, as in `--signal pushed`");
    }
    let route = Route::to(["webhooks", &which.name]);
    let answer = match client.patch(&route, &Value::Object(body)) {
        Ok(answer) => answer,
        Err(error) => return problems::show(Path::new(&which.name), error, terminal),
    };
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    super::get::show(answer::read(&answer)?, terminal)?;
    Ok(ExitCode::SUCCESS)
}

/// Lets requests in, or not.
pub(super) fn enable(
    which: &Which,
    enabled: bool,
    client: &Client,
    terminal: &Terminal,
) -> Result<()> {
    let route = Route::to(["webhooks", &which.name]);
    let answer = client.patch(&route, &json!({ "enabled": enabled }))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Webhook { name, enabled, .. } = answer::read(&answer)?;
    let done = if enabled { "enabled" } else { "disabled" };
    terminal.print(&format!("{done} {name}"))
}
