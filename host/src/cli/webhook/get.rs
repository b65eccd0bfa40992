//! `segno webhook get`.

use super::Which;
use crate::cli::answer::{self, Webhook};
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::{Cell, Table};
use crate::cli::terminal::Terminal;
use anyhow::Result;

pub(super) fn perform(which: &Which, client: &Client, terminal: &Terminal) -> Result<()> {
    let answer = client.get(&Route::to(["webhooks", &which.name]))?;
    if terminal.is_json() {
        return terminal.json(&answer);
    }
    show(answer::read(&answer)?, terminal)
}

/// Shows a webhook.
pub(super) fn show(webhook: Webhook, terminal: &Terminal) -> Result<()> {
    let mut facts = Table::of_facts();
    facts.fact("webhook", webhook.name);
    facts.fact("url", webhook.url);
    facts.fact("status", state(webhook.enabled));
    facts.fact("kind", webhook.kind);
    facts.fact("secrets", webhook.secrets.join(", "));
    let mut optional = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.fact(name, value);
        }
    };
    optional("tolerance", webhook.tolerance);
    optional("header", webhook.header);
    optional("encoding", webhook.encoding);
    optional("prefix", webhook.prefix);
    optional("signal", Some(webhook.signal));
    for (name, value) in &webhook.params {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        optional("param", Some(format!("{name} = {text}")));
    }
    optional("payload", webhook.payload.map(|payload| payload.to_string()));
    optional("id", webhook.id);
    optional("when", webhook.when);
    let created = format!("{} by {}", day_and_time(&webhook.created_at), webhook.created_by);
    let changed = format!("{} by {}", day_and_time(&webhook.changed_at), webhook.changed_by);
    let is_new = created == changed;
    facts.fact("created", created);
    if !is_new {
        facts.fact("changed", changed);
    }
    terminal.table(&facts)
}

/// Whether requests are taken.
pub(super) fn state(enabled: bool) -> Cell {
    match enabled {
        true => "enabled".into(),
        false => Cell::inked("disabled", Ink::Waiting),
    }
}
