//! Schedules: at which instants runs start. `host/SCHEDULES.md` says it to users.
//!
//! **Rules.** A cron rule has five fields as in Unix (minute, hour, day of the
//! month, month, day of the week), six with the second in front, or seven with
//! the year at the end. The `cron` crate reads the fields, and we take the sets
//! of values from it. It is not right for everything else, so that is ours:
//! - it counts the days of the week from 1 for Sunday; here 0 and 7 are Sunday
//!   in all three forms, and what it is handed is translated;
//! - it wants a day to fit the day of the month *and* the day of the week; here
//!   either is enough if both are restricted, as in Unix;
//! - it has no five fields, and no `L`, `W` and `#`;
//! - around a change of the clocks it leaves instants out or goes on from the
//!   wrong one.
//!
//! **Clock changes.** A rule that does not allow every hour means times on the
//! wall. A time that the clocks skip fires when they go on, once for all that
//! were skipped, and not beside an instant that is there anyway. A time that
//! they show twice fires the first time, or both if `ambiguous` is `twice`. A
//! rule that allows every hour of the day (`*/15 * * * *`, `@hourly`) goes with
//! the time that passes: it fires whenever the clocks show a time that fits, so
//! in both hours of a repeated one, and nothing stands in for a skipped one.
//! `every` knows no clocks at all.
//!
//! **Identity.** An instant is a whole second on the wall, or a multiple of
//! `every`. The jitter follows from the schedule's identity and the instant, so
//! it is the same whenever it is asked for.
//!
//! [`state::ScheduleState`] decides what becomes of each instant.

mod cron_rule;
mod day;
mod field;
mod rule;
mod spec;
pub mod state;
mod zone;

pub use self::rule::{EVERY_MS_MAX, EVERY_MS_MIN, Rule};
pub(crate) use self::spec::check_zone;
pub use self::spec::{
    Ambiguous, CATCH_UP_MS_DEFAULT, CATCH_UP_MS_MAX, CATCH_UP_MS_MIN, JITTER_MS_MAX, Overlap,
    ScheduleTrigger, Spec, SpecProblem, SpecProblems, Trigger,
};

use self::rule::{Checked, Course};
use crate::id::Timestamp;
use crate::payload::Payload;
use crate::scope::{Occasion, ScheduleFacts};
use crate::template::Template;
use chrono::{DateTime, SecondsFormat, TimeZone as _};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// A schedule that was checked. It is stored as its [`Spec`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
pub struct Schedule {
    spec: Spec,
    rule: Checked,
    zone: Tz,
    params: Option<Arc<Template>>,
}

/// One instant of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instant {
    /// The instant itself: what the run is known by.
    pub at: Timestamp,
    /// When it fires: later by the jitter. Its turn may come later, see
    /// [`Schedule::in_turn`].
    pub fires_at: Timestamp,
    /// What the clocks of the schedule's zone show, with their offset, as in
    /// `2026-03-08T03:00:00-07:00`.
    pub local: String,
    /// What is special about it.
    pub note: Option<Note>,
}

/// What is special about an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// It stands for times that the clocks skip.
    Gap,
    /// The clocks show its time twice.
    Repeated,
}

