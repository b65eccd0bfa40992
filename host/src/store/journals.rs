//! Journals of steps, and what is known of runs that only wait. What an entry
//! says is the driver's business: here it is bytes at a place.

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::records::put;
use segno_engine::id::{RunId, StepIndex, TenantId};

/// One row of a journal: a durable call (part 0), or its answer where that came
/// later (part 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// The call's place in the journal.
    pub sequence: u64,
    /// Which part.
    pub part: u8,
    /// What it says.
    pub bytes: Vec<u8>,
}

impl Write {
    /// A row of the journal of a step.
    pub fn journal(
        tenant: &TenantId,
        of: (RunId, StepIndex),
        sequence: u64,
        (part, bytes): (u8, Vec<u8>),
    ) -> Write {
        put(Key::journal(tenant, of, sequence, part), bytes)
    }

    /// Takes a row of a journal away.
    pub fn journal_gone(
        tenant: &TenantId,
        of: (RunId, StepIndex),
        sequence: u64,
        part: u8,
    ) -> Write {
        Write::Delete { key: Key::journal(tenant, of, sequence, part) }
    }

    /// What must be known of an open run that is not in memory; nothing for
    /// one that has to be in memory.
    pub fn open_run(tenant: &TenantId, run: RunId, dormant: Vec<u8>) -> Write {
        put(Key::open_run(tenant, run), dormant)
    }

    /// The run is over, or it is found through its parent.
    pub fn open_run_gone(tenant: &TenantId, run: RunId) -> Write {
        Write::Delete { key: Key::open_run(tenant, run) }
    }
}

/// These fail with [`Error::Corrupt`] or [`Error::Unavailable`].
impl Store {
    /// The journal of a step from place `from` on, in order.
    pub fn journal(
        &self,
        tenant: &TenantId,
        of: (RunId, StepIndex),
        from: u64,
    ) -> Result<Vec<JournalRow>, Error> {
        let prefix = Prefix::journal(tenant, of);
        let mut rows = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            let place: Option<[u8; 9]> = key.below(&prefix).and_then(|rest| rest.try_into().ok());
            let Some([number @ .., part]) = place else {
                return Err(Error::corrupt(format!("the row {key:?} has no place")));
            };
            let sequence = u64::from_be_bytes(number);
            if sequence >= from {
                rows.push(JournalRow { sequence, part, bytes });
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// What is known of a run that is open; nothing if it is not, and empty if
    /// it has to be in memory.
    pub fn open_run(&self, tenant: &TenantId, run: RunId) -> Result<Option<Vec<u8>>, Error> {
        self.get(&Key::open_run(tenant, run))
    }
}
