//! `segno webhook test`: signs a body as the sender would, and delivers it. The
//! secret comes from a file: no server gives one back.

use super::Which;
use crate::cli::answer::{self, Delivered, Webhook};
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use crate::clock::Clock;
use anyhow::{Context as _, Result};
use segno_engine::webhook::{self, Form};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What to deliver.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// A file with the secret; a line break at the end does not belong to it
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// A file with the body
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// A header beside those of the signature, as in x-github-event=push
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Print a curl command that does it, and deliver nothing
    #[arg(long)]
    curl: bool,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let Arguments { which, secret_file, body: path, headers, curl } = arguments;
    let known = client.get(&Route::to(["webhooks", &which.name]))?;
    let form = form(answer::read(&known)?)?;
    let secret = file::read_text(secret_file)?;
    let body = file::read_bytes(path)?;
    let seconds = Clock::System.now().0 / 1_000;
    let mut all = form.sign(value_of(&secret).as_bytes(), seconds, &body);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        all.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    all.extend(headers.iter().cloned());
    if *curl {
        return terminal.print(&command(&client.hook_url(&which.name), &all, path));
    }
    let answer = client.deliver(&which.name, &all, &body)?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    let Delivered { signal, sequence, repeated, ignored, challenge } = answer::read(&answer)?;
    terminal.print(&match (signal, sequence, ignored, challenge) {
        (Some(name), Some(sequence), ..) if repeated == Some(true) => {
            format!("repeated {name} {sequence}")
        }
        (Some(name), Some(sequence), ..) => format!("published {name} {sequence}"),
        (_, _, Some(id), _) => format!("ignored {id}"),
        (.., challenge) => format!("answered {}", challenge.unwrap_or_default()),
    })
}

/// How the webhook's requests are signed.
fn form(known: Webhook) -> Result<Form> {
    let mut definition = json!({
        "name": known.name, "kind": known.kind, "secrets": known.secrets, "signal": "any",
    });
    let keys = [("header", known.header), ("encoding", known.encoding), ("prefix", known.prefix)];
    for (key, value) in keys {
        if let Some(value) = value {
            definition[key] = json!(value);
        }
    }
    let read = webhook::Webhook::read(&definition.to_string(), &|_| true).ok();
    Ok(read.context("the server has a kind of webhook that this program does not know")?.form)
}

/// The text without the line break that editors put at its end.
fn value_of(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The request as a command line.
fn command(url: &str, headers: &[(String, String)], body: &Path) -> String {
    let mut text = "curl".to_owned();
    for (name, value) in headers {
        text += &format!(" -H {}", quoted(&format!("{name}: {value}")));
    }
    let body = quoted(&format!("@{}", body.display()));
    text + &format!(" --data-binary {body} {}", quoted(url))
}

/// The text as one word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_safe_for_a_shell() {
        let headers = [header("x-a=it's").unwrap()];
        let shown = command("http://h/hooks/a/b", &headers, Path::new("a b.json"));
        let expected = r"curl -H 'x-a: it'\''s' --data-binary '@a b.json' 'http://h/hooks/a/b'";
        assert_eq!(shown, expected);
        assert!(header("x").is_err() && header("=x").is_err());
    }
}
