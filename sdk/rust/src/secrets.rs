//! Secrets that a step can use without seeing them: the host puts them into
//! the requests of [`http`](crate::http) where the step says.

use std::fmt;

use crate::{Result, host};

/// Stands for a secret. The step never has the secret itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    handle: String,
}

/// The secret of this name, which is granted to the step:
/// `grants: { secrets: [PAY_KEY] }`.
///
/// # Errors
/// The host refused: `denied` where it is not granted, `not-found` where nobody
/// has set it.
pub fn get(name: &str) -> Result<Secret> {
    Ok(Secret { handle: host::secret(name)? })
}

impl Secret {
    pub(crate) fn handle(&self) -> &str {
        &self.handle
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
