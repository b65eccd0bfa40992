//! `segno run lineage`: what led to a run, as a tree.

use crate::cli::answer::{self, Lineage, LineageCause, LineageLink};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use std::collections::HashSet;
use std::process::ExitCode;

/// The server goes no further back.
const DEPTH_MAX: u32 = 100;

/// And it names no more runs.
const RUNS_MAX: usize = 1_000;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The run, as run_… or workflow#number
    #[arg(value_name = "RUN")]
    run: String,
    /// How many runs back at most; the server goes no further than 100
    #[arg(long, value_name = "N", default_value_t = 20)]
    depth: u32,
    /// How many runs in all; the server names at most 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = crate::cli::limit)]
    limit: usize,
}

pub(super) fn perform(
    arguments: &Arguments,
    client: &Client,
    terminal: &Terminal,
) -> Result<ExitCode> {
    let Arguments { run, depth, limit } = arguments;
    let route = Route::to(["runs", run, "lineage"]).with("depth", depth).with("limit", limit);
    let answer = client.get(&route)?;
    if terminal.is_json() {
        terminal.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let lineage: Lineage = answer::read(&answer)?;
    let mut lines = Vec::new();
    if let Some(first) = lineage.items.first() {
        let mut tree = Tree { lineage: &lineage, shown: HashSet::new(), lines: &mut lines };
        tree.run(first, 0);
    }
    for line in &lines {
        terminal.print(line)?;
    }
    if !lineage.complete {
        terminal.note(&further(&lineage, *depth, *limit));
    }
    Ok(ExitCode::SUCCESS)
}

/// How to see more: up to a point with a higher number, and then from a run that
/// is shown without what led to it.
fn further(lineage: &Lineage, depth: u32, limit: usize) -> String {
    let shown: HashSet<_> = lineage.items.iter().map(|link| link.run.as_str()).collect();
    let named = lineage.items.iter().flat_map(|link| {
        let signals = link.cause.signals.iter().filter_map(|signal| signal.run.as_deref());
        link.cause.run.as_deref().into_iter().chain(signals)
    });
    let mut behind: Vec<_> = named.filter(|run| !shown.contains(run)).collect();
    behind.sort_unstable();
    behind.dedup();
    let is_full = lineage.items.len() >= limit.min(RUNS_MAX);
    let higher = match is_full {
        true if limit < RUNS_MAX => Some("give a higher --limit"),
        false if depth < DEPTH_MAX => Some("give a higher --depth"),
        _ => None,
    };
    let first = behind.first().map(|run| format!("go on with `segno run lineage {run}`"));
    let ways: Vec<_> = higher.map(str::to_owned).into_iter().chain(first).collect();
    let others = match behind.len() {
        0 | 1 => String::new(),
        count => format!(", and with {} others that are shown without a cause", count - 1),
    };
    format!("there is more further back; {}{others}", ways.join(", or "))
}

/// A tree that is being written.
struct Tree<'t> {
    lineage: &'t Lineage,
    shown: HashSet<&'t str>,
    lines: &'t mut Vec<String>,
}

impl<'t> Tree<'t> {
    fn line(&mut self, depth: usize, text: &str) {
        self.lines.push(format!("{}{text}", "  ".repeat(depth)));
    }

    fn run(&mut self, link: &'t LineageLink, depth: usize) {
        let number = link.number.map(|number| format!("#{number}")).unwrap_or_default();
        let name = format!("{}{number}", link.workflow);
        let made = day_and_time(&link.created_at);
        if !self.shown.insert(&link.run) {
            self.line(depth, &format!("run {name}, as above"));
            return;
        }
        self.line(depth, &format!("run {name}  {}  {made}", link.run));
        self.cause(&link.cause, depth + 1);
    }

    fn cause(&mut self, cause: &'t LineageCause, depth: usize) {
        self.line(depth, &said(cause));
        for signal in &cause.signals {
            let when = signal.published_at.as_deref().map(day_and_time);
            let when = when.unwrap_or_else(|| "no longer kept".to_owned());
            let by = match (&signal.step, &signal.by) {
                (Some(step), _) => format!("  published by step {step}"),
                (None, Some(by)) => format!("  published by {by}"),
                (None, None) => String::new(),
            };
            self.line(
                depth + 1,
                &format!("signal {} {}  {when}{by}", signal.name, signal.sequence),
            );
            self.named(signal.run.as_deref(), depth + 2);
        }
        self.named(cause.run.as_deref(), depth + 1);
    }

    /// The run of this name, if it is among those that were found.
    fn named(&mut self, run: Option<&str>, depth: usize) {
        let Some(run) = run else { return };
        let lineage = self.lineage;
        match lineage.items.iter().find(|link| link.run == run) {
            Some(link) => self.run(link, depth),
            None => self.line(depth, &format!("run {run}")),
        }
    }
}

/// What led to a run, in a few words.
fn said(cause: &LineageCause) -> String {
    let or_nobody = |text: &Option<String>| text.clone().unwrap_or_default();
    match cause.kind.as_str() {
        "manual" => format!("started by {}", or_nobody(&cause.by)),
        "fork" => {
            format!("forked from step {} by {}", or_nobody(&cause.step), or_nobody(&cause.by))
        }
        "schedule" => {
            let at = cause.at.as_deref().map(day_and_time).unwrap_or_default();
            format!("schedule {} for {at}", or_nobody(&cause.schedule))
        }
        "signal" => format!("trigger {}", or_nobody(&cause.trigger)),
        "step" => format!("started by step {} of", or_nobody(&cause.step)),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Runs from `0`, each with the next one before it, but for the last.
    fn chain(count: usize) -> Lineage {
        let item = |n: usize| {
            json!({ "run": n.to_string(), "workflow": "w", "created_at": "",
                "cause": { "kind": "fork", "run": (n + 1).to_string() } })
        };
        let items: Vec<_> = (0..count).map(item).collect();
        serde_json::from_value(json!({ "items": items, "complete": false })).unwrap()
    }

    #[test]
    fn where_no_higher_number_helps_it_goes_on_from_another_run() {
        let go_on = |run: usize| format!("go on with `segno run lineage {run}`");
        let more = "there is more further back; ";
        for (count, depth, limit, said) in [
            (3, 2, 9, format!("give a higher --depth, or {}", go_on(3))),
            (3, 9, 3, format!("give a higher --limit, or {}", go_on(3))),
            (101, 100, 900, go_on(101)),
            (101, 500, 900, go_on(101)),
            (1_000, 20, 1_000, go_on(1_000)),
            (1_000, 20, 5_000, go_on(1_000)),
        ] {
            assert_eq!(further(&chain(count), depth, limit), format!("{more}{said}"));
        }
        let mut forked = chain(2);
        forked.items[0].cause.run = Some("x".to_owned());
        let said = further(&forked, 100, 2_000);
        let others = ", and with 1 others that are shown without a cause";
        assert_eq!(said, format!("{more}{}{others}", go_on(2)));
    }
}
