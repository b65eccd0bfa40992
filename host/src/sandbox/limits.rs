//! The ceilings of one attempt, and the limiter that holds the ones on memory.
//! Every number is plain and final here: how an operator's ceiling and a step's
//! wish become these numbers is decided elsewhere.

use super::watch::Watch;
use segno_engine::failure::Failure;
use segno_engine::payload::Payload;
use std::fmt;
use wasmtime::ResourceLimiter;

/// What one attempt may use. `Default` gives what a step gets that asks for
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, over all memories of the component.
    pub memory_bytes: u64,
    /// Elements, over all tables of the component.
    pub table_elements: u64,
    /// Time on a processor, in guest code and in host calls.
    pub cpu_ms: u64,
    /// Time from the start of the attempt, waits included. Waiting for a free
    /// slot does not count.
    pub wall_ms: u64,
    /// Live handles to resources, such as streams.
    pub handles: u32,
    /// Bytes that one host call may carry from the guest to the host. A call
    /// may always carry as much as the output.
    pub host_call_bytes: u64,
    /// Text of the attempt's log.
    pub log_bytes: u64,
    /// The output document.
    pub output_bytes: u64,
    /// Durable calls with their answers.
    pub journal_bytes: u64,
    /// How many durable calls.
    pub journal_entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 128 << 20,
            table_elements: 100_000,
            cpu_ms: 10_000,
            wall_ms: 60_000,
            handles: 4_096,
            host_call_bytes: 1 << 20,
            log_bytes: 256 << 10,
            output_bytes: 1 << 20,
            journal_bytes: 16 << 20,
            journal_entries: 10_000,
        }
    }
}

/// Room beside the output's text for the rest of a result: messages, lengths.
const RESULT_SLACK_BYTES: u64 = 16 << 10;

impl Limits {
    /// The bytes that may cross from guest to host in one call. The result of
    /// the step crosses under the same allowance as the arguments of a call.
    pub(super) fn crossing_bytes(&self) -> usize {
        let result = self.output_bytes.saturating_add(RESULT_SLACK_BYTES);
        usize::try_from(self.host_call_bytes.max(result)).unwrap_or(usize::MAX)
    }
}

/// Why the host ended an attempt that would have gone on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Stop {
    /// Memory in total.
    #[error("memory limit")]
    Memory {
        /// What the guest would have had.
        wanted_bytes: u64,
    },
    /// Elements of tables in total.
    #[error("table limit")]
    Tables {
        /// What the guest would have had.
        wanted: u64,
    },
    /// Time on a processor.
    #[error("cpu limit")]
    Cpu,
    /// The system refused memory that the limit would have allowed.
    #[error("the host is out of memory")]
    HostMemory,
    /// A call that the contract forbids, in words for the step's author.
    #[error("{0}")]
    Misuse(String),
    /// The step waits, and leaves memory meanwhile.
    #[error("the step waits")]
    Suspended,
    /// Somebody else has the attempt, or nobody wants it any more.
    #[error("the attempt is not wanted any more")]
    Unwanted,
    /// The step took another turn than when it was played before.
    #[error("{0}")]
    Nondeterminism(String),
    /// The journal is full.
    #[error("the journal is full")]
    Journal {
        /// Whether its entries are too many, or else too large.
        entries: bool,
    },
    /// The step starts afresh with this input.
    #[error("the step continues as new")]
    Continued(Payload),
    /// A durable call failed, and not for a reason that the step could handle.
    #[error("{}", .0.message)]
    Failed(Failure),
}

/// Instances of core modules that a component may consist of. Python's take
/// about 30.
pub(super) const CORE_INSTANCES_MAX: u32 = 200;
/// Memories of a component.
pub(super) const MEMORIES_MAX: u32 = 4;
/// Tables of a component.
pub(super) const TABLES_MAX: u32 = 32;

/// Counts memory and tables of an attempt and ends it at the limit.
///
/// A guest never sees a refused growth as a value: whether a growth succeeds
/// would then depend on the host, and a replay could take another turn. Only a
/// growth past the maximum that the component itself declares is refused as
/// WebAssembly says.
pub(super) struct Meter {
    memory_max: u64,
    memory: u64,
    elements_max: u64,
    elements: u64,
    watch: Watch,
}

impl Meter {
    pub(super) fn new(limits: &Limits, watch: Watch) -> Self {
        Self {
            memory_max: limits.memory_bytes,
            memory: 0,
            elements_max: limits.table_elements,
            elements: 0,
            watch,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        // A component that declares no maximum may take 4 GiB, so that it is
        // told about the limit instead.
        let declared = maximum.filter(|declared| *declared as u64 <= self.memory_max);
        if declared.is_some_and(|declared| desired > declared) {
            return Ok(false);
        }
        if total > self.memory_max {
            return Err(Stop::Memory { wanted_bytes: total }.into());
        }
        self.memory = total;
        self.watch.memory_grew_to(total);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Stop::HostMemory.into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired.saturating_sub(current) as u64);
        if total > self.elements_max {
            return Err(Stop::Tables { wanted: total }.into());
        }
        self.elements = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Stop::HostMemory.into())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

/// A number of bytes as people write it: `64MiB`, `1536B`.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 >= 1 << shift && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A number of milliseconds as people write it: `90s`, `250ms`.
pub(super) struct Millis(pub(super) u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1_000 && self.0.is_multiple_of(1_000) {
            write!(f, "{}s", self.0 / 1_000)
        } else {
            write!(f, "{}ms", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_as_people_write_them() {
        let shown = |bytes| Bytes(bytes).to_string();
        assert_eq!([shown(0), shown(1536), shown(64 << 20)], ["0B", "1536B", "64MiB"]);
        let shown = |millis| Millis(millis).to_string();
        assert_eq!([shown(250), shown(1500), shown(90_000)], ["250ms", "1500ms", "90s"]);
    }

    #[test]
    fn memory_is_counted_over_all_memories() {
        let limits = Limits { memory_bytes: 3 << 16, ..Limits::default() };
        let mut meter = Meter::new(&limits, Watch::new());
        assert!(meter.memory_growing(0, 2 << 16, None).is_ok_and(|granted| granted));
        assert!(meter.memory_growing(0, 1 << 16, None).is_ok_and(|granted| granted));
        let refused = meter.memory_growing(1 << 16, 2 << 16, None).unwrap_err();
        let stop = refused.downcast_ref::<Stop>();
        assert_eq!(stop, Some(&Stop::Memory { wanted_bytes: 4 << 16 }));
    }
}
