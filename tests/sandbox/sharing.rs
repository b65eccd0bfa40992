//! Attempts beside each other: what one does, the others do not feel.

use crate::guests::{component, echo, example, spins};
use crate::host::{TestSandbox, failure, output, task};
use segno_host::sandbox::{Limits, Outcome, Phase, Watch};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const FOREVER: Limits = Limits {
    memory_bytes: 4 << 20,
    table_elements: 1_000,
    cpu_ms: 3_600_000,
    wall_ms: 3_600_000,
    handles: 100,
    host_call_bytes: 64 << 10,
    log_bytes: 4 << 10,
    output_bytes: 64 << 10,
    journal_bytes: 16 << 20,
    journal_entries: 10_000,
};

#[tokio::test]
async fn cancelling_ends_a_guest_that_never_calls_the_host() {
    let host = TestSandbox::new();
    let guest = host.component(&spins()).await;
    let watch = Watch::new();
    let (report, ()) = tokio::join!(host.sandbox.run(task(guest, "1", FOREVER), &watch), async {
        while watch.usage().cpu_us < 10_000 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(watch.phase(), Phase::Running { since_ms: 1_700_000_000_000 }));
        watch.cancel();
    });
    assert_eq!(report.outcome, Outcome::Cancelled);
    assert_eq!(watch.phase(), Phase::Ended);
    assert_eq!(host.sandbox.slots_free(), 16);
}

#[tokio::test]
async fn a_full_pool_makes_attempts_wait() {
    let host = TestSandbox::with(|config| config.slots = 1);
    let (spins, echo) = (host.component(&spins()).await, host.component(&echo()).await);
    let (first, second, third) = (Watch::new(), Watch::new(), Watch::new());
    let (a, b, c, ()) = tokio::join!(
        host.sandbox.run(task(spins, "1", FOREVER), &first),
        host.sandbox.run(task(echo.clone(), "2", FOREVER), &second),
        host.sandbox.run(task(echo, "3", FOREVER), &third),
        async {
            assert_eq!((second.phase(), third.phase()), (Phase::Queued, Phase::Queued));
            third.cancel();
            tokio::task::yield_now().await;
            first.cancel();
        }
    );
    assert_eq!((a.outcome, c.outcome), (Outcome::Cancelled, Outcome::Cancelled));
    assert_eq!(output(&b), "2");
}

#[tokio::test]
async fn a_component_with_many_memories_takes_as_many_slots() {
    let host = TestSandbox::with(|config| config.slots = 6);
    let guest = component(
        "",
        "(memory $b 1) (memory $c 1) (memory $d 1)
         (func $step (param i32 i32) (result i32) (loop $again (br $again)) (unreachable))",
    );
    let guest = host.component(&guest).await;
    let (first, second) = (Watch::new(), Watch::new());
    tokio::join!(
        host.sandbox.run(task(guest.clone(), "1", FOREVER), &first),
        host.sandbox.run(task(guest, "2", FOREVER), &second),
        async {
            assert_eq!(second.phase(), Phase::Queued);
            first.cancel();
            while second.phase() == Phase::Queued {
                tokio::task::yield_now().await;
            }
            second.cancel();
        }
    );
    assert_eq!(host.sandbox.slots_free(), 6);
}

#[tokio::test]
async fn dropping_the_attempt_ends_the_guest() {
    let host = TestSandbox::new();
    let guest = host.component(&spins()).await;
    let watch = Watch::new();
    for _ in 0..50 {
        tokio::select! {
            biased;
            _ = host.sandbox.run(task(guest.clone(), "1", FOREVER), &watch) => panic!("it spins"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(host.sandbox.slots_free(), 16);
    assert_eq!(output(&host.run(&echo(), "1", FOREVER).await), "1");
}

#[tokio::test]
async fn a_component_that_is_no_longer_kept_still_runs() {
    let host = TestSandbox::with(|config| config.cache_bytes = 1);
    let old = host.component(&echo()).await;
    host.component(&spins()).await;
    let report = host.sandbox.run(task(old, "1", FOREVER), &Watch::new()).await;
    assert_eq!(output(&report), "1");
    assert_eq!(output(&host.run(&echo(), "2", FOREVER).await), "2");
}

#[tokio::test]
async fn sleeping_ends_at_the_wall_time() {
    let host = TestSandbox::new();
    let limits = Limits { wall_ms: 50, ..Limits::default() };
    let report = host.run(&example("hostile"), r#"{"case":"sleeps"}"#, limits).await;
    let (reason, message) = failure(&report);
    assert_eq!(reason, "limit:wall");
    assert!(message.contains("50ms") && message.contains("wall: 100ms"), "{message}");
    assert!(report.usage.cpu_us < 50_000, "{:?}", report.usage);
}

/// A short step every few milliseconds, alone and beside guests that never stop.
/// The bound is loose, for the machine may be busy; without turns a step would
/// wait for all the others, 8 ms and more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_steps_pass_by_those_that_never_stop() {
    let host = TestSandbox::with(|config| config.turns = 1);
    let (spins, echo) = (host.component(&spins()).await, host.component(&echo()).await);
    let watches: Vec<_> = (0..8).map(|_| Watch::new()).collect();
    let mut spinning = JoinSet::new();
    for watch in &watches {
        let (sandbox, watch) = (host.sandbox.clone(), watch.clone());
        let task = task(spins.clone(), "1", FOREVER);
        spinning.spawn(async move { sandbox.run(task, &watch).await });
    }
    while watches.iter().any(|watch| watch.usage().cpu_us < 5_000) {
        tokio::task::yield_now().await;
    }
    let mut waits = Vec::new();
    let mut pulse = tokio::time::interval(Duration::from_millis(5));
    for _ in 0..40 {
        pulse.tick().await;
        let start = Instant::now();
        let (sandbox, task) = (host.sandbox.clone(), task(echo.clone(), "2", FOREVER));
        let mut short = JoinSet::new();
        short.spawn(async move { sandbox.run(task, &Watch::new()).await });
        assert_eq!(output(&short.join_all().await[0]), "2");
        waits.push(start.elapsed());
    }
    watches.iter().for_each(Watch::cancel);
    let ended = spinning.join_all().await;
    assert!(ended.iter().all(|report| report.outcome == Outcome::Cancelled));
    waits.sort();
    assert!(waits[20] < Duration::from_millis(4), "{waits:?}");
}
