//! The commands of scripts that are about durable waits. Runs that steps start
//! are called by numbers:
//!
//! ```text
//! suspend hold 1 4 timer +10s or signal paid {"order": "a1"} after 7
//!                                   attempt 1 of step hold waits; 4 is the
//!                                   place of the wait in its journal. Further
//!                                   conditions: `run-signal NAME`, `child N`
//! wake hold 4 signal 1 paid 8       condition 1 of wait 4 came true, or
//!                                   `run-signal 0 NAME SEQUENCE`
//! put-away hold 1                   the guest of attempt 1 has left memory
//! continue hold 1 9 {"n": 2} paid=8 attempt 1 continues as new; its journal
//!                                   goes on at 9, signal 8 was taken
//! start-child hold 1 7              attempt 1 starts run 7
//! end-child hold 7                  run 7, which hold started, is over
//! ```

use crate::stage::{START, ended, moment, parse, payload, split};
use segno_engine::command::{Command, RunEnd};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::payload::Payload;
use segno_engine::signal::Pattern;
use segno_engine::usage::Usage;
use segno_engine::wait::{RunSignalWait, RunWait, SignalWait, TimerWait, Wait, Wake};

/// The command of this line, for a step that was already looked up.
pub fn command(verb: &str, step: StepIndex, rest: &str) -> Option<Command> {
    let (number, rest) = split(rest);
    let (attempt, usage) = (parse(number), Usage { host_calls: 1, ..Usage::default() });
    Some(match verb {
        "suspend" => Command::Suspend { step, attempt, wait: wait(rest) },
        "wake" => Command::Wake { step, sequence: u64::from(attempt), wake: wake(rest) },
        "put-away" => Command::PutAway { step, attempt, usage },
        "continue" => {
            let (sequence, rest) = split(rest);
            let (input, taken) = input_and_taken(rest);
            let sequence = u64::from(parse(sequence));
            Command::Continue { step, attempt, input, sequence, signals_taken: taken, usage }
        }
        "start-child" => Command::StartChild { step, attempt, child: child(parse(rest)) },
        "end-child" => {
            let result = ended(if rest.is_empty() { "null" } else { rest });
            Command::EndChild { step, end: RunEnd::absent(child(attempt), 0, result) }
        }
        _ => return None,
    })
}

/// The run that a script calls by this number.
pub fn child(number: u32) -> RunId {
    RunId::new(START, 1_000 + u128::from(number))
}

/// What a script calls this run.
pub fn name_of(run: RunId) -> String {
    match (0..100).find(|number| child(*number) == run) {
        Some(number) => format!("run {number}"),
        // An identifier that follows from others: its end tells it apart.
        None => format!("run …{}", &run.to_string()[26..]),
    }
}

/// From `timer +10s or signal paid {"order": "a1"} after 7`.
fn wait(text: &str) -> Wait {
    let (sequence, conditions) = split(text);
    let mut wait = Wait { sequence: u64::from(parse(sequence)), ..Wait::default() };
    for (index, condition) in conditions.split(" or ").enumerate() {
        let (kind, rest) = split(condition);
        let index = index as u32;
        match kind {
            "timer" => wait.timer = Some(TimerWait { index, until: moment(rest) }),
            "signal" => {
                let (rest, after) = rest.rsplit_once(" after ").unwrap_or((rest, "0"));
                let (name, pattern) = split(rest);
                let pattern = Pattern::parse(pattern).expect("a pattern is an object of tests");
                let after = u64::from(parse(after));
                wait.signals.push(SignalWait { index, name: name.to_owned(), pattern, after });
            }
            "run-signal" => {
                wait.run_signals.push(RunSignalWait { index, name: rest.to_owned() });
            }
            "child" => wait.runs.push(RunWait { index, run: child(parse(rest)) }),
            _ => panic!("{condition:?} is nothing to wait for"),
        }
    }
    wait
}

/// From `signal 1 paid 8`.
fn wake(text: &str) -> Wake {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["signal", index, name, sequence] => Wake::Signal {
            index: parse(index),
            name: name.to_owned(),
            sequence: parse(sequence).into(),
        },
        ["run-signal", index, name, sequence] => Wake::RunSignal {
            index: parse(index),
            name: name.to_owned(),
            sequence: parse(sequence).into(),
        },
        _ => panic!("{text:?} wakes nobody"),
    }
}

/// From `{"n": 2} paid=8`.
fn input_and_taken(text: &str) -> (Payload, Vec<(String, u64)>) {
    let (input, taken) = text.split_at(text.rfind('}').map_or(text.len(), |end| end + 1));
    let taken = taken.split_whitespace().map(|one| {
        let (name, sequence) = one.split_once('=').unwrap_or_else(|| panic!("{one:?} has no ="));
        (name.to_owned(), u64::from(parse(sequence)))
    });
    (payload(input), taken.collect())
}
