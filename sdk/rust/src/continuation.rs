//! The way past the limits of a journal: a step that goes on for ever begins
//! afresh now and then, and takes along what it needs.

use serde::Serialize;

use crate::host;

/// Ends this attempt and starts the step afresh with a new input, a JSON
/// object, and an empty journal. Never returns.
///
/// ```
/// use segno::prelude::*;
/// use segno::testing::Script;
/// use segno::{continuation, timers};
///
/// #[segno::step]
/// fn run(input: Value) -> Result<u64> {
///     let day = input["day"].as_u64().unwrap_or(0);
///     if day == 3 {
///         return Ok(day);
///     }
///     timers::sleep(days(1));
///     continuation::continue_as_new(&json!({ "day": day + 1 }))
/// }
///
/// assert_eq!(Script::new(run).advance("3 days").finish().unwrap(), 3);
/// ```
///
/// # Panics
/// If the input cannot be a JSON object. That is a mistake in the step, and the
/// attempt fails.
pub fn continue_as_new<T: Serialize>(input: &T) -> ! {
    match serde_json::to_value(input) {
        Ok(input @ serde_json::Value::Object(_)) => host::continue_as_new(&input.to_string()),
        Ok(_) => panic!("a step goes on with a JSON object as its input: hand over a struct"),
        Err(error) => panic!("the input to go on with cannot be JSON: {error}"),
    }
}
