//! A step that misbehaves in the way it is told to: each case is one thing that
//! a guest may try, and README.md says what it comes to. Nothing here may help
//! the host: no case stops by itself unless that is the case.

mod durable;
mod world;

use std::hint::black_box;
use std::time::Duration;

use segno::prelude::*;
use segno::random;
use serde::Deserialize;

/// What to try: `{"case": "spins"}`.
#[derive(Debug, Deserialize)]
#[serde(tag = "case", rename_all = "kebab-case")]
pub enum Case {
    /// Behaves.
    Ok,
    /// Computes for ever.
    Spins,
    /// Takes memory for ever.
    EatsMemory,
    /// Calls itself for ever.
    Recurses,
    /// Writes many lines to the log.
    FloodsLog {
        /// How many.
        #[serde(default = "many_lines")]
        lines: u32,
    },
    /// Writes many lines to standard output.
    FloodsStdout {
        /// How many.
        #[serde(default = "many_lines")]
        lines: u32,
    },
    /// Writes one line that is far too long.
    HugeLogLine {
        /// How long.
        #[serde(default = "mebibyte")]
        bytes: usize,
    },
    /// Returns far too much.
    HugeOutput {
        /// How much.
        #[serde(default = "eight_mebibytes")]
        bytes: usize,
    },
    /// Returns what is no JSON.
    BadJson,
    /// Executes an instruction that traps.
    Traps,
    /// Panics.
    Panics,
    /// Ends its process.
    Exits,
    /// Sleeps for an hour.
    Sleeps,
    /// Calls the host for ever.
    RandomFlood,
    /// Looks for anything outside.
    ReadsWorld,
    /// Fails, and would like another try.
    Fails,
    /// Fails for good.
    Fatal,
    /// Fails before a certain attempt.
    FailsUntil {
        /// The attempt that succeeds.
        attempt: u32,
    },
    /// Makes another call when it is played again.
    Diverges,
    /// Makes the same call with other arguments when it is played again.
    Wavers,
    /// Returns early when it is played again.
    StopsShort,
    /// Catches everything around a wait.
    CatchesAll,
    /// Sleeps until the end of time.
    SleepsForEver,
    /// Sleeps for no time at all, again and again.
    Naps {
        /// How often.
        #[serde(default = "million")]
        times: u32,
    },
    /// Has texts kept, one after another, for ever.
    Hoards {
        /// How long each of them.
        #[serde(default = "half_a_mebibyte")]
        bytes: usize,
    },
    /// Continues as new, again and again, and takes a text along.
    Swells {
        /// How long it is.
        #[serde(default = "half_a_mebibyte")]
        bytes: usize,
    },
    /// Waits for many things at once.
    WaitsForMany {
        /// How many.
        #[serde(default = "many_lines")]
        things: u32,
    },
    /// Waits for a signal with a name that is far too long.
    LongSignalName {
        /// How long.
        #[serde(default = "ten_mebibytes")]
        bytes: usize,
    },
    /// Starts runs that start runs.
    Forks {
        /// How many each of them.
        #[serde(default = "thousand")]
        runs: u32,
    },
    /// Starts itself, and waits for that.
    Nests,
    /// Sends a request that it did not ask for.
    Fetches {
        /// Where to.
        #[serde(default = "nowhere")]
        url: String,
    },
}

/// What the component exports. `#[segno::step]` would do but for one case: it
/// never returns what is no JSON.
const _: () = {
    fn step(context: &Context, json: &str) -> Result<String> {
        let output = segno::__private::call(context, json, run)?;
        Ok(if output == "\"bad-json\"" { "bad json".to_owned() } else { output })
    }
    segno::__private::export_step!(step);
};