impl Schedule {
    /// The schedule that `spec` says.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(spec: Spec) -> Result<Self, SpecProblems> {
        spec::check(spec)
    }

    /// What was written.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The first instant after `after`; `None` if there is no more. `identity` is
    /// the schedule's own, which the jitter follows from.
    pub fn next_after(&self, identity: &str, after: Timestamp) -> Option<Instant> {
        let (at, note) = self.next(after)?;
        Some(Instant { at, fires_at: self.fires_at(identity, at), local: self.local(at), note })
    }

    /// The instants after `after` and up to `until`, in order.
    pub fn instants<'a>(
        &'a self,
        identity: &'a str,
        after: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = Instant> + 'a {
        let next = move |after| self.next_after(identity, after).filter(|it| it.at <= until);
        std::iter::successors(next(after), move |instant| next(instant.at))
    }

    /// The instants after `after` as their turns come: none fires before those
    /// ahead of it, whatever its own jitter. Those up to `decided` hold up nobody.
    pub fn in_turn<'a>(
        &'a self,
        identity: &'a str,
        after: Timestamp,
        decided: Timestamp,
    ) -> impl Iterator<Item = Instant> + 'a {
        let mut latest = self.all_fired(identity, decided, after);
        self.instants(identity, after, Timestamp(u64::MAX)).map(move |instant| {
            latest = latest.max(instant.fires_at);
            Instant { fires_at: latest, ..instant }
        })
    }

    /// How many instants there are after `after` and up to `until`. It does not
    /// take longer for a rule that fires often.
    pub fn count(&self, after: Timestamp, until: Timestamp) -> u64 {
        let (after, until) = self.within(after, until);
        self.course().count(after, until)
    }

    /// The last instant after `after` and up to `until`.
    pub fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let (after, until) = self.within(after, until);
        if until <= after { None } else { self.course().last(after, until) }
    }

    /// When the instant `at` fires.
    pub fn fires_at(&self, identity: &str, at: Timestamp) -> Timestamp {
        if self.spec.jitter_ms == 0 {
            return at;
        }
        let mut hash = Sha256::new();
        hash.update(b"jitter");
        hash.update(identity.as_bytes());
        hash.update(at.0.to_be_bytes());
        let digest = hash.finalize();
        let number = digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        at.plus_ms(number % (self.spec.jitter_ms + 1))
    }

    /// When the last of the instants after `after` and up to `until` fires, as far
    /// as that can hold up later ones.
    fn all_fired(&self, identity: &str, after: Timestamp, until: Timestamp) -> Timestamp {
        let jitter = self.spec.jitter_ms;
        let after = after.max(Timestamp(until.0.saturating_sub(jitter)));
        let (mut latest, mut before) = (Timestamp(0), until);
        // Of many with a long jitter the last few are enough: none ahead of them
        // can be later than the latest so far.
        while let Some(at) = self.last(after, before)
            && at.plus_ms(jitter) > latest
        {
            latest = latest.max(self.fires_at(identity, at));
            before = Timestamp(at.0 - 1);
        }
        latest
    }

    /// What the clocks of the schedule's zone show at a moment, with their offset.
    pub fn local(&self, at: Timestamp) -> String {
        let moment = i64::try_from(at.0).ok().and_then(DateTime::from_timestamp_millis);
        let Some(moment) = moment else { return String::new() };
        let local = self.zone.from_utc_datetime(&moment.naive_utc()).fixed_offset();
        local.to_rfc3339_opts(SecondsFormat::AutoSi, false)
    }

    /// The params of the run of the instant `at`: a JSON object. `id` is what
    /// `schedule.id` reads.
    ///
    /// # Errors
    /// An expression has no value.
    pub fn params_at(&self, id: &str, at: Timestamp) -> Result<Payload, String> {
        let Some(params) = &self.params else { return Ok(Payload::empty_object().clone()) };
        let local = self.local(at);
        let facts = ScheduleFacts { id, at, local: &local, timezone: self.zone.name() };
        params.render(&Occasion::Schedule(facts)).map_err(|error| error.to_string())
    }

    /// The first instant after `after`, and what is special about it.
    fn next(&self, after: Timestamp) -> Option<(Timestamp, Option<Note>)> {
        let (after, end) = self.within(after, Timestamp(u64::MAX));
        self.course().next(after).filter(|(at, _)| *at <= end)
    }

    /// What of a range is between start and end.
    fn within(&self, after: Timestamp, until: Timestamp) -> (Timestamp, Timestamp) {
        let Spec { start, end, .. } = self.spec;
        let after = match start {
            Some(start) => after.max(Timestamp(start.0.saturating_sub(1))),
            None => after,
        };
        let until = match end {
            Some(end) => until.min(Timestamp(end.0.saturating_sub(1))),
            None => until,
        };
        (after, until)
    }

    fn course(&self) -> Course<'_> {
        Course {
            rule: &self.rule,
            zone: self.zone,
            ambiguous: self.spec.ambiguous,
            anchor: self.spec.start.unwrap_or(Timestamp(0)),
        }
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl From<Schedule> for Spec {
    fn from(schedule: Schedule) -> Self {
        schedule.spec
    }
}

impl TryFrom<Spec> for Schedule {
    type Error = SpecProblems;

    fn try_from(spec: Spec) -> Result<Self, SpecProblems> {
        Self::new(spec)
    }
}
