//! A step's journal as it is played: a cursor over the calls that are recorded,
//! and behind them the live edge. Each step forward costs the same, however
//! long the journal is.

use super::durable::{Answer, Call, Entry, NewEntry};
use super::limits::{Limits, Stop};
use super::log::LogLine;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a step is in its journal.
pub(super) struct Tape {
    entries: VecDeque<Entry>,
    /// The place of the next call.
    sequence: u64,
    count: u64,
    bytes: u64,
    entries_max: u64,
    bytes_max: u64,
    warned: bool,
    readings: Readings,
    /// Whether the step itself has been called: before, nothing is durable.
    started: bool,
}

/// What the journal has for a call.
pub(super) enum Found {
    /// The call was made: this is what it gave.
    Answer(Answer),
    /// It was not made yet.
    New(Box<NewEntry>),
}

impl Tape {
    pub(super) fn new(entries: Vec<Entry>, first: u64, limits: &Limits) -> Self {
        let readings = Readings::default();
        let tape = Self {
            entries: entries.into(),
            sequence: first,
            count: 0,
            bytes: 0,
            entries_max: limits.journal_entries,
            bytes_max: limits.journal_bytes,
            warned: false,
            readings,
            started: false,
        };
        tape.load_readings();
        tape
    }

    /// The clock as the step reads it.
    pub(super) fn readings(&self) -> Readings {
        self.readings.clone()
    }

    /// Whether what the step does now was done before.
    pub(super) fn is_replaying(&self) -> bool {
        !self.entries.is_empty()
    }

    /// The next recorded call that the step has not come to, if there is one.
    pub(super) fn left(&self) -> Option<String> {
        let entry = self.entries.front()?;
        Some(format!("call {}, {}", entry.sequence, entry.summary))
    }

    /// From here on, calls are durable.
    pub(super) fn start(&mut self) {
        self.started = true;
    }

    /// The place of the next call.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What the journal has at the cursor for this call. `lines` gives what was
    /// logged, if the call is new.
    pub(super) fn next(
        &mut self,
        call: &Call,
        lines: impl FnOnce() -> Vec<LogLine>,
    ) -> Result<Found, Stop> {
        if !self.started {
            return Err(Stop::Misuse(format!(
                "{} was called while the component was set up; durable calls are made in `run`",
                call.summary()
            )));
        }
        let hash = call.hash();
        let Some(entry) = self.entries.pop_front() else {
            self.check_room(0)?;
            let readings = self.readings.take();
            return Ok(Found::New(Box::new(NewEntry {
                sequence: self.sequence,
                summary: call.summary(),
                hash,
                readings,
                lines: lines(),
            })));
        };
        if entry.hash != hash {
            return Err(self.differs(&entry, call));
        }
        self.advance(entry.answer.bytes());
        self.load_readings();
        Ok(Found::Answer(entry.answer))
    }

    /// What a memo of this name gave, if it is recorded at the cursor. Where it
    /// is not, the step does the work, and may make durable calls in it.
    pub(super) fn recall(&mut self, memo: &Call) -> Result<Option<Answer>, Stop> {
        let recorded = self.entries.front().is_some_and(|entry| entry.hash == memo.hash());
        if !recorded {
            return Ok(None);
        }
        match self.next(memo, Vec::new)? {
            Found::Answer(answer) => Ok(Some(answer)),
            Found::New(_) => Ok(None),
        }
    }

    /// A new call has its answer. Returns what to warn the author of.
    pub(super) fn recorded(&mut self, answer: &Answer) -> Option<String> {
        self.advance(answer.bytes());
        let half = |is: u64, max: u64| is >= max / 2;
        if self.warned || !(half(self.count, self.entries_max) || half(self.bytes, self.bytes_max))
        {
            return None;
        }
        self.warned = true;
        Some(format!(
            "the journal is half full: {} of {} calls, {} of {} bytes; `continue-as-new` starts \
             with an empty one",
            self.count, self.entries_max, self.bytes, self.bytes_max
        ))
    }

