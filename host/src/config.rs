//! Every number that an operator can turn, with its unit in its name.

use crate::driver::SIGNAL_RETENTION_MS;
use crate::egress;
use crate::sandbox;
use segno_engine::grant::Origin;
use segno_engine::workflow::Limits as Wanted;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// How many attempts run at once; the rest wait.
    pub slots: u32,
    /// How much of the store is held in memory, in bytes.
    pub store_cache_bytes: u64,
    /// The program that compiles components: `segno` itself.
    pub compiler: PathBuf,
    /// How long signals are kept at least, in milliseconds.
    pub signal_retention_ms: u64,
    /// What steps may use.
    pub limits: Limits,
    /// How long a guest that waits stays in memory at most, in milliseconds.
    pub wait_grace_ms: u64,
    /// Where steps may send requests, if their component asks for it and their
    /// workflow grants it; nowhere by default. Only an address or `localhost`
    /// that stands here leads into this host's own network.
    pub grant_http: Vec<Origin>,
    /// What such a request may use.
    pub egress: egress::Limits,
    /// How others reach the API, as in `https://segno.example.com`, without a
    /// slash at the end; where it listens, if absent.
    pub public_url: Option<String>,
}

impl Config {
    /// The defaults, for this data directory and compiler.
    pub fn new(data_dir: PathBuf, compiler: PathBuf) -> Self {
        Self {
            data_dir,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7333)),
            slots: 256,
            store_cache_bytes: 64 << 20,
            compiler,
            signal_retention_ms: SIGNAL_RETENTION_MS,
            limits: Limits::default(),
            wait_grace_ms: 1_000,
            grant_http: Vec::new(),
            egress: egress::Limits::default(),
            public_url: None,
        }
    }
}

/// What an attempt may use: by default, and at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Where a step says nothing.
    pub default: sandbox::Limits,
    /// What a step may ask for.
    pub ceiling: sandbox::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            default: sandbox::Limits::default(),
            ceiling: sandbox::Limits {
                memory_bytes: 1 << 30,
                table_elements: 1_000_000,
                cpu_ms: 60 * 60 * 1_000,
                wall_ms: 24 * 60 * 60 * 1_000,
                handles: 100_000,
                host_call_bytes: 64 << 20,
                log_bytes: 16 << 20,
                output_bytes: 16 << 20,
                journal_bytes: 64 << 20,
                journal_entries: 100_000,
            },
        }
    }
}

impl Limits {
    /// These limits, with those changed that an operator gives. No default is
    /// above its ceiling.
    #[must_use]
    pub fn changed(self, default: &Wanted, ceiling: &Wanted) -> Self {
        let any = sandbox::Limits {
            memory_bytes: u64::MAX,
            table_elements: u64::MAX,
            cpu_ms: u64::MAX,
            wall_ms: u64::MAX,
            handles: u32::MAX,
            host_call_bytes: u64::MAX,
            log_bytes: u64::MAX,
            output_bytes: u64::MAX,
            journal_bytes: u64::MAX,
            journal_entries: u64::MAX,
        };
        let ceiling = Self { default: self.ceiling, ceiling: any }.of_step(ceiling);
        let default = Self { default: self.default, ceiling }.of_step(default);
        Self { default, ceiling }
    }

    /// What a step gets that asked for `wanted`. A wish above the ceiling was
    /// refused when the workflow was pushed; the ceiling may have come down
    /// since.
    pub fn of_step(&self, wanted: &Wanted) -> sandbox::Limits {
        let Self { default, ceiling } = self;
        let pick = |wanted: Option<u64>, default: u64, ceiling: u64| {
            wanted.unwrap_or(default).min(ceiling)
        };
        sandbox::Limits {
            memory_bytes: pick(wanted.memory_bytes, default.memory_bytes, ceiling.memory_bytes),
            table_elements: pick(
                wanted.table_elements,
                default.table_elements,
                ceiling.table_elements,
            ),
            cpu_ms: pick(wanted.cpu_ms, default.cpu_ms, ceiling.cpu_ms),
            wall_ms: pick(wanted.wall_ms, default.wall_ms, ceiling.wall_ms),
            handles: pick(wanted.handles, default.handles.into(), ceiling.handles.into())
                .try_into()
                .unwrap_or(u32::MAX),
            host_call_bytes: pick(
                wanted.host_call_bytes,
                default.host_call_bytes,
                ceiling.host_call_bytes,
            ),
            log_bytes: pick(wanted.log_bytes, default.log_bytes, ceiling.log_bytes),
            output_bytes: pick(wanted.output_bytes, default.output_bytes, ceiling.output_bytes),
            journal_bytes: pick(wanted.journal_bytes, default.journal_bytes, ceiling.journal_bytes),
            journal_entries: pick(
                wanted.journal_entries,
                default.journal_entries,
                ceiling.journal_entries,
            ),
        }
    }

    /// The ceilings, as definitions are checked against them.
    pub fn ceiling(&self) -> Wanted {
        let sandbox::Limits {
            memory_bytes,
            table_elements,
            cpu_ms,
            wall_ms,
            handles,
            host_call_bytes,
            log_bytes,
            output_bytes,
            journal_bytes,
            journal_entries,
        } = self.ceiling;
        Wanted {
            memory_bytes: Some(memory_bytes),
            table_elements: Some(table_elements),
            cpu_ms: Some(cpu_ms),
            wall_ms: Some(wall_ms),
            handles: Some(handles.into()),
            host_call_bytes: Some(host_call_bytes),
            log_bytes: Some(log_bytes),
            output_bytes: Some(output_bytes),
            journal_bytes: Some(journal_bytes),
            journal_entries: Some(journal_entries),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_move_defaults_and_ceilings() {
        let parsed = |text: &str| text.parse::<Wanted>().unwrap();
        let limits = Limits::default().changed(&parsed("cpu=3s"), &parsed("memory=64MiB"));
        assert_eq!(limits.ceiling.memory_bytes, 64 << 20);
        assert_eq!(limits.default.memory_bytes, 64 << 20, "a default is not above its ceiling");
        assert_eq!(limits.default.cpu_ms, 3_000);
        assert_eq!(limits.of_step(&parsed("memory=1GiB,cpu=1s")).memory_bytes, 64 << 20);
        assert_eq!(limits.of_step(&parsed("cpu=1s")).cpu_ms, 1_000);
    }
}
