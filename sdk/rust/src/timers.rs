//! Time, as the run sees it.
//!
//! A sleep is durable: it may last for months, the step costs nothing
//! meanwhile, and it goes on where it was after a restart of the host. What
//! [`now`] gave once it gives again when the step is played again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::duration::whole_ms;
pub use crate::duration::{days, duration, hours, minutes, seconds};
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

/// Goes on `duration` from now, never earlier.
///
/// ```
/// use segno::prelude::*;
/// use segno::testing::Script;
/// use segno::timers;
///
/// #[segno::step]
/// fn run(_: Value) -> Result<Value> {
///     timers::sleep(days(3));
///     timers::sleep(duration!("1h 30m"));
///     Ok(json!("awake"))
/// }
///
/// let mut script = Script::new(run);
/// assert_eq!(script.run_until_suspended().left(), Some(days(3)));
/// assert_eq!(script.advance("4 days").finish().unwrap(), "awake");
/// ```
pub fn sleep(duration: Duration) {
    host::sleep(whole_ms(duration));
}

/// Goes on when the moment has come, at once if it has passed.
pub fn sleep_until(moment: SystemTime) {
    host::sleep_until(moment_ms(moment));
}

/// The moment in milliseconds since 1970, rounded up; 0 for any before that.
pub(crate) fn moment_ms(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, whole_ms)
}
