//! `segno bench`: measures Segno on this machine, in this process, beside the
//! floors that the machine sets.

use super::component;
use super::table::Table;
use super::terminal::Terminal;
use crate::bench::{
    Chain, Figures, Foreach, ForeachFigures, Replay, ReplayFigures, Signals, SignalsFigures,
    Spread, Suspended, SuspendedFigures,
};
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
    /// One large `foreach` of steps that do nothing, beside chains of them
    Foreach(ForeachArguments),
    /// Many steps that wait: memory, store, idle cost, restart, and how they wake
    ///
    /// Half of them wait for a moment, half for a signal. Another host is then
    /// started on the same directory, and signals and timers wake some of them.
    Suspended(SuspendedArguments),
    /// A step that is played again over journals of 10 to 10,000 calls
    Replay(ReplayArguments),
    /// Signals that are published, with few and with many triggers that wait
    ///
    /// Each is waited for until it is on the disk. The triggers ask for other
    /// params of the same names. Then many connections publish over HTTP.
    Signals(SignalsArguments),
}

/// How much is published.
#[derive(Debug, clap::Args)]
pub(super) struct SignalsArguments {
    /// Publications under way at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// How long each part takes, for example 5s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Triggers, where there are many
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    triggers: u64,
    /// Names of signals
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    names: u64,
    /// Connections over HTTP
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=9_000))]
    connections: u32,
    /// Where the data of the bench goes, and stays; a temporary directory unless given
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// How many steps wait.
#[derive(Debug, clap::Args)]
pub(super) struct SuspendedArguments {
    /// Steps that wait
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    steps: u64,
    /// Timers that are due in the same second
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    due: u64,
    /// The component that waits. Unless given, guest-examples/waiter is built
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where the data of the bench goes, and stays; a temporary directory unless given
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// How large the loop is.
#[derive(Debug, clap::Args)]
pub(super) struct ForeachArguments {
    /// Iterations of the loop
    #[arg(long, value_name = "N", default_value_t = 25_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    iterations: u32,
    /// Iterations under way at once
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    concurrency: u32,
    /// The component of the step: it must return its input. Unless given,
    /// guest-examples/noop is built
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
}

/// How often a journal is played.
#[derive(Debug, clap::Args)]
pub(super) struct ReplayArguments {
    /// How often each journal is played
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,
    /// The component that waits. Unless given, guest-examples/waiter is built
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
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
    let table = match verb {
        Verb::Chain(arguments) => chain(arguments, terminal)?,
        Verb::Foreach(arguments) => foreach(arguments, terminal)?,
        Verb::Suspended(arguments) => suspended(arguments, terminal)?,
        Verb::Replay(arguments) => replay(arguments, terminal)?,
        Verb::Signals(arguments) => signals(arguments, terminal)?,
    };
    if let Some(table) = table {
        terminal.table(&table)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures as JSON where that is wanted, and else nothing.
fn as_json(figures: &impl serde::Serialize, terminal: &Terminal) -> Result<bool> {
    if terminal.is_json() {
        terminal.json(&serde_json::to_value(figures)?)?;
    }
    Ok(terminal.is_json())
}

fn suspended(arguments: &SuspendedArguments, terminal: &Terminal) -> Result<Option<Table>> {
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let directory = arguments.data_dir.as_deref().unwrap_or_else(|| temporary.path());
    let bench = Suspended {
        steps: arguments.steps,
        due: arguments.due,
        component: component_or(&arguments.component, "waiter", terminal)?,
        compiler: std::env::current_exe().context("cannot find this program's file")?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(bench.run(directory, |what| terminal.note(what)))?;
    Ok((!as_json(&figures, terminal)?).then(|| suspended_table(&figures)))
}

fn foreach(arguments: &ForeachArguments, terminal: &Terminal) -> Result<Option<Table>> {
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let bench = Foreach {
        iterations: arguments.iterations,
        concurrency: arguments.concurrency,
        component: component_or(&arguments.component, "noop", terminal)?,
        compiler: std::env::current_exe().context("cannot find this program's file")?,
    };
    terminal.note(&format!(
        "measuring chains for 5s, then {} iterations, {} at once, then the chains again",
        bench.iterations, bench.concurrency
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(bench.run(temporary.path()))?;
    Ok((!as_json(&figures, terminal)?).then(|| foreach_table(&figures)))
}

fn foreach_table(figures: &ForeachFigures) -> Table {
    let mut table = Table::of_facts();
    let mut fact = |name: &str, value: String| table.fact(name, value);
    fact("iterations", figures.iterations.to_string());
    fact("at once", figures.concurrency.to_string());
    fact("time", format!("{:.2} s", figures.duration_s));
    fact("steps/s", format!("{:.0}", figures.steps_per_s));
    fact("cpu per 1,000 steps", format!("{:.3} s", figures.cpu_s_per_1000_steps));
    fact("most memory", format!("{:.0} MiB", figures.resident_bytes as f64 / f64::from(1 << 20)));
    fact("last tenth to first", format!("{:.2} x", figures.last_tenth_to_first));
    fact("chain steps/s", format!("{:.0}", figures.chain_steps_per_s));
    fact("chain cpu per 1,000 steps", format!("{:.3} s", figures.chain_cpu_s_per_1000_steps));
    fact("share of chain", format!("{:.2}", figures.share_of_chain));
    table
}

fn replay(arguments: &ReplayArguments, terminal: &Terminal) -> Result<Option<Table>> {
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let bench = Replay {
        times: arguments.times,
        component: component_or(&arguments.component, "waiter", terminal)?,
        compiler: std::env::current_exe().context("cannot find this program's file")?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(bench.run(temporary.path(), |what| terminal.note(what)))?;
    Ok((!as_json(&figures, terminal)?).then(|| replay_table(&figures)))
}

fn signals(arguments: &SignalsArguments, terminal: &Terminal) -> Result<Option<Table>> {
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let directory = arguments.data_dir.as_deref().unwrap_or_else(|| temporary.path());
    let bench = Signals {
        concurrency: arguments.concurrency,
        duration: arguments.duration,
        triggers: arguments.triggers,
        names: arguments.names,
        connections: arguments.connections,
        compiler: std::env::current_exe().context("cannot find this program's file")?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(bench.run(directory, |what| terminal.note(what)))?;
    Ok((!as_json(&figures, terminal)?).then(|| signals_table(&figures)))
}

fn signals_table(figures: &SignalsFigures) -> Table {
    let mut table = Table::new(["PUBLISHED", "TRIGGERS#", "PER SECOND#", "P50#", "P99#"]);
    let ms = |us: f64| format!("{:.2} ms", us / 1e3);
    let mut row = |how: String, triggers: String, per_s: f64, spread: &Spread| {
        let (p50, p99) = (ms(spread.p50_us), ms(spread.p99_us));
        table.row([
            how.into(),
            triggers.into(),
            format!("{per_s:.0}").into(),
            p50.into(),
            p99.into(),
        ]);
    };
    for part in [&figures.alone, &figures.few, &figures.many] {
        let how = format!("{} at once", figures.concurrency);
        row(how, part.triggers.to_string(), part.per_s, &part.publication);
    }
    let ratio = format!("{:.2} x", figures.many_to_few);
    let http = &figures.http;
    let how = format!("{} connections, HTTP", http.connections);
    row(how, String::new(), http.per_s, &http.publication);
    table.row([
        "many to few".into(),
        String::new().into(),
        ratio.into(),
        String::new().into(),
        String::new().into(),
    ]);
    table
}

fn suspended_table(figures: &SuspendedFigures) -> Table {
    let mut table = Table::of_facts();
    let mut fact = |name: &str, value: String| table.fact(name, value);
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let ms = |us: f64| format!("{:.1} ms", us / 1e3);
    let spread = |spread: &Option<Spread>| match spread {
        Some(spread) => format!("{} / {}", ms(spread.p50_us), ms(spread.p99_us)),
        None => String::new(),
    };
    fact("steps that wait", figures.steps.to_string());
    fact("suspended per second", format!("{:.0}", figures.suspended_per_s));
    fact(
        "memory before / with them",
        format!("{} / {}", mib(figures.resident_before_bytes), mib(figures.resident_bytes)),
    );
    fact("runs in memory", figures.runs_in_memory.to_string());
    fact("store for each", format!("{:.0} B", figures.store_bytes_each));
    fact("idle: share of a core", format!("{:.2} %", figures.idle_cpu * 100.0));
    fact("idle: commits", figures.idle_commits.to_string());
    fact("restart", format!("{:.2} s", figures.restart_s));
    fact("signal to next line p50 / p99", spread(&figures.signal_to_step));
    fact("signal to end of run p50 / p99", spread(&figures.signal_to_end));
    fact("timers in one second", figures.due.to_string());
    fact("timers: lateness p50 / p99", spread(&figures.timer_lateness));
    fact("timers: early", figures.timers_early.to_string());
    table
}

fn replay_table(figures: &ReplayFigures) -> Table {
    let mut table = Table::new(["CALLS#", "WAKE#", "CPU#", "FOR EACH CALL MORE#"]);
    for journal in &figures.journals {
        table.row([
            journal.entries.to_string().into(),
            format!("{:.2} ms", journal.wake_us / 1e3).into(),
            format!("{:.2} ms", journal.cpu_us / 1e3).into(),
            journal.us_per_entry.map_or(String::new(), |us| format!("{us:.2} µs")).into(),
        ]);
    }
    table
}

fn chain(arguments: &Arguments, terminal: &Terminal) -> Result<Option<Table>> {
    let component = component_or(&arguments.component, "noop", terminal)?;
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
    Ok((!as_json(&figures, terminal)?).then(|| table(&figures)))
}

/// The component that was given, or else one of the examples.
fn component_or(given: &Option<PathBuf>, example: &str, terminal: &Terminal) -> Result<PathBuf> {
    if let Some(file) = given {
        return Ok(file.clone());
    }
    let crate_ = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples").join(example);
    anyhow::ensure!(
        crate_.exists(),
        "guest-examples/{example} is not there: run this in a checkout of Segno, or give \
         --component FILE"
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
