//! `segno webhook create`: the answer shows where the sender has to post to.

use super::keys::Keys;
use crate::cli::answer::{self, Webhook};
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use crate::cli::workflow::problems;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to create.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A definition in YAML or JSON; `-` is standard input
    #[arg(conflicts_with = "name", required_unless_present = "name")]
    file: Option<PathBuf>,
    /// Without a file: the webhook's name, which ends its URL
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    keys: Keys,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { file, name, keys } = arguments;
    let mut given = keys.given()?;
    let source = match (file, name) {
        (Some(_), _) if !given.is_empty() => {
            bail!("the file says all; leave out the other options, or the file");
        }
        (Some(file), _) => file::read_text(file)?,
        (None, name) => {
            given.insert("name".to_owned(), json!(name));
            Value::Object(given).to_string()
        }
    };
    let sent = client.send(&Route::to(["webhooks"]), "application/yaml", source.as_bytes());
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => {
            let shown = file.as_deref().unwrap_or(Path::new("options"));
            return problems::show(shown, error, terminal);
        }
    };
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Webhook { name, url, kind, id, .. } = answer::read(&answer)?;
    terminal.print(&format!("created {name}  {url}"))?;
    if kind == "hmac" && id.is_none() {
        terminal.note(
            "deliveries with the same body count once, also if they are meant as two; if the body \
             or a header has an id, name it with --id",
        );
    }
    Ok(ExitCode::SUCCESS)
}
