//! What the rows hold: plain data, and the commits that write it together.
//!
//! A record is one byte of format and then JSON. Fields may be added with a
//! default; a change that old readers would misread gets a new format byte.
//! Nothing here decides anything about a run.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::backend::Write;
use super::digest::Digest;
use super::error::Error;
use super::hex;
use super::keys::Key;
use segno_engine::grant::Requests;
use segno_engine::id::{RunId, TenantId, Timestamp};

const FORMAT: u8 = 1;

/// The format of records in postcard, whose fields are in a fixed order. 2 was
/// that of runs without the schedule that started them.
const COMPACT_FORMAT: u8 = 3;

/// A component is kept in pieces of this size.
const COMPONENT_CHUNK_BYTES: usize = 64 << 10;

/// So many pieces are committed together: a large push then lets the commits
/// of others through in between.
const COMPONENT_COMMIT_CHUNKS: usize = 16;

/// One pushed version of a component. Immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRecord {
    /// The name, as in `name@version`.
    pub name: String,
    /// The version, as in `name@version`.
    pub version: String,
    /// The identity of its bytes.
    pub digest: Digest,
    /// How many bytes they are.
    pub size_bytes: u64,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// The interfaces it asks for.
    pub imports: Vec<String>,
    /// The hosts and secrets it asks for.
    #[serde(default)]
    pub requests: Requests,
}

/// How a run stands, for lists and answers. The truth is in its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// The version it executes.
    pub version: u64,
    /// Its number within the workflow, from 1.
    pub number: u64,
    /// The run status, by its name in the API.
    pub status: String,
    /// Why it has that status, where there is more to say.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first step could go.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// The schedule that started it, and the instant that it is for.
    #[serde(default)]
    pub schedule: Option<(String, Timestamp)>,
    /// The trigger that started it for signals.
    #[serde(default)]
    pub trigger: Option<String>,
}

/// What one attempt logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLog {
    /// The run or iteration.
    pub run: RunId,
    /// Which iteration the run is, if it is one.
    #[serde(default)]
    pub iteration: Option<u32>,
    /// The step's id.
    pub step: String,
    /// The attempt.
    pub attempt: u32,
    /// Lines that exceeded the limit.
    pub dropped: u64,
    /// The lines, in order.
    pub lines: Vec<LogLine>,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// How much it matters.
    pub level: String,
    /// The line.
    pub message: String,
}

/// What a request with an idempotency key led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The run that it started.
    pub run: RunId,
    /// Tells a repetition from another request under the same key.
    #[serde(with = "hex::array")]
    pub body_hash: [u8; 32],
}

/// Something that a row holds.
pub(super) trait Record: Serialize + DeserializeOwned {
    const WHAT: &str;

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        serde_json::to_writer(&mut bytes, self).expect("records are plain data, which JSON has");
        bytes
    }

    fn decode(key: &Key, bytes: &[u8]) -> Result<Self, Error> {
        let record = match bytes.split_first() {
            Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(|e| e.to_string()),
            Some((format, _)) => Err(format!("it has the unknown format {format}")),
            None => Err("it is empty".into()),
        };
        record.map_err(|why| Error::corrupt(format!("the {} at {key:?}: {why}", Self::WHAT)))
    }
}

impl Record for ComponentRecord {
    const WHAT: &str = "component record";
}

/// There are many of these, and each counts for a run that only waits: they are
/// postcard instead of JSON.
impl Record for RunRecord {
    const WHAT: &str = "run record";

    fn encode(&self) -> Vec<u8> {
        let format = vec![COMPACT_FORMAT];
        postcard::to_extend(self, format).expect("a growing vector takes every record")
    }

    fn decode(key: &Key, bytes: &[u8]) -> Result<Self, Error> {
        let record = match bytes.split_first() {
            Some((&COMPACT_FORMAT, rest)) => {
                postcard::from_bytes(rest).map_err(|error| error.to_string())
            }
            _ => Err("its format is unknown".to_owned()),
        };
        record.map_err(|why| Error::corrupt(format!("the {} at {key:?}: {why}", Self::WHAT)))
    }
}

impl Record for AttemptLog {
    const WHAT: &str = "log";
}

impl Record for RequestRecord {
    const WHAT: &str = "request record";
}

/// The typed writes. Those that name something from outside fail with
/// [`Error::Invalid`] when the name is not well formed.
impl Write {
    /// Makes a pushed component known. Its bytes must be durable before.
    pub fn component(tenant: &TenantId, record: &ComponentRecord) -> Result<Write, Error> {
        let key = Key::component(tenant, &record.name, &record.version)?;
        Ok(put(key, record.encode()))
    }

    /// The commits that keep a component's bytes under their digest. They may
    /// be repeated, and a rest of them that no record names does no harm.
    pub fn component_bytes(
        tenant: &TenantId,
        digest: &Digest,
        bytes: &[u8],
    ) -> impl Iterator<Item = Vec<Write>> {
        let commits = bytes.chunks(COMPONENT_CHUNK_BYTES * COMPONENT_COMMIT_CHUNKS);
        (0..).zip(commits).map(move |(commit, bytes)| {
            let first = commit * COMPONENT_COMMIT_CHUNKS as u32;
            (first..)
                .zip(bytes.chunks(COMPONENT_CHUNK_BYTES))
                .map(|(chunk, bytes)| {
                    let key = Key::component_bytes(tenant, digest.as_bytes(), chunk);
                    put(key, bytes.to_vec())
                })
                .collect()
        })
    }

    /// A new run: its record, its place in the lists, and the mark that it is open.
    pub fn run_created(tenant: &TenantId, record: &RunRecord) -> Result<Vec<Write>, Error> {
        let RunRecord { run, workflow, number, .. } = record;
        let by_workflow = Key::run_by_workflow(tenant, workflow, *number)?;
        Ok(vec![
            Write::run(tenant, record),
            put(by_workflow, run.to_bytes().to_vec()),
            put(Key::open_run(tenant, *run), Vec::new()),
        ])
    }

    /// A run whose record changed.
    pub fn run(tenant: &TenantId, record: &RunRecord) -> Write {
        put(Key::run(tenant, record.run), record.encode())
    }

    /// A run that is over: its last record, and the mark is taken away.
    pub fn run_ended(tenant: &TenantId, record: &RunRecord) -> Vec<Write> {
        let key = Key::open_run(tenant, record.run);
        vec![Write::run(tenant, record), Write::Delete { key }]
    }

    /// One event of a run, as the engine encoded it.
    pub fn event(tenant: &TenantId, run: RunId, sequence: u64, event: Vec<u8>) -> Write {
        put(Key::event(tenant, run, sequence), event)
    }

    /// What an attempt logged, at its place in the log of the root run.
    pub fn log(tenant: &TenantId, root: RunId, place: u64, log: &AttemptLog) -> Write {
        put(Key::log(tenant, root, place), log.encode())
    }

    /// What an idempotency key led to.
    pub fn request(
        tenant: &TenantId,
        idempotency_key: &str,
        record: &RequestRecord,
    ) -> Result<Write, Error> {
        let key = Key::request(tenant, idempotency_key)?;
        Ok(put(key, record.encode()))
    }
}

pub(super) fn put(key: Key, value: Vec<u8>) -> Write {
    Write::Put { key, value }
}
