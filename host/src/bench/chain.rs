//! Chains of steps that do nothing: what is left is Segno itself. Workflows are
//! started in the process, without HTTP, and waited for until they are durable.

use super::{Spread, cpu_s, histogram, host};
use crate::driver::{Driver, StartRun};
use crate::sandbox::{Context, Limits, Task};
use crate::store::{Digest, Write};
use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::RunStatus;
use serde::Serialize;
use serde_json::Map;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often each floor is measured.
const FLOOR_CALLS: u32 = 20_000;
const FLOOR_COMMITS: u32 = 2_000;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Steps of a workflow.
    pub steps: u32,
    /// Workflows under way at once.
    pub concurrency: u32,
    /// How long.
    pub duration: Duration,
    /// The component of every step, which returns its input.
    pub component: PathBuf,
    /// The program that compiles it.
    pub compiler: PathBuf,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Steps of a workflow.
    pub steps: u32,
    /// Workflows under way at once.
    pub concurrency: u32,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// Workflows that ended.
    pub workflows: u64,
    /// Of them in a second.
    pub workflows_per_s: f64,
    /// Steps in a second.
    pub steps_per_s: f64,
    /// From the request to the durable end.
    pub workflow: Spread,
    /// Processor time of the whole process.
    pub cpu_s_per_1000_steps: f64,
    /// Of the disk.
    pub flushes_per_workflow: f64,
    /// What cannot be gone under here.
    pub floor: Floor,
    /// Processor time of a step as a multiple of a bare call's.
    pub cpu_of_step_to_bare_call: f64,
}

/// What cannot be gone under on this machine.
#[derive(Debug, Serialize)]
pub struct Floor {
    /// The same component, instantiated and called without a host around it.
    pub bare_call: Spread,
    /// Its processor time.
    pub bare_call_cpu_us: f64,
    /// One row, committed and awaited alone.
    pub durable_commit: Spread,
}

impl Chain {
    /// Measures, in a directory of its own that is empty before.
    ///
    /// # Errors
    /// The component cannot be used, or a workflow does not succeed.
    pub async fn run(&self, directory: &Path) -> Result<Figures> {
        ensure!(self.steps > 0 && self.concurrency > 0, "give at least one step and one workflow");
        let driver = host(directory, self.compiler.clone())?;
        let tenant: TenantId = "bench".parse()?;
        let bytes = std::fs::read(&self.component)
            .with_context(|| format!("{} cannot be read", self.component.display()))?;
        driver.push_component(&tenant, ("noop", "1.0.0"), bytes.clone()).await?;
        driver
            .apply_workflow(&tenant, super::push(&definition(self.steps)))
            .await
            .map_err(explain)?;
        let warm_up = Duration::from_millis(500).min(self.duration);
        self.load(&driver, &tenant, warm_up).await?;
        let (cpu_before, stats_before) = (cpu_s(), driver.store().stats());
        let begin = Instant::now();
        let times = self.load(&driver, &tenant, self.duration).await?;
        let duration_s = begin.elapsed().as_secs_f64();
        let (cpu, stats) = (cpu_s() - cpu_before, driver.store().stats());
        let floor = floor(&driver, &tenant, &bytes).await?;
        let workflows = times.len();
        let all_steps = workflows as f64 * f64::from(self.steps);
        Ok(Figures {
            steps: self.steps,
            concurrency: self.concurrency,
            duration_s,
            workflows,
            workflows_per_s: workflows as f64 / duration_s,
            steps_per_s: all_steps / duration_s,
            workflow: (&times).into(),
            cpu_s_per_1000_steps: cpu / all_steps * 1e3,
            flushes_per_workflow: (stats.groups - stats_before.groups) as f64 / workflows as f64,
            cpu_of_step_to_bare_call: cpu / all_steps * 1e6 / floor.bare_call_cpu_us,
            floor,
        })
    }

    /// Keeps `concurrency` workflows under way for `duration`.
    async fn load(
        &self,
        driver: &Driver,
        tenant: &TenantId,
        duration: Duration,
    ) -> Result<Histogram<u64>> {
        let end = Instant::now() + duration;
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..self.concurrency {
            let (driver, tenant) = (driver.clone(), tenant.clone());
            clients.spawn(async move {
                let mut times = histogram();
                while Instant::now() < end {
                    let begin = Instant::now();
                    one_workflow(&driver, &tenant).await?;
                    times.saturating_record(begin.elapsed().as_nanos() as u64);
                }
                anyhow::Ok(times)
            });
        }
        let mut all = histogram();
        while let Some(times) = clients.join_next().await {
            all.add(times??)?;
        }
        Ok(all)
    }
}

async fn one_workflow(driver: &Driver, tenant: &TenantId) -> Result<()> {
    let start = StartRun::new("chain", Map::new());
    // Only the end is awaited: it is durable after the start.
    let (started, _) = driver.order_start(tenant, start)?;
    let run = started.run;
    match driver.end_of(tenant, run).await? {
        RunStatus::Succeeded { .. } => Ok(()),
        other => anyhow::bail!("run {run} ended {}: {other:?}", other.as_str()),
    }
}

/// A chain in which every step gets the output of the one before.
fn definition(steps: u32) -> String {
    let mut text = String::from("workflow: chain\nsteps:\n");
    for step in 1..=steps {
        let (needs, input) = match step {
            1 => (String::new(), r#"{ payload: "0123456789" }"#.to_owned()),
            _ => {
                let before = step - 1;
                let output = format!("${{steps.s{before}.output.payload}}");
                (format!(", needs: [s{before}]"), format!("{{ payload: \"{output}\" }}"))
            }
        };
        let _ = writeln!(text, "  - {{ id: s{step}, component: noop{needs}, params: {input} }}");
    }
    text
}

pub(super) fn explain(error: crate::driver::ApplyError) -> anyhow::Error {
    match error {
        crate::driver::ApplyError::Problems(all) => {
            let lines: Vec<_> = all.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        }
        other => other.into(),
    }
}

async fn floor(driver: &Driver, tenant: &TenantId, bytes: &[u8]) -> Result<Floor> {
    let digest = Digest::of(bytes).to_string();
    let load = async || Ok::<_, crate::store::Error>(bytes.to_vec());
    let component = driver.sandbox().component(&digest, load).await?;
    let task = Task {
        component: component.clone(),
        context: Context { run: "bare".to_owned(), step: "noop".to_owned(), attempt: 1 },
        input: Payload::from(serde_json::json!({ "payload": "0123456789" })),
        limits: Limits::default(),
        seed: [0; 32],
        clock: Arc::new(|| 0),
        journal: Vec::new(),
        first_sequence: 0,
        durable: None,
    };
    let mut calls = histogram();
    let cpu_before = cpu_s();
    for _ in 0..FLOOR_CALLS {
        let begin = Instant::now();
        driver.sandbox().call_bare(&component, &task).await?;
        calls.saturating_record(begin.elapsed().as_nanos() as u64);
    }
    let cpu = cpu_s() - cpu_before;
    let mut commits = histogram();
    for number in 0..FLOOR_COMMITS {
        let run = RunId::new(Timestamp(0), number.into());
        let begin = Instant::now();
        let write = Write::event(tenant, run, 0, vec![0; 300]);
        driver.store().commit(vec![write]).durable().await?;
        commits.saturating_record(begin.elapsed().as_nanos() as u64);
    }
    Ok(Floor {
        bare_call: (&calls).into(),
        bare_call_cpu_us: cpu / f64::from(FLOOR_CALLS) * 1e6,
        durable_commit: (&commits).into(),
    })
}
