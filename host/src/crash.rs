//! Places where a test lets the process die, as a kill would end it: nothing is
//! flushed and nobody is told. They are compiled with debug assertions only; in
//! a release a point is nothing at all.
//!
//! `SEGNO_CRASH_AT=NAME#2` ends the process when it passes the point of this
//! name for the second time. With `SEGNO_CRASH_LATE_MS=50` the thread that comes
//! there stays for so long before that, and all others go on: what must wait for
//! it has to show that it does. `SEGNO_CRASH_COUNT=FILE` gets a line for each
//! point as it is passed. Points are counted by name: which of two threads comes
//! first must not change what a number means.

/// Passes a point between two things that a crash must not take apart. `name`
/// says what has just happened, or what is about to.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &'static str) {}

#[cfg(debug_assertions)]
pub use armed::point;

#[cfg(debug_assertions)]
mod armed {
    use std::collections::HashMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    /// Passes a point between two things that a crash must not take apart.
    /// `name` says what has just happened, or what is about to.
    pub fn point(name: &'static str) {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        if let Some(plan) = PLAN.get_or_init(Plan::of_environment) {
            plan.pass(name);
        }
    }

    /// What the environment asks for.
    struct Plan {
        /// Where to die: a name, and how often it has been passed by then.
        at: Option<(String, u64)>,
        late: Duration,
        passed: Mutex<Passed>,
    }

    struct Passed {
        counts: HashMap<&'static str, u64>,
        file: Option<File>,
    }

    impl Plan {
        fn of_environment() -> Option<Self> {
            let at = std::env::var("SEGNO_CRASH_AT").ok().map(|at| {
                let place = at.rsplit_once('#');
                let place = place.and_then(|(name, count)| Some((name, count.parse().ok()?)));
                let (name, count) = place.expect("SEGNO_CRASH_AT is NAME#COUNT");
                (name.to_owned(), count)
            });
            let file = std::env::var_os("SEGNO_CRASH_COUNT").map(|path| {
                let file = OpenOptions::new().create(true).append(true).open(path);
                file.expect("the file that SEGNO_CRASH_COUNT names can be written")
            });
            let late_ms = std::env::var("SEGNO_CRASH_LATE_MS").ok();
            let late_ms = late_ms.map_or(Ok(0), |late_ms| late_ms.parse());
            let late = Duration::from_millis(late_ms.expect("SEGNO_CRASH_LATE_MS is a number"));
            let is_asked = at.is_some() || file.is_some();
            let passed = Mutex::new(Passed { counts: HashMap::new(), file });
            is_asked.then_some(Self { at, late, passed })
        }

        /// The lock is kept on the way out, so that nobody passes a later point
        /// who was not meant to.
        fn pass(&self, name: &'static str) {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            let count = passed.counts.entry(name).or_default();
            *count += 1;
            let count = *count;
            if let Some(file) = &mut passed.file {
                let line = format!("{name}#{count}\n");
                file.write_all(line.as_bytes()).expect("points can be counted");
            }
            if self.at.as_ref().is_some_and(|(at, when)| at == name && *when == count) {
                if !self.late.is_zero() {
                    drop(passed);
                    std::thread::sleep(self.late);
                }
                die();
            }
        }
    }

    fn die() -> ! {
        use rustix::process::{Signal, getpid, kill_process};
        // No destructor, no flush, no handler: what a kill from outside does.
        let _ = kill_process(getpid(), Signal::KILL);
        std::process::abort();
    }
}
