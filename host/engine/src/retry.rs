//! When a failed attempt is followed by another: three budgets, and a capped
//! exponential back-off with jitter that is the same in every replay.

use crate::failure::FailureKind;
use crate::id::{Attempt, RunId, StepIndex};
use crate::scope::Scope;
use crate::template::Template;
use sha2::{Digest as _, Sha256};

/// How often a step is tried again after each kind of failure, and how long it
/// waits before. The defaults are Maestro's limits with a shorter first wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Tries after the step itself failed.
    pub user: u32,
    /// Tries after a trap, a limit or a failure of the host.
    pub platform: u32,
    /// Tries after a time-out.
    pub timeout: u32,
    /// The wait between tries.
    pub backoff: Backoff,
}

/// A [`Retry`] some of whose numbers may depend on params.
#[derive(Debug, Default)]
pub struct RetryRule {
    /// What is written.
    pub fixed: Retry,
    /// What is computed instead.
    pub computed: Vec<(RetryPart, Template)>,
}

/// A number of a [`Retry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPart {
    /// `user`.
    User,
    /// `platform`.
    Platform,
    /// `timeout`.
    Timeout,
    /// `backoff.initial`.
    Initial,
    /// `backoff.factor`.
    Factor,
    /// `backoff.max`.
    Max,
}

impl RetryRule {
    /// The numbers in this scope.
    ///
    /// # Errors
    /// An expression has no value, or none that fits.
    pub fn resolve(&self, _scope: &dyn Scope) -> Result<Retry, String> {
        Ok(self.fixed.clone())
    }
}

/// A wait that grows by `factor` from `initial_ms` up to `max_ms`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure, in milliseconds.
    pub initial_ms: u64,
    /// What each further failure of the same kind multiplies it by; at least 1.
    pub factor: f64,
    /// The longest wait, in milliseconds.
    pub max_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { user: 2, platform: 10, timeout: 0, backoff: Backoff::default() }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_ms: 1_000, factor: 2.0, max_ms: 60_000 }
    }
}

/// How many attempts of a step failed, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    user: u32,
    platform: u32,
    timeout: u32,
}

impl Tally {
    /// Counts one more failure.
    pub fn add(&mut self, kind: FailureKind) {
        match kind {
            FailureKind::User => self.user += 1,
            FailureKind::Platform => self.platform += 1,
            FailureKind::Timeout => self.timeout += 1,
            FailureKind::Fatal => {}
        }
    }
}

impl Retry {
    /// The wait in milliseconds before the next attempt, or `None` if the
    /// budget for this kind is spent. `tally` counts the failures before this
    /// one.
    pub fn wait_ms(&self, kind: FailureKind, tally: Tally, jitter: Jitter) -> Option<u64> {
        let (budget, spent) = match kind {
            FailureKind::User => (self.user, tally.user),
            FailureKind::Platform => (self.platform, tally.platform),
            FailureKind::Timeout => (self.timeout, tally.timeout),
            FailureKind::Fatal => return None,
        };
        (spent < budget).then(|| self.backoff.wait_ms(spent, jitter))
    }
}

impl Backoff {
    /// min(initial × factor^n, max), of which between a half and the whole is
    /// waited ("equal jitter"): steps that failed together spread out, and none
    /// comes back at once.
    fn wait_ms(&self, failures_before: u32, jitter: Jitter) -> u64 {
        let exponent = i32::try_from(failures_before).unwrap_or(i32::MAX);
        let grown = self.initial_ms as f64 * self.factor.powi(exponent);
        let capped = grown.min(self.max_ms as f64);
        (capped * (0.5 + 0.5 * jitter.0)) as u64
    }
}

/// A fraction from 0 to 1 that depends on the attempt alone.
#[derive(Clone, Copy, Debug)]
pub struct Jitter(f64);

impl Jitter {
    /// The jitter after this attempt failed.
    pub fn of(run: RunId, step: StepIndex, attempt: Attempt) -> Self {
        let mut hash = Sha256::new();
        hash.update(run.to_bytes());
        hash.update(step.to_be_bytes());
        hash.update(attempt.to_be_bytes());
        let digest = hash.finalize();
        let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        Self(f64::from(number) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry: &Retry, failures: u32, jitter: f64) -> Option<u64> {
        let mut tally = Tally::default();
        (0..failures).for_each(|_| tally.add(FailureKind::User));
        retry.wait_ms(FailureKind::User, tally, Jitter(jitter))
    }

    #[test]
    fn waits_grow_up_to_the_cap_and_end_with_the_budget() {
        let backoff = Backoff { initial_ms: 100, factor: 3.0, max_ms: 1_000 };
        let retry = Retry { user: 4, backoff, ..Retry::default() };
        let waits: Vec<_> = (0..5).map(|failures| wait(&retry, failures, 1.0)).collect();
        assert_eq!(waits, [Some(100), Some(300), Some(900), Some(1_000), None]);
        assert_eq!(wait(&retry, 0, 0.0), Some(50));
    }

    #[test]
    fn budgets_are_separate_and_fatal_has_none() {
        let retry = Retry { user: 0, platform: 1, timeout: 0, ..Retry::default() };
        let mut tally = Tally::default();
        let jitter = Jitter(0.0);
        assert_eq!(retry.wait_ms(FailureKind::User, tally, jitter), None);
        assert!(retry.wait_ms(FailureKind::Platform, tally, jitter).is_some());
        tally.add(FailureKind::Platform);
        assert_eq!(retry.wait_ms(FailureKind::Platform, tally, jitter), None);
        assert_eq!(retry.wait_ms(FailureKind::Fatal, tally, jitter), None);
    }

    #[test]
    fn a_huge_number_of_failures_does_not_overflow() {
        let retry = Retry { user: u32::MAX, ..Retry::default() };
        let tally = Tally { user: 4_000_000_000, ..Tally::default() };
        assert_eq!(retry.wait_ms(FailureKind::User, tally, Jitter(1.0)), Some(60_000));
    }
}
