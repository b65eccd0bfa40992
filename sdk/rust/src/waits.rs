//! Waiting for the first of several things.
//!
//! Each thing brings a function that makes a value of what happened, so that
//! what comes out is of the step's own type:
//!
//! ```
//! use segno::prelude::*;
//! use segno::signals::{self, Signal};
//! use segno::testing::Script;
//! use segno::waits;
//!
//! enum Next {
//!     Paid(Signal<Value>),
//!     Remind,
//! }
//!
//! #[segno::step]
//! fn run(_: Value) -> Result<u64> {
//!     let mut reminders = 0;
//!     loop {
//!         let next = waits::any()
//!             .signal(signals::wait("payment"), Next::Paid)
//!             .after(days(1), || Next::Remind)
//!             .first()?;
//!         match next {
//!             Next::Paid(_) => return Ok(reminders),
//!             Next::Remind => reminders += 1,
//!         }
//!     }
//! }
//!
//! let mut script = Script::new(run);
//! script.advance("2 days").publish("payment", json!({}), json!(null));
//! assert_eq!(script.finish().unwrap(), 2);
//! ```

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::duration::whole_ms;
use crate::host::{self, Condition, Happening};
use crate::signals::{Signal, Wait};
use crate::timers::{moment_ms, now_ms};
use crate::workflows::Run;
use crate::{Error, Result};

/// Makes the step's value of what happened; none where it is of another kind.
type Make<'a, U> = Box<dyn FnOnce(Happening) -> Option<Result<U>> + 'a>;

/// Nothing to wait for yet; the methods add it.
pub fn any<'a, U>() -> Any<'a, U> {
    Any { conditions: Ok(Vec::new()), makers: Vec::new() }
}

/// Several things to wait for, at most 100. Of those that hold already, the one
/// that was added first counts.
#[must_use = "the wait begins with `first`"]
pub struct Any<'a, U> {
    conditions: Result<Vec<Condition>>,
    makers: Vec<Make<'a, U>>,
}

impl<'a, U: 'a> Any<'a, U> {
    /// Adds a signal.
    pub fn signal<T: for<'de> Deserialize<'de>>(
        self,
        wait: Wait,
        make: impl FnOnce(Signal<T>) -> U + 'a,
    ) -> Self {
        let condition = wait.pattern().map(Condition::Signal);
        self.add(condition, move |happening| match happening {
            Happening::Signal(signal) => Some(Signal::read(signal).map(make)),
            Happening::Timer | Happening::Run(_) => None,
        })
    }

    /// Adds a timer that ends `duration` from now.
    pub fn after(self, duration: Duration, make: impl FnOnce() -> U + 'a) -> Self {
        let moment_ms = now_ms().saturating_add(whole_ms(duration));
        self.timer(moment_ms, make)
    }

    /// Adds a moment.
    pub fn at(self, moment: SystemTime, make: impl FnOnce() -> U + 'a) -> Self {
        self.timer(moment_ms(moment), make)
    }

    /// Adds the end of a run that this step started: its output, or an error as
    /// [`Run::wait`] has it.
    pub fn run<T: for<'de> Deserialize<'de>>(
        self,
        run: &Run,
        make: impl FnOnce(Result<T>) -> U + 'a,
    ) -> Self {
        let run = run.clone();
        let condition = Condition::Run(run.id().to_owned());
        self.add(Ok(condition), move |happening| match happening {
            Happening::Run(ended) => Some(Ok(make(run.outcome(ended)))),
            Happening::Timer | Happening::Signal(_) => None,
        })
    }

    /// Waits for the first of them.
    ///
    /// # Errors
    /// There is nothing to wait for, or what a signal is to match, or its
    /// payload, does not fit. Fatal.
    pub fn first(self) -> Result<U> {
        let conditions = self.conditions?;
        if conditions.is_empty() {
            return Err(Error::fatal("there is nothing to wait for: add a signal or a timer"));
        }
        let (place, happening) = host::wait_any(&conditions);
        let make = self.makers.into_iter().nth(place);
        // Only a host that breaks the contract comes to the error.
        make.and_then(|make| make(happening))
            .unwrap_or_else(|| Err(Error::retryable("the host said that another thing happened")))
    }

    fn timer(self, moment_ms: u64, make: impl FnOnce() -> U + 'a) -> Self {
        self.add(Ok(Condition::Timer(moment_ms)), move |happening| match happening {
            Happening::Timer => Some(Ok(make())),
            Happening::Signal(_) | Happening::Run(_) => None,
        })
    }

    fn add(
        mut self,
        condition: Result<Condition>,
        make: impl FnOnce(Happening) -> Option<Result<U>> + 'a,
    ) -> Self {
        self.conditions = self.conditions.and_then(|mut conditions| {
            conditions.push(condition?);
            Ok(conditions)
        });
        self.makers.push(Box::new(make));
        self
    }
}
