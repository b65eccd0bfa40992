//! `segno workflow history`: who changed what of a workflow, and when.

use super::Which;
use crate::cli::answer::{self, WorkflowChange};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use serde_json::{Map, Value};

/// What to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(arguments: &Arguments, client: &Client, terminal: &Terminal) -> Result<()> {
    let route = Route::to(["workflows", &arguments.which.name, "history"]);
    let answers = client.list(&route, arguments.limit)?;
    if terminal.is_json() {
        return terminal.json(&answers);
    }
    if answers.is_empty() {
        terminal.note("nobody has changed it since this server keeps a history");
        return Ok(());
    }
    let mut table = Table::new(["NUMBER#", "AT", "BY", "DID", "WHAT"]);
    for WorkflowChange { number, action, at, by, before, after } in answer::read_all(&answers)? {
        table.row([
            number.to_string().into(),
            day_and_time(&at).into(),
            by.into(),
            action.into(),
            difference(&before, &after).into(),
        ]);
    }
    terminal.table(&table)
}

/// What was and what is, by name.
pub(super) fn difference(before: &Map<String, Value>, after: &Map<String, Value>) -> String {
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let changes = after.iter().map(|(name, now)| {
        let was = shown(before.get(name));
        format!("{name}: {was} → {}", shown(Some(now)))
    });
    changes.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_shows_what_was_and_what_is() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let before = object(json!({ "owner": null, "tags": [], "active_version": 1 }));
        let after = object(json!({ "owner": "ada", "tags": ["a"], "active_version": null }));
        let text = difference(&before, &after);
        for part in ["owner: none → ada", r#"tags: [] → ["a"]"#, "active_version: 1 → none"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
