//! Each limit ends just the attempt that goes past it, names itself, and says
//! how to get more. These guests are written by hand, for no compiler would make
//! them.

use crate::guests::{component, echo, spins, step};
use crate::host::{TestSandbox, failure, output};
use segno_engine::failure::FailureKind;
use segno_host::sandbox::{Limits, Outcome, Report};

/// Runs the guest, and then another one in the same sandbox.
async fn run(bytes: &[u8], limits: Limits) -> Report {
    let host = TestSandbox::new();
    let report = host.run(bytes, "[1]", limits).await;
    let after = host.run(&echo(), "[2]", Limits::default()).await;
    assert_eq!(output(&after), "[2]");
    assert_eq!(host.sandbox.slots_free(), 16);
    report
}

/// Expects the failure `reason` with words that name limit and remedy.
#[track_caller]
fn expect(report: &Report, reason: &str, words: &[&str]) {
    let (found, message) = failure(report);
    assert_eq!(found, reason, "{message}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    let parts = ["/root", "/home", "target/", ".cargo", ".rs:"];
    assert!(!parts.iter().any(|part| message.contains(part)), "{message}");
}

const CPU: Limits = Limits { cpu_ms: 100, ..defaults() };

const fn defaults() -> Limits {
    Limits {
        memory_bytes: 4 << 20,
        table_elements: 1_000,
        cpu_ms: 2_000,
        wall_ms: 600_000,
        handles: 100,
        host_call_bytes: 64 << 10,
        log_bytes: 4 << 10,
        output_bytes: 64 << 10,
        journal_bytes: 16 << 20,
        journal_entries: 10_000,
    }
}

#[tokio::test]
async fn a_loop_ends_at_the_processor_time() {
    let report = run(&spins(), CPU).await;
    expect(&report, "limit:cpu", &["100ms", "limits: { cpu: 200ms }", "; in `"]);
    assert!(report.usage.cpu_us >= 100_000, "{:?}", report.usage);
    assert!(report.usage.cpu_us < 150_000, "{:?}", report.usage);
}

#[tokio::test]
async fn a_loop_in_the_start_function_too() {
    let guest = component(
        "",
        "(func $start (loop $again (br $again))) (start $start)
         (func $step (param i32 i32) (result i32) (unreachable))",
    );
    expect(&run(&guest, CPU).await, "limit:cpu", &["100ms"]);
}

#[tokio::test]
async fn a_loop_of_host_calls_too() {
    let guest = component(
        r#"(import "segno:step/timers@0.1.0" "now" (func $now (result i64)))"#,
        "(func $step (param i32 i32) (result i32)
            (loop $again (drop (call $now)) (br $again)) (unreachable))",
    );
    let report = run(&guest, CPU).await;
    expect(&report, "limit:cpu", &["100ms"]);
    assert!(report.usage.host_calls > 1_000, "{:?}", report.usage);
}

#[tokio::test]
async fn a_loop_while_the_input_is_taken_too() {
    let module = crate::guests::with_world(
        wat::parse_str(
            r#"(module
                (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (loop $again (br $again)) (unreachable))
                (func (export "segno:step/guest@0.1.0#run")
                    (param i32 i32 i32 i32 i32 i32 i32) (result i32) (unreachable)))"#,
        )
        .unwrap(),
    );
    let guest = segno_host::sandbox::admit(module, &Default::default()).unwrap().component;
    expect(&run(&guest, CPU).await, "limit:cpu", &["100ms"]);
}

#[tokio::test]
async fn filling_memory_again_and_again_too() {
    let guest = step(
        "(drop (memory.grow (i32.const 60)))
         (loop $again
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 4000000))
            (br $again))
         (unreachable)",
    );
    expect(&run(&guest, CPU).await, "limit:cpu", &["100ms"]);
}

#[tokio::test]
async fn growing_memory_ends_the_attempt_and_is_never_refused_to_the_guest() {
    let guest = step(
        "(loop $again
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1))
                (then (return (call $ok (local.get $in) (local.get $len)))))
            (br $again))
         (unreachable)",
    );
    let report = run(&guest, defaults()).await;
    expect(&report, "limit:memory", &["4MiB", "limits: { memory: 8MiB }"]);
    assert_eq!(report.usage.memory_bytes_peak, 4 << 20);
}

#[tokio::test]
async fn growing_past_what_32_bits_address_is_the_same_limit() {
    let guest = step("(drop (memory.grow (i32.const 65536))) (unreachable)");
    expect(&run(&guest, defaults()).await, "limit:memory", &["4MiB"]);
}

#[tokio::test]
async fn the_memory_of_all_memories_counts() {
    let guest = component(
        "",
        "(memory $second 30) (memory $third 30)
         (func $step (param i32 i32) (result i32)
            (call $ok (local.get 0) (local.get 1)))",
    );
    let report = run(&guest, Limits { memory_bytes: 62 << 16, ..defaults() }).await;
    assert_eq!(output(&report), "[1]");
    let report = run(&guest, Limits { memory_bytes: 61 << 16, ..defaults() }).await;
    expect(&report, "limit:memory", &["3904KiB"]);
}

#[tokio::test]
async fn tables_have_a_limit() {
    let guest = component(
        "",
        "(table $table 1 funcref)
         (func $step (param i32 i32) (result i32)
            (loop $again
                (drop (table.grow $table (ref.null func) (i32.const 100)))
                (br $again))
            (unreachable))",
    );
    let report = run(&guest, defaults()).await;
    expect(&report, "limit:tables", &["1000", "limits: { table_elements: 2000 }"]);
    let guest = component(
        "",
        "(table $table 1 funcref)
         (func $step (param i32 i32) (result i32)
            (drop (table.grow $table (ref.null func) (i32.const 10000000)))
            (unreachable))",
    );
    expect(&run(&guest, defaults()).await, "limit:tables", &["10000001"]);
}

