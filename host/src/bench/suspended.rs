//! Many steps that wait: what they cost while they do, how they wake, and how a
//! host starts that has them.

use super::{Spread, cpu_s, histogram, host, resident_bytes};
use crate::driver::{Driver, Publish, StartRun};
use anyhow::{Context as _, Result, bail, ensure};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::RunStatus;
use segno_engine::signal::{Params, Publisher};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Runs that are started at once.
const STARTERS: u64 = 64;

/// How long an idle host is watched.
const IDLE: Duration = Duration::from_secs(5);

/// Signals whose way is measured, one after the other.
const SIGNALS: u64 = 500;

/// Far enough that no timer of the crowd is due while the bench runs.
const FAR_MS: u64 = 24 * 60 * 60 * 1_000;

const DEFINITION: &str = "workflow: waiting\nparams: { wait: { type: json } }\nsteps:\n  - \
    { id: wait, component: waiter, params: { wait: \"${params.wait}\" } }\n";

/// What is measured.
#[derive(Debug, Clone)]
pub struct Suspended {
    /// Steps that wait: one half for a moment, the other for a signal.
    pub steps: u64,
    /// Timers that are due in the same second.
    pub due: u64,
    /// The component that waits.
    pub component: PathBuf,
    /// The program that compiles it.
    pub compiler: PathBuf,
}

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub struct SuspendedFigures {
    /// Steps that wait.
    pub steps: u64,
    /// Starts in a second, until they wait and have left memory.
    pub suspended_per_s: f64,
    /// Memory of the process before there was any.
    pub resident_before_bytes: u64,
    /// Memory of the process with all of them.
    pub resident_bytes: u64,
    /// What the store has grown by, for each.
    pub store_bytes_each: f64,
    /// Runs that are in memory.
    pub runs_in_memory: usize,
    /// Processor time of the idle host, as a share of one core.
    pub idle_cpu: f64,
    /// Commits of the idle host.
    pub idle_commits: u64,
    /// From opening the store until every wait is known again.
    pub restart_s: f64,
    /// Timers that were due in the same second.
    pub due: u64,
    /// How late their steps went on.
    pub timer_lateness: Option<Spread>,
    /// How many went on before their moment.
    pub timers_early: u64,
    /// From the acknowledged publication to the step's next line of code.
    pub signal_to_step: Option<Spread>,
    /// The same, until its run is over and that is on the disk.
    pub signal_to_end: Option<Spread>,
}

impl Suspended {
    /// Measures, in a directory of its own that is empty before. `progress` is
    /// told what is going on.
    ///
    /// # Errors
    /// The component cannot be used, or a step does not wait as it should.
    pub async fn run(&self, directory: &Path, progress: impl Fn(&str)) -> Result<SuspendedFigures> {
        ensure!(self.steps >= 2 * SIGNALS, "give at least {} steps", 2 * SIGNALS);
        let tenant: TenantId = "bench".parse()?;
        let mut figures = SuspendedFigures { steps: self.steps, ..SuspendedFigures::default() };
        let driver = host(directory, self.compiler.clone())?;
        let bytes = std::fs::read(&self.component)
            .with_context(|| format!("{} cannot be read", self.component.display()))?;
        driver.push_component(&tenant, ("waiter", "1.0.0"), bytes).await?;
        driver
            .apply_workflow(&tenant, super::push(DEFINITION))
            .await
            .map_err(super::chain::explain)?;
        let warm = json!({ "until": 0 });
        end_of(&driver, &tenant, start(&driver, &tenant, warm).await?).await?;

        progress(&format!("suspending {} steps", self.steps));
        figures.resident_before_bytes = resident_bytes()?;
        let store_before = directory_bytes(directory)?;
        let begin = Instant::now();
        self.suspend_all(&driver, &tenant).await?;
        figures.suspended_per_s = self.steps as f64 / begin.elapsed().as_secs_f64();
        figures.runs_in_memory = driver.runs_in_memory();

        progress("watching them wait");
        // What was just allocated may still be on its way back.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (cpu, commits) = (cpu_s(), driver.store().stats().commits);
        tokio::time::sleep(IDLE).await;
        figures.idle_cpu = (cpu_s() - cpu) / IDLE.as_secs_f64();
        figures.idle_commits = driver.store().stats().commits - commits;
        figures.resident_bytes = resident_bytes()?;
        figures.store_bytes_each =
            (directory_bytes(directory)?.saturating_sub(store_before)) as f64 / self.steps as f64;

        progress("starting another host on the same directory");
        driver.stop();
        driver.store().close()?;
        drop(driver);
        let (driver, restart) = self.restart(directory).await?;
        figures.restart_s = restart.as_secs_f64();

        progress(&format!("publishing {SIGNALS} signals, one after the other"));
        self.signals(&driver, &tenant, &mut figures).await?;
        progress(&format!("waiting for {} timers that are due in the same second", self.due));
        self.timers(&driver, &tenant, &mut figures).await?;
        Ok(figures)
    }

