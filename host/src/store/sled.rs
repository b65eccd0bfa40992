//! The embedded store: one sled tree, one batch a group, our own durability.
//!
//! sled's `flush` only hands the data to the kernel (`sync_file_range`), so an
//! `fdatasync` of our own follows each. sled's timer, its asynchronous flush
//! and its files for large values are never used: the first two do not make
//! anything durable or may lock up, `split` says what is wrong with the third.
//! This is the only file that names sled.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::backend::{Backend, Direction, SCAN_BYTES_MAX, Scan, Write};
use super::directory::{Directory, sync_files};
use super::error::Error;
use super::keys::Key;
use super::split::{Stored, part_key, split};

const SUBDIRECTORY: &str = "sled";

/// Our own row in the tree, before all that callers may use.
const MARK_KEY: &[u8] = b"\0mark";

/// What sled writes for a byte of ours, at most: leaves are rewritten as they
/// grow and split.
const WRITE_AMPLIFICATION: u64 = 4;

/// A closed tree's last background write may hold the file a moment longer.
const OPEN_TRIES_MAX: u32 = 200;
const OPEN_RETRY: Duration = Duration::from_millis(10);

/// How the embedded store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How much memory the page cache may take.
    pub cache_bytes: u64,
    /// How much disk must stay free. sled must never meet a full disk, so the
    /// store stops before.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache_bytes: 64 << 20, reserve_bytes: 64 << 20 }
    }
}

/// Rows on the disk.
#[derive(Debug)]
pub(super) struct Sled {
    // Dropped in this order: the directory is free only after sled is gone.
    db: ::sled::Db,
    file: File,
    /// Held by readers for one read and by the committer for one `apply`: sled
    /// itself would show a scan half of a batch.
    view: RwLock<()>,
    options: Options,
    directory: Directory,
}

type Change = (Vec<u8>, Option<Vec<u8>>);

#[cfg(test)]
impl Sled {
    pub(super) fn reserve(&mut self, bytes: u64) {
        self.options.reserve_bytes = bytes;
    }

    pub(super) fn stored_rows(&self) -> usize {
        self.db.len()
    }
}

impl Sled {
    /// Opens the store in `path`, or makes an empty one.
    pub(super) fn open(path: &Path, options: Options) -> Result<Sled, Error> {
        let directory = Directory::open(path)?;
        let mark = directory.mark()?;
        let home = path.join(SUBDIRECTORY);
        if mark.is_some() && !home.join("db").is_file() {
            return Err(damaged(&directory, "its rows are gone"));
        }
        check_space(&directory, options, 0)?;
        let db = open_tree(&directory, &home, options)?;
        let file = File::open(home.join("db")).map_err(|e| failed("open", e))?;
        let store = Sled { db, file, view: RwLock::new(()), options, directory };
        store.check_mark(mark)?;
        // sled syncs none of the files it makes, nor their names.
        sync_files(&home).map_err(|e| failed("sync", e))?;
        store.leave_mark()?;
        Ok(store)
    }

    /// The row and the file of the mark are moved on one after the other, at
    /// each opening and closing. If the row is behind the file, or gone, then
    /// the end of sled's log was lost, which sled itself would not mention. It
    /// may be ahead: by one for each host that was killed between the two.
    fn check_mark(&self, expected: Option<u64>) -> Result<(), Error> {
        let Some(expected) = expected else {
            return Ok(());
        };
        match self.mark()? {
            Some(found) if found >= expected => Ok(()),
            Some(found) => {
                let what = format!("its last writes are gone (mark {found}, not {expected})");
                Err(damaged(&self.directory, &what))
            }
            None => Err(damaged(&self.directory, "its rows are gone")),
        }
    }

    fn leave_mark(&self) -> Result<(), Error> {
        let next = self.mark()?.unwrap_or(0) + 1;
        self.db.insert(MARK_KEY, &next.to_be_bytes()).map_err(|e| refused("write", e))?;
        crate::crash::point("mark written");
        self.sync()?;
        crate::crash::point("mark flushed");
        self.directory.set_mark(next)
    }

    fn mark(&self) -> Result<Option<u64>, Error> {
        let row = self.db.get(MARK_KEY).map_err(|e| refused("read", e))?;
        let mark = row.map(|row| row.as_ref().try_into().map(u64::from_be_bytes));
        mark.transpose().map_err(|_| damaged(&self.directory, "its mark is not a number"))
    }

    /// The changes in the tree that make up one write.
    fn changes(&self, write: &Write, changes: &mut Vec<Change>) -> Result<(), Error> {
        let key = write.key();
        let old_parts = match self.db.get(key.as_bytes()) {
            Ok(Some(row)) => Stored::read(key, &row)?.parts(),
            Ok(None) => 0,
            Err(e) => return Err(refused("read", e)),
        };
        let mut parts = 0;
        let row = match write {
            Write::Delete { .. } => None,
            Write::Put { value, .. } => {
                let (row, rest) = split(value);
                for part in rest {
                    changes.push((part_key(key, parts), Some(part.to_vec())));
                    parts += 1;
                }
                Some(row)
            }
        };
        changes.push((key.as_bytes().to_vec(), row));
        changes.extend((parts..old_parts).map(|part| (part_key(key, part), None)));
        Ok(())
    }

