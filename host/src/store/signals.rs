//! The rows of signals: those for everyone, those for one run, and the one-time
//! URLs that make them. Who waits for which is in memory alone, in the driver.
//!
//! A signal for everyone has one row of its own, one by its id, and one for
//! each of its params; a row of its name says how far the order has come, also
//! when the signals themselves are no longer kept. The ids of a webhook are its
//! own: which names its signals have is not known before they are mapped.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Store;
use super::backend::{Direction, Scan, Write};
use super::error::Error;
use super::keys::{Key, ParamRange, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::signal::{Params, Publisher, Scalar};

/// A signal for everyone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalRecord {
    /// Its name. The key has it.
    #[serde(skip)]
    pub name: String,
    /// Its place among all of its name, from 1. The key has it.
    #[serde(skip)]
    pub sequence: u64,
    /// Its identity among [`SignalRecord::ids`].
    pub id: String,
    /// By what it is found.
    #[serde(default, skip_serializing_if = "Params::is_empty", with = "params_as_json")]
    pub params: Params,
    /// What it says, as it was given.
    pub payload: Payload,
    /// When it was accepted.
    pub published_at: Timestamp,
    /// Who published it.
    pub publisher: Publisher,
}

/// Among which ids that of a signal counts once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ids {
    /// Those of a name.
    Name(String),
    /// Those of a webhook, whatever names its signals have.
    Webhook(String),
}

impl Ids {
    /// Those for a signal of this name that comes from there.
    pub fn of(name: &str, publisher: &Publisher) -> Self {
        match publisher {
            Publisher::Webhook { source } => Self::Webhook(source.clone()),
            _ => Self::Name(name.to_owned()),
        }
    }

    fn key(&self, tenant: &TenantId, id: &str) -> Result<Key, Error> {
        match self {
            Self::Name(name) => Key::signal_id(tenant, name, id),
            Self::Webhook(webhook) => Key::webhook_signal_id(tenant, webhook, id),
        }
    }
}

impl SignalRecord {
    /// Among which ids its own counts once.
    pub fn ids(&self) -> Ids {
        Ids::of(&self.name, &self.publisher)
    }
}

/// A signal for one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSignalRecord {
    /// Its name.
    pub name: String,
    /// Its place among all for the run, from 1. The key has it.
    #[serde(skip)]
    pub sequence: u64,
    /// Its identity within the run.
    pub id: String,
    /// What it says, as it was given.
    pub payload: Payload,
    /// When it was accepted.
    pub published_at: Timestamp,
    /// Who published it.
    pub publisher: Publisher,
}

/// How far the signals of a name have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalNameRecord {
    /// The name. The key has it.
    #[serde(skip)]
    pub name: String,
    /// The sequence of the last one that was published.
    pub last: u64,
}

/// What a one-time URL is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitpointRecord {
    /// The run that gets the signal.
    pub run: RunId,
    /// The signal's name.
    pub name: String,
    /// When somebody posted to it; nobody can again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

impl Record for SignalRecord {
    const WHAT: &str = "signal";
}

impl Record for RunSignalRecord {
    const WHAT: &str = "signal for a run";
}

impl Record for SignalNameRecord {
    const WHAT: &str = "name of signals";
}

impl Record for WaitpointRecord {
    const WHAT: &str = "one-time URL";
}

/// Those that name something from outside fail with [`Error::Invalid`] when
/// the name or the id is not well formed.
impl Write {
    /// A signal for everyone, and all by which it is found.
    pub fn signal(tenant: &TenantId, record: &SignalRecord) -> Result<Vec<Write>, Error> {
        let SignalRecord { name, sequence, id, params, .. } = record;
        let last = SignalNameRecord { name: String::new(), last: *sequence };
        let ids = record.ids();
        let mut place = sequence.to_be_bytes().to_vec();
        if let Ids::Webhook(_) = ids {
            place.extend_from_slice(name.as_bytes());
        }
        let mut writes = vec![
            put(Key::signal(tenant, name, *sequence)?, record.encode()),
            put(ids.key(tenant, id)?, place),
            put(Key::signal_name(tenant, name)?, last.encode()),
        ];
        for param in params.iter() {
            let key = Key::signal_param(tenant, name, param, *sequence)?;
            writes.push(put(key, Vec::new()));
        }
        Ok(writes)
    }

    /// A signal for everyone that is no longer kept. `has_id` says whether its id
    /// is still its own, and not that of a later one.
    pub fn signal_expired(
        tenant: &TenantId,
        record: &SignalRecord,
        has_id: bool,
    ) -> Result<Vec<Write>, Error> {
        let SignalRecord { name, sequence, params, .. } = record;
        let mut keys = vec![Key::signal(tenant, name, *sequence)?];
        if has_id {
            keys.push(record.ids().key(tenant, &record.id)?);
        }
        for param in params.iter() {
            keys.push(Key::signal_param(tenant, name, param, *sequence)?);
        }
        Ok(keys.into_iter().map(|key| Write::Delete { key }).collect())
    }

