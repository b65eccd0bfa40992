//! A number in a definition that may depend on the params of a run, as in
//! `timeout: ${params.patience}`.

use crate::scope::Scope;
use crate::template::Template;

/// A number that is written in the definition, or computed from params.
#[derive(Debug)]
pub enum Setting {
    /// It is always this.
    Fixed(u64),
    /// It is what this gives.
    Computed(Template),
}

impl Setting {
    /// a
    pub fn millis_of(template: &Template, scope: &dyn Scope) -> Result<u64, String> {
        let value = template.render(scope).map_err(|error| error.to_string())?;
        value.value().as_u64().map(|s| s * 1000).ok_or_else(|| format!("gave {}", value.text()))
    }

    /// The time in milliseconds.
    ///
    /// # Errors
    /// The expression has no value, or one that is no time.
    pub fn millis(&self, scope: &dyn Scope) -> Result<u64, String> {
        match self {
            Self::Fixed(millis) => Ok(*millis),
            Self::Computed(template) => {
                let value = template.render(scope).map_err(|error| error.to_string())?;
                value.value().as_u64().ok_or_else(|| format!("gave {}", value.text()))
            }
        }
    }
}
