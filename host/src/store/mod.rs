//! What survives: commits in one order, and typed reads.
//!
//! A commit is data, ordered at once and durable a moment later, together with
//! whatever else arrived meanwhile. No workflow logic lives here, and nothing
//! outside of this folder knows how or where a row is kept. `keys` says where,
//! `records`, `workflows`, `signals` and the like what, `line` and `committer` when;
//! `backend` is the contract that `memory` and `sled` fulfil, and `suite` is
//! the check that they do.

mod backend;
mod blockers;
mod breakpoints;
mod committer;
mod digest;
mod directory;
mod error;
mod hex;
mod journals;
mod keys;
mod line;
mod lineage;
mod memory;
mod page;
mod queries;
mod records;
mod schedules;
mod signals;
mod sled;
mod split;
mod strategy;
mod tags;
mod ticket;
mod triggers;
mod values;
mod webhooks;
mod workflows;

#[cfg(test)]
mod suite;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use committer::Committer;
use line::Line;

pub use backend::{Backend, Direction, SCAN_BYTES_MAX, SCAN_ROWS_MAX, Scan, Write};
pub use breakpoints::Breakpoint;
pub use digest::Digest;
pub use error::Error;
pub use journals::JournalRow;
pub use keys::{
    KEY_BYTES_MAX, Key, NAME_BYTES_MAX, NAMESPACE_BYTES_MAX, ParamRange, Prefix,
    REQUEST_KEY_BYTES_MAX, SCHEDULE_BYTES_MAX, SIGNAL_ID_BYTES_MAX, VALUE_KEY_BYTES_MAX,
    canonical_param,
};
pub use line::Stats;
pub use lineage::SignalUse;
pub use memory::Memory;
pub use page::{Cursor, PAGE_LOOKS_MAX, PAGE_ROWS_MAX, Page, Paging};
pub use records::{AttemptLog, ComponentRecord, LogLine, RequestRecord, RunRecord};
pub use schedules::{
    BackfillRecord, BackfillState, PauseOver, ScheduleRecord, TICK_RETENTION_MS, TICKS_MAX,
    TickOutcome, TickRecord,
};
pub use signals::{Ids, RunSignalRecord, SignalNameRecord, SignalRecord, WaitpointRecord};
pub use sled::Options;
pub use tags::TagLimit;
pub use ticket::Ticket;
pub use triggers::{FIRINGS_KEPT, FiringRecord, Outcome, TriggerRecord};
pub use values::{SecretRecord, ValueRecord};
pub use webhooks::{DeliveryOutcome, DeliveryRecord, WebhookRecord};
pub use workflows::{
    DeletedWorkflow, Properties, VersionRecord, WorkflowAction, WorkflowChange, WorkflowRecord,
};

/// The rows of all tenants, and the one order of their changes.
///
/// Clones share everything. When the last one is dropped, what is ordered is
/// still written, and the data directory is free for the next process.
///
/// Reads see every commit that was applied, which is a moment after it was
/// ordered and a moment before it is durable:
///
/// - to read one's own commit, await its ticket first;
/// - to let nothing out that a crash could undo, await [`Store::barrier`]
///   after the read and before the answer.
///
/// Reads block the thread for some microseconds, and for longer when a page
/// must come from the disk.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    // Dropped first: the committer lets go of the backend when it has ended.
    committer: Committer,
    line: Arc<Line>,
    backend: Arc<dyn Backend>,
}

impl Store {
    /// Opens the store kept in the directory `path`, which may be new if its
    /// parent exists.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`], [`Error::Directory`], [`Error::Newer`] or
    /// [`Error::Corrupt`], each with the remedy; [`Error::Unavailable`] when
    /// the disk is full or fails.
    pub fn open(path: &Path, options: Options) -> Result<Store, Error> {
        Store::on(sled::Sled::open(path, options)?)
    }

    /// A store on a backend of one's own, such as [`Memory`].
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when no thread can be started.
    pub fn on(backend: impl Backend) -> Result<Store, Error> {
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let line = Arc::new(Line::new());
        let committer = Committer::start(Arc::clone(&line), Arc::clone(&backend))?;
        Ok(Store(Arc::new(Inner { committer, line, backend })))
    }

    /// Orders `writes` as one change: after a crash all of them are there or
    /// none, and none without every commit ordered before. A later write to a
    /// row replaces an earlier one. Never waits; an empty commit is a barrier.
    ///
    /// After a failure or [`Store::close`] nothing is ordered and the ticket
    /// says why.
    pub fn commit(&self, writes: Vec<Write>) -> Ticket {
        match self.0.line.order(writes) {
            Ok(sequence) => Ticket::ordered(sequence, Arc::clone(&self.0.line)),
            Err(error) => Ticket::refused(error),
        }
    }

    /// Stands for everything ordered so far, and so for everything that a read
    /// could have seen.
    pub fn barrier(&self) -> Ticket {
        Ticket::ordered(self.0.line.ordered(), Arc::clone(&self.0.line))
    }

    /// The value of one row.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], or [`Error::Unavailable`] when the disk fails.
    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        self.0.backend.get(key)
    }

    /// The rows of one walk, all from the same moment.
    ///
    /// # Errors
    ///
    /// As for [`Store::get`].
    pub fn scan(&self, scan: &Scan) -> Result<Vec<(Key, Vec<u8>)>, Error> {
        self.0.backend.scan(scan)
    }

    /// What was done since the store was opened.
    pub fn stats(&self) -> Stats {
        self.0.line.stats()
    }

    /// Returns when nothing can be written any more, with the reason. The
    /// process should then stop: a restart finds a prefix of all commits, with
    /// every one in it that a ticket called durable.
    pub async fn failed(&self) -> Error {
        let mut failure = self.0.line.failure();
        let failed = failure.wait_for(Option::is_some).await;
        failed
            .ok()
            .and_then(|failure| failure.clone())
            .expect("the line lives as long as the store, and a failure was waited for")
    }

    /// Writes what is ordered, refuses what comes later, and ends the
    /// committer. Blocks until that is done. Reads go on working.
    ///
    /// # Errors
    ///
    /// The failure of the store, if it had one.
    pub fn close(&self) -> Result<(), Error> {
        self.0.committer.stop();
        match self.0.line.failure().borrow().clone() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.stats()).finish()
    }
}
