//! The narrow contract between the store and what keeps its bytes.
//!
//! A backend knows rows and order, never runs or workflows. It is called by
//! one committer thread for writes and by any thread for reads.
//! `suite` is the definition of a correct one.

use super::error::Error;
use super::keys::{Key, Prefix};

/// The most rows one scan returns.
pub const SCAN_ROWS_MAX: usize = 1000;

/// A scan ends early once its values reach this many bytes, so that a page of
/// large values cannot exhaust the memory. It always returns at least one row.
pub const SCAN_BYTES_MAX: usize = 8 << 20;

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The row has this value from now on.
    Put {
        /// Which row.
        key: Key,
        /// All of its new value.
        value: Vec<u8>,
    },
    /// The row is gone; it need not exist.
    Delete {
        /// Which row.
        key: Key,
    },
}

impl Write {
    /// The row that changes.
    pub fn key(&self) -> &Key {
        match self {
            Write::Put { key, .. } | Write::Delete { key } => key,
        }
    }

    /// How much of a group's byte limit this takes.
    pub fn bytes(&self) -> usize {
        match self {
            Write::Put { key, value } => key.as_bytes().len() + value.len(),
            Write::Delete { key } => key.as_bytes().len(),
        }
    }
}

/// In which order a scan walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key up.
    Ascending,
    /// From the largest key down.
    Descending,
}

/// A walk over the rows that share a prefix.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Only rows below this prefix are seen.
    pub prefix: Prefix,
    /// Start behind this key, in walking order. It need not exist, and a key
    /// outside of the prefix never widens the walk.
    pub after: Option<Key>,
    /// Which way to walk.
    pub direction: Direction,
    /// At most this many rows, and never more than [`SCAN_ROWS_MAX`].
    pub limit: usize,
}

impl Scan {
    /// The first `limit` rows below `prefix`.
    pub fn new(prefix: Prefix, limit: usize) -> Scan {
        Scan { prefix, after: None, direction: Direction::Ascending, limit }
    }

    /// The same walk, starting behind `key`.
    pub fn after(self, key: Option<Key>) -> Scan {
        Scan { after: key, ..self }
    }

    /// The keys to walk over, `low` included and `high` not. `low > high` is
    /// possible and means that there are none.
    pub(super) fn bounds(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut low, mut high) = self.prefix.bounds();
        if let Some(after) = &self.after {
            match self.direction {
                // The smallest key behind `k` is `k` with a zero byte.
                Direction::Ascending => {
                    let mut next = after.as_bytes().to_vec();
                    next.push(0);
                    low = low.max(next);
                }
                Direction::Descending => high = high.min(after.as_bytes().to_vec()),
            }
        }
        (low, high)
    }

    /// `rows` in walking order, cut at the limits of rows and bytes.
    pub(super) fn collect<I>(&self, rows: I) -> Result<Vec<(Key, Vec<u8>)>, Error>
    where
        I: Iterator<Item = Result<(Key, Vec<u8>), Error>>,
    {
        let mut page = Vec::new();
        let mut bytes = 0;
        for row in rows.take(self.limit.min(SCAN_ROWS_MAX)) {
            let row = row?;
            bytes += row.1.len();
            page.push(row);
            if bytes >= SCAN_BYTES_MAX {
                break;
            }
        }
        Ok(page)
    }
}

/// What keeps the rows.
///
/// Writes come from one thread, one after the other; reads come from any.
pub trait Backend: Send + Sync + 'static {
    /// Makes all of `rows` visible to readers at once. After a crash all of
    /// them are there or none, and none without every earlier `apply`. The
    /// keys are distinct.
    fn apply(&self, rows: &[Write]) -> Result<(), Error>;

    /// When this returns, everything applied before is on stable storage.
    fn sync(&self) -> Result<(), Error>;

    /// The value of a row, as of the last `apply`.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error>;

    /// The rows of one walk. Rows of one `apply` are seen together or not at all.
    fn scan(&self, scan: &Scan) -> Result<Vec<(Key, Vec<u8>)>, Error>;

    /// An orderly end, after the last `sync` and never after a failure.
    fn close(&self) -> Result<(), Error>;
}
