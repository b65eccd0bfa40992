//! Which runs of a workflow go on at once, and what becomes of the others.

use serde::{Deserialize, Serialize};

/// Which runs of a workflow go on at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStrategy {
    /// All of them.
    #[default]
    All,
    /// At most so many, in the order of their numbers.
    Parallel(u32),
    /// One after the other.
    Sequential,
    /// One after the other, and none behind one that failed, until somebody
    /// says so.
    StrictSequential,
    /// A run that is started while another is open does not begin.
    FirstOnly,
    /// A run that is started ends all others that are open.
    LastOnly,
    /// One after the other; of those that wait only the newest.
    SerialLatestOnly,
}
