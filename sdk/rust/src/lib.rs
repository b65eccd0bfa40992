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
//! | [`timers`] | the present moment, as the run sees it |
//! | [`random`] | numbers which stay the same when the step is tried again |
//! | [`progress`] | how far a long step has come |
//!
//! Outside a component, as in a test, these work too: lines and progress go to
//! standard error, time is the machine's and randomness starts from a constant.
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
mod entry;
mod error;
mod host;
pub mod log;
pub mod prelude;
pub mod progress;
pub mod random;
pub mod timers;

pub use context::Context;
pub use error::{Error, Failing, Result};
pub use segno_macros::step;
pub use serde_json::{Value, json};

/// What the expansion of [`macro@step`] needs. Not for people: it may change in
/// any release.
#[doc(hidden)]
pub mod __private {
    pub use crate::__export_step as export_step;
    pub use crate::entry::call;
    #[cfg(target_family = "wasm")]
    pub use crate::host::component::{Entry, bindings, enter};
}
