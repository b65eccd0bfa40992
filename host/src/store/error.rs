//! What can go wrong between the caller and the disk.
//!
//! One variant for each reaction a caller may have; the texts are written for
//! the operator who reads them in a terminal.

use std::path::PathBuf;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing can be written any more; the process should stop and be
    /// started again once the cause is gone.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// What happened, with the remedy where one is known.
        reason: String,
    },

    /// What was read is not what was written.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// Which part, and what is wrong with it.
        what: String,
    },

    /// Another process works on the same data directory.
    #[error("data directory {path} is in use by {holder}; stop it or choose another --data-dir", path = .path.display())]
    InUse {
        /// The directory asked for.
        path: PathBuf,
        /// `process 4711`, or `another process` where its id is unknown.
        holder: String,
    },

    /// The data directory cannot be used as it is.
    #[error("data directory {path} cannot be used: {reason}", path = .path.display())]
    Directory {
        /// The directory asked for.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        reason: String,
    },

    /// The data was written by a later release.
    #[error(
        "data directory {path} has format {found}, and this segno reads format {known} only; use the release that wrote it or a later one",
        path = .path.display()
    )]
    Newer {
        /// The directory asked for.
        path: PathBuf,
        /// The format found in it.
        found: u64,
        /// The format this release reads and writes.
        known: u64,
    },

    /// A name, cursor or digest from outside is not well formed.
    #[error("invalid {what}: {reason}")]
    Invalid {
        /// What it was meant to be, such as `tenant`.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(super) fn unavailable(reason: impl Into<String>) -> Error {
        let reason = reason.into();
        Error::Unavailable { reason }
    }

    /// Damage that was found above the store, in what a row says.
    pub fn corrupt(what: impl Into<String>) -> Error {
        Error::Corrupt { what: what.into() }
    }

    pub(super) fn invalid(what: &'static str, reason: impl Into<String>) -> Error {
        let reason = reason.into();
        Error::Invalid { what, reason }
    }
}