#[tokio::test]
async fn recursion_ends_at_the_stack() {
    let guest = component(
        "",
        "(func $deeper (param $n i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get $n) (i32.const 1))) (i32.const 1)))
         (func $step (param i32 i32) (result i32) (call $deeper (i32.const 0)))",
    );
    let report = run(&guest, defaults()).await;
    expect(&report, "limit:stack", &["512KiB", "recursion", "deeper"]);
}

#[tokio::test]
async fn a_host_call_works_at_the_bottom_of_the_stack() {
    let guest = component(
        r#"(import "segno:step/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#,
        r#"(data (i32.const 64) "deep")
         (func $deeper (param $n i32) (result i32)
            (call $write (i32.const 2) (i32.const 64) (i32.const 4))
            (i32.add (call $deeper (i32.add (local.get $n) (i32.const 1))) (i32.const 1)))
         (func $step (param i32 i32) (result i32) (call $deeper (i32.const 0)))"#,
    );
    let report = run(&guest, defaults()).await;
    expect(&report, "limit:stack", &[]);
    assert!(report.log_dropped > 100);
}

#[tokio::test]
async fn the_output_has_a_limit() {
    let guest = |len: u32| {
        step(&format!(
            "(drop (memory.grow (i32.const 32)))
             (memory.fill (i32.const 64) (i32.const 32) (i32.const {len}))
             (i32.store8 (i32.const 64) (i32.const 48))
             (call $ok (i32.const 64) (i32.const {len}))"
        ))
    };
    assert_eq!(output(&run(&guest(64 << 10), defaults()).await).len(), 64 << 10);
    for len in [(64 << 10) + 1, 1 << 20] {
        let report = run(&guest(len), defaults()).await;
        expect(&report, "limit:output", &["64KiB", "limits: { output: 128KiB }"]);
    }
}

#[tokio::test]
async fn an_output_that_is_no_json_is_the_steps_own_failure() {
    let guest = component(
        "",
        r#"(data (i32.const 64) "{\"a\": oops")
         (func $step (param i32 i32) (result i32) (call $ok (i32.const 64) (i32.const 10)))"#,
    );
    let report = run(&guest, defaults()).await;
    expect(&report, "output", &["line 1 column 7", "{\"a\": oops"]);
    let Outcome::Failed { failure, .. } = report.outcome else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::User);
}

#[tokio::test]
async fn arguments_of_host_calls_have_a_limit() {
    let guest = |len: i64| {
        component(
            r#"(import "segno:step/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#,
            &format!(
                "(func $step (param i32 i32) (result i32)
                    (drop (memory.grow (i32.const 32)))
                    (call $write (i32.const 2) (i32.const 64) (i32.const {len}))
                    (call $ok (local.get 0) (local.get 1)))"
            ),
        )
    };
    let report = run(&guest(64 << 10), defaults()).await;
    assert_eq!(output(&report), "[1]");
    let report = run(&guest(1 << 20), defaults()).await;
    expect(&report, "limit:host_call", &["limits: { host_call: 128KiB }"]);
    for nonsense in [0x7fff_ffff, 0xffff_ffff] {
        expect(&run(&guest(nonsense), defaults()).await, "trap", &[]);
    }
}

#[tokio::test]
async fn malformed_values_trap() {
    let log = r#"(import "segno:step/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#;
    let invalid_text = component(
        log,
        r#"(data (i32.const 64) "\ff\fe")
         (func $step (param i32 i32) (result i32)
            (call $write (i32.const 2) (i32.const 64) (i32.const 2)) (unreachable))"#,
    );
    expect(&run(&invalid_text, defaults()).await, "trap", &["utf-8"]);
    let invalid_level = component(
        log,
        "(func $step (param i32 i32) (result i32)
            (call $write (i32.const 99) (i32.const 64) (i32.const 2)) (unreachable))",
    );
    expect(&run(&invalid_level, defaults()).await, "trap", &[]);
    let invalid_result = step("(i32.store8 (i32.const 0) (i32.const 7)) (i32.const 0)");
    expect(&run(&invalid_result, defaults()).await, "trap", &[]);
    let misplaced_result = step("(i32.const -4)");
    expect(&run(&misplaced_result, defaults()).await, "trap", &[]);
}

#[tokio::test]
async fn a_trap_says_what_and_where() {
    let guest = component(
        "",
        "(func $divides (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
         (func $step (param i32 i32) (result i32) (call $divides (i32.const 0)))",
    );
    let report = run(&guest, defaults()).await;
    expect(&report, "trap", &["integer divide by zero", "in `divides`, called by `step`"]);
}

#[tokio::test]
async fn a_flood_of_log_lines_is_counted_and_dropped() {
    let guest = component(
        r#"(import "segno:step/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#,
        r#"(data (i32.const 64) "a line")
         (func $step (param $in i32) (param $len i32) (result i32) (local $n i32)
            (loop $again
                (call $write (i32.const 2) (i32.const 64) (i32.const 6))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 10000))))
            (call $ok (local.get $in) (local.get $len)))"#,
    );
    let report = run(&guest, defaults()).await;
    assert_eq!(output(&report), "[1]");
    assert_eq!(report.log.len() as u64 - 1 + report.log_dropped, 10_000);
    let last = &report.log.last().unwrap().message;
    assert!(last.contains("were dropped") && last.contains("limits: { log: 8KiB }"), "{last}");
}
