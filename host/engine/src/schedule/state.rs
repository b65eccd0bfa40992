//! What becomes of each instant of a schedule: a pure machine. The driver asks it
//! what is due, and writes its state and what it decided in one commit, so that
//! every instant is decided exactly once, whenever the host dies.

use super::Schedule;
use super::spec::{Overlap, Spec};
use crate::id::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The most instants that wait with `buffer_all`.
pub const WAITING_MAX: usize = 1_000;

/// Where a schedule is. What it says comes with each call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// Every instant up to this moment is decided. It never goes back.
    pub watermark: Timestamp,
    /// Nothing starts while it is paused.
    pub paused: Option<Paused>,
    /// Nothing starts while its workflow is inactive.
    pub inactive: bool,
    /// The instants that wait for a run to end, in order.
    pub waiting: VecDeque<Timestamp>,
    /// The instant whose run has not ended, as far as the overlap policy needs
    /// to know.
    pub open: Option<Timestamp>,
}

/// Why a schedule is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: Timestamp,
    /// Who paused it.
    pub by: String,
    /// Why, in their words.
    pub note: Option<String>,
}

/// What becomes of an instant, or of several with nothing else between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The first instant.
    pub first: Timestamp,
    /// The last, which may be the first.
    pub last: Timestamp,
    /// How many there are.
    pub count: u64,
    /// What becomes of them.
    pub outcome: Outcome,
}

/// What becomes of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its run starts.
    Start {
        /// The instant whose run is cancelled for it.
        cancels: Option<Timestamp>,
    },
    /// It waits; a `Start` or a `Skip` follows.
    Wait,
    /// It is left out on purpose.
    Skip(Reason),
    /// It was not decided in time.
    Miss(Reason),
}

/// Why an instant has no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The schedule was paused.
    Paused,
    /// The workflow was inactive.
    Inactive,
    /// The run of an earlier instant had not ended.
    Overlap,
    /// As many instants waited as may.
    BufferFull,
    /// It was older than the catch-up window when it could be decided.
    TooLate,
    /// The schedule was changed before it was decided.
    Changed,
}

impl Reason {
    /// Its code, as in `too_late`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Inactive => "inactive",
            Self::Overlap => "overlap",
            Self::BufferFull => "buffer_full",
            Self::TooLate => "too_late",
            Self::Changed => "changed",
        }
    }
}

/// A schedule, and the identity that its jitter follows from.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// What it says.
    pub schedule: &'a Schedule,
    /// Its identity.
    pub identity: &'a str,
}

impl ScheduleState {
    /// A schedule that begins now: instants up to now are none of its.
    pub fn new(now: Timestamp) -> Self {
        Self { watermark: now, paused: None, inactive: false, waiting: VecDeque::new(), open: None }
    }

    /// Decides what is due, in the order of the instants, with at most `limit`
    /// decisions. If there are as many, more may be due.
    pub fn due(&mut self, named: Named<'_>, now: Timestamp, limit: usize) -> Vec<Decision> {
        let mut decided = Decided::default();
        while decided.list.len() < limit {
            if !self.decide_next(named, now, &mut decided) {
                break;
            }
        }
        decided.list
    }

    /// When something may be due the next time: [`ScheduleState::due`] is asked
    /// then. `None` if only a command or the end of a run changes that.
    pub fn next_wake(&self, named: Named<'_>, now: Timestamp) -> Option<Timestamp> {
        if self.is_held() {
            return None;
        }
        if !self.waiting.is_empty() && self.is_free(named.schedule) {
            return Some(now);
        }
        named.schedule.next_after(named.identity, self.watermark).map(|next| next.fires_at)
    }

    /// The run of the instant `at` has ended. What waited for it starts.
    pub fn run_ended(&mut self, named: Named<'_>, at: Timestamp, limit: usize) -> Vec<Decision> {
        if self.open == Some(at) {
            self.open = None;
        }
        let mut decided = Decided::default();
        while decided.list.len() < limit && self.start_waiting(named.schedule, &mut decided) {}
        decided.list
    }

    /// Pauses it. What is not decided by now will be skipped; what waits goes on
    /// waiting.
    pub fn pause(&mut self, now: Timestamp, by: String, note: Option<String>) {
        let since = self.paused.as_ref().map_or(now, |paused| paused.since);
        self.paused = Some(Paused { since, by, note });
    }

    /// Lets it go on from now. The instants of the pause are skipped.
    pub fn resume(&mut self, named: Named<'_>, now: Timestamp) -> Vec<Decision> {
        let mut decided = Decided::default();
        if self.paused.is_some() {
            self.skip_until(named, now, &mut decided);
            self.paused = None;
        }
        decided.list
    }

    /// The workflow is inactive from now on. What waits is skipped.
    pub fn deactivate(&mut self) -> Vec<Decision> {
        self.inactive = true;
        let mut decided = Decided::default();
        for at in std::mem::take(&mut self.waiting) {
            decided.add(at, Outcome::Skip(Reason::Inactive));
        }
        decided.list
    }

    /// The workflow is active from now on. The instants meanwhile are skipped.
    pub fn activate(&mut self, named: Named<'_>, now: Timestamp) -> Vec<Decision> {
        let mut decided = Decided::default();
        if self.inactive {
            self.skip_until(named, now, &mut decided);
            self.inactive = false;
        }
        decided.list
    }

    /// The schedule will say something else from now on: what it said so far and
    /// is not decided is skipped, also what waits. Ask first what is due, so that
    /// this is little.
    pub fn change(&mut self, before: Named<'_>, now: Timestamp) -> Vec<Decision> {
        let mut decided = Decided::default();
        for at in std::mem::take(&mut self.waiting) {
            decided.add(at, Outcome::Skip(Reason::Changed));
        }
        self.skip_until(before, now, &mut decided);
        decided.list
    }

