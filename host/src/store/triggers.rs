//! The rows of triggers: how far each has come, which signals wait for others,
//! and what became of those that it used.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::trigger::join::Pending;
use segno_engine::trigger::signal::Part;

/// So many firings of a trigger are kept.
pub const FIRINGS_KEPT: u64 = 1_000;

/// How far a trigger has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerRecord {
    /// The workflow whose runs it starts. The key has it.
    #[serde(skip)]
    pub workflow: String,
    /// Its id within the workflow. The key has it.
    #[serde(skip)]
    pub id: String,
    /// What it says, in a form that tells whether it has changed.
    pub says: String,
    /// The signals that it waits for.
    pub parts: Vec<Part>,
    /// The version of the workflow that it is from, and starts runs of.
    pub version: u64,
    /// Whether it waits for signals: not while no version is active.
    pub is_subscribed: bool,
    /// Since when it does, or did.
    pub since: Timestamp,
    /// The names of its signals, each with the sequence of the last one that it
    /// has looked at. Only later ones count.
    pub places: Vec<(String, u64)>,
    /// How many signals wait for others.
    pub pending: u64,
    /// How many signals went because too many waited, or were no longer kept.
    pub dropped: u64,
    /// How many firings there were.
    pub firings: u64,
}

/// What became of signals that a trigger used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiringRecord {
    /// Counted from 1 for each trigger. The key has it.
    #[serde(skip)]
    pub number: u64,
    /// When it was.
    pub at: Timestamp,
    /// Name and sequence of each signal, in the order of the trigger's list.
    pub signals: Vec<(String, u64)>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of signals that a trigger used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A run.
    Run {
        /// Which one.
        run: RunId,
        /// Whether it was there before, under the same key.
        repeated: bool,
    },
    /// Nothing: the condition does not hold.
    False {
        /// Whether the signals wait for others still.
        kept: bool,
    },
    /// Nothing, because something is wrong.
    Failed {
        /// What, with the remedy.
        message: String,
    },
}

impl Record for TriggerRecord {
    const WHAT: &str = "trigger";
}

impl Record for FiringRecord {
    const WHAT: &str = "firing of a trigger";
}

impl Record for Pending {
    const WHAT: &str = "signal that waits for others";
}

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
/// `trigger` is the workflow and the trigger's id.
impl Write {
    /// How far a trigger has come.
    pub fn trigger(tenant: &TenantId, record: &TriggerRecord) -> Result<Write, Error> {
        let key = Key::trigger(tenant, (&record.workflow, &record.id))?;
        Ok(put(key, record.encode()))
    }

    /// A trigger that is gone, and what became of its signals.
    pub fn trigger_forgotten(
        tenant: &TenantId,
        record: &TriggerRecord,
    ) -> Result<Vec<Write>, Error> {
        let key = (record.workflow.as_str(), record.id.as_str());
        let first = record.firings.saturating_sub(FIRINGS_KEPT) + 1;
        let mut writes = vec![Write::Delete { key: Key::trigger(tenant, key)? }];
        for number in first..=record.firings {
            writes.push(Write::Delete { key: Key::firing(tenant, key, number)? });
        }
        Ok(writes)
    }

    /// A signal that waits for others from now on.
    pub fn trigger_pending(
        tenant: &TenantId,
        trigger: (&str, &str),
        (place, pending): (u64, &Pending),
    ) -> Result<Write, Error> {
        Ok(put(Key::trigger_pending(tenant, trigger, place)?, pending.encode()))
    }

    /// A signal that waits for no others any more.
    pub fn trigger_pending_gone(
        tenant: &TenantId,
        trigger: (&str, &str),
        place: u64,
    ) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::trigger_pending(tenant, trigger, place)? })
    }

    /// What became of signals that a trigger used. The oldest that is kept makes
    /// room.
    pub fn firing(
        tenant: &TenantId,
        trigger: (&str, &str),
        record: &FiringRecord,
    ) -> Result<Vec<Write>, Error> {
        let mut writes = vec![put(Key::firing(tenant, trigger, record.number)?, record.encode())];
        if let Some(old @ 1..) = record.number.checked_sub(FIRINGS_KEPT) {
            writes.push(Write::Delete { key: Key::firing(tenant, trigger, old)? });
        }
        Ok(writes)
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// How far a trigger has come.
    pub fn trigger(
        &self,
        tenant: &TenantId,
        (workflow, id): (&str, &str),
    ) -> Result<Option<TriggerRecord>, Error> {
        let found = self.record::<TriggerRecord>(&Key::trigger(tenant, (workflow, id))?)?;
        let named =
            |record| TriggerRecord { workflow: workflow.to_owned(), id: id.to_owned(), ..record };
        Ok(found.map(named))
    }

    /// The triggers of a tenant, by workflow and id.
    pub fn triggers(
        &self,
        tenant: &TenantId,
        paging: &Paging,
    ) -> Result<Page<TriggerRecord>, Error> {
        let prefix = Prefix::triggers(tenant);
        self.page(prefix.clone(), paging, |key, bytes| {
            Ok(Some((named(key, &prefix, &bytes)?, bytes.len())))
        })
    }

    /// Every trigger of a tenant.
    pub fn all_triggers(&self, tenant: &TenantId) -> Result<Vec<TriggerRecord>, Error> {
        let prefix = Prefix::triggers(tenant);
        let mut triggers = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            triggers.push(named(key, &prefix, &bytes)?);
            Ok(())
        })?;
        Ok(triggers)
    }

    /// Every trigger of a workflow, by id.
    pub fn triggers_of(
        &self,
        tenant: &TenantId,
        workflow: &str,
    ) -> Result<Vec<TriggerRecord>, Error> {
        let prefix = Prefix::triggers_of(tenant, workflow)?;
        let mut triggers = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            let id = key.name_below(&prefix)?;
            let record = TriggerRecord::decode(key, &bytes)?;
            triggers.push(TriggerRecord { workflow: workflow.to_owned(), id, ..record });
            Ok(())
        })?;
        Ok(triggers)
    }

    /// The signals that wait for others of a trigger, with their places.
    pub fn trigger_pending(
        &self,
        tenant: &TenantId,
        trigger: (&str, &str),
    ) -> Result<Vec<(u64, Pending)>, Error> {
        let prefix = Prefix::trigger_pending(tenant, trigger)?;
        let mut pending = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            pending.push((key.number_below(&prefix)?, Pending::decode(key, &bytes)?));
            Ok(())
        })?;
        Ok(pending)
    }

    /// What became of the signals that a trigger used, newest first.
    pub fn firings(
        &self,
        tenant: &TenantId,
        trigger: (&str, &str),
        paging: &Paging,
    ) -> Result<Page<FiringRecord>, Error> {
        let prefix = Prefix::firings(tenant, trigger)?;
        self.page(prefix.clone(), paging, |key, bytes| {
            let number = !key.number_below(&prefix)?;
            let record = FiringRecord::decode(key, &bytes)?;
            Ok(Some((FiringRecord { number, ..record }, bytes.len())))
        })
    }
}

fn named(key: &Key, prefix: &Prefix, bytes: &[u8]) -> Result<TriggerRecord, Error> {
    let names = key.name_below(prefix)?;
    let pair = names.split_once('\0');
    let (workflow, id) =
        pair.ok_or_else(|| Error::corrupt(format!("the row {key:?} names no trigger")))?;
    let record = TriggerRecord::decode(key, bytes)?;
    Ok(TriggerRecord { workflow: workflow.to_owned(), id: id.to_owned(), ..record })
}
