//! How many steps have come to what: the steps of a run, of everything below it,
//! or of any runs together.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// What a step is doing, or came to. The numbers are stored: new ones are added
/// at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum StepStatus {
    /// It waits for the steps that it needs.
    Pending,
    /// It waits for a time, a signal or the next try.
    Waiting,
    /// It waits for its turn to run code.
    Queued,
    /// It runs.
    Running,
    /// Its code waits, outside of memory.
    Suspended,
    /// Somebody holds it.
    Paused,
    /// It has a result.
    Succeeded,
    /// It has none, and is not tried again.
    Failed,
    /// Somebody had the run go on without it.
    Skipped,
    /// None of its conditions held.
    Unsatisfied,
    /// It failed, and the run goes on as if it had not.
    CompletedWithError,
    /// It was stopped.
    Cancelled,
    /// It took too long.
    TimedOut,
}

/// How many statuses there are.
const STATUSES: usize = 13;

impl StepStatus {
    /// Every status, in the order of its number.
    pub const ALL: [Self; STATUSES] = [
        Self::Pending,
        Self::Waiting,
        Self::Queued,
        Self::Running,
        Self::Suspended,
        Self::Paused,
        Self::Succeeded,
        Self::Failed,
        Self::Skipped,
        Self::Unsatisfied,
        Self::CompletedWithError,
        Self::Cancelled,
        Self::TimedOut,
    ];

    /// The status as text, as users see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unsatisfied => "unsatisfied",
            Self::CompletedWithError => "completed_with_error",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// The status that this text names.
    fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for StepStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many steps have which status. Counts stop at the largest and at 0.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollup {
    counts: [u32; STATUSES],
}

impl Rollup {
    /// Counts one more step.
    pub fn add(&mut self, status: StepStatus) {
        self.set(status, self.of(status).saturating_add(1));
    }

    /// These steps and those of `other`.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.each(other, u32::saturating_add)
    }

    /// These steps without those of `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.each(other, u32::saturating_sub)
    }

    /// How many steps there are.
    pub fn total(&self) -> u32 {
        self.counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// How many have this status.
    pub fn of(&self, status: StepStatus) -> u32 {
        self.counts[status as usize]
    }

    /// The statuses that some step has, with how many have it.
    pub fn iter(&self) -> impl Iterator<Item = (StepStatus, u32)> + '_ {
        StepStatus::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    fn set(&mut self, status: StepStatus, count: u32) {
        self.counts[status as usize] = count;
    }

    fn each(mut self, other: Self, combine: fn(u32, u32) -> u32) -> Self {
        for (count, other) in self.counts.iter_mut().zip(other.counts) {
            *count = combine(*count, other);
        }
        self
    }
}

impl fmt::Debug for Rollup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(status, count)| (status.as_str(), count))).finish()
    }
}

/// In JSON an object of counts by status, in the binary log pairs of numbers;
/// without those that are 0, so that statuses may be added.
impl Serialize for Rollup {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer
                .collect_map(self.iter().map(|(status, count)| (status.as_str(), count)));
        }
        let pairs: Vec<(u8, u32)> =
            self.iter().map(|(status, count)| (status as u8, count)).collect();
        pairs.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rollup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rollup = Self::default();
        if deserializer.is_human_readable() {
            for (text, count) in BTreeMap::<String, u32>::deserialize(deserializer)? {
                let status = StepStatus::named(&text);
                let status =
                    status.ok_or_else(|| D::Error::custom(format!("no status is {text:?}")))?;
                rollup.set(status, count);
            }
            return Ok(rollup);
        }
        for (number, count) in Vec::<(u8, u32)>::deserialize(deserializer)? {
            let status = StepStatus::ALL.get(usize::from(number)).copied();
            let status =
                status.ok_or_else(|| D::Error::custom(format!("no status has number {number}")))?;
            rollup.set(status, count);
        }
        Ok(rollup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollup(statuses: &[StepStatus]) -> Rollup {
        let mut rollup = Rollup::default();
        statuses.iter().for_each(|status| rollup.add(*status));
        rollup
    }

    #[test]
    fn a_status_has_one_number_and_one_name() {
        for (number, status) in StepStatus::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, number);
            assert_eq!(StepStatus::named(status.as_str()), Some(status));
            assert_eq!(serde_json::json!(status), status.as_str());
        }
    }

    #[test]
    fn rollups_add_up_and_never_wrap() {
        use StepStatus::{Failed, Running, Succeeded};
        let one = rollup(&[Running, Running, Failed]);
        let other = rollup(&[Running, Succeeded]);
        let both = one.plus(other);
        assert_eq!((both.of(Running), both.of(Succeeded), both.total()), (3, 1, 5));
        assert_eq!(both.minus(other), one);
        assert_eq!(other.minus(one), rollup(&[Succeeded]));
        let mut full = Rollup { counts: [u32::MAX; STATUSES] };
        full.add(Running);
        assert_eq!((full.plus(one), full.total()), (full, u32::MAX));
        assert_eq!(both.iter().collect::<Vec<_>>(), [(Running, 3), (Succeeded, 1), (Failed, 1)]);
    }

    #[test]
    fn a_rollup_is_small_and_survives() {
        let some = rollup(&[StepStatus::TimedOut, StepStatus::Pending, StepStatus::Pending]);
        assert_eq!(serde_json::json!(some), serde_json::json!({"pending": 2, "timed_out": 1}));
        let read: Result<Rollup, _> = serde_json::from_str(r#"{"pending":2,"timed_out":1}"#);
        assert_eq!(read.expect("it is one"), some);
        assert!(serde_json::from_str::<Rollup>(r#"{"lost":2}"#).is_err());
        let bytes = postcard::to_stdvec(&some).expect("it can be written");
        assert_eq!(bytes, [2, 0, 2, 12, 1]);
        assert_eq!(postcard::from_bytes::<Rollup>(&bytes).expect("it was written"), some);
        assert!(postcard::from_bytes::<Rollup>(&[1, 13, 1]).is_err());
    }
}
