//! Which moments the wall times of a rule are, where clocks are put forward and
//! back. Time is cut where the offset of the zone changes; between two changes
//! wall times and moments are the same but for the offset.

use super::cron_rule::{Cron, DAY};
use super::{Ambiguous, Note};
use chrono::{DateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;

/// How far around a moment changes of the offset are looked for. No change moves
/// the clocks by more than a day.
const NEAR: i64 = 2 * DAY;

/// How many times a search for the next instant may begin again. Each time it
/// comes past a change, or near the next wall time that fits.
const ROUNDS_MAX: usize = 1_000;

/// A rule at a place. Moments are seconds from 1970-01-01T00:00:00Z.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) cron: &'a Cron,
    pub(super) zone: Tz,
    pub(super) ambiguous: Ambiguous,
}

/// Where a search is.
#[derive(Clone, Copy)]
struct Place {
    /// Nothing at this moment or before it counts.
    at: i64,
    /// The offset that holds from it on.
    offset: i64,
    /// The first wall time that counts while it holds.
    from: i64,
}

/// What a part of a search found.
enum Found {
    Instant(i64, Option<Note>),
    /// Nothing up to here.
    Nothing(Place),
}

impl Placed<'_> {
    /// The first instant after `after`, and what is special about it.
    pub(super) fn next(self, after: i64) -> Option<(i64, Option<Note>)> {
        let offset = self.offset(after)?;
        let mut place = Place { at: after, offset, from: after + offset + 1 };
        for _ in 0..ROUNDS_MAX {
            match self.go_on(place)? {
                Found::Instant(at, note) => return Some((at, note)),
                Found::Nothing(further) => place = further,
            }
        }
        None
    }

    /// Looks for an instant up to the next change of the offset, or near the next
    /// wall time that fits.
    fn go_on(self, place: Place) -> Option<Found> {
        let Place { at, offset, from } = place;
        let wall = self.cron.first_from(from)?;
        let candidate = wall - offset;
        let horizon = candidate.min(at + NEAR);
        if let Some(change) = self.change(at, horizon)? {
            return self.at_change(change, offset);
        }
        if candidate > horizon {
            let at = horizon.max(candidate - NEAR);
            let offset = self.offset(at)?;
            return Some(Found::Nothing(Place { at, offset, from: from.max(at + offset + 1) }));
        }
        match self.first_of(wall, candidate)? {
            None => Some(Found::Instant(candidate, None)),
            Some(first) if first == candidate || self.fires_twice() => {
                Some(Found::Instant(candidate, Some(Note::Repeated)))
            }
            Some(first) => {
                let change = self.change(first, candidate)?.unwrap_or(candidate);
                let end = change + self.offset(first)?;
                Some(Found::Nothing(Place { from: from.max(end), ..place }))
            }
        }
    }

    /// What is at a change of the offset, before which nothing fits.
    fn at_change(self, change: i64, before: i64) -> Option<Found> {
        let later = self.offset(change)?;
        if later > before
            && let Some(note) = self.at_gap(change, (before, later))
        {
            return Some(Found::Instant(change, note));
        }
        let from = match later > before {
            true => change + later + 1,
            false if self.fires_twice() => change + later,
            false => change + before,
        };
        Some(Found::Nothing(Place { at: change, offset: later, from }))
    }

    /// Whether an instant is at a moment when the clocks are put forward, and
    /// what is special about it: `None` if there is none.
    fn at_gap(self, change: i64, (before, later): (i64, i64)) -> Option<Option<Note>> {
        let (skipped, shown) = (change + before, change + later);
        if self.cron.first_from(shown) == Some(shown) {
            return Some(None);
        }
        let is_skipped = !self.cron.is_hourly()
            && self.cron.first_from(skipped).is_some_and(|wall| wall < shown);
        is_skipped.then_some(Some(Note::Gap))
    }

    /// Whether a wall time that is there twice is two instants.
    fn fires_twice(self) -> bool {
        self.cron.is_hourly() || self.ambiguous == Ambiguous::Twice
    }

    /// The first moment at which the clocks show `wall`, if they show it twice;
    /// `moment` is one of them.
    fn first_of(self, wall: i64, moment: i64) -> Option<Option<i64>> {
        let local = DateTime::from_timestamp(wall, 0)?.naive_utc();
        let found = self.zone.from_local_datetime(&local);
        let (first, last) = (found.earliest(), found.latest());
        Some(match (first, last) {
            (Some(first), Some(last)) if first != last => Some(first.timestamp().min(moment)),
            _ => None,
        })
    }

    /// The first moment after `at` and up to `end` from which another offset
    /// holds. The two are so near that there is one change at most.
    fn change(self, at: i64, end: i64) -> Option<Option<i64>> {
        let offset = self.offset(at)?;
        if end <= at || self.offset(end)? == offset {
            return Some(None);
        }
        let (mut low, mut high) = (at, end);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset(middle)? == offset {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(Some(high))
    }

    /// By how much the clocks are ahead of UTC, in seconds.
    pub(super) fn offset(self, moment: i64) -> Option<i64> {
        let moment = DateTime::from_timestamp(moment, 0)?.naive_utc();
        Some(self.zone.offset_from_utc_datetime(&moment).fix().local_minus_utc().into())
    }

    /// How many instants there are after `after` and up to `until`. Days without
    /// a change are counted, not gone through.
    pub(super) fn count(self, after: i64, until: i64) -> Option<u64> {
        let (mut at, mut total) = (after, 0);
        while at < until {
            let offset = self.offset(at)?;
            let midnight = ((at + offset).div_euclid(DAY) + 1) * DAY;
            let end = (midnight - offset - 1).clamp(at + 1, until);
            let is_plain = midnight > at + offset + 1
                && self.offset(at - DAY)? == offset
                && self.offset(end + 1)? == offset;
            if is_plain {
                total += self.cron.count_in_day((at + offset + 1, end + offset + 1));
                at = end;
                continue;
            }
            while let Some((instant, _)) = self.next(at).filter(|(instant, _)| *instant <= end) {
                total += 1;
                at = instant;
            }
            at = end;
        }
        Some(total)
    }
}
