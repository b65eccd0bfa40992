//! How far a long step has come.

use crate::host;

/// Says that `done` of `total` parts are finished, with a word about the
/// present one. The last call counts; a `total` of 0 means that nobody knows.
///
/// ```
/// for (done, year) in (2012..=2015).enumerate() {
///     segno::progress::report(done as u64, 4, format!("year {year}"));
/// }
/// ```
pub fn report(done: u64, total: u64, message: impl AsRef<str>) {
    host::report(done, total, message.as_ref());
}

/// Says that the step is alive. [`report`] says so too.
pub fn heartbeat() {
    host::heartbeat();
}
