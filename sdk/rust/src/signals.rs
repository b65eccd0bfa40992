//! Named messages, kept in one order per name.
//!
//! A signal reaches every step that waits for it, found by its params:
//!
//! ```
//! use segno::prelude::*;
//! use segno::signals;
//! use segno::testing::Script;
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Payment {
//!     cents: u64,
//! }
//!
//! #[segno::step]
//! fn run(order: Value) -> Result<u64> {
//!     let paid = signals::wait("payment.settled")
//!         .matching(json!({ "order": order["id"] }))
//!         .timeout(days(3))
//!         .receive::<Payment>()?;
//!     let Some(paid) = paid else {
//!         return Err(fatal!("nobody paid within three days"));
//!     };
//!     signals::publish("order.paid").param("order", &order["id"]).send(&json!({}))?;
//!     Ok(paid.payload.cents)
//! }
//!
//! let mut script = Script::new(run).input(json!({ "id": "a1" }));
//! script.run_until_suspended().assert_signal("payment.settled");
//! script.publish("payment.settled", json!({ "order": "b2" }), json!({ "cents": 1 }));
//! script.publish("payment.settled", json!({ "order": "a1" }), json!({ "cents": 250 }));
//! assert_eq!(script.finish().unwrap(), 250);
//! ```
//!
//! A signal *for a run* waits in a queue until the run asks for it:
//! [`for_this_run`] and [`publish_to_run`]. [`one_time_url`] lets a person or
//! another system send one, once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::duration::whole_ms;
use crate::host::{self, Audience, Pattern, Since};
use crate::payload::{decode, encode};
use crate::{Error, Result, Value};

/// A message that was published.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal<T> {
    /// Its name.
    pub name: String,
    /// Its identity: another publication under the same id changes nothing.
    pub id: String,
    /// Its place among all of its name, from 1.
    pub sequence: u64,
    /// The JSON object by which it was found.
    pub params: Value,
    /// What it says.
    pub payload: T,
    /// When it was accepted.
    pub published_at: SystemTime,
}

/// A wait for a signal of this name to everyone, also for one that was
/// published before, as long as it is kept and this step has not been given it.
pub fn wait(name: impl Into<String>) -> Wait {
    Wait::new(name.into(), Audience::Everyone)
}

/// A wait for a signal of this name for this run. Signals for a run are kept
/// until a wait takes them.
pub fn for_this_run(name: impl Into<String>) -> Wait {
    Wait::new(name.into(), Audience::ThisRun)
}

/// Which signal to wait for. Nothing happens before [`receive`](Self::receive),
/// or before it is handed to [`waits`](crate::waits).
#[derive(Clone, Debug)]
#[must_use = "a wait begins with `receive`"]
pub struct Wait {
    name: String,
    audience: Audience,
    matching: Value,
    since: Since,
}

impl Wait {
    /// Only a signal whose params are as this JSON object says: a plain value
    /// asks for an equal one, an object names operators, as in
    /// `{ "station": "x", "amount": { ">=": 5, "<": 10 } }`. There are `=`, `!=`,
    /// `>`, `>=`, `<`, `<=`, `in` with a list, and `prefix`. Signals for a run
    /// have no params.
    pub fn matching(mut self, params: Value) -> Self {
        self.matching = params;
        self
    }

    /// Only a signal that is published after the wait began. Makes no difference
    /// for signals for a run.
    pub fn only_new(mut self) -> Self {
        self.since = Since::Now;
        self
    }

    /// Waits no longer than this.
    pub fn timeout(self, timeout: Duration) -> TimedWait {
        TimedWait { wait: self, timeout }
    }

    /// Waits for the signal.
    ///
    /// # Errors
    /// What it is to match is no object of strings, numbers and booleans, or
    /// its payload does not fit. Fatal.
    pub fn receive<T: for<'de> Deserialize<'de>>(self) -> Result<Signal<T>> {
        match host::wait_signal(&self.pattern()?, None) {
            Some(signal) => Signal::read(signal),
            // Only a host that breaks the contract comes here.
            None => Err(Error::retryable("a wait without a time-out ended without a signal")),
        }
    }

