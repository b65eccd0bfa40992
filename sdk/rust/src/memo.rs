//! Results of expensive work, recorded once: when the step is played again,
//! the result is there and the work is not done again.

use serde::{Deserialize, Serialize};

use crate::payload::{decode, encode};
use crate::{Result, host};

/// The result of `work`, which is done once and then recorded under `name`. An
/// error is not recorded: hand it on with `?`, so that another attempt does the
/// work again, or make it a value that is. The work makes no durable calls
/// itself.
///
/// ```
/// use segno::memo;
///
/// let sum = memo::once("sum", || Ok((1..=1000u64).sum::<u64>()))?;
/// assert_eq!(sum, 500_500);
/// # segno::Result::<()>::Ok(())
/// ```
///
/// # Errors
/// What `work` returned; fatal if its value cannot be JSON, or what was
/// recorded does not fit.
pub fn once<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T>
where
    T: Serialize + for<'de> Deserialize<'de>,
{
    let what = format!("the memo `{name}`");
    let recorded = match host::recall(name) {
        Some(recorded) => recorded,
        None => {
            let fresh = encode(&what, &work()?)?;
            host::record(name, &fresh);
            fresh
        }
    };
    // The fresh value is read back too, so that the first play sees what every
    // later one sees.
    decode(&what, &recorded)
}
