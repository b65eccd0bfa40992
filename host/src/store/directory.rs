//! The data directory: who may use it, what format it has, how full it is.
//!
//! Two files are kept here beside the rows. `segno.lock` is locked by the
//! process that works on the directory and names it. `segno.json` says which
//! format the data has, so that a later format is refused before anything is
//! opened, and carries a mark to compare with the rows.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, fstatvfs};
use serde::{Deserialize, Serialize};

use super::error::Error;

/// The format of keys and records that this release reads and writes.
pub(super) const FORMAT: u64 = 1;

const LOCK_FILE: &str = "segno.lock";
const MARK_FILE: &str = "segno.json";

/// An existing directory that this process alone may use until this is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    handle: File,
    lock: File,
}

/// A child process that is just being started has a copy of the lock, so that
/// closing the file is not enough.
impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!(%error, path = %self.path.display(), "the data directory stays locked");
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    format: u64,
    mark: u64,
}

impl Directory {
    /// Takes the directory, and creates it if only its last part is missing.
    pub(super) fn open(path: &Path) -> Result<Directory, Error> {
        create(path).map_err(|e| unusable(path, &e))?;
        let handle = File::open(path).map_err(|e| unusable(path, &e))?;
        let lock = lock(path)?;
        Ok(Directory { path: path.to_owned(), handle, lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How much may still be written here by an ordinary user.
    pub(super) fn free_bytes(&self) -> Result<u64, Error> {
        let stat = fstatvfs(&self.handle).map_err(|e| {
            let path = self.path.display();
            Error::unavailable(format!("cannot tell the free space of {path}: {e}"))
        })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The mark that was left last, if this directory was ever used.
    pub(super) fn mark(&self) -> Result<Option<u64>, Error> {
        let text = match std::fs::read(self.path.join(MARK_FILE)) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unusable(&self.path, &e)),
        };
        let Mark { format, mark } = serde_json::from_slice(&text).map_err(|e| {
            let file = self.path.join(MARK_FILE);
            Error::corrupt(format!("{} cannot be read: {e}", file.display()))
        })?;
        if format > FORMAT {
            return Err(Error::Newer { path: self.path.clone(), found: format, known: FORMAT });
        }
        Ok(Some(mark))
    }

    /// Leaves a mark that survives a power cut, in place of the one before.
    pub(super) fn set_mark(&self, mark: u64) -> Result<(), Error> {
        let text = serde_json::to_vec(&Mark { format: FORMAT, mark })
            .expect("two numbers are always JSON");
        let write = || -> io::Result<()> {
            let new = self.path.join(format!("{MARK_FILE}.new"));
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&new, self.path.join(MARK_FILE))?;
            self.handle.sync_all()
        };
        write().map_err(|e| unusable(&self.path, &e))
    }
}

/// Puts the files of `path` and their names on the disk.
pub(super) fn sync_files(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(path)?.sync_all()
}

fn create(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            let parent = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            File::open(parent)?.sync_all()
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => match path.metadata()?.is_dir() {
            true => Ok(()),
            false => Err(ErrorKind::NotADirectory.into()),
        },
        Err(e) => Err(e),
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK_FILE))
        .map_err(|e| unusable(path, &e))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(Error::InUse { path: path.to_owned(), holder: holder(&mut file) });
        }
        Err(e) => return Err(unusable(path, &e.into())),
    }
    let name_us = |file: &mut File| -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())
    };
    name_us(&mut file).map_err(|e| unusable(path, &e))?;
    Ok(file)
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let id = lock.read_to_string(&mut text).ok();
    match id.and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(id) => format!("process {id}"),
        None => "another process".into(),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    let reason = match error.kind() {
        ErrorKind::NotFound => "its parent directory does not exist; create that first".into(),
        ErrorKind::NotADirectory => "it is not a directory; choose another --data-dir".into(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!(
                "it cannot be written to ({error}); change its owner or mode, or choose another --data-dir"
            )
        }
        ErrorKind::StorageFull => "the disk is full; free some space".into(),
        _ => error.to_string(),
    };
    Error::Directory { path: path.to_owned(), reason }
}
