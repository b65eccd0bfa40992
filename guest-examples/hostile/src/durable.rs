//! What a guest may try with durable calls: to see that it is played again, to
//! outlive a wait, to wait for too much, and to start too many runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use segno::continuation::continue_as_new;
use segno::prelude::*;
use segno::signals::{self, Signal};
use segno::{http, memo, timers, waits, workflows};

/// Says in the log that it was let go.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        info!("the guard is dropped");
    }
}

/// Makes another call when it is played again.
pub(crate) fn diverge() -> Result<()> {
    if was_played_before()? {
        signals::publish("hostile.diverged").send(&json!(null))?;
    }
    timers::sleep(Duration::from_millis(1_200));
    Ok(())
}

/// Makes the same call with other arguments when it is played again.
pub(crate) fn waver() -> Result<()> {
    let more = u64::from(was_played_before()?);
    timers::sleep(Duration::from_millis(1_200 + more));
    Ok(())
}

/// Returns early when it is played again.
pub(crate) fn stop_short() -> Result<()> {
    if !was_played_before()? {
        timers::sleep(Duration::from_millis(1_200));
    }
    Ok(())
}

/// Work that is recorded is not done again, so it leaves no trace in memory.
fn was_played_before() -> Result<bool> {
    let mut is_first = false;
    memo::once("work", || {
        is_first = true;
        Ok(1)
    })?;
    Ok(!is_first)
}

/// Catches all there is to catch around a wait.
pub(crate) fn catch_all() -> Result<()> {
    let _guard = Guard;
    info!("before the wait");
    let waited = catch_unwind(AssertUnwindSafe(|| {
        let _inner = Guard;
        timers::sleep(Duration::from_millis(2_500));
    }));
    info!("behind the wait: {waited:?}");
    Ok(())
}

/// Waits until the end of time.
pub(crate) fn sleep_for_ever() {
    timers::sleep(Duration::MAX);
}

/// Sleeps for no time at all, many times.
pub(crate) fn nap(times: u32) {
    (0..times).for_each(|_| timers::sleep(Duration::ZERO));
}

/// Has one text after another kept, for ever.
pub(crate) fn hoard(bytes: usize) -> Result<()> {
    loop {
        memo::once("hoard", || Ok("x".repeat(bytes)))?;
    }
}

/// Continues as new for ever, and takes much along.
pub(crate) fn swell(bytes: usize) -> ! {
    let baggage = "x".repeat(bytes);
    continue_as_new(&json!({ "case": "swells", "bytes": bytes, "baggage": baggage }))
}

/// Waits for many things at once.
pub(crate) fn wait_for_many(things: u32) -> Result<()> {
    let moment = timers::now() + Duration::from_secs(3600);
    (0..things).fold(waits::any(), |all, _| all.at(moment, || ())).first()
}

/// Waits for a signal whose name is far too long.
pub(crate) fn wait_for_a_long_name(bytes: usize) -> Result<()> {
    let _: Signal<Value> = signals::wait("x".repeat(bytes)).receive()?;
    Ok(())
}

/// Starts many runs that do the same. Those that are not allowed are logged, and
/// then it stays for ever.
pub(crate) fn fork(runs: u32) -> Result<()> {
    let params = json!({ "case": "forks" });
    for _ in 0..runs {
        if let Err(error) = workflows::start("hostile", &params) {
            warn!("{error}");
            break;
        }
    }
    drop(signals::for_this_run("enough").receive::<Value>()?);
    Ok(())
}

/// Starts a run that does the same, and waits for it.
pub(crate) fn nest() -> Result<()> {
    workflows::start("hostile", &json!({ "case": "nests" }))?.wait()
}

/// Sends a request that nobody has granted.
pub(crate) fn fetch(url: &str) -> Result<()> {
    http::post(url).send()?;
    Ok(())
}