    /// A signal for one run, and its id.
    pub fn run_signal(
        tenant: &TenantId,
        run: RunId,
        record: &RunSignalRecord,
    ) -> Result<Vec<Write>, Error> {
        let RunSignalRecord { sequence, id, .. } = record;
        let by_id = Key::run_signal_id(tenant, run, id)?;
        Ok(vec![
            put(Key::run_signal(tenant, run, *sequence), record.encode()),
            put(by_id, sequence.to_be_bytes().to_vec()),
            put(Key::run_signal_last(tenant, run), sequence.to_be_bytes().to_vec()),
        ])
    }

    /// A signal for a run that a wait has taken. Its id stays known.
    pub fn run_signal_taken(tenant: &TenantId, run: RunId, sequence: u64) -> Write {
        Write::Delete { key: Key::run_signal(tenant, run, sequence) }
    }

    /// A new or used one-time URL. Only a digest of the token is kept.
    pub fn waitpoint(tenant: &TenantId, token: &str, record: &WaitpointRecord) -> Write {
        put(Key::waitpoint(tenant, token), record.encode())
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name or an id that is not well formed.
impl Store {
    /// One signal for everyone, if it is kept.
    pub fn signal(
        &self,
        tenant: &TenantId,
        name: &str,
        sequence: u64,
    ) -> Result<Option<SignalRecord>, Error> {
        let found = self.record::<SignalRecord>(&Key::signal(tenant, name, sequence)?)?;
        Ok(found.map(|record| SignalRecord { name: name.to_owned(), sequence, ..record }))
    }

    /// Name and sequence of the signal that has this id among those.
    pub fn signal_by_id(
        &self,
        tenant: &TenantId,
        ids: &Ids,
        id: &str,
    ) -> Result<Option<(String, u64)>, Error> {
        let key = ids.key(tenant, id)?;
        let Some(bytes) = self.get(&key)? else { return Ok(None) };
        let place = bytes.split_first_chunk::<8>();
        let place = place.and_then(|(sequence, name)| {
            let name = match ids {
                Ids::Name(name) => name,
                Ids::Webhook(_) => std::str::from_utf8(name).ok()?,
            };
            Some((name.to_owned(), u64::from_be_bytes(*sequence)))
        });
        let no_place = || Error::corrupt(format!("the row {key:?} leads to no signal"));
        place.map(Some).ok_or_else(no_place)
    }

    /// The oldest signal that is kept of the first name behind `after`.
    pub fn next_oldest_signal(
        &self,
        tenant: &TenantId,
        after: Option<&str>,
    ) -> Result<Option<SignalRecord>, Error> {
        let prefix = Prefix::all_signals(tenant);
        let behind = after.map(|name| Key::signal(tenant, name, u64::MAX)).transpose()?;
        let scan = Scan::new(prefix.clone(), 1).after(behind);
        let Some((key, bytes)) = self.scan(&scan)?.pop() else { return Ok(None) };
        let (name, sequence) = key.name_and_number_below(&prefix)?;
        let record = SignalRecord::decode(&key, &bytes)?;
        Ok(Some(SignalRecord { name, sequence, ..record }))
    }

    /// The sequence of the last signal of this name; 0 before the first.
    pub fn last_signal(&self, tenant: &TenantId, name: &str) -> Result<u64, Error> {
        let known = self.record::<SignalNameRecord>(&Key::signal_name(tenant, name)?)?;
        Ok(known.map_or(0, |known| known.last))
    }

    /// The names of signals that begin so, in their order, with the last
    /// sequence of each.
    pub fn signal_names(
        &self,
        tenant: &TenantId,
        begin: &str,
        paging: &Paging,
    ) -> Result<Page<SignalNameRecord>, Error> {
        let prefix = Prefix::signal_names(tenant);
        let wanted = Prefix::signal_names_from(tenant, begin);
        self.page(wanted, paging, |key, bytes| {
            let name = key.name_below(&prefix)?;
            let record = SignalNameRecord::decode(key, &bytes)?;
            Ok(Some((SignalNameRecord { name, ..record }, bytes.len())))
        })
    }

    /// At most `limit` signals of a name behind sequence `after`. Fewer do not
    /// mean that there are no more; none does.
    pub fn signals(
        &self,
        tenant: &TenantId,
        name: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<SignalRecord>, Error> {
        let behind = Key::signal(tenant, name, after)?;
        let rows = self.numbered(Prefix::signals(tenant, name)?, Some(behind), limit)?;
        let decoded = rows.into_iter().map(|(sequence, bytes)| {
            let record = SignalRecord::decode(&Key::signal(tenant, name, sequence)?, &bytes)?;
            Ok(SignalRecord { name: name.to_owned(), sequence, ..record })
        });
        decoded.collect()
    }

    /// At most `limit` signals of a name before sequence `before`, or all, the
    /// newest first.
    pub fn signals_before(
        &self,
        tenant: &TenantId,
        name: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<SignalRecord>, Error> {
        let prefix = Prefix::signals(tenant, name)?;
        let behind = before.map(|before| Key::signal(tenant, name, before)).transpose()?;
        let scan = Scan::new(prefix.clone(), limit).after(behind);
        let rows = self.scan(&Scan { direction: Direction::Descending, ..scan })?;
        let decoded = rows.into_iter().map(|(key, bytes)| {
            let sequence = key.number_below(&prefix)?;
            let record = SignalRecord::decode(&key, &bytes)?;
            Ok(SignalRecord { name: name.to_owned(), sequence, ..record })
        });
        decoded.collect()
    }

    /// The sequences of at most `limit` signals of a name whose param is in a
    /// range, in the order of its values, and where the walk goes on; nothing at
    /// its end. Rarely there are some more: whoever reads the signal compares.
    pub fn signals_in_range(
        &self,
        (tenant, name): (&TenantId, &str),
        range: &ParamRange,
        after: Option<Key>,
        limit: usize,
    ) -> Result<(Vec<u64>, Option<Key>), Error> {
        let (prefix, before) = range.walk(tenant, name)?;
        let scan = Scan::new(prefix.clone(), limit).after(Some(after.unwrap_or(before)));
        let rows = self.scan(&scan)?;
        let is_full = rows.len() >= limit;
        let mut found = Vec::with_capacity(rows.len());
        let mut last = None;
        for (key, _) in rows {
            let Some(sequence) = range.sequence((&prefix, &key))? else { return Ok((found, None)) };
            found.push(sequence);
            last = Some(key);
        }
        Ok((found, last.filter(|_| is_full)))
    }

    /// The first sequence behind `after` whose signal has this param. Rarely it
    /// has not: whoever reads the signal compares.
    pub fn next_with_param(
        &self,
        tenant: &TenantId,
        name: &str,
        param: (&str, &Scalar),
        after: u64,
    ) -> Result<Option<u64>, Error> {
        let prefix = Prefix::signals_by_param(tenant, name, param)?;
        let behind = Key::signal_param(tenant, name, param, after)?;
        let next = self.numbered(prefix, Some(behind), 1)?;
        Ok(next.first().map(|(sequence, _)| *sequence))
    }

    /// The signals for a run that no wait has taken, in order.
    pub fn run_signals(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<Vec<RunSignalRecord>, Error> {
        let prefix = Prefix::run_signals(tenant, run);
        let mut signals = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            let sequence = number(key, key.below(&prefix).unwrap_or_default())?;
            let record = RunSignalRecord::decode(key, &bytes)?;
            signals.push(RunSignalRecord { sequence, ..record });
            Ok(())
        })?;
        Ok(signals)
    }

    /// The sequence of the signal for a run with this id, taken or not.
    pub fn run_signal_by_id(
        &self,
        tenant: &TenantId,
        run: RunId,
        id: &str,
    ) -> Result<Option<u64>, Error> {
        self.sequence_at(&Key::run_signal_id(tenant, run, id)?)
    }

    /// The highest sequence of a signal for a run, taken or not; 0 before the
    /// first.
    pub fn last_run_signal(&self, tenant: &TenantId, run: RunId) -> Result<u64, Error> {
        let last = self.sequence_at(&Key::run_signal_last(tenant, run))?;
        Ok(last.unwrap_or_default())
    }

    /// What takes away every signal for a run, and their ids.
    pub fn run_signals_gone(&self, tenant: &TenantId, run: RunId) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::new();
        for prefix in [Prefix::run_signals(tenant, run), Prefix::run_signal_ids(tenant, run)] {
            self.each_below(prefix, |key, _| {
                writes.push(Write::Delete { key: key.clone() });
                Ok(())
            })?;
        }
        Ok(writes)
    }

    /// What a one-time URL is for.
    pub fn waitpoint(
        &self,
        tenant: &TenantId,
        token: &str,
    ) -> Result<Option<WaitpointRecord>, Error> {
        self.record(&Key::waitpoint(tenant, token))
    }

    fn sequence_at(&self, key: &Key) -> Result<Option<u64>, Error> {
        let bytes = self.get(key)?;
        bytes.map(|bytes| number(key, &bytes)).transpose()
    }
}

fn number(key: &Key, bytes: &[u8]) -> Result<u64, Error> {
    let bytes = <[u8; 8]>::try_from(bytes);
    bytes
        .map(u64::from_be_bytes)
        .map_err(|_| Error::corrupt(format!("the row {key:?} has no sequence")))
}

/// Params as the JSON object that they were given as.
mod params_as_json {
    use super::{Params, Value};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(
        params: &Params,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        params.to_value().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Params, D::Error> {
        Params::of(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
