//! Where every row lives: the one place that builds keys.
//!
//! A key is `tenant 0x00 kind parts…`. Numbers are big-endian and names end
//! with 0x00, so that the order of bytes is the order of the parts, and no
//! tenant or name can be the prefix of another's rows. Nothing here reads or
//! writes.

mod schedules;
mod signals;
mod triggers;
mod webhooks;
mod workflows;

pub use signals::{ParamRange, canonical_param};

use std::fmt;

use super::error::Error;
use segno_engine::id::{RunId, TenantId};

/// The longest name of a workflow, a component, a version, a tag or a step.
pub const NAME_BYTES_MAX: usize = 128;

/// The longest name of a schedule: a workflow's, `/` and a trigger's.
pub const SCHEDULE_BYTES_MAX: usize = 2 * NAME_BYTES_MAX + 1;

/// The longest idempotency key.
pub const REQUEST_KEY_BYTES_MAX: usize = 255;

/// The longest id of a signal.
pub const SIGNAL_ID_BYTES_MAX: usize = 255;

/// The longest namespace of values that outlive runs.
pub const NAMESPACE_BYTES_MAX: usize = 144;

/// The longest key of such a value within its namespace.
pub const VALUE_KEY_BYTES_MAX: usize = 160;

/// The longest key. Backends may rely on it.
pub const KEY_BYTES_MAX: usize = 384;

/// What a row holds. The numbers are on disk: never change or reuse one.
///
/// Open runs come first in a tenant, so that the search for all of them looks
/// at one row of each tenant that has none. Free for what comes later: 0x02
/// alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    OpenRun = 0x01,
    Workflow = 0x10,
    Version = 0x11,
    WorkflowChange = 0x12,
    TagLimit = 0x13,
    Blocker = 0x14,
    Breakpoint = 0x15,
    DeletedWorkflow = 0x16,
    Component = 0x20,
    ComponentBytes = 0x21,
    Run = 0x30,
    Event = 0x31,
    Log = 0x32,
    RunByWorkflow = 0x34,
    Journal = 0x35,
    Request = 0x40,
    Signal = 0x50,
    SignalId = 0x51,
    SignalParam = 0x52,
    RunSignal = 0x53,
    RunSignalId = 0x54,
    Waitpoint = 0x55,
    SignalName = 0x56,
    SignalUse = 0x57,
    Webhook = 0x58,
    Delivery = 0x59,
    Schedule = 0x60,
    Tick = 0x61,
    Backfill = 0x62,
    Trigger = 0x63,
    TriggerPending = 0x64,
    Firing = 0x65,
    Kv = 0x70,
    Secret = 0x71,
}

/// The address of one row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

/// The addresses that begin alike: all events of a run, all runs of a workflow.
#[derive(Clone, PartialEq, Eq)]
pub struct Prefix(Vec<u8>);

impl Key {
    /// The mark that a run is not over.
    pub fn open_run(tenant: &TenantId, run: RunId) -> Key {
        Builder::new(tenant, Kind::OpenRun).bytes(&run.to_bytes()).key()
    }

    /// One pushed version of a component.
    pub fn component(tenant: &TenantId, name: &str, version: &str) -> Result<Key, Error> {
        let key = Builder::new(tenant, Kind::Component).name("component name", name)?;
        Ok(key.name("component version", version)?.key())
    }

    /// One piece of a component's bytes.
    pub fn component_bytes(tenant: &TenantId, digest: &[u8; 32], chunk: u32) -> Key {
        let key = Builder::new(tenant, Kind::ComponentBytes).bytes(digest);
        key.bytes(&chunk.to_be_bytes()).key()
    }

    /// The record of a run.
    pub fn run(tenant: &TenantId, run: RunId) -> Key {
        Builder::new(tenant, Kind::Run).bytes(&run.to_bytes()).key()
    }

    /// One event of a run.
    pub fn event(tenant: &TenantId, run: RunId, sequence: u64) -> Key {
        let key = Builder::new(tenant, Kind::Event).bytes(&run.to_bytes());
        key.number(sequence).key()
    }

    /// One entry of a run's log.
    pub fn log(tenant: &TenantId, run: RunId, sequence: u64) -> Key {
        let key = Builder::new(tenant, Kind::Log).bytes(&run.to_bytes());
        key.number(sequence).key()
    }

