//! What a step has called and was answered. A play goes along it from the
//! start: what was answered is answered again, and a call that differs from the
//! one that was made there before is a fault that shows both.

use std::any::Any;
use std::rc::Rc;

use super::board::Wanted;

/// The most calls in one journal, as on a host.
const CALLS_MAX: usize = 10_000;

/// One durable call.
#[derive(Clone)]
pub(super) struct Entry {
    function: &'static str,
    arguments: String,
    /// What the clock gave between the call before and this one.
    readings: Vec<u64>,
    answer: Option<Rc<dyn Any>>,
    /// What it waits for or has waited for; nothing for other calls.
    wait: Vec<Open>,
}

/// A condition of a wait that has begun.
#[derive(Clone)]
pub(super) enum Open {
    /// The moment, in milliseconds since 1970.
    Timer(u64),
    /// A signal to everyone, from this place in the order of arrival.
    Everyone { wanted: Wanted, from: usize },
    /// A signal for this run.
    ThisRun(String),
    /// The end of a run.
    Run(String),
}

/// The calls since the step began, and where the present play is.
#[derive(Clone, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    /// How many calls the present play has made.
    cursor: usize,
    /// What the clock gave since its last call.
    readings: Vec<u64>,
    /// What the clock gave behind the last call, in the play before.
    tail: Vec<u64>,
}

impl Journal {
    /// Goes back to the start for another play.
    pub(super) fn rewind(&mut self) {
        self.cursor = 0;
        self.readings.clear();
    }

    /// Keeps what the clock gave behind the last call, for a check.
    pub(super) fn keep_tail(&mut self) {
        self.tail = std::mem::take(&mut self.readings);
    }

    /// How many calls are recorded.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The place of the next call, from 0.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether the play is beyond everything that is recorded.
    pub(super) fn is_live(&self) -> bool {
        self.cursor == self.entries.len()
    }

    /// What the clock gave here before.
    pub(super) fn reading(&mut self, is_check: bool) -> Option<u64> {
        let readings = match self.entries.get(self.cursor) {
            Some(entry) => &entry.readings,
            None if is_check => &self.tail,
            None => return None,
        };
        let reading = readings.get(self.readings.len()).copied();
        self.readings.extend(reading);
        reading
    }

    /// Keeps what the clock gives here.
    pub(super) fn read(&mut self, now_ms: u64) {
        self.readings.push(now_ms);
    }

    /// Goes along the next recorded call; false where there is none.
    ///
    /// # Errors
    /// The step calls something else than before. The text shows both.
    pub(super) fn follow(&mut self, function: &str, arguments: &str) -> Result<bool, String> {
        let Some(entry) = self.entries.get(self.cursor) else { return Ok(false) };
        let place = self.cursor + 1;
        if (entry.function, entry.arguments.as_str()) != (function, arguments) {
            return Err(nondeterminism(
                place,
                &entry.to_string(),
                &format!("{function} {arguments}"),
            ));
        }
        if self.readings != entry.readings {
            let times = |count: usize| format!("{entry} behind {count} readings of the clock");
            let (before, now) = (entry.readings.len(), self.readings.len());
            return Err(nondeterminism(place, &times(before), &times(now)));
        }
        self.readings.clear();
        self.cursor += 1;
        Ok(true)
    }

    /// Adds a call, which is answered later where it waits.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn append(
        &mut self,
        function: &'static str,
        arguments: String,
        answer: Option<Rc<dyn Any>>,
        wait: Vec<Open>,
    ) -> Result<(), String> {
        if self.entries.len() == CALLS_MAX {
            return Err(format!(
                "the step made {CALLS_MAX} durable calls, the most that a journal takes: go on \
                 with `continuation::continue_as_new` before that"
            ));
        }
        let readings = std::mem::take(&mut self.readings);
        self.entries.push(Entry { function, arguments, readings, answer, wait });
        self.cursor = self.entries.len();
        Ok(())
    }

    /// The answer to the call that the play is just behind.
    pub(super) fn answer<T: Clone + 'static>(&self) -> Option<T> {
        let entry = self.entries.get(self.cursor.checked_sub(1)?)?;
        entry.answer.as_ref()?.downcast_ref::<T>().cloned()
    }

    /// The conditions of the wait that has no answer yet: always the last call.
    pub(super) fn open(&self) -> &[Open] {
        match self.entries.last() {
            Some(entry) if entry.answer.is_none() => &entry.wait,
            _ => &[],
        }
    }

    /// Answers the wait that has no answer yet.
    pub(super) fn close(&mut self, answer: Rc<dyn Any>) {
        if let Some(entry) = self.entries.last_mut() {
            entry.answer = Some(answer);
        }
    }

    /// Drops everything behind the last wait that has ended, as a host does
    /// before another attempt, and says whether anything is left.
    pub(super) fn drop_unsettled(&mut self) -> bool {
        let ended = |entry: &Entry| !entry.wait.is_empty() && entry.answer.is_some();
        let keep = self.entries.iter().rposition(ended).map_or(0, |place| place + 1);
        self.entries.truncate(keep);
        self.tail.clear();
        keep > 0
    }

    /// The calls, as texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(ToString::to_string)
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arguments = &self.arguments;
        match arguments.is_empty() {
            true => f.write_str(self.function),
            false => write!(f, "{} {arguments}", self.function),
        }
    }
}

/// What a step is told that does not do the same again.
pub(super) fn nondeterminism(place: usize, before: &str, now: &str) -> String {
    format!(
        "nondeterminism: played again, the step does something else at durable call {place}\n  \
         before: {before}\n     now: {now}\nwhat a step does may depend on its input and on what \
         the host answered, and on nothing else: time is `timers::now`, chance is `random`, and \
         maps keep an order as a `BTreeMap`"
    )
}
