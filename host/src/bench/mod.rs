//! `segno bench`: what this machine does with Segno, measured in one run beside
//! the floors that it cannot go under, so that figures compare as ratios.

mod chain;
mod foreach;
mod replay;
mod signals;
mod suspended;

use crate::clock::Clock;
use crate::config::Config;
use crate::driver::{Apply, Driver};
use crate::server;
use anyhow::{Context as _, Result};
pub use chain::{Chain, Figures, Floor};
pub use foreach::{Foreach, ForeachFigures};
use hdrhistogram::Histogram;
pub use replay::{Replay, ReplayFigures};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
pub use signals::{HttpFigures, Published, Signals, SignalsFigures};
use std::path::{Path, PathBuf};
pub use suspended::{Suspended, SuspendedFigures};

/// The distribution of one measured time.
#[derive(Debug, Clone, Serialize)]
pub struct Spread {
    /// Half of all were faster.
    pub p50_us: f64,
    /// One in a hundred was slower.
    pub p99_us: f64,
}

impl From<&Histogram<u64>> for Spread {
    /// From a histogram of nanoseconds.
    fn from(nanos: &Histogram<u64>) -> Self {
        let at = |quantile| nanos.value_at_quantile(quantile) as f64 / 1e3;
        Self { p50_us: at(0.5), p99_us: at(0.99) }
    }
}

/// An empty histogram of nanoseconds, up to a minute.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).expect("these bounds are valid")
}

/// Time that this process has spent on its processors, in seconds.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A definition that becomes the active version.
fn push(source: &str) -> Apply<'_> {
    Apply { source, active: true, by: "bench" }
}

/// A host of its own in `directory`, without a network. Guests that wait leave
/// memory at once.
fn host(directory: &Path, compiler: PathBuf) -> Result<Driver> {
    let config = Config { wait_grace_ms: 0, ..Config::new(directory.to_owned(), compiler) };
    let driver = server::assemble(&config, Clock::System)?;
    driver.recover()?;
    Ok(driver)
}

/// Memory that the process has, as the system counts it.
fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib << 10).context("/proc/self/status does not say how much memory there is")
}
