//! WASI with nothing behind it: what it does, and what it costs those who abuse
//! it. The hostile example has more of it, from Rust's standard library.

use crate::guests::{component, spins};
use crate::host::{TestSandbox, failure, messages, output, task};
use segno_host::sandbox::{Level, Limits, Watch};

const LIMITS: Limits = Limits {
    memory_bytes: 4 << 20,
    table_elements: 1_000,
    cpu_ms: 200,
    wall_ms: 600_000,
    handles: 100,
    host_call_bytes: 64 << 10,
    log_bytes: 4 << 10,
    output_bytes: 64 << 10,
    journal_bytes: 16 << 20,
    journal_entries: 10_000,
};

const STDOUT: &str = r#"
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.write"
        (func $write (param i32 i32 i32 i32)))"#;

const CLOCK: &str = r#"
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
        (func $after (param i64) (result i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;

#[tokio::test]
async fn what_is_printed_becomes_lines_of_the_log() {
    let guest = component(
        STDOUT,
        r#"(data (i32.const 64) "one\0atwo")
         (func $step (param $in i32) (param $len i32) (result i32)
            (call $write (call $stdout) (i32.const 64) (i32.const 5) (i32.const 32))
            (call $write (call $stdout) (i32.const 69) (i32.const 2) (i32.const 32))
            (call $ok (local.get $in) (local.get $len)))"#,
    );
    let report = TestSandbox::new().run(&guest, "1", LIMITS).await;
    assert_eq!(output(&report), "1");
    assert_eq!(messages(&report), ["one", "two"]);
    assert!(report.log.iter().all(|line| line.level == Level::Info));
}

#[tokio::test]
async fn empty_writes_cost_nothing_but_time() {
    let guest = component(
        STDOUT,
        "(func $step (param i32 i32) (result i32) (local $to i32)
            (local.set $to (call $stdout))
            (loop $again
                (call $write (local.get $to) (i32.const 64) (i32.const 0) (i32.const 32))
                (br $again))
            (unreachable))",
    );
    let report = TestSandbox::new().run(&guest, "1", LIMITS).await;
    assert_eq!(failure(&report).0, "limit:cpu");
    assert_eq!((report.log.len(), report.log_dropped), (0, 0));
}

#[tokio::test]
async fn handles_that_are_never_dropped_have_a_limit() {
    let guest = component(
        CLOCK,
        "(func $step (param i32 i32) (result i32)
            (loop $again (drop (call $after (i64.const 1000))) (br $again))
            (unreachable))",
    );
    let report = TestSandbox::new().run(&guest, "1", LIMITS).await;
    let (reason, message) = failure(&report);
    assert_eq!(reason, "limit:handles", "{message}");
    assert!(message.contains("100 handles") && message.contains("handles: 200"), "{message}");
}

#[tokio::test]
async fn random_bytes_have_a_most() {
    let guest = component(
        r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $get (param i64 i32)))"#,
        "(func $step (param i32 i32) (result i32)
            (call $get (i64.const 0x7fffffffffffffff) (i32.const 32)) (unreachable))",
    );
    let report = TestSandbox::new().run(&guest, "1", LIMITS).await;
    let (reason, message) = failure(&report);
    assert!(reason == "trap" && message.contains("exceeds limit 65536"), "{reason} {message}");
}

/// A guest that computes for longer than counts as short, and then sleeps.
#[tokio::test]
async fn a_guest_that_sleeps_holds_up_nobody() {
    let host = TestSandbox::with(|config| config.turns = 1);
    let guest = component(
        CLOCK,
        "(func $step (param i32 i32) (result i32) (local $n i32)
            (loop $again
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 50000000))))
            (call $block (call $after (i64.const 3600000000000)))
            (unreachable))",
    );
    let limits = Limits { cpu_ms: 3_600_000, wall_ms: 3_600_000, ..LIMITS };
    let sleeper = task(host.component(&guest).await, "1", limits);
    let spinner = task(host.component(&spins()).await, "1", limits);
    let (sleeping, spinning) = (Watch::new(), Watch::new());
    tokio::join!(
        host.sandbox.run(sleeper, &sleeping),
        host.sandbox.run(spinner, &spinning),
        async {
            while sleeping.usage().host_calls < 2 {
                tokio::task::yield_now().await;
            }
            let before = spinning.usage().cpu_us;
            while spinning.usage().cpu_us < before + 20_000 {
                tokio::task::yield_now().await;
            }
            sleeping.cancel();
            spinning.cancel();
        }
    );
    assert!(sleeping.usage().cpu_us > 3_000, "{:?}", sleeping.usage());
}