    /// Whether another call with so many bytes fits.
    pub(super) fn check_room(&self, bytes: usize) -> Result<(), Stop> {
        if self.count >= self.entries_max {
            return Err(Stop::Journal { entries: true });
        }
        if self.bytes.saturating_add(bytes as u64) >= self.bytes_max {
            return Err(Stop::Journal { entries: false });
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.sequence += 1;
        self.count += 1;
        self.bytes += bytes as u64 + ENTRY_BYTES;
    }

    /// Before each recorded call stand the readings that led to it.
    fn load_readings(&self) {
        self.readings.load(self.entries.front().map(|entry| entry.readings.as_slice()));
    }

    fn differs(&self, entry: &Entry, call: &Call) -> Stop {
        Stop::Nondeterminism(format!(
            "the step took another turn when it was played again: at call {} the journal has {}, \
             and the step now called {}{}. Between durable calls a step may depend on its input, \
             their answers, `timers` and `random` alone",
            self.sequence,
            entry.summary,
            call.summary(),
            if entry.summary == call.summary() { " with other arguments" } else { "" },
        ))
    }
}

/// What an entry takes beside its texts: the hash, the summary, the readings.
const ENTRY_BYTES: u64 = 128;

/// Distinct readings between two durable calls; after that, time stands still
/// until the next call.
const READINGS_MAX: usize = 1_000;

/// The clock as the step reads it: recorded readings first, then the real ones,
/// which wait to be recorded with the next durable call.
#[derive(Clone, Default)]
pub(super) struct Readings(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Readings to be given again: time and how often.
    recorded: VecDeque<(u64, u32)>,
    /// Whether the live edge is not reached.
    replaying: bool,
    /// Readings since the last durable call, as differences.
    taken: Vec<(u64, u32)>,
    last: u64,
    /// The last of all recorded readings so far, given or not.
    recorded_last: u64,
}

impl Readings {
    /// The next reading; `now` is the real time.
    pub(super) fn read(&self, now: u64) -> u64 {
        let mut state = self.lock();
        if state.replaying {
            return state.replay();
        }
        state.take(now)
    }

    /// Readings that belong before the next recorded call; none at the live edge.
    fn load(&self, differences: Option<&[(u64, u32)]>) {
        let mut state = self.lock();
        state.recorded.clear();
        state.replaying = differences.is_some();
        let mut at = state.recorded_last;
        for (difference, times) in differences.unwrap_or_default() {
            at = at.saturating_add(*difference);
            state.recorded.push_back((at, *times));
        }
        state.recorded_last = at;
        if !state.replaying {
            state.last = at;
        }
    }

    fn take(&self) -> Vec<(u64, u32)> {
        std::mem::take(&mut self.lock().taken)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn replay(&mut self) -> u64 {
        if let Some((at, times)) = self.recorded.front_mut() {
            self.last = *at;
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.recorded.pop_front();
            }
        }
        self.last
    }

