//! The host's functions outside a component: for tests, on one's own machine.
//! Under a [`Script`](crate::testing::Script) its world answers; without one,
//! pure calls work and durable ones say what to do.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use super::value::{Condition, Failure, Happening, Pattern, Request, Response, Signal};
use crate::log::Level;
use crate::refusal::Refusal;
use crate::testing::World;
use crate::testing::stage::with_world;

/// Where the random numbers of a test start; any constant would do.
const SEED: u64 = 0x5e60_5e60_5e60_5e60;

thread_local! {
    /// Each thread, and so each test, draws the same numbers.
    static ALONE: Cell<Random> = const { Cell::new(Random::new()) };
}

/// SplitMix64: short, and good enough to look random in a test.
#[derive(Clone, Copy)]
pub(crate) struct Random(u64);

impl Random {
    /// The same numbers each time.
    pub(crate) const fn new() -> Self {
        Self(SEED)
    }

    /// Other numbers for each `part` of a test, the same each time.
    pub(crate) const fn of(part: u64) -> Self {
        Self(SEED ^ part)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let next = self.0;
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

pub(crate) fn write(level: Level, message: &str) {
    if with_world(|world| world.log(message)) == Some(false) {
        return;
    }
    let level = match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    eprintln!("{level:5} {message}");
}

pub(crate) fn now_ms() -> u64 {
    with_world(World::now_ms).unwrap_or_else(machine_ms)
}

#[expect(clippy::disallowed_methods, reason = "a step that is called by itself has no other clock")]
fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

pub(crate) fn next_u64() -> u64 {
    with_world(World::next_u64).unwrap_or_else(|| {
        let mut random = ALONE.get();
        let next = random.next_u64();
        ALONE.set(random);
        next
    })
}

pub(crate) fn bytes(len: u32) -> Vec<u8> {
    let numbers = std::iter::repeat_with(next_u64);
    numbers.flat_map(u64::to_le_bytes).take(len as usize).collect()
}

pub(crate) fn report(done: u64, total: u64, message: &str) {
    if with_world(|world| world.is_live()) != Some(false) {
        eprintln!("progress {done}/{total} {message}");
    }
}

pub(crate) fn heartbeat() {}

pub(crate) fn sleep(duration_ms: u64) {
    scripted("timers.sleep", |world| world.sleep(duration_ms));
}

pub(crate) fn sleep_until(moment_ms: u64) {
    scripted("timers.sleep-until", |world| world.sleep_until(moment_ms));
}

pub(crate) fn publish(name: &str, params: &str, payload: &str) -> Result<u64, Refusal> {
    scripted("signals.publish", |world| world.publish(name, params, payload))
}

pub(crate) fn publish_to_run(run: &str, name: &str, payload: &str) -> Result<u64, Refusal> {
    scripted("signals.publish-to-run", |world| world.publish_to_run(run, name, payload))
}

pub(crate) fn wait_signal(pattern: &Pattern, timeout_ms: Option<u64>) -> Option<Signal> {
    scripted("signals.wait", |world| world.wait_signal(pattern, timeout_ms))
}

pub(crate) fn one_time_url(name: &str) -> String {
    scripted("signals.one-time-url", |world| world.one_time_url(name))
}

pub(crate) fn wait_any(conditions: &[Condition]) -> (usize, Happening) {
    scripted("waits.any", |world| world.wait_any(conditions))
}

pub(crate) fn start_run(
    workflow: &str,
    version: Option<u64>,
    params: &str,
) -> Result<String, Refusal> {
    scripted("workflows.start", |world| world.start_run(workflow, version, params))
}

pub(crate) fn wait_run(run: &str) -> Result<String, Failure> {
    scripted("workflows.wait", |world| world.wait_run(run))
}

/// Nothing is recorded where nobody plays the step again.
pub(crate) fn recall(name: &str) -> Option<String> {
    with_world(|world| world.recall(name)).flatten()
}

pub(crate) fn record(name: &str, value: &str) {
    with_world(|world| world.record(name, value));
}

pub(crate) fn kv_get(namespace: &str, key: &str) -> Result<Option<String>, Refusal> {
    scripted("kv.get", |world| world.kv_get(namespace, key))
}

pub(crate) fn kv_set(namespace: &str, key: &str, value: &str) -> Result<(), Refusal> {
    scripted("kv.set", |world| world.kv_set(namespace, key, value))
}

pub(crate) fn kv_delete(namespace: &str, key: &str) -> Result<(), Refusal> {
    scripted("kv.delete", |world| world.kv_delete(namespace, key))
}

pub(crate) fn secret(name: &str) -> Result<String, Refusal> {
    scripted("secrets.get", |world| world.secret(name))
}

pub(crate) fn fetch(request: Request) -> Result<Response, Refusal> {
    scripted("http.fetch", |world| world.fetch(request))
}

pub(crate) fn continue_as_new(input: &str) -> ! {
    scripted("continuation.continue-as-new", |world| world.continue_as_new(input))
}

/// What the script's world answers.
///
/// # Panics
/// If there is no script.
#[track_caller]
fn scripted<R>(function: &str, call: impl FnOnce(&mut World) -> R) -> R {
    with_world(call).unwrap_or_else(|| {
        panic!(
            "`{function}` needs a host: play the step in a test with \
             `segno::testing::Script::new(run)` instead of calling it"
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::timers;

    #[test]
    #[should_panic(expected = "`timers.sleep` needs a host: play the step")]
    fn a_durable_call_without_a_script_names_the_remedy() {
        timers::sleep(timers::days(1));
    }

    #[test]
    fn a_memo_without_a_script_does_its_work() {
        assert_eq!(crate::memo::once("n", || Ok(7)).unwrap(), 7);
    }
}
