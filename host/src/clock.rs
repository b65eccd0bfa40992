//! The one source of time and of fresh identifiers. Tests move a manual clock
//! by hand; nothing else in the host asks the system for the time of day.

use segno_engine::id::{RunId, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// What time it is.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's time of day.
    #[default]
    System,
    /// A time that stands still until it is moved.
    Manual(Arc<ManualClock>),
}

/// A clock for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: Mutex<u64>,
    moved: Notify,
}

impl ManualClock {
    /// A clock that shows this moment.
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(now.0), moved: Notify::new() })
    }

    /// Moves the clock and wakes everyone whose moment has come.
    pub fn advance(&self, by: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += by.as_millis() as u64;
        self.moved.notify_waiters();
    }

    fn now(&self) -> Timestamp {
        Timestamp(*self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock {
    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(since.as_millis() as u64)
            }
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Returns when `moment` has come, never before.
    pub async fn sleep_until(&self, moment: Timestamp) {
        match self {
            // A minute at most, so that a corrected time of day is noticed soon.
            Self::System => loop {
                let left = moment.since(self.now());
                if left == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(left.min(60_000))).await;
            },
            Self::Manual(clock) => loop {
                let moved = clock.moved.notified();
                if clock.now() >= moment {
                    return;
                }
                moved.await;
            },
        }
    }

    /// An identifier that nobody has used and nobody can guess.
    pub fn new_run_id(&self) -> RunId {
        RunId::new(self.now(), rand::random())
    }
}

/// A moment as people and programs read it: RFC 3339 in UTC, milliseconds.
pub fn rfc3339(moment: Timestamp) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(moment.0.min(253_402_300_799_999));
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_at_their_moment() {
        let hand = ManualClock::at(Timestamp(1_000));
        let clock = Clock::Manual(Arc::clone(&hand));
        let mut sleepers = tokio::task::JoinSet::new();
        let sleeper = sleepers.spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(Timestamp(2_000)).await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        hand.advance(Duration::from_millis(999));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        hand.advance(Duration::from_millis(1));
        let woken = sleepers.join_next().await.and_then(Result::ok);
        assert_eq!(woken, Some(Timestamp(2_000)));
    }

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(rfc3339(Timestamp(1_355_270_400_123)), "2012-12-12T00:00:00.123Z");
        assert_eq!(rfc3339(Timestamp(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
