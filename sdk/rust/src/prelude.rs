//! Everything that most steps use: `use segno::prelude::*;`.
//!
//! Only names that read well alone belong here; the rest is `segno::random` and
//! the like.

pub use crate::timers::{days, hours, minutes, seconds};
pub use crate::{Context, Error, Failing, Result, Value};
pub use crate::{debug, duration, error, fatal, info, json, retryable, trace, warn};
