//! What it costs to play a step again: the same step with journals of different
//! lengths, woken again and again.

use super::{cpu_s, host};
use crate::driver::{Driver, RunSignal, StartRun};
use anyhow::{Context as _, Result, ensure};
use segno_engine::id::{RunId, TenantId};
use segno_engine::payload::Payload;
use segno_engine::run::StepState;
use segno_engine::signal::Publisher;
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The lengths of the journals.
const LENGTHS: [u32; 4] = [10, 100, 1_000, 10_000];

const DEFINITION: &str = "workflow: replaying\nparams: { calls: { type: int } }\nsteps:\n  - \
    { id: wait, component: waiter, params: { wait: { calls: \"${params.calls}\" } }, \
    limits: { journal_entries: 20000, cpu: 60s } }\n";

/// What is measured.
#[derive(Debug, Clone)]
pub struct Replay {
    /// How often each journal is played.
    pub times: u32,
    /// The component that waits.
    pub component: PathBuf,
    /// The program that compiles it.
    pub compiler: PathBuf,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct ReplayFigures {
    /// For each length.
    pub journals: Vec<Journal>,
}

/// One length.
#[derive(Debug, Serialize)]
pub struct Journal {
    /// Calls in the journal.
    pub entries: u32,
    /// From the signal, over its way to the disk and the step's, until the step
    /// waits again and is out of memory.
    pub wake_us: f64,
    /// Processor time of the process for it.
    pub cpu_us: f64,
    /// How much more time it takes than the shortest journal, for each entry
    /// that it has more.
    pub us_per_entry: Option<f64>,
}

impl Replay {
    /// Measures, in a directory of its own that is empty before.
    ///
    /// # Errors
    /// The component cannot be used, or the step does not wait as it should.
    pub async fn run(&self, directory: &Path, progress: impl Fn(&str)) -> Result<ReplayFigures> {
        ensure!(self.times > 0, "play each journal at least once");
        let tenant: TenantId = "bench".parse()?;
        let driver = host(directory, self.compiler.clone())?;
        let bytes = std::fs::read(&self.component)
            .with_context(|| format!("{} cannot be read", self.component.display()))?;
        driver.push_component(&tenant, ("waiter", "1.0.0"), bytes).await?;
        driver
            .apply_workflow(&tenant, super::push(DEFINITION))
            .await
            .map_err(super::chain::explain)?;
        let mut journals: Vec<Journal> = Vec::new();
        for entries in LENGTHS {
            progress(&format!("playing a journal of {entries} calls"));
            let mut journal = self.measure(&driver, &tenant, entries).await?;
            if let Some(first) = journals.first() {
                let more = journal.wake_us - first.wake_us;
                journal.us_per_entry = Some(more / f64::from(entries - first.entries));
            }
            journals.push(journal);
        }
        Ok(ReplayFigures { journals })
    }

    async fn measure(&self, driver: &Driver, tenant: &TenantId, entries: u32) -> Result<Journal> {
        let start = StartRun::new(
            "replaying",
            [("calls".to_owned(), json!(entries))].into_iter().collect(),
        );
        let run = driver.start(tenant, start).await?.run;
        until_asleep(driver, tenant, run).await?;
        let mut wakes: Vec<f64> = Vec::new();
        let cpu = cpu_s();
        for _ in 0..self.times {
            let begin = Instant::now();
            signal(driver, tenant, run, "go").await?;
            until_asleep(driver, tenant, run).await?;
            wakes.push(begin.elapsed().as_nanos() as f64 / 1e3);
        }
        let cpu_us = (cpu_s() - cpu) * 1e6 / f64::from(self.times);
        signal(driver, tenant, run, "stop").await?;
        driver.end_of(tenant, run).await?;
        wakes.sort_by(f64::total_cmp);
        Ok(Journal { entries, wake_us: wakes[wakes.len() / 2], cpu_us, us_per_entry: None })
    }
}

async fn signal(driver: &Driver, tenant: &TenantId, run: RunId, word: &str) -> Result<()> {
    let signal = RunSignal {
        name: "go".to_owned(),
        id: None,
        payload: Payload::from(json!(word)),
        publisher: Publisher::api("bench"),
    };
    driver.signal_run(tenant, run, signal).await?;
    Ok(())
}

/// Returns when the step waits and its run has left memory.
async fn until_asleep(driver: &Driver, tenant: &TenantId, run: RunId) -> Result<()> {
    while driver.is_in_memory(tenant, run) {
        tokio::task::yield_now().await;
    }
    let snapshot = driver.snapshot(tenant, run).await?.context("the run is known")?;
    let state = &snapshot.run.steps()[0].state;
    ensure!(matches!(state, StepState::Suspended { .. }), "the step is {}", state.as_str());
    Ok(())
}
