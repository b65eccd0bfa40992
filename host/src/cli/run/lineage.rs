//! `segno run lineage`: what led to a run, as a tree.

use crate::cli::answer::{self, Lineage, LineageCause, LineageLink};
use crate::cli::client::Client;
use crate::cli::measure::day_and_time;
use crate::cli::route::Route;
use crate::cli::terminal::Terminal;
use anyhow::Result;
use std::collections::HashSet;
use std::process::ExitCode;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The run, as run_… or workflow#number
    #[arg(value_name = "RUN")]
    run: String,
    /// How many runs back at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    depth: u32,
    /// How many runs in all
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
        terminal.note("there is more further back; give a higher --depth or --limit");
    }
    Ok(ExitCode::SUCCESS)
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
