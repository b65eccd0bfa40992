//! `segno workflow apply`.

use super::history::difference;
use super::problems;
use crate::cli::answer::{self, Workflow};
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::route::Route;
use crate::cli::terminal::{Terminal, printable};
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::process::ExitCode;

/// What to apply.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A definition in YAML or JSON; `-` is standard input
    file: PathBuf,
    /// Leave the active version as it is
    #[arg(long)]
    inactive: bool,
}

/// What is set for a workflow, by name.
#[derive(Debug, Deserialize)]
struct Known {
    properties: Map<String, Value>,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let source = file::read_text(&arguments.file)?;
    let route = Route::to(["workflows"]).with("active", !arguments.inactive);
    let before = match arguments.inactive && !terminal.is_json() {
        true => before(&source, client),
        false => None,
    };
    let answer = match client.send(&route, "application/yaml", source.as_bytes()) {
        Ok(answer) => answer,
        Err(error) => return problems::show(&arguments.file, error, terminal),
    };
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Workflow { workflow, version, active_version, components, unchanged, .. } =
        answer::read(&answer)?;
    let done = if unchanged { "unchanged" } else { "applied" };
    let pins: Vec<_> =
        components.iter().map(|pin| format!("{}@{}", pin.name(), pin.version)).collect();
    let state = match active_version {
        Some(active) if active == version => "",
        _ => ", not active",
    };
    let line = format!("{done} {workflow} version {version}{state}  {}", pins.join(" "));
    terminal.print(line.trim_end())?;
    if let Some(before) = before {
        let Known { properties } = answer::read(&answer)?;
        if let Some(changed) = changed(&before, properties) {
            terminal.print(&printable(&format!("changed at once  {changed}")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is set for the workflow before its definition is applied; nothing if
/// there is none yet. What is wrong with the definition is said when it is
/// applied.
fn before(source: &str, client: &Client) -> Option<Map<String, Value>> {
    let route = Route::to(["workflows"]).with("dry_run", true);
    let checked = client.send(&route, "application/yaml", source.as_bytes()).ok()?;
    let Workflow { workflow, .. } = answer::read(&checked).ok()?;
    let known = client.get(&Route::to(["workflows", &workflow])).ok()?;
    answer::read::<Known>(&known).ok().map(|known| known.properties)
}

/// The properties that are others than before, if any is: a version that is not
/// active has them from now on, too.
fn changed(before: &Map<String, Value>, mut after: Map<String, Value>) -> Option<String> {
    for name in before.keys() {
        after.entry(name.clone()).or_insert(Value::Null);
    }
    after.retain(|name, value| before.get(name).unwrap_or(&Value::Null) != value);
    (!after.is_empty()).then(|| difference(before, &after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_properties_that_are_others_are_shown() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let before = object(json!({ "owner": "ada", "paused": false, "tags": ["a"] }));
        assert_eq!(changed(&before, before.clone()), None);
        let after = object(json!({ "owner": "bob", "paused": false }));
        let shown = changed(&before, after).unwrap();
        assert_eq!(shown, r#"owner: ada → bob, tags: ["a"] → none"#);
    }
}