    fn take(&mut self, now: u64) -> u64 {
        // Time never goes back for a step.
        let now = now.max(self.last);
        let still = now == self.last || self.taken.len() >= READINGS_MAX;
        match self.taken.last_mut() {
            Some((_, times)) if still => {
                *times = times.saturating_add(1);
            }
            _ => {
                self.taken.push((now - self.last, 1));
                self.last = now;
            }
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::super::durable::Happening;
    use super::*;

    const WOKEN: Answer = Answer::Woken { index: 0, happening: Happening::Timer };

    fn sleep(duration_ms: u64) -> Call {
        Call::Sleep { duration_ms }
    }

    fn tape(entries: Vec<Entry>, entries_max: u64) -> Tape {
        let limits = Limits { journal_entries: entries_max, ..Limits::default() };
        let mut tape = Tape::new(entries, 5, &limits);
        tape.start();
        tape
    }

    /// Makes a call at the live edge, and gives what was recorded of it.
    fn record(tape: &mut Tape, call: &Call) -> Entry {
        let Ok(Found::New(entry)) = tape.next(call, Vec::new) else { panic!("it was made before") };
        let NewEntry { sequence, summary, hash, readings, .. } = *entry;
        tape.recorded(&WOKEN);
        Entry { sequence, summary, hash, readings, answer: WOKEN }
    }

    #[test]
    fn what_was_recorded_is_given_again_and_then_comes_the_live_edge() {
        let mut live = tape(Vec::new(), 10);
        let entries = vec![record(&mut live, &sleep(1)), record(&mut live, &sleep(2))];
        assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [5, 6]);
        let mut again = tape(entries, 10);
        for millis in [1, 2] {
            assert!(again.is_replaying());
            let found = again.next(&sleep(millis), Vec::new);
            assert!(matches!(found, Ok(Found::Answer(WOKEN))));
        }
        assert!(!again.is_replaying());
        assert_eq!(record(&mut again, &sleep(3)).sequence, 7);
    }

    #[test]
    fn another_turn_shows_both_sides_and_the_place() {
        let mut live = tape(Vec::new(), 10);
        let entry = record(&mut live, &sleep(1));
        let mut again = tape(vec![entry], 10);
        let call = Call::KvGet { namespace: String::new(), key: "a".to_owned() };
        let Err(Stop::Nondeterminism(message)) = again.next(&call, Vec::new) else {
            panic!("it took another turn")
        };
        for part in ["call 5", "timers.sleep(1 ms)", "kv.get(/a)"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn the_clock_reads_the_same_when_it_is_played_again() {
        let mut live = tape(Vec::new(), 10);
        let read = |tape: &Tape, now| tape.readings().read(now);
        let before = [read(&live, 100), read(&live, 100), read(&live, 107), read(&live, 50)];
        assert_eq!(before, [100, 100, 107, 107], "time does not go back");
        let first = record(&mut live, &sleep(1));
        assert_eq!(read(&live, 200), 200);
        let second = record(&mut live, &sleep(1));
        let mut again = tape(vec![first, second], 10);
        let replayed = [read(&again, 900), read(&again, 900), read(&again, 900), read(&again, 900)];
        assert_eq!(replayed, before);
        assert_eq!(read(&again, 900), 107, "a reading that was not recorded repeats the last");
        assert!(again.next(&sleep(1), Vec::new).is_ok());
        assert_eq!(read(&again, 900), 200);
        assert!(again.next(&sleep(1), Vec::new).is_ok());
        assert_eq!(read(&again, 900), 900, "the live edge has the real time");
    }

    #[test]
    fn time_stands_still_when_it_is_read_too_often() {
        let mut live = tape(Vec::new(), 10);
        for now in 0..2 * READINGS_MAX as u64 {
            live.readings().read(now);
        }
        assert_eq!(live.readings().read(1 << 40), READINGS_MAX as u64 - 1);
        assert_eq!(record(&mut live, &sleep(1)).readings.len(), READINGS_MAX);
        assert_eq!(live.readings().read(1 << 40), 1 << 40);
    }

    #[test]
    fn a_full_journal_is_announced_at_its_half() {
        let mut live = tape(Vec::new(), 4);
        let warned: Vec<_> = (0..4)
            .map(|_| {
                assert!(live.next(&sleep(1), Vec::new).is_ok());
                live.recorded(&WOKEN).is_some()
            })
            .collect();
        assert_eq!(warned, [false, true, false, false]);
        let full = live.next(&sleep(1), Vec::new);
        assert!(matches!(full, Err(Stop::Journal { entries: true })));
    }

    #[test]
    fn nothing_is_durable_while_the_component_is_set_up() {
        let mut tape = Tape::new(Vec::new(), 0, &Limits::default());
        assert!(matches!(tape.next(&sleep(1), Vec::new), Err(Stop::Misuse(_))));
    }
}
