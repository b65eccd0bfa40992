//! What the steps of the weather example hand to each other. Every value is
//! checked when it is read, so that a step can rely on what it has; arithmetic
//! is on whole tenths, so that sums are exact.

mod date;
mod day;
mod fixed;
mod year;

pub use date::Date;
pub use day::{Day, Kind};
pub use fixed::{Fixed, Hundredths, Tenths};
pub use year::{Extreme, Figures, Month, Year};
