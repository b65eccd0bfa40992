//! A step that only waits. `segno bench` measures with it what waiting costs,
//! and what it costs to be played again over a long journal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use segno::prelude::*;
use segno::{signals, timers};
use serde::Deserialize;

/// What to wait for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// A moment, in milliseconds since 1970.
    Until(u64),
    /// The signal `bench.go` with this number.
    Signal(u64),
    /// After so many durable calls: a signal to this run, again and again,
    /// until one says `"stop"`.
    Calls(u32),
}

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// What to wait for.
    pub wait: Wait,
}

/// Waits, and says when it went on, in milliseconds since 1970.
#[segno::step]
pub fn run(input: Input) -> Result<u128> {
    match input.wait {
        Wait::Until(moment) => timers::sleep_until(UNIX_EPOCH + Duration::from_millis(moment)),
        Wait::Signal(number) => {
            signals::wait("bench.go").matching(json!({ "number": number })).receive::<Value>()?;
        }
        Wait::Calls(calls) => {
            for _ in 0..calls {
                timers::sleep(Duration::ZERO);
            }
            while signals::for_this_run("go").receive::<Value>()?.payload != "stop" {}
        }
    }
    Ok(millis(timers::now()))
}

fn millis(moment: SystemTime) -> u128 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno::testing::Script;

    #[test]
    fn a_signal_with_its_number_lets_it_go_on() {
        let mut script = Script::new(run).input(json!({ "wait": { "signal": 7 } }));
        script.publish("bench.go", json!({ "number": 8 }), json!(null));
        script.run_until_suspended().assert_signal("bench.go");
        script.publish("bench.go", json!({ "number": 7 }), json!(null));
        script.finish().unwrap();
    }

    #[test]
    fn it_is_played_again_until_it_is_told_to_stop() {
        let mut script = Script::new(run).input(json!({ "wait": { "calls": 3 } }));
        for word in ["go", "go", "stop"] {
            script.run_until_suspended().assert_signal("go");
            script.signal_run("go", json!(word));
        }
        script.finish().unwrap();
        script.check_replay();
    }
}
