//! What the machine gives the sandbox, for `segno doctor`. Each fact says what
//! is there, whether it suffices, and what to do if not.

use super::{Config, Layout, engine};
use rustix::process::{Resource, getrlimit};
use wasmtime::PoolingAllocationConfig;

/// One thing that a machine has or lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub value: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What to do; empty if it is.
    pub remedy: String,
}

/// Looks at everything that the sandbox of this configuration depends on.
pub fn facts(config: &Config) -> Vec<Fact> {
    vec![address_space(), instances(config), mappings(config), page_map(), open_files()]
}

fn fact(name: &'static str, value: impl Into<String>, ok: bool, remedy: &str) -> Fact {
    let remedy = if ok { String::new() } else { remedy.to_owned() };
    Fact { name, value: value.into(), ok, remedy }
}

fn address_space() -> Fact {
    let limit = getrlimit(Resource::As).current;
    let value = limit.map_or("unlimited".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    let remedy = "start the server without a limit on virtual memory (`ulimit -v unlimited`)";
    fact("address space", value, limit.is_none(), remedy)
}

fn instances(config: &Config) -> Fact {
    let layout = match engine::runtime(config, Layout::Pooled) {
        Ok(_) => Layout::Pooled,
        Err(_) => Layout::Compact,
    };
    let value = match layout {
        Layout::Pooled => format!("a pool of {} slots", config.slots),
        Layout::Compact => "no pool, each made on demand".to_owned(),
    };
    let remedy = "give the process more address space, or configure fewer slots";
    fact("instances", value, layout == Layout::Pooled, remedy)
}

/// Mappings that a slot takes, measured: its memory, its stack, their guards.
const MAPPINGS_A_SLOT: u64 = 6;
/// Mappings that the rest of the process takes.
const MAPPINGS_BESIDE: u64 = 4_000;

fn mappings(config: &Config) -> Fact {
    let needed = u64::from(config.slots) * MAPPINGS_A_SLOT + MAPPINGS_BESIDE;
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    let Ok(most) = text.trim().parse::<u64>() else {
        return fact("memory mappings", "unknown", true, "");
    };
    let value = format!("{most} a process, {needed} needed at most");
    let remedy = "raise it with `sysctl vm.max_map_count`, or configure fewer slots";
    fact("memory mappings", value, needed <= most, remedy)
}

fn page_map() -> Fact {
    let available = PoolingAllocationConfig::is_pagemap_scan_available();
    let value = if available { "available" } else { "not available" };
    let remedy = "a kernel from Linux 6.7 on clears used memory faster";
    fact("page map scan", value, available, remedy)
}

fn open_files() -> Fact {
    let limit = getrlimit(Resource::Nofile).current;
    let value = limit.map_or("unlimited".to_owned(), |files| files.to_string());
    let enough = limit.is_none_or(|files| files >= 1_024);
    fact("open files", value, enough, "raise it with `ulimit -n 65536`")
}
