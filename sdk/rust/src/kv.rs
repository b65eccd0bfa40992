//! Values that outlive runs. What was read once is read again when the step is
//! played again, and a write happens once.
//!
//! ```
//! use segno::kv;
//! use segno::prelude::*;
//! use segno::testing::Script;
//!
//! #[segno::step]
//! fn run(_: Value) -> Result<u64> {
//!     let count = kv::get::<u64>("count")?.unwrap_or(0) + 1;
//!     kv::set("count", &count)?;
//!     Ok(count)
//! }
//!
//! let mut script = Script::new(run).kv("count", json!(41));
//! assert_eq!(script.finish().unwrap(), 42);
//! ```

use serde::{Deserialize, Serialize};

use crate::payload::{decode, encode};
use crate::{Result, host};

/// The workflow's own values.
const OWN: Namespace<'static> = Namespace { name: "" };

/// The value of a key of the workflow's own; none if it is not there.
///
/// # Errors
/// The host refused, or the value does not fit.
pub fn get<T: for<'de> Deserialize<'de>>(key: &str) -> Result<Option<T>> {
    OWN.get(key)
}

/// Sets the value of a key of the workflow's own.
///
/// # Errors
/// The host refused, or the value cannot be JSON.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<()> {
    OWN.set(key, value)
}

/// Removes a key of the workflow's own; one that is not there is removed
/// already.
///
/// # Errors
/// The host refused.
pub fn delete(key: &str) -> Result<()> {
    OWN.delete(key)
}

/// Values that workflows share, by a name that is granted to the step:
/// `grants: { kv: [shared] }`.
pub fn namespace(name: &str) -> Namespace<'_> {
    Namespace { name }
}

/// Values under one name.
#[derive(Clone, Copy, Debug)]
pub struct Namespace<'a> {
    name: &'a str,
}

impl Namespace<'_> {
    /// The value of a key; none if it is not there.
    ///
    /// # Errors
    /// The host refused, or the value does not fit.
    pub fn get<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>> {
        let value = host::kv_get(self.name, key)?;
        value.map(|value| decode(&format!("the value of the key `{key}`"), &value)).transpose()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// The host refused, or the value cannot be JSON.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        let value = encode(&format!("the value of the key `{key}`"), value)?;
        Ok(host::kv_set(self.name, key, &value)?)
    }

    /// Removes a key; one that is not there is removed already.
    ///
    /// # Errors
    /// The host refused.
    pub fn delete(&self, key: &str) -> Result<()> {
        Ok(host::kv_delete(self.name, key)?)
    }
}
