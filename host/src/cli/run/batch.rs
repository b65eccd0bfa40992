//! `segno run start --batch`: runs of one workflow that start together, each
//! with the params of one line of a file.

use crate::cli::answer;
use crate::cli::client::Client;
use crate::cli::file;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::{Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// The runs that were started.
#[derive(Debug, Deserialize)]
struct Batch {
    runs: Vec<Started>,
}

/// One of them.
#[derive(Debug, Deserialize)]
struct Started {
    run: String,
    number: u64,
}

/// Starts the runs.
pub(super) fn perform(
    (workflow, version): (&str, Option<&str>),
    path: &Path,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let all = params(&path.display().to_string(), &file::read_text(path)?)?;
    let runs: Value = all.into_iter().map(|params| json!({ "params": params })).collect();
    let mut body = json!({ "workflow": workflow, "runs": runs });
    if let Some(version) = version {
        body["version"] = json!(version);
    }
    let answer = client.send_once(&Route::to(["runs", "batch"]), &body, None)?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let batch: Batch = answer::read(&answer)?;
    for Started { run, number } in &batch.runs {
        terminal.print(&format!("started {workflow}#{number}  {run}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The params of each run: JSON lines, or a JSON list.
fn params(file: &str, text: &str) -> Result<Vec<Value>> {
    let all: Vec<(String, Value)> = if text.trim_start().starts_with('[') {
        let list: Vec<Value> = serde_json::from_str(text)
            .map_err(|error| anyhow!("{file} is no JSON list: {error}"))?;
        let place = |(place, value)| (format!("{file}[{place}]"), value);
        list.into_iter().enumerate().map(place).collect()
    } else {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let line = |(place, line)| {
            let place = format!("{file}:{}", place + 1);
            match serde_json::from_str(line) {
                Ok(value) => Ok((place, value)),
                Err(error) => Err(anyhow!("{place} is no JSON: {error}; write one object a line")),
            }
        };
        lines.map(line).collect::<Result<_>>()?
    };
    if all.is_empty() {
        bail!("{file} has no runs; write an object of params on each line");
    }
    if let Some((place, _)) = all.iter().find(|(_, value)| !value.is_object()) {
        bail!("{place} is no JSON object: write {{\"name\": value, …}}");
    }
    Ok(all.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_json_lines_or_a_list() {
        let two = vec![json!({ "a": 1 }), json!({})];
        assert_eq!(params("f", "{\"a\": 1}\n\n{}\n").unwrap(), two);
        assert_eq!(params("f", "\n[{\"a\": 1},\n{}]").unwrap(), two);
    }

    #[test]
    fn what_is_no_batch_is_explained() {
        let refusal = |text| params("f", text).unwrap_err().to_string();
        assert_eq!(refusal("{}\n3\n"), "f:2 is no JSON object: write {\"name\": value, …}");
        assert_eq!(refusal("[{}, []]"), "f[1] is no JSON object: write {\"name\": value, …}");
        assert!(refusal("{}\n{\n").starts_with("f:2 is no JSON: "));
        assert_eq!(refusal(" \n"), "f has no runs; write an object of params on each line");
    }
}
