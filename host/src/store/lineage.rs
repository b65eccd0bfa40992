//! Who used a signal: the runs that it started, and the steps that it released.
//! A row is written in the commit of what used it, and goes with the signal.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::{Scan, Write};
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{RunId, TenantId, Timestamp};

/// One use of a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalUse {
    /// The run that was started, or whose step was released; for a step in a
    /// loop its iteration.
    pub run: RunId,
    /// The step that was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The trigger that started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Record for SignalUse {
    const WHAT: &str = "use of a signal";
}

impl SignalUse {
    /// What tells it apart from others of the same run.
    fn what(&self) -> String {
        match (&self.step, &self.trigger) {
            (Some(step), _) => format!("step {step}"),
            (None, Some(trigger)) => format!("trigger {trigger}"),
            (None, None) => String::new(),
        }
    }
}

impl Write {
    /// What a run did with the signal of this name and sequence.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is not well formed.
    pub fn signal_use(
        tenant: &TenantId,
        signal: (&str, u64),
        used: &SignalUse,
    ) -> Result<Write, Error> {
        let key = Key::signal_use(tenant, signal, (used.run, &used.what()))?;
        Ok(put(key, used.encode()))
    }
}

impl Store {
    /// Who used the signal of this name and sequence, the oldest run first.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Unavailable`], or [`Error::Invalid`] for a
    /// name that is not well formed.
    pub fn signal_uses(
        &self,
        tenant: &TenantId,
        (name, sequence): (&str, u64),
        paging: &Paging,
    ) -> Result<Page<SignalUse>, Error> {
        self.records(Prefix::signal_uses(tenant, name, sequence)?, paging)
    }

    /// What takes away at most `limit` of the uses of a signal, and whether
    /// these are all.
    ///
    /// # Errors
    /// As for `signal_uses`.
    pub fn signal_uses_gone(
        &self,
        tenant: &TenantId,
        (name, sequence): (&str, u64),
        limit: usize,
    ) -> Result<(Vec<Write>, bool), Error> {
        let prefix = Prefix::signal_uses(tenant, name, sequence)?;
        let rows = self.scan(&Scan::new(prefix, limit + 1))?;
        let are_all = rows.len() <= limit;
        let gone = rows.into_iter().take(limit).map(|(key, _)| Write::Delete { key });
        Ok((gone.collect(), are_all))
    }
}
