//! When a failed attempt is followed by another: three budgets, and a capped
//! exponential back-off with jitter that is the same in every replay.

use crate::failure::FailureKind;
use crate::id::{Attempt, RunId, StepIndex};
use crate::scope::Scope;
use crate::setting::{computed, count_of, millis_of};
use crate::template::Template;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The most tries of one kind.
pub(crate) const TRIES_MAX: u64 = 99;

/// The longest wait between tries: a day.
pub(crate) const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The largest factor by which waits may grow.
pub(crate) const FACTOR_MAX: f64 = 100.0;

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

impl RetryPart {
    /// Its place in a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "retry.user",
            Self::Platform => "retry.platform",
            Self::Timeout => "retry.timeout",
            Self::Initial => "retry.backoff.initial",
            Self::Factor => "retry.backoff.factor",
            Self::Max => "retry.backoff.max",
        }
    }

    /// Puts what `template` gives in this place.
    ///
    /// # Errors
    /// The template has no value, or one that may not be written here.
    pub(crate) fn set(
        self,
        retry: &mut Retry,
        template: &Template,
        scope: &dyn Scope,
    ) -> Result<(), String> {
        let tries = || computed(template, scope, &|value| count_of(value, 0..=TRIES_MAX));
        let wait = || computed(template, scope, &|value| millis_of(value, 1..=WAIT_MS_MAX));
        match self {
            Self::User => retry.user = tries()? as u32,
            Self::Platform => retry.platform = tries()? as u32,
            Self::Timeout => retry.timeout = tries()? as u32,
            Self::Initial => retry.backoff.initial_ms = wait()?,
            Self::Max => retry.backoff.max_ms = wait()?,
            Self::Factor => retry.backoff.factor = computed(template, scope, &factor_of)?,
        }
        Ok(())
    }
}

impl RetryRule {
    /// The numbers in this scope. Where the first wait is longer than the
    /// longest, the longest is that.
    ///
    /// # Errors
    /// An expression has no value, or one that is outside of what may be
    /// written in its place.
    pub fn resolve(&self, scope: &dyn Scope) -> Result<Retry, String> {
        let mut retry = self.fixed.clone();
        for (part, template) in &self.computed {
            part.set(&mut retry, template, scope)
                .map_err(|message| format!("{}: {message}", part.as_str()))?;
        }
        retry.backoff.max_ms = retry.backoff.max_ms.max(retry.backoff.initial_ms);
        Ok(retry)
    }
}

fn factor_of(value: &Value) -> Result<f64, String> {
    let factor = value.as_f64().filter(|factor| (1.0..=FACTOR_MAX).contains(factor));
    factor.ok_or_else(|| format!("a number from 1 to {FACTOR_MAX}"))
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
    /// Whether only a part of it is waited, from a half to the whole.
    pub jitter: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self { user: 2, platform: 10, timeout: 0, backoff: Backoff::default() }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_ms: 1_000, factor: 2.0, max_ms: 60_000, jitter: true }
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
    /// min(initial × factor^n, max), of which with jitter between a half and the
    /// whole is waited ("equal jitter"): steps that failed together spread out,
    /// and none comes back at once.
    fn wait_ms(&self, failures_before: u32, jitter: Jitter) -> u64 {
        let exponent = i32::try_from(failures_before).unwrap_or(i32::MAX);
        let grown = self.initial_ms as f64 * self.factor.powi(exponent);
        let capped = grown.min(self.max_ms as f64);
        let part = if self.jitter { 0.5 + 0.5 * jitter.0 } else { 1.0 };
        (capped * part) as u64
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
    use crate::scope::tests::Given;
    use serde_json::json;

    fn resolve(parts: &[(RetryPart, Value)]) -> Result<Retry, String> {
        let computed = |(place, (part, _)): (usize, &(RetryPart, Value))| {
            let source = json!(format!("${{params.x[{place}]}}"));
            (*part, Template::compile(&source).expect("it is a template"))
        };
        let computed = parts.iter().enumerate().map(computed).collect();
        let values: Vec<_> = parts.iter().map(|(_, value)| value.clone()).collect();
        RetryRule { fixed: Retry::default(), computed }.resolve(&Given::new(json!({ "x": values })))
    }

    #[test]
    fn numbers_may_be_computed() {
        use RetryPart::{Factor, Initial, Max, Platform, Timeout, User};
        assert_eq!(resolve(&[]), Ok(Retry::default()));
        let all = [
            (User, json!(0)),
            (Platform, json!(99)),
            (Timeout, json!(3)),
            (Initial, json!("30 seconds")),
            (Factor, json!(1.5)),
            (Max, json!(86_400)),
        ];
        let backoff = Backoff { initial_ms: 30_000, factor: 1.5, max_ms: 86_400_000, jitter: true };
        assert_eq!(resolve(&all), Ok(Retry { user: 0, platform: 99, timeout: 3, backoff }));
        let long = resolve(&[(Initial, json!("5m"))]).expect("it fits");
        assert_eq!((long.backoff.initial_ms, long.backoff.max_ms), (300_000, 300_000));
        let bounds = "expected a whole number from 0 to 99";
        for (part, value, expected) in [
            (User, json!(100), format!("retry.user: `${{params.x[0]}}` gave 100, {bounds}")),
            (
                Timeout,
                json!("3"),
                format!("retry.timeout: `${{params.x[0]}}` gave \"3\", {bounds}"),
            ),
            (
                Max,
                json!("25h"),
                "retry.backoff.max: `${params.x[0]}` gave \"25h\", expected text like \"20 \
                 minutes\" or a whole number of seconds, from 1ms to 24h"
                    .to_owned(),
            ),
            (
                Factor,
                json!(0.5),
                "retry.backoff.factor: `${params.x[0]}` gave 0.5, expected a number from 1 to 100"
                    .to_owned(),
            ),
        ] {
            assert_eq!(resolve(&[(part, value)]), Err(expected));
        }
        assert!(
            resolve(&[(Initial, json!(0))]).is_err() && resolve(&[(Factor, json!("2"))]).is_err()
        );
    }

    fn wait(retry: &Retry, failures: u32, jitter: f64) -> Option<u64> {
        let mut tally = Tally::default();
        (0..failures).for_each(|_| tally.add(FailureKind::User));
        retry.wait_ms(FailureKind::User, tally, Jitter(jitter))
    }

    #[test]
    fn waits_grow_up_to_the_cap_and_end_with_the_budget() {
        let backoff = Backoff { initial_ms: 100, factor: 3.0, max_ms: 1_000, jitter: true };
        let retry = Retry { user: 4, backoff, ..Retry::default() };
        let waits: Vec<_> = (0..5).map(|failures| wait(&retry, failures, 1.0)).collect();
        assert_eq!(waits, [Some(100), Some(300), Some(900), Some(1_000), None]);
        assert_eq!(wait(&retry, 0, 0.0), Some(50));
        let exact = Retry { backoff: Backoff { jitter: false, ..retry.backoff.clone() }, ..retry };
        let waits: Vec<_> = (0..3).map(|failures| wait(&exact, failures, 0.0)).collect();
        assert_eq!(waits, [Some(100), Some(300), Some(900)]);
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
