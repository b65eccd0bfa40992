//! What an attempt used, for its author and for whoever pays.

use serde::{Deserialize, Serialize};

/// What one attempt used, or several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Time in guest code, in microseconds.
    pub cpu_us: u64,
    /// Time from the first instruction to the last, in microseconds.
    pub wall_us: u64,
    /// The most memory that it held at once, in bytes.
    pub memory_bytes: u64,
    /// Calls from the guest to the host.
    pub host_calls: u64,
}

impl Usage {
    /// Both together: times and calls add up, of the memory the larger counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_us: self.cpu_us.saturating_add(other.cpu_us),
            wall_us: self.wall_us.saturating_add(other.wall_us),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            host_calls: self.host_calls.saturating_add(other.host_calls),
        }
    }
}
