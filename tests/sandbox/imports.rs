//! What a guest gets from the host.

use crate::guests::{component, echo, example};
use crate::host::{TestSandbox, failure, messages, output, task};
use segno_host::sandbox::{Limits, Watch};

#[tokio::test]
async fn the_input_arrives_and_the_output_comes_back() {
    let host = TestSandbox::new();
    let report = host.run(&echo(), r#"{"a":["ä",1]}"#, Limits::default()).await;
    assert_eq!(output(&report), r#"{"a":["ä",1]}"#);
    assert_eq!(report.usage.memory_bytes_peak, 2 << 16);
    assert!(report.usage.wall_us > 0, "{:?}", report.usage);
}

#[tokio::test]
async fn an_attempt_sees_nothing_of_an_earlier_one() {
    let guest = component(
        "",
        r#"(data (i32.const 64) "true") (data (i32.const 72) "false")
         (func $step (param i32 i32) (result i32)
            (if (i32.load (i32.const 70000))
                (then (return (call $ok (i32.const 72) (i32.const 5)))))
            (i32.store (i32.const 70000) (i32.const 1))
            (call $ok (i32.const 64) (i32.const 4)))"#,
    );
    let host = TestSandbox::with(|config| config.slots = 1);
    for _ in 0..100 {
        assert_eq!(output(&host.run(&guest, "1", Limits::default()).await), "true");
    }
}

#[tokio::test]
async fn randomness_is_the_seeds() {
    // Returns the last digit of a random number.
    let guest = component(
        r#"(import "segno:step/random@0.1.0" "next-u64" (func $next (result i64)))"#,
        "(func $step (param i32 i32) (result i32)
            (drop (call $next))
            (i32.store8 (i32.const 64)
                (i32.add (i32.const 48)
                    (i32.wrap_i64 (i64.rem_u (call $next) (i64.const 10)))))
            (call $ok (i32.const 64) (i32.const 1)))",
    );
    let host = TestSandbox::new();
    let guest = host.component(&guest).await;
    let mut drawn = Vec::new();
    for seed in [1, 1, 2, 3, 4, 5, 6] {
        let mut task = task(guest.clone(), "1", Limits::default());
        task.seed = [seed; 32];
        drawn.push(output(&host.sandbox.run(task, &Watch::new()).await).to_owned());
    }
    assert_eq!(drawn[0], drawn[1]);
    assert!(drawn.iter().any(|digit| *digit != drawn[0]), "{drawn:?}");
}

#[tokio::test]
async fn random_bytes_have_a_most() {
    let guest = component(
        r#"(import "segno:step/random@0.1.0" "bytes" (func $bytes (param i32 i32)))"#,
        "(func $step (param i32 i32) (result i32)
            (call $bytes (i32.const 65537) (i32.const 64)) (unreachable))",
    );
    let host = TestSandbox::new();
    let report = host.run(&guest, "1", Limits::default()).await;
    let (reason, message) = failure(&report);
    assert!(reason == "trap" && message.contains("65537"), "{message}");
}

#[tokio::test]
async fn progress_can_be_watched() {
    let guest = component(
        r#"(import "segno:step/progress@0.1.0" "report" (func $report (param i64 i64 i32 i32)))"#,
        r#"(data (i32.const 64) "halfway")
         (func $step (param $in i32) (param $len i32) (result i32)
            (call $report (i64.const 5) (i64.const 10) (i32.const 64) (i32.const 7))
            (call $ok (local.get $in) (local.get $len)))"#,
    );
    let host = TestSandbox::new();
    let watch = Watch::new();
    let guest = host.component(&guest).await;
    host.sandbox.run(task(guest, "1", Limits::default()), &watch).await;
    let progress = watch.progress().unwrap();
    assert_eq!((progress.done, progress.total, &*progress.message), (5, 10, "halfway"));
}

#[tokio::test]
async fn the_clock_is_the_tasks() {
    let guest = component(
        r#"(import "segno:step/timers@0.1.0" "now" (func $now (result i64)))"#,
        "(func $step (param $in i32) (param $len i32) (result i32)
            (if (i64.ne (call $now) (i64.const 1700000000000)) (then (unreachable)))
            (call $ok (local.get $in) (local.get $len)))",
    );
    let host = TestSandbox::new();
    assert_eq!(output(&host.run(&guest, "1", Limits::default()).await), "1");
}

#[tokio::test]
async fn the_example_greets() {
    let host = TestSandbox::new();
    let report = host.run(&example("hello"), r#"{"name":"Ada"}"#, Limits::default()).await;
    assert_eq!(output(&report), r#"{"greeting":"Hello, Ada!"}"#);
    assert_eq!(messages(&report), ["greeting Ada"]);
}