    /// One durable call of a step, or its answer.
    pub fn journal(tenant: &TenantId, (run, step): (RunId, u32), sequence: u64, part: u8) -> Key {
        let key = Builder::new(tenant, Kind::Journal).bytes(&run.to_bytes());
        key.bytes(&step.to_be_bytes()).number(sequence).bytes(&[part]).key()
    }

    /// The place of a run among those of its workflow, newest first.
    pub fn run_by_workflow(tenant: &TenantId, workflow: &str, number: u64) -> Result<Key, Error> {
        let key = Builder::new(tenant, Kind::RunByWorkflow).name("workflow name", workflow)?;
        Ok(key.number(!number).key())
    }

    /// What an idempotency key led to.
    pub fn request(tenant: &TenantId, idempotency_key: &str) -> Result<Key, Error> {
        let key = Builder::new(tenant, Kind::Request);
        check_name("idempotency key", idempotency_key, REQUEST_KEY_BYTES_MAX)?;
        Ok(key.bytes(idempotency_key.as_bytes()).key())
    }

    /// A value that outlives runs.
    pub fn value(tenant: &TenantId, namespace: &str, key: &str) -> Result<Key, Error> {
        check_name("namespace", namespace, NAMESPACE_BYTES_MAX)?;
        check_name("key", key, VALUE_KEY_BYTES_MAX)?;
        let row = Builder::new(tenant, Kind::Kv).bytes(namespace.as_bytes()).bytes(&[0]);
        Ok(row.bytes(key.as_bytes()).key())
    }

    /// A secret.
    pub fn secret(tenant: &TenantId, name: &str) -> Result<Key, Error> {
        Ok(Builder::new(tenant, Kind::Secret).name("secret name", name)?.key())
    }

    /// Behind every row of a tenant and before every row of the next.
    pub(super) fn end_of(tenant: &TenantId) -> Key {
        let mut bytes = tenant.as_str().as_bytes().to_vec();
        bytes.push(1);
        Key(bytes)
    }

    /// Whose row this is.
    pub(super) fn tenant(&self) -> Result<TenantId, Error> {
        let name = self.0.split(|b| *b == 0).next().unwrap_or_default();
        let tenant = std::str::from_utf8(name).ok().map(str::parse);
        match tenant {
            Some(Ok(tenant)) => Ok(tenant),
            _ => Err(Error::corrupt(format!("the row {self:?} has no tenant"))),
        }
    }

    /// What follows `prefix`, if this row is below it.
    pub(super) fn below(&self, prefix: &Prefix) -> Option<&[u8]> {
        self.0.strip_prefix(prefix.0.as_slice())
    }

    /// The name that ends this key below `prefix`.
    pub(super) fn name_below(&self, prefix: &Prefix) -> Result<String, Error> {
        let name = self.below(prefix).and_then(|rest| rest.strip_suffix(&[0]));
        match name.map(|name| std::str::from_utf8(name)) {
            Some(Ok(name)) => Ok(name.to_owned()),
            _ => Err(Error::corrupt(format!("the row {self:?} has no name"))),
        }
    }

    /// The number that ends this key below `prefix`.
    pub(super) fn number_below(&self, prefix: &Prefix) -> Result<u64, Error> {
        let number = self.below(prefix).and_then(|rest| rest.try_into().ok());
        let no_number = || Error::corrupt(format!("the row {self:?} has no number"));
        number.map(u64::from_be_bytes).ok_or_else(no_number)
    }

    /// The name and the number behind it that end this key below `prefix`.
    pub(super) fn name_and_number_below(&self, prefix: &Prefix) -> Result<(String, u64), Error> {
        let rest = self.below(prefix).and_then(|rest| rest.split_last_chunk::<8>());
        let parts = rest.and_then(|(name, number)| {
            let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
            Some((name.to_owned(), u64::from_be_bytes(*number)))
        });
        parts.ok_or_else(|| Error::corrupt(format!("the row {self:?} has no name and number")))
    }

    /// The key's bytes, in whose order rows are scanned.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key that was read back. Only backends may make one.
    pub(super) fn from_stored(bytes: Vec<u8>) -> Key {
        Key(bytes)
    }
}

