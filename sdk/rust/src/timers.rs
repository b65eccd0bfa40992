//! Time, as the run sees it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host;

/// The present moment, to the millisecond. A [`SystemTime`], since every date
/// library starts from one.
///
/// ```
/// use std::time::UNIX_EPOCH;
///
/// let age = segno::timers::now().duration_since(UNIX_EPOCH)?;
/// assert!(age.as_secs() > 1_700_000_000);
/// # segno::Result::<()>::Ok(())
/// ```
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(now_ms())
}

/// The present moment, in milliseconds since 1970-01-01T00:00:00Z.
pub fn now_ms() -> u64 {
    host::now_ms()
}
