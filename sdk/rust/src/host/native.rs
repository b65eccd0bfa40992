//! The host's functions outside a component: for tests, on one's own machine.
//! Nothing here is kept, limited or durable.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::log::Level;

/// Where the random numbers of a test start; any constant would do.
const SEED: u64 = 0x5e60_5e60_5e60_5e60;

thread_local! {
    /// Each thread, and so each test, draws the same numbers.
    static STATE: Cell<u64> = const { Cell::new(SEED) };
}

pub(crate) fn write(level: Level, message: &str) {
    let level = match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    eprintln!("{level:5} {message}");
}

#[expect(clippy::disallowed_methods, reason = "a test of a step has no other clock")]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// SplitMix64: short, and good enough to look random in a test.
pub(crate) fn next_u64() -> u64 {
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

pub(crate) fn bytes(len: u32) -> Vec<u8> {
    let numbers = std::iter::repeat_with(next_u64);
    numbers.flat_map(u64::to_le_bytes).take(len as usize).collect()
}

pub(crate) fn report(done: u64, total: u64, message: &str) {
    eprintln!("progress {done}/{total} {message}");
}
