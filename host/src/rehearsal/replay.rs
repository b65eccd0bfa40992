//! The replay check: a step that is stopped at every durable call and played
//! again has to do what it does when it is left alone.

use super::Failure;
use super::play::Trace;
use super::world::Made;
use crate::sandbox::LogLine;

/// What the step may depend on, for whoever has to find the cause.
const REMEDY: &str = "between durable calls a step may depend on its input, their answers, \
                      `timers` and `random` alone, and the work of a memo draws no numbers";

/// The first thing that was otherwise when the guest was stopped at each call.
pub(super) fn difference(line: u32, written: &Trace, again: &Trace) -> Option<Failure> {
    let both = |what: String, written: String, again: String| {
        Some(Failure {
            line,
            what: format!("nondeterminism at {what}; {REMEDY}"),
            expected: format!("left alone, {written}"),
            actual: format!("stopped at every call and played again, {again}"),
        })
    };
    let (calls, others) = (&written.calls, &again.calls);
    for place in 0..calls.len().max(others.len()) {
        let (call, other) = (calls.get(place), others.get(place));
        if !call.zip(other).is_some_and(|(call, other)| call == other) {
            let what = format!("call {}", call.or(other).map_or(0, |made| made.sequence));
            // A replay that finds other calls in its journal ends with a failure that says so.
            let again_did = match (&other, &again.end) {
                (None, Some(end)) => format!("{end}"),
                _ => did(other),
            };
            return both(what, did(call), again_did);
        }
    }
    if written.end != again.end {
        let ended = |trace: &Trace| {
            trace.end.as_ref().map_or_else(|| "it waited".to_owned(), ToString::to_string)
        };
        return both("the end".to_owned(), ended(written), ended(again));
    }
    let same =
        |one: &LogLine, other: &LogLine| one.level == other.level && one.message == other.message;
    let (lines, others) = (&written.lines, &again.lines);
    for place in 0..lines.len().max(others.len()) {
        let (line, other) = (lines.get(place), others.get(place));
        if !line.zip(other).is_some_and(|(line, other)| same(line, other)) {
            return both(format!("line {} of its log", place + 1), logged(line), logged(other));
        }
    }
    again.failure.clone()
}

fn did(made: Option<&Made>) -> String {
    made.map_or_else(
        || "it made no more calls".to_owned(),
        |made| format!("it called {}", made.text),
    )
}

fn logged(line: Option<&LogLine>) -> String {
    line.map_or_else(
        || "it logged nothing more".to_owned(),
        |line| format!("it logged {}", line.message),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::play::End;
    use crate::sandbox::Level;

    fn trace(calls: &[&str], lines: &[&str], output: &str) -> Trace {
        let made = |(sequence, text): (u64, &&str)| Made {
            sequence,
            hash: [text.len() as u8; 16],
            text: (*text).to_owned(),
        };
        let line = |text: &&str| LogLine { at_ms: 1, level: Level::Info, message: (*text).into() };
        Trace {
            calls: (0..).zip(calls).map(made).collect(),
            lines: lines.iter().map(line).collect(),
            end: Some(End::Returned(serde_json::Value::from(output).into())),
            failure: None,
        }
    }

    #[test]
    fn the_first_thing_that_differs_is_shown_from_both_sides() {
        let written = trace(&["a", "bb"], &["one"], "x");
        assert_eq!(difference(1, &written, &trace(&["a", "bb"], &["one"], "x")), None);
        for (again, what, actual) in [
            (trace(&["a", "ccc"], &["two"], "x"), "call 1;", "it called ccc"),
            (trace(&["a"], &["one"], "y"), "call 1;", "it returned \"y\""),
            (trace(&["a", "bb", "d"], &["one"], "x"), "call 2;", "it called d"),
            (trace(&["a", "bb"], &["two"], "y"), "the end;", "it returned \"y\""),
            (trace(&["a", "bb"], &[], "x"), "line 1 of its log;", "it logged nothing more"),
        ] {
            let found = difference(7, &written, &again).unwrap();
            assert_eq!(found.line, 7);
            assert!(found.what.starts_with(&format!("nondeterminism at {what}")), "{found:?}");
            assert!(found.actual.ends_with(actual), "{found:?}");
        }
    }
}
