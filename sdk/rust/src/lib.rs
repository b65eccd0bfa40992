//! Write a step of a Segno workflow as one ordinary Rust function.
//!
//! ```
//! use segno::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     id: String,
//!     cents: u64,
//! }
//!
//! #[derive(Serialize)]
//! struct Receipt {
//!     text: String,
//! }
//!
//! #[segno::step]
//! fn run(order: Order) -> Result<Receipt> {
//!     if order.cents == 0 {
//!         return Err(fatal!("order {} is empty", order.id));
//!     }
//!     info!("charging {} cents", order.cents);
//!     Ok(Receipt { text: format!("{}: {} cents", order.id, order.cents) })
//! }
//!
//! let order = Order { id: "a1".to_owned(), cents: 250 };
//! assert_eq!(run(order).unwrap().text, "a1: 250 cents");
//! ```
//!
//! The attribute makes the function the entry of a component and leaves it as
//! it is, so that an ordinary `cargo test` can call it. [`step`] has the two
//! forms that it may take.
//!
//! The input is the step's `params` in the workflow, always a JSON object: a
//! struct names what it needs of it, a [`Value`] takes it as it is. Input that
//! does not fit fails the step for good, with the place that is wrong.
//!
//! # Failing
//!
//! An error that comes out of `?` is *retryable*: the step's retry policy may
//! try again. [`fatal!`] makes the other kind, which is never tried again.
//! [`Error`] and [`Failing`] say the rest.
//!
//! # What the host offers
//!
//! | module | gives |
//! |---|---|
//! | [`log`] | lines for whoever looks at the run; [`info!`] and its siblings |
//! | [`timers`] | the present moment, and sleeps that may last for months |
//! | [`signals`] | named messages: to publish, and to wait for |
//! | [`waits`] | waiting for the first of several things |
//! | [`workflows`] | runs of other workflows |
//! | [`http`] | requests to hosts that were granted |
//! | [`secrets`] | what such a request may carry and the step never sees |
//! | [`memo`] | results of expensive work, recorded once |
//! | [`kv`] | values that outlive runs |
//! | [`random`] | numbers which stay the same when the step is tried again |
//! | [`progress`] | how far a long step has come |
//! | [`continuation`] | a fresh start for a step that goes on for ever |
//!
//! # Durable calls
//!
//! A step may wait for days, and its host may be restarted meanwhile. So a step
//! that goes on is *played again*: it runs from its start, and each call to the
//! host that was answered before is answered from a journal, at once and with
//! no effect. So the step must make the same calls again. It does by itself,
//! since time and chance come from the host too, unless the order of a
//! `HashMap` decides what it calls first: take a `BTreeMap` there.
//!
//! # Testing
//!
//! Outside a component, as in a test, lines and progress go to standard error,
//! time is the machine's and randomness starts from a constant, so that a pure
//! step is simply called. A step with durable calls is played by a
//! `segno::testing::Script`, which brings services, signals and a clock that is
//! moved by hand, and checks that the step does the same when it is played
//! again.
//!
//! # In a `Cargo.toml`
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"]   # the component, and what tests link
//!
//! [dependencies]
//! segno-sdk = "0.1"
//! serde = { version = "1", features = ["derive"] }
//! ```

#[cfg(test)]
extern crate self as segno;

mod context;
pub mod continuation;
mod duration;
mod entry;
mod error;
mod host;
pub mod http;
pub mod kv;
pub mod log;
pub mod memo;
mod payload;
pub mod prelude;
pub mod progress;
pub mod random;
pub mod refusal;
pub mod secrets;
pub mod signals;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod timers;
pub mod waits;
pub mod workflows;

pub use context::Context;
pub use error::{Error, Failing, Result};
pub use refusal::Refusal;
pub use segno_macros::step;
pub use serde_json::{Value, json};

/// What the expansion of [`macro@step`] needs. Not for people: it may change in
/// any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::__export_step as export_step;
    pub use crate::duration::parse as parse_duration;
    pub use crate::entry::call;
    #[cfg(target_family = "wasm")]
    pub use crate::host::component::{Entry, bindings, enter};
}
