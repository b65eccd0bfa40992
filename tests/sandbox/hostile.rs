//! The hostile example, built from source as a step's author would: every case
//! of its table costs only its own attempt and ends as the table says.

use crate::guests::example;
use crate::host::{TestSandbox, failure, messages, output, task};
use segno_engine::failure::FailureKind;
use segno_host::sandbox::{Level, Limits, Outcome, Report, Watch};

/// What the example's workflow gives an attempt, with less time.
const LIMITS: Limits = Limits {
    memory_bytes: 64 << 20,
    table_elements: 100_000,
    cpu_ms: 300,
    wall_ms: 600_000,
    handles: 4_096,
    host_call_bytes: 1 << 20,
    log_bytes: 256 << 10,
    output_bytes: 1 << 20,
    journal_bytes: 16 << 20,
    journal_entries: 10_000,
};

async fn run(host: &TestSandbox, input: &str) -> Report {
    host.run(&example("hostile"), input, LIMITS).await
}

/// Runs the case beside a well-behaved neighbour, who must not notice.
async fn fails(host: &TestSandbox, case: &str) -> Report {
    let guest = host.component(&example("hostile")).await;
    let neighbour = host.component(&example("hello")).await;
    let input = format!(r#"{{"case":"{case}"}}"#);
    let (hostile_watch, neighbour_watch) = (Watch::new(), Watch::new());
    let (hostile, neighbour) = tokio::join!(
        host.sandbox.run(task(guest, &input, LIMITS), &hostile_watch),
        host.sandbox.run(task(neighbour, r#"{"name":"Ada"}"#, LIMITS), &neighbour_watch),
    );
    assert_eq!(output(&neighbour), r#"{"greeting":"Hello, Ada!"}"#);
    hostile
}

#[tokio::test]
async fn each_failure_has_its_reason() {
    let host = TestSandbox::new();
    for (case, expected) in [
        ("spins", "limit:cpu"),
        ("eats-memory", "limit:memory"),
        ("recurses", "limit:stack"),
        ("random-flood", "limit:cpu"),
        ("huge-output", "limit:output"),
        ("bad-json", "output"),
        ("traps", "trap"),
        ("panics", "trap"),
        ("exits", "exit"),
        ("fails", "user"),
        ("fatal", "fatal"),
    ] {
        let report = fails(&host, case).await;
        let (reason, message) = failure(&report);
        assert_eq!(reason, expected, "{case}: {message}");
        assert!(message.len() < 1_000 && !message.contains('\n'), "{case}: {message}");
    }
}

#[tokio::test]
async fn a_panics_message_is_in_the_log() {
    let report = fails(&TestSandbox::new(), "panics").await;
    let found = messages(&report).iter().any(|line| line.contains("as it was told to"));
    assert!(found, "{:?}", report.log);
}

#[tokio::test]
async fn what_the_step_says_is_passed_on() {
    let report = fails(&TestSandbox::new(), "fatal").await;
    let Outcome::Failed { failure, delay_ms: None } = report.outcome else { panic!("{report:?}") };
    assert_eq!(failure.kind, FailureKind::Fatal);
    assert_eq!(failure.message, "the hostile step fails for good, as it was told to");
}

#[tokio::test]
async fn a_flood_is_cut_and_says_so() {
    let host = TestSandbox::new();
    for case in ["floods-log", "floods-stdout"] {
        let limits = Limits { cpu_ms: 60_000, ..LIMITS };
        let input = format!(r#"{{"case":"{case}"}}"#);
        let report = host.run(&example("hostile"), &input, limits).await;
        assert_eq!(output(&report), r#"{"attempt":1}"#);
        assert_eq!(&*report.log[0].message, "line 0 of 100000");
        assert_eq!(report.log[0].level, Level::Info);
        assert_eq!(report.log.len() as u64 - 1 + report.log_dropped, 100_000, "{case}");
        let bytes: usize = report.log.iter().map(|line| line.message.len()).sum();
        assert!(bytes < 256 << 10);
    }
}

#[tokio::test]
async fn a_long_line_is_cut() {
    let host = TestSandbox::new();
    let report = run(&host, r#"{"case":"huge-log-line"}"#).await;
    assert_eq!(output(&report), r#"{"attempt":1}"#);
    let line = &report.log[0].message;
    assert!(line.len() < 9_000 && line.ends_with("more bytes)"), "{}", line.len());
    let report = run(&host, r#"{"case":"huge-log-line","bytes":8388608}"#).await;
    assert_eq!(failure(&report).0, "limit:host_call");
}

#[tokio::test]
async fn nothing_outside_can_be_reached() {
    let host = TestSandbox::new();
    let report = run(&host, r#"{"case":"reads-world"}"#).await;
    assert_eq!(output(&report), r#"{"reached":[]}"#);
}