/// Misbehaves.
pub fn run(ctx: &Context, case: Case) -> Result<Value> {
    match case {
        Case::Ok => {}
        Case::BadJson => return Ok(json!("bad-json")),
        Case::Spins => spin(),
        Case::EatsMemory => eat_memory(),
        Case::Recurses => return Ok(json!(recurse(0))),
        Case::FloodsLog { lines } => (0..lines).for_each(|n| info!("line {n} of {lines}")),
        Case::FloodsStdout { lines } => (0..lines).for_each(|n| println!("line {n} of {lines}")),
        Case::HugeLogLine { bytes } => segno::log::info("x".repeat(bytes)),
        Case::HugeOutput { bytes } => return Ok(json!("x".repeat(bytes))),
        Case::Traps => trap(),
        Case::Panics => panic!("the hostile step panics, as it was told to"),
        Case::Exits => std::process::exit(0),
        Case::Sleeps => std::thread::sleep(Duration::from_secs(3600)),
        Case::RandomFlood => flood_random(),
        Case::ReadsWorld => return Ok(json!({ "reached": world::reached() })),
        Case::Fails => return Err(retryable!("the hostile step fails, as it was told to")),
        Case::Fatal => return Err(fatal!("the hostile step fails for good, as it was told to")),
        Case::FailsUntil { attempt } if ctx.attempt() < attempt => {
            return Err(retryable!("attempt {} comes before {attempt}", ctx.attempt()));
        }
        Case::FailsUntil { .. } => {}
        Case::Diverges => durable::diverge()?,
        Case::Wavers => durable::waver()?,
        Case::StopsShort => durable::stop_short()?,
        Case::CatchesAll => durable::catch_all()?,
        Case::SleepsForEver => durable::sleep_for_ever(),
        Case::Naps { times } => durable::nap(times),
        Case::Hoards { bytes } => durable::hoard(bytes)?,
        Case::Swells { bytes } => durable::swell(bytes),
        Case::WaitsForMany { things } => durable::wait_for_many(things)?,
        Case::LongSignalName { bytes } => durable::wait_for_a_long_name(bytes)?,
        Case::Forks { runs } => durable::fork(runs)?,
        Case::Nests => durable::nest()?,
        Case::Fetches { url } => durable::fetch(&url)?,
    }
    Ok(json!({ "attempt": ctx.attempt() }))
}

fn many_lines() -> u32 {
    100_000
}

fn million() -> u32 {
    1_000_000
}

fn thousand() -> u32 {
    1_000
}

fn nowhere() -> String {
    "http://127.0.0.1:9/".to_owned()
}

fn ten_mebibytes() -> usize {
    10 << 20
}

fn half_a_mebibyte() -> usize {
    512 << 10
}

fn mebibyte() -> usize {
    1 << 20
}

fn eight_mebibytes() -> usize {
    8 << 20
}

fn spin() {
    loop {
        black_box(());
    }
}

fn eat_memory() {
    let mut eaten = Vec::new();
    loop {
        // Written to, or the system would never have to provide it.
        eaten.push(black_box(vec![1u8; 1 << 20]));
    }
}

/// Nobody lives to see the end that the compiler asks for.
fn recurse(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return depth;
    }
    recurse(depth + 1) + 1
}

fn flood_random() {
    loop {
        black_box(random::next_u64());
    }
}

fn trap() {
    #[cfg(target_family = "wasm")]
    std::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32, input: Value) -> Result<Value> {
        let case = Case::deserialize(input).unwrap();
        run(&Context::new("run_1", "misbehave", number), case)
    }

    #[test]
    fn every_case_of_the_readme_exists() {
        let table =
            include_str!("../README.md").lines().filter_map(|line| line.strip_prefix("| `"));
        let names = table.filter_map(|row| row.split('`').next()).collect::<Vec<_>>();
        assert_eq!(names.len(), 31);
        for name in names {
            let input = json!({ "case": name, "attempt": 2 });
            assert!(Case::deserialize(&input).is_ok(), "{name}");
        }
    }

    #[test]
    fn failures_are_of_the_kind_that_was_asked_for() {
        assert!(!attempt(1, json!({ "case": "fails" })).unwrap_err().is_fatal());
        assert!(attempt(1, json!({ "case": "fatal" })).unwrap_err().is_fatal());
        let until = json!({ "case": "fails-until", "attempt": 3 });
        assert!(!attempt(2, until.clone()).unwrap_err().is_fatal());
        assert_eq!(attempt(3, until).unwrap(), json!({ "attempt": 3 }));
    }

    #[test]
    fn sizes_can_be_chosen() {
        let huge = attempt(1, json!({ "case": "huge-output", "bytes": 10 })).unwrap();
        assert_eq!(huge, json!("xxxxxxxxxx"));
        let ok = attempt(1, json!({ "case": "floods-log", "lines": 2 })).unwrap();
        assert_eq!(ok, json!({ "attempt": 1 }));
    }
}
