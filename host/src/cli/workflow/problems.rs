//! What is wrong with a definition: one line a problem, in the form that
//! editors jump to.

use crate::cli::client::{Error, Item, Problem};
use crate::cli::terminal::{Terminal, printable};
use anyhow::Result;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// Shows what the server has against a definition; any other error stays one.
pub(in crate::cli) fn show(file: &Path, error: Error, terminal: &Terminal) -> Result<ExitCode> {
    let Error::Problem(problem) = error else {
        return Err(error.into());
    };
    if problem.problems.is_empty() {
        return Err(Error::Problem(problem).into());
    }
    if terminal.is_json() {
        terminal.json(&as_json(&problem))?;
    } else {
        for item in &problem.problems {
            terminal.note(&line(file, item));
        }
    }
    let file = name_of(file);
    match problem.problems.len() {
        1 => terminal.error(&format!("{file} has 1 problem")),
        many => terminal.error(&format!("{file} has {many} problems")),
    }
    Ok(ExitCode::FAILURE)
}

/// A definition's name in messages.
pub(super) fn name_of(file: &Path) -> String {
    match file == Path::new("-") {
        true => "standard input".to_owned(),
        false => file.display().to_string(),
    }
}

fn line(file: &Path, item: &Item) -> String {
    let Item { line, column, path, message, remedy } = item;
    let mut text = name_of(file);
    if *line > 0 {
        text += &format!(":{line}:{column}");
    }
    if !path.is_empty() {
        text += &format!(" {path}");
    }
    text += &format!(": {message}");
    if !remedy.is_empty() {
        text += &format!("; {remedy}");
    }
    printable(&text)
}

fn as_json(problem: &Problem) -> serde_json::Value {
    let all = problem.problems.iter().map(|item| {
        json!({
            "line": item.line,
            "column": item.column,
            "path": item.path,
            "message": item.message,
            "remedy": item.remedy,
        })
    });
    json!({ "valid": false, "problems": all.collect::<serde_json::Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(line: u64, path: &str, remedy: &str) -> Item {
        Item {
            line,
            column: 5,
            path: path.to_owned(),
            message: "there is no step `lod`".to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    #[test]
    fn a_problem_names_its_place_and_the_remedy() {
        let file = Path::new("report.yaml");
        assert_eq!(
            line(file, &item(12, "steps[2].needs[0]", "did you mean `load`?")),
            "report.yaml:12:5 steps[2].needs[0]: there is no step `lod`; did you mean `load`?"
        );
        assert_eq!(line(file, &item(0, "", "")), "report.yaml: there is no step `lod`");
        assert_eq!(
            line(Path::new("-"), &item(1, "", "")),
            "standard input:1:5: there is no step `lod`"
        );
    }
}
