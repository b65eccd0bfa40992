//! What came of the cases: a line for each as it ends, with the place in the
//! script and both sides where it failed; or one JSON document at the end.

use crate::cli::ink::Ink;
use crate::cli::measure::duration;
use crate::cli::terminal::{Target, Terminal, printable};
use crate::rehearsal::Failure;
use anyhow::Result;
use segno_engine::definition::Problem;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The most characters of one side that are shown to people.
const SIDE_SHOWN: usize = 2_000;

/// A case that was played.
pub(super) struct Played {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) duration_ms: u64,
    pub(super) failure: Option<Failure>,
}

/// What came of all cases so far.
pub(super) struct Report<'t> {
    script: PathBuf,
    terminal: &'t Terminal,
    /// For programs.
    cases: Vec<Value>,
    failed: usize,
}

impl<'t> Report<'t> {
    pub(super) fn new(script: &Path, terminal: &'t Terminal) -> Self {
        Self { script: script.to_owned(), terminal, cases: Vec::new(), failed: 0 }
    }

    /// Shows a case.
    pub(super) fn add(&mut self, played: Played) -> Result<()> {
        self.failed += usize::from(played.failure.is_some());
        if !self.terminal.is_json() {
            self.terminal.print(&self.shown(&played))?;
        }
        self.cases.push(as_json(&played));
        Ok(())
    }

    /// Sums up.
    pub(super) fn finish(self) -> Result<ExitCode> {
        let Self { script, terminal, cases, failed } = self;
        let all = cases.len();
        if terminal.is_json() {
            terminal.json(&json!({ "script": script, "cases": cases, "failed": failed }))?;
        }
        if failed == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        terminal.error(&format!("{failed} of {all} cases in {} failed", script.display()));
        Ok(ExitCode::FAILURE)
    }

    fn shown(&self, played: &Played) -> String {
        let Played { name, duration_ms, failure, .. } = played;
        let colours = self.terminal.looks(Target::Out).colours;
        let word = match failure {
            None => Ink::Good.paint("ok    ", colours),
            Some(_) => Ink::Bad.paint("FAILED", colours),
        };
        let took = Ink::Faint.paint(&duration(*duration_ms), colours);
        let mut text = format!("{word}  {}  {took}", printable(name));
        if let Some(Failure { line, what, expected, actual }) = failure {
            let place = format!("{}:{line}", self.script.display());
            text += &format!("\n  {}  {}", printable(&place), printable(what));
            text += &format!("\n    expected  {}", side(expected));
            text += &format!("\n    actual    {}", side(actual));
        }
        text
    }
}

/// Shows what is wrong with a script, in the form that editors jump to.
pub(super) fn problems(
    script: &Path,
    problems: &[Problem],
    terminal: &Terminal,
) -> Result<ExitCode> {
    let script = script.display();
    if terminal.is_json() {
        let all = problems.iter().map(|problem| {
            let Problem { line, column, path: _, message, remedy } = problem;
            json!({ "line": line, "column": column, "message": message, "remedy": remedy })
        });
        terminal.json(&json!({ "problems": all.collect::<Value>() }))?;
    } else {
        for Problem { line, column, message, remedy, .. } in problems {
            let text = format!("{script}:{line}:{column}: {message}; {remedy}");
            terminal.note(&printable(&text));
        }
    }
    match problems.len() {
        1 => terminal.error(&format!("{script} has 1 problem")),
        many => terminal.error(&format!("{script} has {many} problems")),
    }
    Ok(ExitCode::FAILURE)
}

fn as_json(played: &Played) -> Value {
    let Played { name, line, duration_ms, failure } = played;
    let failure = failure.as_ref().map(|failure| {
        let Failure { line, what, expected, actual } = failure;
        json!({ "line": line, "what": what, "expected": expected, "actual": actual })
    });
    json!({
        "case": name,
        "line": line,
        "ok": failure.is_none(),
        "duration_ms": duration_ms,
        "failure": failure,
    })
}

/// One side, on one line and not longer than can be read.
fn side(text: &str) -> String {
    match text.char_indices().nth(SIDE_SHOWN) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text),
    }
}