    pub(crate) fn pattern(self) -> Result<Pattern> {
        let Self { name, audience, matching, since } = self;
        // What the operators take is for the host to say.
        let is_test = |value: &Value| !(value.is_null() || value.is_array());
        let are_tests = matching.as_object().is_some_and(|members| members.values().all(is_test));
        if !are_tests {
            return Err(Error::fatal(format!(
                "a signal is found by an object of strings, numbers, booleans and operators, and \
                 `{name}` was to match {matching}"
            )));
        }
        if audience == Audience::ThisRun && matching != Value::Object(Map::new()) {
            return Err(Error::fatal(format!(
                "a signal for this run has no params, and `{name}` was to match {matching}"
            )));
        }
        Ok(Pattern { name, audience, matching: matching.to_string(), since })
    }

    fn new(name: String, audience: Audience) -> Self {
        Self { name, audience, matching: Value::Object(Map::new()), since: Since::Ever }
    }
}

/// A wait that ends by itself.
#[derive(Clone, Debug)]
#[must_use = "a wait begins with `receive`"]
pub struct TimedWait {
    wait: Wait,
    timeout: Duration,
}

impl TimedWait {
    /// Waits for the signal; none came in time where there is none.
    ///
    /// # Errors
    /// As for [`Wait::receive`].
    pub fn receive<T: for<'de> Deserialize<'de>>(self) -> Result<Option<Signal<T>>> {
        let signal = host::wait_signal(&self.wait.pattern()?, Some(whole_ms(self.timeout)));
        signal.map(Signal::read).transpose()
    }
}

/// A signal to everyone, published by [`send`](Publication::send).
pub fn publish(name: impl Into<String>) -> Publication {
    Publication { name: name.into(), params: Map::new() }
}

/// A signal on its way.
#[derive(Clone, Debug)]
#[must_use = "a signal is published by `send`"]
pub struct Publication {
    name: String,
    params: Map<String, Value>,
}

impl Publication {
    /// Adds something to find it by: a string, number or boolean.
    pub fn param<T: Serialize>(mut self, name: impl Into<String>, value: T) -> Self {
        // What cannot be JSON becomes null, which the host refuses by name.
        self.params.insert(name.into(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Publishes it with this payload, once, and gives its place among all of
    /// its name.
    ///
    /// # Errors
    /// The host refused, or the payload cannot be JSON.
    pub fn send<T: Serialize + ?Sized>(self, payload: &T) -> Result<u64> {
        let payload = encode(&format!("the payload of the signal `{}`", self.name), payload)?;
        Ok(host::publish(&self.name, &Value::Object(self.params).to_string(), &payload)?)
    }
}

/// Publishes a signal for one run, by its identifier, once, and gives its place
/// among all for the run.
///
/// # Errors
/// The host refused, such as with `not-found`, or the payload cannot be JSON.
pub fn publish_to_run<T: Serialize + ?Sized>(run: &str, name: &str, payload: &T) -> Result<u64> {
    let payload = encode(&format!("the payload of the signal `{name}`"), payload)?;
    Ok(host::publish_to_run(run, name, &payload)?)
}

/// A URL that nobody can guess. Whoever posts a JSON document to it, once,
/// publishes the signal `name` for this run with that payload: wait for it with
/// [`for_this_run`].
pub fn one_time_url(name: &str) -> String {
    host::one_time_url(name)
}

impl<T: for<'de> Deserialize<'de>> Signal<T> {
    pub(crate) fn read(signal: host::Signal) -> Result<Self> {
        let host::Signal { name, id, sequence, params, payload, published_at_ms } = signal;
        let payload = decode(&format!("the payload of the signal `{name}`"), &payload)?;
        let params = decode(&format!("the params of the signal `{name}`"), &params)?;
        let published_at = UNIX_EPOCH + Duration::from_millis(published_at_ms);
        Ok(Self { name, id, sequence, params, payload, published_at })
    }
}
