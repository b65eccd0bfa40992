//! When a schedule fires: by a cron rule, or again and again after a fixed time.

use super::cron_rule::Cron;
use super::zone::Placed;
use super::{Ambiguous, Note};
use crate::id::Timestamp;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// The shortest time between two instants of `every`.
pub const EVERY_MS_MIN: u64 = 1_000;

/// The longest time between two instants of `every`.
pub const EVERY_MS_MAX: u64 = 366 * 86_400_000;

/// After this moment there are no instants: the end of the year 2100, and a day
/// for the zones.
pub(super) const LAST: Timestamp = Timestamp(4_133_980_800_000);

/// When a schedule fires, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// By a cron rule.
    Cron(String),
    /// Every so many milliseconds, from `start` on, or from 1970-01-01T00:00:00Z.
    Every(u64),
}

/// A rule that was checked.
#[derive(Clone, Debug)]
pub(super) enum Checked {
    Cron(Box<Cron>),
    Every(u64),
}

impl Rule {
    /// The rule, checked.
    ///
    /// # Errors
    /// What is wrong, and after a `;` the remedy.
    pub(super) fn check(&self) -> Result<Checked, String> {
        match self {
            Self::Cron(text) => Cron::parse(text).map(|cron| Checked::Cron(Box::new(cron))),
            Self::Every(millis) if *millis < EVERY_MS_MIN => {
                Err("is too short; use at least \"1s\"".to_owned())
            }
            Self::Every(millis) if *millis > EVERY_MS_MAX => {
                Err("is too long; use at most \"366d\", or a cron rule".to_owned())
            }
            Self::Every(millis) => Ok(Checked::Every(*millis)),
        }
    }

    /// What is wrong with the text of a cron rule, and after a `;` the remedy.
    ///
    /// # Errors
    /// There is something.
    pub fn check_cron(text: &str) -> Result<(), String> {
        Cron::parse(text).map(drop)
    }
}

/// A rule, and what decides which moments its instants are.
#[derive(Clone, Copy)]
pub(super) struct Course<'a> {
    pub(super) rule: &'a Checked,
    pub(super) zone: Tz,
    pub(super) ambiguous: Ambiguous,
    /// From where `every` counts.
    pub(super) anchor: Timestamp,
}

impl Course<'_> {
    /// The first instant after `after`.
    pub(super) fn next(self, after: Timestamp) -> Option<(Timestamp, Option<Note>)> {
        let found = match self.rule {
            Checked::Cron(_) => {
                let after = i64::try_from(after.0 / 1_000).ok()?;
                let (second, note) = self.placed()?.next(after)?;
                (Timestamp(u64::try_from(second).ok()?.checked_mul(1_000)?), note)
            }
            Checked::Every(every) => {
                let (anchor, every) = (self.anchor.0, *every);
                let steps = match after.0.checked_sub(anchor) {
                    Some(passed) => passed / every + 1,
                    None => return Some((self.anchor_after(after), None)),
                };
                (Timestamp(anchor.checked_add(steps.checked_mul(every)?)?), None)
            }
        };
        (found.0 <= LAST).then_some(found)
    }

    /// The first instant of `every` after a moment before the anchor.
    fn anchor_after(self, after: Timestamp) -> Timestamp {
        let Checked::Every(every) = self.rule else { return self.anchor };
        let ahead = self.anchor.0 - after.0;
        Timestamp(self.anchor.0 - (ahead - 1) / every * every)
    }

    /// How many instants there are after `after` and up to `until`.
    pub(super) fn count(self, after: Timestamp, until: Timestamp) -> u64 {
        let until = until.min(LAST);
        if until <= after {
            return 0;
        }
        match self.rule {
            Checked::Cron(_) => {
                let second =
                    |moment: Timestamp| i64::try_from(moment.0 / 1_000).unwrap_or(i64::MAX);
                let count = |placed: Placed<'_>| placed.count(second(after), second(until));
                self.placed().and_then(count).unwrap_or_default()
            }
            Checked::Every(every) => match self.next(after) {
                Some((first, _)) if first <= until => until.since(first) / every + 1,
                _ => 0,
            },
        }
    }

    /// The last instant after `after` and up to `until`.
    pub(super) fn last(self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let found = |after: Timestamp| self.next(after).filter(|(at, _)| *at <= until);
        let (mut last, _) = found(after)?;
        let mut none = until;
        // After `last` there may be more, after `none` there is nothing.
        while none > last {
            let middle = Timestamp(last.0 + (none.0 - last.0) / 2);
            match found(middle) {
                Some((later, _)) => last = later,
                None => none = middle,
            }
        }
        Some(last)
    }

    fn placed(&self) -> Option<Placed<'_>> {
        match self.rule {
            Checked::Cron(cron) => {
                Some(Placed { cron, zone: self.zone, ambiguous: self.ambiguous })
            }
            Checked::Every(_) => None,
        }
    }
}
