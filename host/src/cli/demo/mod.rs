//! `segno demo`: the whole way from source to result, with nothing but the
//! verbs that a user has. What it prints behind `$` is what it does.

mod child;
mod figures;
mod interrupt;

use super::answer::{self, Run, WorkflowItem};
use super::client::Client;
use super::component;
use super::file;
use super::ink::Ink;
use super::route::Route;
use super::terminal::{Closed, Target, Terminal};
use super::{Cli, perform as perform_line};
use anyhow::{Context as _, Result, bail};
use child::Child;
use clap::Parser as _;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The steps of the example: the crate of each, and what its workflow calls it.
const STEPS: [(&str, &str); 3] = [
    ("load", "weather/load@1.0.0"),
    ("aggregate", "weather/aggregate@1.0.0"),
    ("report", "weather/report@1.0.0"),
];

/// How to show it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Leave the server up
    #[arg(long)]
    keep: bool,
    /// Where to write the report
    #[arg(long, value_name = "DIR", default_value = "target/segno-demo")]
    out: PathBuf,
    /// Where Segno's examples are
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-examples"))]
    #[arg(hide_default_value = true)]
    examples: PathBuf,
}

/// What has to be there.
struct Example {
    crates: Vec<PathBuf>,
    workflow: PathBuf,
    data: PathBuf,
}