impl Prefix {
    /// All rows of all tenants.
    pub(super) fn everything() -> Prefix {
        Prefix(Vec::new())
    }

    /// The open runs of a tenant.
    pub fn open_runs(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::OpenRun).prefix()
    }

    /// The components of a tenant, by name and version.
    pub fn components(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Component).prefix()
    }

    /// The versions of one component.
    pub fn component(tenant: &TenantId, name: &str) -> Result<Prefix, Error> {
        let prefix = Builder::new(tenant, Kind::Component).name("component name", name)?;
        Ok(prefix.prefix())
    }

    /// All pieces of a component's bytes, in order.
    pub fn component_bytes(tenant: &TenantId, digest: &[u8; 32]) -> Prefix {
        let prefix = Builder::new(tenant, Kind::ComponentBytes);
        prefix.bytes(digest).prefix()
    }

    /// The events of a run, in order.
    pub fn events(tenant: &TenantId, run: RunId) -> Prefix {
        Builder::new(tenant, Kind::Event).bytes(&run.to_bytes()).prefix()
    }

    /// The log of a run, in order.
    pub fn logs(tenant: &TenantId, run: RunId) -> Prefix {
        Builder::new(tenant, Kind::Log).bytes(&run.to_bytes()).prefix()
    }

    /// The journal of a step, in order.
    pub fn journal(tenant: &TenantId, (run, step): (RunId, u32)) -> Prefix {
        let prefix = Builder::new(tenant, Kind::Journal).bytes(&run.to_bytes());
        prefix.bytes(&step.to_be_bytes()).prefix()
    }

    /// The runs of a tenant, oldest first.
    pub fn runs(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Run).prefix()
    }

    /// The runs of a workflow, newest first.
    pub fn runs_by_workflow(tenant: &TenantId, workflow: &str) -> Result<Prefix, Error> {
        let prefix = Builder::new(tenant, Kind::RunByWorkflow).name("workflow name", workflow)?;
        Ok(prefix.prefix())
    }

    /// The secrets of a tenant, by name.
    pub fn secrets(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Secret).prefix()
    }

    /// The key below this prefix that ends with `rest`.
    pub(super) fn join(&self, rest: &[u8]) -> Key {
        Key([&self.0, rest].concat())
    }

    /// The smallest key below the prefix, and the smallest above all of them.
    pub(super) fn bounds(&self) -> (Vec<u8>, Vec<u8>) {
        let mut end = self.0.clone();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        match end.last_mut() {
            Some(last) => {
                *last += 1;
                (self.0.clone(), end)
            }
            // Tenants are ASCII. What begins with 0x00 or 0xff belongs to the
            // backend itself and is never seen from here.
            None => (vec![0x01], vec![0xff]),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.0.escape_ascii())
    }
}

struct Builder(Vec<u8>);

impl Builder {
    fn new(tenant: &TenantId, kind: Kind) -> Builder {
        let mut bytes = Vec::with_capacity(tenant.as_str().len() + 2 + 16 + 8);
        bytes.extend_from_slice(tenant.as_str().as_bytes());
        bytes.extend_from_slice(&[0, kind as u8]);
        Builder(bytes)
    }

    fn bytes(mut self, bytes: &[u8]) -> Builder {
        self.0.extend_from_slice(bytes);
        self
    }

    fn number(self, number: u64) -> Builder {
        self.bytes(&number.to_be_bytes())
    }

    fn name(self, what: &'static str, name: &str) -> Result<Builder, Error> {
        check_name(what, name, NAME_BYTES_MAX)?;
        Ok(self.bytes(name.as_bytes()).bytes(&[0]))
    }

    fn key(self) -> Key {
        debug_assert!(self.0.len() <= KEY_BYTES_MAX);
        Key(self.0)
    }

    fn prefix(self) -> Prefix {
        Prefix(self.0)
    }
}

fn check_name(what: &'static str, name: &str, bytes_max: usize) -> Result<(), Error> {
    if name.is_empty() || name.len() > bytes_max {
        let reason = format!("it must have 1 to {bytes_max} bytes, not {}", name.len());
        return Err(Error::invalid(what, reason));
    }
    if name.contains(char::is_control) {
        let reason = format!("{name:?} contains a control character");
        return Err(Error::invalid(what, reason));
    }
    Ok(())
}