    /// Another host on the directory, and how long it took to start. The one
    /// before lets go of it when its last task has ended.
    async fn restart(&self, directory: &Path) -> Result<(Driver, Duration)> {
        let patience = Instant::now();
        loop {
            let begin = Instant::now();
            match host(directory, self.compiler.clone()) {
                Ok(driver) => return Ok((driver, begin.elapsed())),
                Err(error) if patience.elapsed() > Duration::from_secs(10) => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn suspend_all(&self, driver: &Driver, tenant: &TenantId) -> Result<()> {
        let far = driver.clock().now().0 + FAR_MS;
        let wait = move |number: u64| match number % 2 {
            0 => json!({ "until": far + number }),
            _ => json!({ "signal": number }),
        };
        start_many(driver, tenant, self.steps, wait).await?;
        // They leave memory one after the other, once they are on the disk.
        let begin = Instant::now();
        while driver.runs_in_memory() as u64 > self.steps / 1_000 + 64 {
            ensure!(begin.elapsed() < Duration::from_secs(60), "the steps do not leave memory");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn signals(
        &self,
        driver: &Driver,
        tenant: &TenantId,
        figures: &mut SuspendedFigures,
    ) -> Result<()> {
        let (mut to_step, mut to_end) = (histogram(), histogram());
        let mut runs = std::collections::HashMap::new();
        // The runs of the first odd numbers, in the order of their numbers.
        let first = start_many(
            driver,
            tenant,
            SIGNALS,
            |number| json!({ "signal": u64::MAX / 4 + number }),
        );
        for (number, run) in first.await? {
            runs.insert(number, run);
        }
        for number in 0..SIGNALS {
            let publish = Publish {
                name: "bench.go".to_owned(),
                id: None,
                params: Params::of(&json!({ "number": u64::MAX / 4 + number }))?,
                payload: Payload::null(),
                publisher: Publisher::api("bench"),
            };
            driver.publish(tenant, publish).await?;
            let (acknowledged, at) = (Instant::now(), driver.clock().now());
            let run = runs[&number];
            let went_on = end_of(driver, tenant, run).await?;
            to_end.saturating_record(acknowledged.elapsed().as_nanos() as u64);
            to_step.saturating_record(went_on.since(at) * 1_000_000);
        }
        figures.signal_to_step = Some((&to_step).into());
        figures.signal_to_end = Some((&to_end).into());
        Ok(())
    }

    async fn timers(
        &self,
        driver: &Driver,
        tenant: &TenantId,
        figures: &mut SuspendedFigures,
    ) -> Result<()> {
        // All must wait before the first is due.
        let ahead = Duration::from_secs(5) + Duration::from_millis(self.due);
        let due =
            Timestamp(driver.clock().now().plus_ms(ahead.as_millis() as u64).0 / 1_000 * 1_000);
        let count = self.due.max(1);
        let moment = move |number: u64| due.0 + number * 1_000 / count;
        let wait = move |number: u64| json!({ "until": moment(number) });
        let runs = start_many(driver, tenant, self.due, wait).await?;
        ensure!(driver.clock().now() < due, "the timers were due before all of them waited");
        let mut lateness = histogram();
        for (number, run) in runs {
            let went_on = end_of(driver, tenant, run).await?;
            let moment = Timestamp(moment(number));
            figures.timers_early += u64::from(went_on < moment);
            lateness.saturating_record(went_on.since(moment) * 1_000_000);
        }
        figures.due = self.due;
        figures.timer_lateness = Some((&lateness).into());
        Ok(())
    }
}

/// Starts `count` runs, many at once, and returns them when all are on the disk.
async fn start_many(
    driver: &Driver,
    tenant: &TenantId,
    count: u64,
    wait: impl Fn(u64) -> Value + Copy + Send + 'static,
) -> Result<Vec<(u64, RunId)>> {
    let mut starters = tokio::task::JoinSet::new();
    for starter in 0..STARTERS {
        let (driver, tenant) = (driver.clone(), tenant.clone());
        starters.spawn(async move {
            let mut started = Vec::new();
            let mut number = starter;
            while number < count {
                started.push((number, start(&driver, &tenant, wait(number)).await?));
                number += STARTERS;
            }
            anyhow::Ok(started)
        });
    }
    let mut all = Vec::new();
    while let Some(started) = starters.join_next().await {
        all.extend(started??);
    }
    Ok(all)
}

async fn start(driver: &Driver, tenant: &TenantId, wait: Value) -> Result<RunId> {
    let start = StartRun::new("waiting", [("wait".to_owned(), wait)].into_iter().collect());
    Ok(driver.start(tenant, start).await?.run)
}

/// When the step of a run went on, once the run is over.
async fn end_of(driver: &Driver, tenant: &TenantId, run: RunId) -> Result<Timestamp> {
    match driver.end_of(tenant, run).await? {
        RunStatus::Succeeded { output } => match output.value().as_u64() {
            Some(millis) => Ok(Timestamp(millis)),
            None => bail!("run {run} gave {}", output.text()),
        },
        other => bail!("run {run} ended {}: {other:?}", other.as_str()),
    }
}

/// What the files below a directory take.
fn directory_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { directory_bytes(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
