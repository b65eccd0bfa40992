//! `segno bench`: measures Segno on this machine, in this process, beside the
//! floors that the machine sets.

use super::component;
use super::table::Table;
use super::terminal::Terminal;
use crate::bench::{Chain, Figures};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Workflows that are chains of steps which do nothing
    ///
    /// Each workflow is started in this process and awaited until its end is on
    /// the disk. The floors are a call of the same component without a host
    /// around it, and one row committed alone.
    Chain(Arguments),
}

/// How much of it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Steps of a workflow
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    steps: u32,
    /// Workflows under way at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    concurrency: u32,
    /// How long, for example 5s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// The component of every step: it must return its input. Unless given,
    /// guest-examples/noop is built
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where the data of the bench goes, and stays; a temporary directory unless given
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn perform(verb: &Verb, terminal: &Terminal) -> Result<ExitCode> {
    let Verb::Chain(arguments) = verb;
    let component = match &arguments.component {
        Some(file) => file.clone(),
        None => noop(terminal)?,
    };
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let directory = arguments.data_dir.as_deref().unwrap_or_else(|| temporary.path());
    let chain = Chain {
        steps: arguments.steps,
        concurrency: arguments.concurrency,
        duration: arguments.duration,
        component,
        compiler: std::env::current_exe().context("cannot find this program's file")?,
    };
    terminal.note(&format!(
        "measuring chains of {} steps, {} at once, for {}",
        chain.steps,
        chain.concurrency,
        humantime::format_duration(chain.duration)
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(chain.run(directory))?;
    if terminal.is_json() {
        terminal.json(&serde_json::to_value(&figures)?)?;
    } else {
        terminal.table(&table(&figures))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn noop(terminal: &Terminal) -> Result<PathBuf> {
    let crate_ = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples/noop");
    anyhow::ensure!(
        crate_.exists(),
        "guest-examples/noop is not there: run this in a checkout of Segno, or give --component FILE"
    );
    let built = component::build_quietly(&crate_, terminal)?;
    Ok(built.path)
}

fn table(figures: &Figures) -> Table {
    let mut table = Table::of_facts();
    let mut fact = |name: &str, value: String| table.fact(name, value);
    fact("workflows/s", format!("{:.0}", figures.workflows_per_s));
    fact("steps/s", format!("{:.0}", figures.steps_per_s));
    let ms = |us: f64| format!("{:.2} ms", us / 1e3);
    let workflow = &figures.workflow;
    fact("workflow p50 / p99", format!("{} / {}", ms(workflow.p50_us), ms(workflow.p99_us)));
    fact("cpu per 1,000 steps", format!("{:.3} s", figures.cpu_s_per_1000_steps));
    fact("flushes per workflow", format!("{:.2}", figures.flushes_per_workflow));
    let floor = &figures.floor;
    let us = |us: f64| format!("{us:.1} µs");
    let call = &floor.bare_call;
    fact("floor: bare call p50 / p99", format!("{} / {}", us(call.p50_us), us(call.p99_us)));
    fact("floor: cpu of a bare call", us(floor.bare_call_cpu_us));
    let commit = &floor.durable_commit;
    fact("floor: one commit p50 / p99", format!("{} / {}", us(commit.p50_us), us(commit.p99_us)));
    fact("cpu of a step to a bare call", format!("{:.1} x", figures.cpu_of_step_to_bare_call));
    table
}