    fn value(&self, key: &Key, row: &[u8]) -> Result<Vec<u8>, Error> {
        let (parts, bytes) = match Stored::read(key, row)? {
            Stored::Whole(value) => return Ok(value.to_vec()),
            Stored::Split { parts, bytes } => (parts, bytes),
        };
        let mut value = Vec::with_capacity(bytes.min(SCAN_BYTES_MAX));
        for part in self.db.range(part_key(key, 0)..part_key(key, parts)) {
            let (_, part) = part.map_err(|e| refused("read", e))?;
            value.extend_from_slice(&part);
        }
        if value.len() != bytes {
            return Err(Error::corrupt(format!("the row {key:?} lacks some of its parts")));
        }
        Ok(value)
    }
}

impl Backend for Sled {
    fn apply(&self, rows: &[Write]) -> Result<(), Error> {
        let bytes = rows.iter().map(|row| row.bytes() as u64).sum();
        check_space(&self.directory, self.options, bytes)?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            self.changes(row, &mut changes)?;
        }
        let _alone = self.view.write().unwrap_or_else(PoisonError::into_inner);
        // A batch costs a second write to the disk, so one change goes without.
        // Several never do: besides tearing, sled would take each for stable as
        // it goes, and reuse the space of older pages before our own sync.
        let applied = match <[Change; 1]>::try_from(changes) {
            Ok([(key, Some(value))]) => self.db.insert(key, value).map(drop),
            Ok([(key, None)]) => self.db.remove(key).map(drop),
            Err(changes) => self.db.apply_batch(batch(changes)),
        };
        applied.map_err(|e| refused("write", e))
    }

    fn sync(&self) -> Result<(), Error> {
        self.db.flush().map_err(|e| refused("write", e))?;
        self.file.sync_data().map_err(|e| failed("sync", e))
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        let _view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        let row = self.db.get(key.as_bytes()).map_err(|e| refused("read", e))?;
        row.map(|row| self.value(key, &row)).transpose()
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<(Key, Vec<u8>)>, Error> {
        let (low, high) = scan.bounds();
        if low >= high {
            return Ok(Vec::new());
        }
        let _view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        let read = |row: ::sled::Result<(::sled::IVec, ::sled::IVec)>| {
            let (key, row) = row.map_err(|e| refused("read", e))?;
            let key = Key::from_stored(key.to_vec());
            let value = self.value(&key, &row)?;
            Ok((key, value))
        };
        let rows = self.db.range(low..high);
        match scan.direction {
            Direction::Ascending => scan.collect(rows.map(read)),
            Direction::Descending => scan.collect(rows.rev().map(read)),
        }
    }

    fn close(&self) -> Result<(), Error> {
        self.leave_mark()
    }
}

fn batch(changes: Vec<Change>) -> ::sled::Batch {
    let mut batch = ::sled::Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    batch
}

fn open_tree(directory: &Directory, home: &Path, options: Options) -> Result<::sled::Db, Error> {
    let config =
        ::sled::Config::new().path(home).cache_capacity(options.cache_bytes).flush_every_ms(None);
    for _ in 1..OPEN_TRIES_MAX {
        // sled answers some kinds of damage with a panic.
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(db),
            // The directory is ours, so it can only be a tree of this very
            // process that has not quite let go of its file.
            Ok(Err(::sled::Error::Io(e))) if is_locked(&e) => std::thread::sleep(OPEN_RETRY),
            Ok(Err(::sled::Error::Io(e))) => return Err(failed("open", e)),
            Ok(Err(e)) => return Err(damaged(directory, &e.to_string())),
            Err(_) => {
                return Err(damaged(directory, "the storage engine panicked on opening it"));
            }
        }
    }
    Err(Error::InUse { path: directory.path().to_owned(), holder: "this process".into() })
}

fn is_locked(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

fn check_space(directory: &Directory, options: Options, bytes: u64) -> Result<(), Error> {
    let free = directory.free_bytes()?;
    let needed = options.reserve_bytes.saturating_add(bytes.saturating_mul(WRITE_AMPLIFICATION));
    if free >= needed {
        return Ok(());
    }
    let path = directory.path().display();
    let reason = format!(
        "disk full: {path} has {free} bytes left and {needed} are needed; free some space and start again"
    );
    Err(Error::unavailable(reason))
}

fn failed(what: &str, error: io::Error) -> Error {
    Error::unavailable(format!("cannot {what} the data: {error}"))
}

fn refused(what: &str, error: ::sled::Error) -> Error {
    match error {
        ::sled::Error::Io(error) => failed(what, error),
        other => Error::corrupt(format!("cannot {what} the data: {other}")),
    }
}

fn damaged(directory: &Directory, what: &str) -> Error {
    let path = directory.path().display();
    Error::corrupt(format!("data directory {path}: {what}; restore it from a backup"))
}
