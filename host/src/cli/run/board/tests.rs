//! A run is followed, and its lines are read.

use super::*;
use serde_json::{Value, json};

fn told(board: &mut Board, events: Value) -> Vec<String> {
    let events: Vec<Happening> = serde_json::from_value(events).unwrap();
    let lines = events.iter().filter_map(|event| board.note(event));
    let text = |line: Line| {
        let Line { at, who, what, took_ms, more, .. } = line;
        let took = took_ms.map(|ms| format!("{ms}ms")).unwrap_or_default();
        format!("{}|{who}|{what}|{took}|{more}", &at[17..23])
    };
    lines.map(text).collect()
}

fn at(second: &str) -> String {
    format!("2012-12-12T08:30:{second}Z")
}

fn iteration(second: &str, index: u64) -> Value {
    json!({ "type": "iteration_ended", "at": at(second), "step": "per-year", "index": index, "status": "succeeded", "failure": null })
}

#[test]
fn a_run_is_told_in_lines() {
    let mut board = Board::new(true);
    let events = json!([
        { "type": "run_created", "at": at("00.000"), "workflow": "report", "version": 1 },
        { "type": "run_started", "at": at("00.000") },
        { "type": "step_started", "at": at("00.000"), "step": "load" },
        { "type": "attempt_started", "at": at("00.000"), "step": "load", "attempt": 1 },
        { "type": "step_succeeded", "at": at("00.040"), "step": "load", "attempt": 1 },
        { "type": "foreach_started", "at": at("00.040"), "step": "per-year", "count": 4 },
        { "type": "iterations_started", "at": at("00.040"), "step": "per-year", "first": 0, "count": 4 },
        iteration("00.050", 1), iteration("00.051", 0), iteration("00.052", 3), iteration("00.060", 2),
        { "type": "step_succeeded", "at": at("00.060"), "step": "per-year" },
        { "type": "run_succeeded", "at": at("00.061") },
    ]);
    assert_eq!(
        told(&mut board, events),
        [
            "00.000|load|started||",
            "00.040|load|succeeded|40ms|",
            "00.040|per-year|started||4 iterations",
            "00.050|per-year|running|10ms|1/4 25%",
            "00.051|per-year|running|11ms|2/4 50%",
            "00.052|per-year|running|12ms|3/4 75%",
            "00.060|per-year|succeeded|20ms|4/4",
            "00.061|run|succeeded|61ms|",
        ]
    );
    assert_eq!(board.under_way().count(), 0);
}

#[test]
fn many_iterations_are_told_in_tenths() {
    let start = json!([{ "type": "foreach_started", "at": at("00.000"), "step": "per-year", "count": 500 }]);
    let all: Value = (0..500).map(|index| iteration("00.100", index)).collect();
    let mut board = Board::new(true);
    assert_eq!(told(&mut board, start.clone()).len(), 1);
    let lines = told(&mut board, all.clone());
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[0], "00.100|per-year|running|100ms|50/500 10%");
    let mut drawn = Board::default();
    assert_eq!((told(&mut drawn, start).len(), told(&mut drawn, all).len()), (1, 0));
}

#[test]
fn failures_say_what_comes_next() {
    let mut board = Board::default();
    let failure =
        json!({ "kind": "platform", "reason": "limit:memory", "message": "64 MiB are allowed" });
    let events = json!([
        { "type": "run_started", "at": at("00.000") },
        { "type": "step_started", "at": at("00.000"), "step": "load" },
        { "type": "attempt_failed", "at": at("00.010"), "step": "load", "attempt": 1, "failure": failure, "retry_at": at("01.010") },
    ]);
    assert_eq!(
        told(&mut board, events)[1],
        "00.010|load|waiting|10ms|attempt 1: limit:memory: 64 MiB are allowed; again in 1.00s"
    );
    assert_eq!(
        board.under_way().next().unwrap().state,
        State::Waiting("again at 08:30:01.010".to_owned())
    );
    let events = json!([
        { "type": "attempt_started", "at": at("01.010"), "step": "load", "attempt": 2 },
        { "type": "attempt_failed", "at": at("01.020"), "step": "load", "attempt": 2, "failure": failure, "retry_at": null },
        { "type": "step_unsatisfied", "at": at("01.020"), "step": "report", "reason": "when" },
        { "type": "stop_requested", "at": at("01.020"), "stop": { "cancelled": { "by": "api" } } },
        { "type": "run_failed", "at": at("01.021"), "failure": failure },
    ]);
    assert_eq!(
        told(&mut board, events),
        [
            "01.010|load|started|1010ms|attempt 2",
            "01.020|load|failed|1020ms|attempt 2: limit:memory: 64 MiB are allowed",
            "01.020|report|unsatisfied||its `when` does not hold",
            "01.020|run|stopping|1020ms|cancelled",
            "01.021|run|failed|1021ms|limit:memory: 64 MiB are allowed",
        ]
    );
}
