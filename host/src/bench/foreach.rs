//! One large `foreach` of steps that do nothing, between chains of the same step
//! in the same process: what a loop costs, and whether its last iteration costs
//! what its first did. The machine's own speed drifts, so the chains run before
//! and after.

use super::{Chain, Figures, cpu_s, host, push, resident_bytes};
use crate::driver::{Driver, StartRun};
use anyhow::{Context as _, Result, ensure};
use segno_engine::event::{Event, Record};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::run::RunStatus;
use serde::Serialize;
use serde_json::{Map, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the chains run that it is compared with, before and again after.
const CHAIN_TIME: Duration = Duration::from_secs(5);

/// Records that are read at a time.
const PAGE_RECORDS: usize = 1_000;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Foreach {
    /// How many iterations.
    pub iterations: u32,
    /// How many at once.
    pub concurrency: u32,
    /// The component of the step, which returns its input.
    pub component: PathBuf,
    /// The program that compiles it.
    pub compiler: PathBuf,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct ForeachFigures {
    /// How many iterations.
    pub iterations: u32,
    /// How many at once.
    pub concurrency: u32,
    /// From the start to the durable end, in seconds.
    pub duration_s: f64,
    /// Steps in a second, one in each iteration.
    pub steps_per_s: f64,
    /// Processor time of the whole process.
    pub cpu_s_per_1000_steps: f64,
    /// The most memory that the process had.
    pub resident_bytes: u64,
    /// The time of the last tenth of the iterations as a multiple of that of
    /// the first.
    pub last_tenth_to_first: f64,
    /// Steps in a second of chains of ten steps, 64 at once: the mean of just
    /// before and just after.
    pub chain_steps_per_s: f64,
    /// Processor time of the whole process for the chains, the same mean.
    pub chain_cpu_s_per_1000_steps: f64,
    /// The steps of the loop in a second as a share of those of the chains.
    pub share_of_chain: f64,
}

impl Foreach {
    /// Measures, in a directory of its own that is empty before.
    ///
    /// # Errors
    /// The component cannot be used, or a run does not succeed.
    pub async fn run(&self, directory: &Path) -> Result<ForeachFigures> {
        ensure!(self.iterations >= 10, "give at least ten iterations");
        let before = self.chain(&directory.join("before")).await?;
        let driver = host(&directory.join("foreach"), self.compiler.clone())?;
        let tenant: TenantId = "bench".parse()?;
        let bytes = std::fs::read(&self.component)
            .with_context(|| format!("{} cannot be read", self.component.display()))?;
        driver.push_component(&tenant, ("noop", "1.0.0"), bytes).await?;
        driver
            .apply_workflow(&tenant, push(&definition(self.concurrency)))
            .await
            .map_err(super::chain::explain)?;
        self.loop_once(&driver, &tenant, 100).await?;
        let (cpu_before, begin) = (cpu_s(), Instant::now());
        let (run, resident) = self.loop_once(&driver, &tenant, self.iterations).await?;
        let duration_s = begin.elapsed().as_secs_f64();
        let cpu = cpu_s() - cpu_before;
        let steps = f64::from(self.iterations);
        let steps_per_s = steps / duration_s;
        let last_tenth_to_first = self.last_to_first(&driver, &tenant, run)?;
        let after = self.chain(&directory.join("after")).await?;
        let mean = |of: fn(&Figures) -> f64| f64::midpoint(of(&before), of(&after));
        let chain_steps_per_s = mean(|chain| chain.steps_per_s);
        Ok(ForeachFigures {
            iterations: self.iterations,
            concurrency: self.concurrency,
            duration_s,
            steps_per_s,
            cpu_s_per_1000_steps: cpu / steps * 1e3,
            resident_bytes: resident,
            last_tenth_to_first,
            chain_steps_per_s,
            chain_cpu_s_per_1000_steps: mean(|chain| chain.cpu_s_per_1000_steps),
            share_of_chain: steps_per_s / chain_steps_per_s,
        })
    }

    async fn chain(&self, directory: &Path) -> Result<Figures> {
        std::fs::create_dir_all(directory)?;
        let chain = Chain {
            steps: 10,
            concurrency: 64,
            duration: CHAIN_TIME,
            component: self.component.clone(),
            compiler: self.compiler.clone(),
        };
        chain.run(directory).await
    }

    /// Runs the loop, and says how much memory the process had at most.
    async fn loop_once(
        &self,
        driver: &Driver,
        tenant: &TenantId,
        iterations: u32,
    ) -> Result<(RunId, u64)> {
        let params: Map<_, _> = [("count".to_owned(), json!(iterations))].into_iter().collect();
        let run = driver.start(tenant, StartRun::new("loop", params)).await?.run;
        let mut most = resident_bytes()?;
        let mut end = std::pin::pin!(driver.end_of(tenant, run));
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        let status = loop {
            tokio::select! {
                status = &mut end => break status?,
                _ = tick.tick() => most = most.max(resident_bytes()?),
            }
        };
        match status {
            RunStatus::Succeeded { .. } => Ok((run, most)),
            other => anyhow::bail!("run {run} ended {}: {other:?}", other.as_str()),
        }
    }

    /// How long the last tenth of the iterations took, as a multiple of the
    /// first tenth.
    fn last_to_first(&self, driver: &Driver, tenant: &TenantId, run: RunId) -> Result<f64> {
        let mut ends: Vec<Timestamp> = Vec::new();
        let mut place = 0;
        loop {
            let page = driver.store().events(tenant, run, place, PAGE_RECORDS)?;
            let Some((last, _)) = page.last() else { break };
            place = last + 1;
            for (_, bytes) in page {
                let record = Record::decode(&bytes)?;
                let ended = record.events.iter();
                let ended = ended.filter(|event| matches!(event, Event::IterationEnded { .. }));
                ends.extend(ended.map(|_| record.at));
            }
        }
        let tenth = ends.len() / 10;
        ensure!(tenth > 0, "the history of {run} has no iterations");
        let time = |from: usize, to: usize| ends[to].since(ends[from]).max(1) as f64;
        let count = ends.len();
        Ok(time(count - tenth, count - 1) / time(0, tenth - 1))
    }
}

fn definition(concurrency: u32) -> String {
    format!(
        r#"workflow: loop
params:
  count: {{ type: int }}
steps:
  - id: each
    foreach: {{ number: "${{lists.range(params.count)}}", concurrency: {concurrency} }}
    steps:
      - {{ id: work, component: noop, params: {{ payload: "${{loop.number}}" }} }}
    output: "${{steps.work.output.payload}}"
output: "${{size(steps.each.output)}}"
"#
    )
}