pub(super) fn perform(arguments: &Arguments, terminal: &Terminal) -> Result<ExitCode> {
    let terminal = &terminal.for_people();
    let example = Example::find(&arguments.examples)?;
    let show = Show { terminal };
    show.head("Build the components of three steps from their source")?;
    let crates = example.crates.iter().map(|path| shown(path));
    show.command(
        &["component", "build"].map(str::to_owned).into_iter().chain(crates).collect::<Vec<_>>(),
    )?;
    let built = component::build(&example.crates, terminal)?;
    show.head("Start a server on an empty directory")?;
    let child = Child::start()?;
    interrupt::stop_on_signal(&child)?;
    show.command(&child.command())?;
    let outcome = child.ready().and_then(|server| {
        terminal.print(&format!("listening at {server}"))?;
        let run = show.on_server(&server, &built, &example, &arguments.out)?;
        show.farewell(arguments.keep.then_some(&child), &run)
    });
    let last_words = child.last_words();
    if outcome.is_ok() && arguments.keep {
        child.leave()?;
    } else if !child.stop() {
        return Ok(interrupt::exit_code());
    }
    if outcome.as_ref().is_err_and(|error| !error.is::<Closed>()) {
        terminal.note(&last_words);
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

impl Example {
    fn find(examples: &Path) -> Result<Self> {
        let weather = examples.join("weather");
        let example = Self {
            crates: STEPS.iter().map(|(name, _)| weather.join(name)).collect(),
            workflow: weather.join("workflow.yaml"),
            data: weather.join("data").join("seattle-weather.csv"),
        };
        let all = example.crates.iter().chain([&example.workflow, &example.data]);
        let missing: Vec<_> = all.filter(|path| !path.exists()).collect();
        if let Some(missing) = missing.first() {
            let missing = missing.display();
            bail!(
                "the example is not there, {missing} is missing: run this in a checkout of Segno, or give --examples DIR"
            );
        }
        Ok(example)
    }
}

/// Does what a user would do, where everybody can see it.
struct Show<'a> {
    terminal: &'a Terminal,
}

impl Show<'_> {
    fn head(&self, text: &str) -> Result<()> {
        let colours = self.terminal.looks(Target::Out).colours;
        self.terminal.print(&format!("\n{}", Ink::Strong.paint(text, colours)))
    }

    fn command(&self, words: &[String]) -> Result<()> {
        let colours = self.terminal.looks(Target::Out).colours;
        let line: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        self.terminal.print(&Ink::Faint.paint(&format!("$ segno {}", line.join(" ")), colours))
    }

    /// Shows a command and does it at this server.
    fn perform(&self, server: &str, words: &[String]) -> Result<()> {
        self.command(words)?;
        let line = ["segno", "--server", server].map(str::to_owned);
        let cli = Cli::try_parse_from(line.iter().chain(words))
            .context("the demo does not know its own command line")?;
        if perform_line(cli, self.terminal)? != ExitCode::SUCCESS {
            bail!("`segno {}` did not succeed", words.join(" "));
        }
        Ok(())
    }

    fn on_server(
        &self,
        server: &str,
        built: &[component::Built],
        example: &Example,
        out: &Path,
    ) -> Result<Run> {
        self.head("Push the components, and apply the workflow that joins them")?;
        for (component, (_, reference)) in built.iter().zip(STEPS) {
            let file = shown(&component.path);
            self.perform(server, &["component", "push", &file, reference].map(str::to_owned))?;
        }
        self.perform(server, &["workflow".into(), "apply".into(), shown(&example.workflow)])?;
        self.head("Run it on four years of daily weather in Seattle")?;
        let client = Client::new(server, "default")?;
        let workflow = only_workflow(&client)?;
        let data = format!("csv=@{}", shown(&example.data));
        let words = ["run", "start", &workflow, "--param", &data, "--watch"];
        self.perform(server, &words.map(str::to_owned))?;
        let answer = client.get(&Route::to(["runs", &format!("{workflow}#1")]))?;
        let run: Run = answer::read(&answer)?;
        self.result(&run, out)?;
        Ok(run)
    }

    fn result(&self, run: &Run, out: &Path) -> Result<()> {
        let output = run.output.as_ref().context("the run has no output")?;
        let output: Value = serde_json::from_str(output.get())?;
        let (summary, page) = (&output["summary"], output["html"].as_str());
        let page = page.context("the run's output has no page: is the example another one?")?;
        self.head("The result")?;
        let [weather, extremes] = figures::tables(summary)?;
        self.terminal.table(&weather)?;
        self.terminal.print("")?;
        self.terminal.table(&extremes)?;
        let text =
            serde_json::to_string_pretty(summary).context("the summary cannot be written")?;
        let summary = file::write(out, "summary.json", format!("{text}\n").as_bytes())?;
        let page = file::write(out, "report.html", page.as_bytes())?;
        self.terminal.print("")?;
        self.terminal.print(&format!("page     {}", shown(&page)))?;
        self.terminal.print(&format!("figures  {}", shown(&summary)))
    }

    fn farewell(&self, kept: Option<&Child>, run: &Run) -> Result<()> {
        self.head("What to try next")?;
        let name = run.name();
        let mut lines = Vec::new();
        lines.extend(alias());
        match kept {
            Some(child) => {
                lines.push(format!("export SEGNO_SERVER={}", child.server()));
                lines.push(format!("segno run get {name}"));
                lines.push(format!("segno run logs {name}"));
                lines.push(format!("segno workflow get {} --source", run.workflow));
                lines.push(format!(
                    "kill {}    # stops the server; its data is in {}",
                    child.id(),
                    child.directory()
                ));
            }
            None => {
                lines.push("segno demo --keep    # the same, and the server stays up".to_owned());
                lines.push("segno dev            # a server of your own".to_owned());
                lines.push("segno --help".to_owned());
            }
        }
        lines.iter().try_for_each(|line| self.terminal.print(line))
    }
}

fn only_workflow(client: &Client) -> Result<String> {
    let all = client.list(&Route::to(["workflows"]), 1)?;
    let first = all.first().context("the server has no workflow")?;
    Ok(answer::read::<WorkflowItem>(first)?.workflow)
}

/// What makes the word `segno` mean this program, where it does not yet.
fn alias() -> Option<String> {
    let this = std::env::current_exe().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|place| place.join("segno")).find(|file| file.is_file());
    let is_this = |file: &PathBuf| std::fs::canonicalize(file).is_ok_and(|file| file == this);
    match found.as_ref().is_some_and(is_this) {
        true => None,
        false => Some(format!("alias segno={}", quoted(&this.display().to_string()))),
    }
}

/// A path as a user would type it here.
fn shown(path: &Path) -> String {
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    component::shortest(&whole)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=@:,+%".contains(c);
    match word.chars().all(plain) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_as_they_are_printed() {
        assert_eq!(quoted("csv=@data/a.csv"), "csv=@data/a.csv");
        assert_eq!(quoted("report#3"), "'report#3'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_missing_example_is_named() {
        let refusal = Example::find(Path::new("no/where")).err().unwrap().to_string();
        assert!(refusal.contains("no/where/weather/load is missing:"), "{refusal}");
    }
}
