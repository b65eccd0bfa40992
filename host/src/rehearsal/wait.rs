//! Waiting in a rehearsal: what holds already is given at once, anything else
//! suspends the step until the script lets it happen.

use super::world::World;
use crate::sandbox::{Answer, Call, Condition, Gone, Happening, NewEntry, Pattern};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::signal::{self, check_name};

/// A wait that has begun.
pub(super) struct Open {
    entry: NewEntry,
    pub(super) conditions: Vec<Awaited>,
}

/// One thing that is waited for.
pub(super) enum Awaited {
    /// A moment, in milliseconds since 1970.
    Timer(u64),
    /// A signal to everyone, behind this place.
    Everyone { name: String, wanted: signal::Pattern, after: u64 },
    /// A signal for the run.
    ThisRun(String),
    /// The end of a run, by its place among those that were started.
    Run(usize),
}

impl World {
    /// Waits until one of the conditions holds.
    pub(super) fn wait(&mut self, entry: NewEntry, call: Call) -> Result<Answer, Gone> {
        let conditions = self.conditions(call)?;
        match self.first(&conditions) {
            Some(answer) => self.done(entry, answer),
            None => {
                self.open = Some(Open { entry, conditions });
                Err(Gone::Suspended)
            }
        }
    }

    /// Ends the wait that has begun, if something happened that it waits for.
    pub(super) fn settle(&mut self) {
        let Some(Open { entry, conditions }) = self.open.take() else { return };
        match self.first(&conditions) {
            // The guest is gone already, whatever becomes of it at a call.
            Some(answer) => drop(self.done(entry, answer)),
            None => self.open = Some(Open { entry, conditions }),
        }
    }

    /// The next moment at which the wait ends by itself.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let conditions = self.open.iter().flat_map(|open| &open.conditions);
        let moments = conditions.filter_map(|condition| match condition {
            Awaited::Timer(moment_ms) => Some(*moment_ms),
            Awaited::Run(place) => Some(self.runs[*place].ends_at_ms),
            Awaited::Everyone { .. } | Awaited::ThisRun(_) => None,
        });
        moments.min()
    }

    /// Of several conditions that hold, the first in the list counts.
    fn first(&mut self, conditions: &[Awaited]) -> Option<Answer> {
        (0..).zip(conditions).find_map(|(index, condition)| {
            let happening = self.happened(condition)?;
            Some(Answer::Woken { index, happening })
        })
    }

    fn happened(&mut self, condition: &Awaited) -> Option<Happening> {
        match condition {
            Awaited::Timer(moment_ms) => (*moment_ms <= self.now_ms()).then_some(Happening::Timer),
            Awaited::Everyone { name, wanted, after } => {
                self.board.take(name, wanted, *after).map(Happening::Signal)
            }
            Awaited::ThisRun(name) => self.board.take_for_run(name).map(Happening::Signal),
            Awaited::Run(place) => {
                let run = &self.runs[*place];
                let is_over = run.ends_at_ms <= self.now_ms();
                is_over.then(|| Happening::Run(run.result.clone()))
            }
        }
    }

    fn conditions(&self, call: Call) -> Result<Vec<Awaited>, Gone> {
        let timer = |after_ms: u64| Awaited::Timer(self.now_ms().saturating_add(after_ms));
        match call {
            Call::Sleep { duration_ms } => Ok(vec![timer(duration_ms)]),
            Call::SleepUntil { moment_ms } => Ok(vec![Awaited::Timer(moment_ms)]),
            Call::WaitSignal { pattern, timeout_ms } => {
                let mut conditions = vec![self.signal_awaited(pattern)?];
                conditions.extend(timeout_ms.map(timer));
                Ok(conditions)
            }
            Call::WaitRun { run } => Ok(vec![self.run_awaited(&run)?]),
            Call::WaitAny { conditions } => {
                let conditions = conditions.into_iter().map(|condition| match condition {
                    Condition::Timer(moment_ms) => Ok(Awaited::Timer(moment_ms)),
                    Condition::Signal(pattern) => self.signal_awaited(pattern),
                    Condition::Run(run) => self.run_awaited(&run),
                });
                conditions.collect()
            }
            // No other call waits.
            _ => Err(Gone::Unwanted),
        }
    }

    fn signal_awaited(&self, pattern: Pattern) -> Result<Awaited, Gone> {
        let Pattern { name, this_run, params, only_new } = pattern;
        check_name("a signal's name", &name).map_err(|error| invalid(error.to_string()))?;
        if this_run {
            return Ok(Awaited::ThisRun(name));
        }
        let wanted = signal::Pattern::parse(&params).map_err(|error| invalid(error.to_string()))?;
        let after = self.board.begin(&name, only_new);
        Ok(Awaited::Everyone { name, wanted, after })
    }

    fn run_awaited(&self, run: &str) -> Result<Awaited, Gone> {
        let place = self.runs.iter().position(|started| started.run == run);
        let place = place.ok_or_else(|| invalid(format!("{run} is no run that the step started")));
        place.map(Awaited::Run)
    }
}

/// The same arguments would be no good again.
fn invalid(message: String) -> Gone {
    Gone::Failed(Failure::new(FailureKind::Fatal, "invalid", message))
}