    /// Whether nothing starts now.
    pub fn is_held(&self) -> bool {
        self.inactive || self.paused.is_some()
    }

    /// Decides one thing. Whether there was one.
    fn decide_next(&mut self, named: Named<'_>, now: Timestamp, decided: &mut Decided) -> bool {
        if self.is_held() {
            return self.skip_until(named, now, decided);
        }
        if self.start_waiting(named.schedule, decided) {
            return true;
        }
        let schedule = named.schedule;
        let Some((at, _)) = schedule.next(self.watermark) else { return false };
        if schedule.fires_at(named.identity, at) > now {
            return false;
        }
        // Up to here all instants have fired, whatever their jitter is. One that
        // waits behind those ahead of it is not late by that: lateness counts from
        // the moment at which every jitter is over.
        let Spec { jitter_ms: jitter, catch_up_ms: catch_up, .. } = *schedule.spec();
        let back = |millis: u64| Timestamp(now.0.saturating_sub(millis));
        let too_late = back(catch_up.saturating_add(jitter).saturating_add(1));
        if at <= too_late {
            let missed = Outcome::Miss(Reason::TooLate);
            self.take_until(schedule, too_late, missed, decided);
            return true;
        }
        let outcome = self.outcome(schedule);
        match outcome {
            Outcome::Skip(_) | Outcome::Miss(_) => {
                self.take_until(schedule, back(jitter).max(at), outcome, decided);
            }
            Outcome::Wait => {
                self.waiting.push_back(at);
                self.watermark = at;
                decided.add(at, outcome);
            }
            Outcome::Start { .. } => {
                self.watermark = at;
                self.note_start(schedule, at);
                decided.add(at, outcome);
            }
        }
        true
    }

    /// What becomes of an instant that is due now.
    fn outcome(&self, schedule: &Schedule) -> Outcome {
        let start = Outcome::Start { cancels: None };
        let waiting = self.waiting.len();
        match (schedule.spec().overlap, self.open) {
            (Overlap::Strategy | Overlap::AllowAll, _) => start,
            (Overlap::CancelOther, cancels) => Outcome::Start { cancels },
            (_, None) if waiting == 0 => start,
            (Overlap::Skip, _) => Outcome::Skip(Reason::Overlap),
            (Overlap::BufferOne, _) if waiting > 0 => Outcome::Skip(Reason::Overlap),
            (Overlap::BufferAll, _) if waiting >= WAITING_MAX => Outcome::Skip(Reason::BufferFull),
            (Overlap::BufferOne | Overlap::BufferAll, _) => Outcome::Wait,
        }
    }

    /// Whether a run may start, as far as others of the schedule matter.
    fn is_free(&self, schedule: &Schedule) -> bool {
        match schedule.spec().overlap {
            Overlap::Strategy | Overlap::AllowAll | Overlap::CancelOther => true,
            Overlap::Skip | Overlap::BufferOne | Overlap::BufferAll => self.open.is_none(),
        }
    }

    /// Notes whose run is open. Policies that do not ask leave it as it is.
    fn note_start(&mut self, schedule: &Schedule, at: Timestamp) {
        if !matches!(schedule.spec().overlap, Overlap::Strategy | Overlap::AllowAll) {
            self.open = Some(at);
        }
    }

    /// Starts the first that waits, if it may. Whether it does.
    fn start_waiting(&mut self, schedule: &Schedule, decided: &mut Decided) -> bool {
        if self.is_held() || !self.is_free(schedule) {
            return false;
        }
        let Some(at) = self.waiting.pop_front() else { return false };
        let cancels = match schedule.spec().overlap {
            Overlap::CancelOther => self.open,
            _ => None,
        };
        self.note_start(schedule, at);
        decided.add(at, Outcome::Start { cancels });
        true
    }

    /// Skips what is not decided up to `now`. Whether there was something.
    fn skip_until(&mut self, named: Named<'_>, now: Timestamp, decided: &mut Decided) -> bool {
        let reason = match (self.inactive, &self.paused) {
            (true, _) => Reason::Inactive,
            (false, Some(_)) => Reason::Paused,
            (false, None) => Reason::Changed,
        };
        let found = self.take_until(named.schedule, now, Outcome::Skip(reason), decided);
        self.watermark = self.watermark.max(now);
        found
    }

    /// Decides the instants up to `until` alike. Whether there were any.
    fn take_until(
        &mut self,
        schedule: &Schedule,
        until: Timestamp,
        outcome: Outcome,
        decided: &mut Decided,
    ) -> bool {
        let after = self.watermark;
        let Some((first, _)) = schedule.next(after).filter(|(at, _)| *at <= until) else {
            return false;
        };
        let Some(last) = schedule.last(after, until) else { return false };
        let count = schedule.count(after, last);
        decided.add_span(Decision { first, last, count, outcome });
        self.watermark = self.watermark.max(last);
        true
    }
}

/// What was decided in one call.
#[derive(Default)]
struct Decided {
    list: Vec<Decision>,
}

impl Decided {
    fn add(&mut self, at: Timestamp, outcome: Outcome) {
        self.add_span(Decision { first: at, last: at, count: 1, outcome });
    }

    /// Adds a decision, to the one before if it is the same and is no run.
    fn add_span(&mut self, decision: Decision) {
        let is_span = matches!(decision.outcome, Outcome::Skip(_) | Outcome::Miss(_));
        match self.list.last_mut() {
            Some(before) if is_span && before.outcome == decision.outcome => {
                before.last = decision.last;
                before.count += decision.count;
            }
            _ => self.list.push(decision),
        }
    }
}
