//! Publishing signals: into the process at a concurrency, with few and with many
//! triggers that wait for other params of the same names, and over HTTP from many
//! connections at once. Each publication is waited for until it is durable.

mod http;

use super::{Spread, histogram, host};
use crate::driver::{Driver, Publish};
use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
pub use http::HttpFigures;
use segno_engine::id::TenantId;
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, Publisher};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many triggers there are where there are few.
const FEW: u64 = 10;

/// How many triggers one workflow has at most.
const TRIGGERS_EACH: u64 = 100;

/// Into so many slices the time is cut; few and many take turns.
const SLICES: u32 = 10;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Publications under way at once.
    pub concurrency: u32,
    /// How long each part takes.
    pub duration: Duration,
    /// Triggers, where there are many.
    pub triggers: u64,
    /// Names of signals.
    pub names: u64,
    /// Connections over HTTP.
    pub connections: u32,
    /// The program that compiles components; none is compiled.
    pub compiler: PathBuf,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct SignalsFigures {
    /// Publications under way at once.
    pub concurrency: u32,
    /// Without any trigger.
    pub alone: Published,
    /// With few triggers.
    pub few: Published,
    /// With many.
    pub many: Published,
    /// Publications a second with many triggers to those with few.
    pub many_to_few: f64,
    /// Over HTTP.
    pub http: HttpFigures,
}

/// What was measured of publications.
#[derive(Debug, Serialize)]
pub struct Published {
    /// Triggers that wait for signals of these names.
    pub triggers: u64,
    /// How many there were.
    pub publications: u64,
    /// Of them in a second.
    pub per_s: f64,
    /// From the call until it is durable.
    pub publication: Spread,
}

/// Publications of one tenant so far.
struct Measured {
    tenant: TenantId,
    triggers: u64,
    times: Histogram<u64>,
    seconds: f64,
}

impl Signals {
    /// Measures, in a directory of its own that is empty before. `progress` is
    /// told what is going on.
    ///
    /// # Errors
    /// A signal or a trigger is not taken, or the sequences have a gap.
    pub async fn run(&self, directory: &Path, progress: impl Fn(&str)) -> Result<SignalsFigures> {
        ensure!(self.concurrency > 0 && self.connections > 0, "give at least one of each");
        ensure!(self.names > 0, "give at least one name");
        let driver = host(directory, self.compiler.clone())?;
        let mut all = Vec::new();
        for (tenant, triggers) in [("alone", 0), ("few", FEW), ("many", self.triggers)] {
            progress(&format!("pushing {triggers} triggers"));
            let tenant: TenantId = tenant.parse()?;
            self.push_triggers(&driver, &tenant, triggers).await?;
            all.push(Measured { tenant, triggers, times: histogram(), seconds: 0.0 });
        }
        progress(&format!("publishing, {} at once, the three in turn", self.concurrency));
        let warm_up = Duration::from_millis(200).min(self.duration);
        for measured in &all {
            self.load(&driver, &measured.tenant, warm_up).await?;
        }
        for _ in 0..SLICES {
            for measured in &mut all {
                let begin = Instant::now();
                let times = self.load(&driver, &measured.tenant, self.duration / SLICES).await?;
                measured.seconds += begin.elapsed().as_secs_f64();
                measured.times.add(times)?;
            }
        }
        progress(&format!("publishing over {} connections", self.connections));
        let http = http::run(&driver, self).await?;
        let mut all = all.into_iter().map(Published::from);
        let (Some(alone), Some(few), Some(many)) = (all.next(), all.next(), all.next()) else {
            anyhow::bail!("there are three parts");
        };
        let many_to_few = many.per_s / few.per_s;
        Ok(SignalsFigures { concurrency: self.concurrency, alone, few, many, many_to_few, http })
    }

    /// Pushes workflows with so many triggers, spread over the names, each with
    /// another value that its signals must have. None of them is published.
    async fn push_triggers(&self, driver: &Driver, tenant: &TenantId, count: u64) -> Result<()> {
        for workflow in 0..count.div_ceil(TRIGGERS_EACH) {
            let first = workflow * TRIGGERS_EACH;
            let mut text = format!(
                "workflow: w{workflow}\nsteps:\n  - {{ id: one, noop: true }}\ntriggers:\n"
            );
            for number in first..count.min(first + TRIGGERS_EACH) {
                let name = name(number % self.names);
                let _ = writeln!(
                    text,
                    "  - {{ signal: {{ name: {name}, match: {{ shard: {number} }} }} }}"
                );
            }
            let apply = driver.apply_workflow(tenant, super::push(&text));
            apply.await.map_err(super::chain::explain)?;
        }
        Ok(())
    }

    /// Keeps `concurrency` publications under way for `duration`.
    async fn load(
        &self,
        driver: &Driver,
        tenant: &TenantId,
        duration: Duration,
    ) -> Result<Histogram<u64>> {
        let end = Instant::now() + duration;
        let next = Arc::new(AtomicU64::new(0));
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..self.concurrency {
            let (driver, tenant, next) = (driver.clone(), tenant.clone(), Arc::clone(&next));
            let names = self.names;
            clients.spawn(async move {
                let mut times = histogram();
                while Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let begin = Instant::now();
                    driver.publish(&tenant, signal(number, names)?).await?;
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

impl From<Measured> for Published {
    fn from(measured: Measured) -> Self {
        let publications = measured.times.len();
        Self {
            triggers: measured.triggers,
            publications,
            per_s: publications as f64 / measured.seconds,
            publication: (&measured.times).into(),
        }
    }
}

fn name(number: u64) -> String {
    format!("bench.signal-{number}")
}

/// A signal whose params no trigger asks for.
fn signal(number: u64, names: u64) -> Result<Publish> {
    Ok(Publish {
        name: name(number % names),
        id: None,
        params: Params::of(&json!({ "shard": -1, "number": number }))?,
        payload: Payload::null(),
        publisher: Publisher::api("bench"),
    })
}
