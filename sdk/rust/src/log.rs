//! Lines for whoever looks at the run.
//!
//! The macros [`info!`](crate::info), [`warn!`](crate::warn) and so on take
//! what `format!` takes; the functions here take a text that is ready. Lines
//! past the attempt's limit are counted and dropped.

use crate::host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every detail.
    Trace,
    /// For the step's author.
    Debug,
    /// What the step is doing.
    Info,
    /// Odd, but the step goes on.
    Warn,
    /// Something failed.
    Error,
}

/// Adds one line to the log of this attempt.
pub fn write(level: Level, message: impl AsRef<str>) {
    host::write(level, message.as_ref());
}

/// Adds a line with every detail.
pub fn trace(message: impl AsRef<str>) {
    write(Level::Trace, message);
}

/// Adds a line for the step's author.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message);
}

/// Adds a line about what the step is doing.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message);
}

/// Adds a line about something odd that does not stop the step.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message);
}

/// Adds a line about something that failed.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message);
}

/// Logs a line with every detail, written as `format!` would.
#[macro_export]
macro_rules! trace {
    ($($text:tt)+) => { $crate::log::trace(::std::format!($($text)+)) };
}

/// Logs a line for the step's author, written as `format!` would.
#[macro_export]
macro_rules! debug {
    ($($text:tt)+) => { $crate::log::debug(::std::format!($($text)+)) };
}

/// Logs what the step is doing, written as `format!` would.
///
/// ```
/// segno::info!("{} rows read", 1461);
/// ```
#[macro_export]
macro_rules! info {
    ($($text:tt)+) => { $crate::log::info(::std::format!($($text)+)) };
}

/// Logs something odd that does not stop the step, written as `format!` would.
#[macro_export]
macro_rules! warn {
    ($($text:tt)+) => { $crate::log::warn(::std::format!($($text)+)) };
}

/// Logs something that failed, written as `format!` would.
#[macro_export]
macro_rules! error {
    ($($text:tt)+) => { $crate::log::error(::std::format!($($text)+)) };
}
