//! What came to a webhook lately: a bounded list. Whoever does not know the
//! secret can make requests, too, so refusals that are alike are one entry with
//! a count: a flood of them costs a write now and then, and takes no room.

use crate::store::{DeliveryOutcome, DeliveryRecord};
use segno_engine::id::Timestamp;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// The most deliveries that are kept of a webhook.
pub(super) const KEPT_MAX: u64 = 1_000;

/// Refusals that are alike are one entry for so long.
const TOGETHER_MS: u64 = 60 * 60 * 1_000;

/// How often an entry is written that still counts.
const WRITE_MS: u64 = 10_000;

/// The deliveries to one webhook.
#[derive(Debug)]
pub(super) struct Log {
    last: u64,
    /// Refusals that are still counted.
    open: HashMap<DeliveryOutcome, Open>,
}

#[derive(Debug)]
struct Open {
    record: DeliveryRecord,
    written_at: Timestamp,
    is_behind: bool,
}

impl Log {
    /// The log behind an entry; 0 before the first.
    pub(super) fn after(last: u64) -> Self {
        Self { last, open: HashMap::new() }
    }

    /// Adds a delivery. Returns what has to be written now.
    pub(super) fn add(&mut self, delivery: DeliveryRecord) -> Vec<DeliveryRecord> {
        if !is_counted(delivery.outcome) {
            return vec![self.numbered(delivery)];
        }
        let now = delivery.at;
        let oldest = self.kept().start().to_owned();
        if let Some(open) = self.open.get_mut(&delivery.outcome) {
            let is_kept = open.record.sequence >= oldest;
            if is_kept && now.since(open.record.at) < TOGETHER_MS {
                return open.count(delivery).into_iter().collect();
            }
        }
        let mut written = Vec::new();
        if let Some(closed) = self.open.remove(&delivery.outcome)
            && closed.is_behind
            && closed.record.sequence >= oldest
        {
            written.push(closed.record);
        }
        let record = self.numbered(delivery);
        written.push(record.clone());
        let open = Open { record, written_at: now, is_behind: false };
        self.open.insert(open.record.outcome, open);
        written
    }

    /// What was counted since it was written last, to be written now.
    pub(super) fn behind(&mut self, now: Timestamp) -> Vec<DeliveryRecord> {
        let oldest = self.kept().start().to_owned();
        let behind = self.open.values_mut().filter(|open| open.is_behind);
        let written = behind.map(|open| {
            (open.is_behind, open.written_at) = (false, now);
            open.record.clone()
        });
        written.filter(|record| record.sequence >= oldest).collect()
    }

    /// The entries that are kept; none if the start is behind the end.
    pub(super) fn kept(&self) -> RangeInclusive<u64> {
        self.last.saturating_sub(KEPT_MAX - 1).max(1)..=self.last
    }

    fn numbered(&mut self, delivery: DeliveryRecord) -> DeliveryRecord {
        self.last += 1;
        DeliveryRecord { sequence: self.last, ..delivery }
    }
}

impl Open {
    /// Counts one more; returns the entry if it is time to write it.
    fn count(&mut self, delivery: DeliveryRecord) -> Option<DeliveryRecord> {
        let now = delivery.at;
        self.record.count += 1;
        self.record.last_at = Some(now);
        self.record.remote = delivery.remote;
        self.is_behind = now.since(self.written_at) < WRITE_MS;
        if self.is_behind {
            return None;
        }
        self.written_at = now;
        Some(self.record.clone())
    }
}

/// The entry that makes room for this one.
pub(super) fn forgotten_for(sequence: u64) -> Option<u64> {
    sequence.checked_sub(KEPT_MAX).filter(|old| *old > 0)
}

/// Whether whoever does not know the secret can bring this about.
fn is_counted(outcome: DeliveryOutcome) -> bool {
    match outcome {
        DeliveryOutcome::BadSignature
        | DeliveryOutcome::TooOld
        | DeliveryOutcome::TooLarge
        | DeliveryOutcome::Disabled
        | DeliveryOutcome::NoSecret => true,
        DeliveryOutcome::Published
        | DeliveryOutcome::Repeated
        | DeliveryOutcome::Ignored
        | DeliveryOutcome::Challenge
        | DeliveryOutcome::BadBody => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(outcome: DeliveryOutcome, at: u64, remote: &str) -> DeliveryRecord {
        DeliveryRecord {
            sequence: 0,
            outcome,
            at: Timestamp(at),
            last_at: None,
            count: 1,
            remote: Some(remote.to_owned()),
            id: None,
            signal: None,
            detail: None,
        }
    }

    #[test]
    fn a_flood_of_refusals_is_one_entry_and_few_writes() {
        let mut log = Log::after(0);
        let mut writes = 0;
        // A hundred a second for an hour.
        for at in (0..TOGETHER_MS).step_by(10) {
            writes += log.add(delivery(DeliveryOutcome::BadSignature, at, "10.0.0.1")).len();
        }
        assert_eq!(writes, 360, "one in ten seconds");
        assert_eq!(log.kept(), 1..=1);
        let behind = log.behind(Timestamp(TOGETHER_MS));
        assert_eq!((behind[0].sequence, behind[0].count), (1, TOGETHER_MS / 10));
        assert_eq!(behind[0].last_at, Some(Timestamp(TOGETHER_MS - 10)));
        assert_eq!(log.behind(Timestamp(TOGETHER_MS)), []);
        let next = log.add(delivery(DeliveryOutcome::BadSignature, TOGETHER_MS, "10.0.0.2"));
        assert_eq!((next[0].sequence, next[0].count), (2, 1), "another hour, another entry");
    }

    #[test]
    fn what_was_counted_is_written_before_the_next_entry() {
        let mut log = Log::after(7);
        log.add(delivery(DeliveryOutcome::TooOld, 0, "a"));
        assert_eq!(log.add(delivery(DeliveryOutcome::TooOld, 1, "b")), []);
        let other = log.add(delivery(DeliveryOutcome::Disabled, 2, "c"));
        assert_eq!(other[0].sequence, 9, "another outcome is another entry");
        let next = log.add(delivery(DeliveryOutcome::TooOld, TOGETHER_MS, "d"));
        let counts: Vec<_> = next.iter().map(|record| (record.sequence, record.count)).collect();
        assert_eq!(counts, [(8, 2), (10, 1)]);
        assert_eq!(next[0].remote.as_deref(), Some("b"));
    }

    #[test]
    fn the_oldest_make_room_and_do_not_come_back() {
        let mut log = Log::after(0);
        log.add(delivery(DeliveryOutcome::BadSignature, 0, "a"));
        log.add(delivery(DeliveryOutcome::BadSignature, 1, "a"));
        for at in 0..KEPT_MAX {
            let written = log.add(delivery(DeliveryOutcome::Published, at, "b"));
            assert_eq!(written.len(), 1);
        }
        assert_eq!(log.kept(), 2..=1_001);
        assert_eq!(log.behind(Timestamp(2)), [], "its entry is gone");
        let next = log.add(delivery(DeliveryOutcome::BadSignature, 2, "a"));
        assert_eq!((next.len(), next[0].sequence, next[0].count), (1, 1_002, 1));
        assert_eq!((forgotten_for(1_002), forgotten_for(1_000)), (Some(2), None));
        assert_eq!(forgotten_for(1_001), Some(1));
    }
}
