//! Machine code on disk, so that a component is compiled once and not at every
//! start. An artefact is native code that runs unchecked: the directory belongs
//! to this process alone, nothing from outside is ever put there, and each file
//! is compared with its checksum before it is mapped.

use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::component::Component;

/// The artefacts of one build of this program.
pub(super) struct Artefacts {
    directory: PathBuf,
    compatibility: u64,
    /// Distinguishes files that are being written.
    written: AtomicU64,
}

const CODE: &str = "cwasm";
const CHECKSUM: &str = "sha256";

impl Artefacts {
    /// The artefacts in `directory`, which is made if need be. Those of other
    /// builds are removed.
    ///
    /// # Errors
    /// If the directory cannot be made or read.
    pub(super) fn open(directory: &Path, compatibility: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let artefacts =
            Self { directory: directory.to_owned(), compatibility, written: AtomicU64::new(0) };
        artefacts.remove_foreign()?;
        Ok(artefacts)
    }

    /// The artefact of the component `digest`, mapped into memory, and its size.
    /// One that is damaged or does not fit this machine is removed, and is then
    /// as good as absent.
    pub(super) fn load(&self, engine: &wasmtime::Engine, digest: &str) -> Option<(Component, u64)> {
        let path = self.path(digest, CODE);
        match self.verified(digest).and_then(|size| Ok((deserialize(engine, &path)?, size))) {
            Ok(loaded) => Some(loaded),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, digest, "an artefact is of no use and is compiled anew");
                self.remove(digest);
                None
            }
        }
    }

    /// Keeps `artefact` for the component `digest`. Whoever looks for it sees it
    /// whole or not at all, also after a crash.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn store(&self, digest: &str, artefact: &[u8]) -> io::Result<()> {
        let checksum = hex(&Sha256::digest(artefact));
        self.write(&self.path(digest, CHECKSUM), checksum.as_bytes())?;
        self.write(&self.path(digest, CODE), artefact)?;
        File::open(&self.directory)?.sync_all()
    }

    /// The size of the artefact, if it is what its checksum says.
    fn verified(&self, digest: &str) -> io::Result<u64> {
        let mut code = File::open(self.path(digest, CODE))?;
        let expected = fs::read_to_string(self.path(digest, CHECKSUM))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        let mut size = 0;
        loop {
            let read = code.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            size += read as u64;
        }
        if hex(&hash.finalize()) == expected {
            Ok(size)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum does not match"))
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let turn = self.written.fetch_add(1, Ordering::Relaxed);
        let draft = self.directory.join(format!("draft-{turn}"));
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    }

    fn remove(&self, digest: &str) {
        for extension in [CODE, CHECKSUM] {
            // What cannot be removed is found damaged again, and no worse.
            let _ = fs::remove_file(self.path(digest, extension));
        }
    }

    /// Removes what another build or an interrupted write has left.
    fn remove_foreign(&self) -> io::Result<()> {
        let ours = [CODE, CHECKSUM].map(|extension| self.suffix(extension));
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let known = name.starts_with("draft-") || KNOWN.iter().any(|end| name.ends_with(end));
            if known && !ours.iter().any(|suffix| name.ends_with(suffix.as_str())) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn path(&self, digest: &str, extension: &str) -> PathBuf {
        let name = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.directory.join(format!("{name}{}", self.suffix(extension)))
    }

    fn suffix(&self, extension: &str) -> String {
        format!(".{:016x}.{extension}", self.compatibility)
    }
}

/// How the names of all artefacts end.
const KNOWN: [&str; 2] = [".cwasm", ".sha256"];

/// Maps the artefact at `path`, which has just been verified.
fn deserialize(engine: &wasmtime::Engine, path: &Path) -> io::Result<Component> {
    #[expect(
        unsafe_code,
        reason = "the file was written by our own compiler into a directory that only this \
                  process writes to, has its checksum, and is replaced but never changed"
    )]
    // SAFETY: see the reason above; wasmtime checks version and target itself.
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.map_err(|error| io::Error::other(format!("{:#}", error.root_cause())))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
