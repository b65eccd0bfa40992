//! `segno run logs`: what the steps of a run and of its iterations have said.

use super::Which;
use crate::cli::answer::{self, LogLine};
use crate::cli::client::Client;
use crate::cli::ink::Ink;
use crate::cli::measure::time_of_day;
use crate::cli::route::Route;
use crate::cli::terminal::{Target, Terminal, printable};
use anyhow::Result;
use std::process::ExitCode;

/// Whose log to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// How many lines at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let answers =
        client.list(&Route::to(["runs", &arguments.which.run, "logs"]), arguments.limit)?;
    if terminal.is_json() {
        terminal.json(&answers)?;
        return Ok(ExitCode::SUCCESS);
    }
    if answers.is_empty() {
        terminal
            .note("no lines; steps write them with `info!` and its like, or to standard output");
    }
    let lines = answer::read_all::<LogLine>(&answers)?;
    let steps = lines.iter().map(label);
    let width = steps.map(|step| step.chars().count()).max().unwrap_or(0);
    for line in &lines {
        terminal.print(&text(line, width, terminal.looks(Target::Out).colours))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Who says it: the step, its iteration, and the attempt after the first.
fn label(line: &LogLine) -> String {
    let step = match line.iteration {
        Some(iteration) => format!("{}[{iteration}]", line.step),
        None => line.step.clone(),
    };
    match line.attempt {
        0 | 1 => step,
        attempt => format!("{step} (attempt {attempt})"),
    }
}

fn text(line: &LogLine, width: usize, colours: bool) -> String {
    let time = Ink::Faint.paint(time_of_day(&line.at), colours);
    let level = Ink::of_level(&line.level).paint(&format!("{:5}", line.level), colours);
    format!("{time}  {level}  {:width$}  {}", printable(&label(line)), printable(&line.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_and_who() {
        let line = |attempt| LogLine {
            at: "2012-12-12T08:30:00.250Z".to_owned(),
            iteration: (attempt == 3).then_some(7),
            step: "load".to_owned(),
            attempt,
            level: "info".to_owned(),
            message: "1461 rows\x1b[8m".to_owned(),
        };
        assert_eq!(text(&line(1), 8, false), "08:30:00.250  info   load      1461 rows\\u{1b}[8m");
        assert_eq!(label(&line(2)), "load (attempt 2)");
        assert_eq!(label(&line(3)), "load[7] (attempt 3)");
    }
}
