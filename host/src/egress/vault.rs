//! Secrets at rest: sealed with a key of this host, which lies beside the store
//! and for nobody else to read. A sealed value can only be opened under the name
//! that it was sealed for.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The key's file in the data directory.
const FILE: &str = "secret.key";

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The first byte of what is sealed; another way to seal gets another.
const FORMAT: u8 = 1;

/// Seals and opens secrets. Clones share the key.
#[derive(Clone)]
pub struct Vault(Arc<XChaCha20Poly1305>);

/// Why a vault or a secret does not open.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key's file cannot be read or made.
    #[error("cannot use {}: {error}; see that the data directory can be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others may read the key.
    #[error("others can read {}; type `chmod 600` on it, and set the secrets again", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no key.
    #[error("{} holds no key of {KEY_BYTES} bytes; bring it back from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It was sealed with another key or under another name, or is damaged.
    #[error(
        "the secret {name} does not open with this host's key; set it again, or bring {FILE} back \
         from a backup"
    )]
    Sealed {
        /// The name that it was to be opened under.
        name: String,
    },
}

impl Vault {
    /// The vault of a data directory. Its key is made if there is none. Only one
    /// process may do so at a time, as with everything in that directory.
    ///
    /// # Errors
    /// The key cannot be read or made, or others can read it.
    pub fn open(data_dir: &Path) -> Result<Self, VaultError> {
        let path = data_dir.join(FILE);
        let failed = |error| VaultError::File { path: path.clone(), error };
        let key = match fs::read(&path) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key: [u8; KEY_BYTES] = rand::random();
                create(data_dir, &path, &key).map_err(failed)?;
                key.to_vec()
            }
            Err(error) => return Err(failed(error)),
        };
        let mode = fs::metadata(&path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(VaultError::Open { path });
        }
        let Ok(key) = <[u8; KEY_BYTES]>::try_from(key) else {
            return Err(VaultError::Damaged { path });
        };
        Ok(Self(Arc::new(XChaCha20Poly1305::new(&Key::from(key)))))
    }

    /// Seals `value`. It opens only under the same `name`, so a name should say
    /// whose secret it is, as in `default/PAY_KEY`. Sealed twice, it looks
    /// different each time.
    pub fn seal(&self, name: &str, value: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: value.as_bytes(), aad: name.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("a secret is shorter than 256 GiB");
        [&[FORMAT][..], &nonce, &sealed].concat()
    }

    /// Opens what was sealed under `name`.
    ///
    /// # Errors
    /// It was sealed with another key or under another name, or is damaged.
    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<String, VaultError> {
        let open = || {
            let (format, rest) = sealed.split_first()?;
            let (nonce, msg) = rest.split_first_chunk::<NONCE_BYTES>()?;
            let payload = Payload { msg, aad: name.as_bytes() };
            let opened = self.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
            (*format == FORMAT).then_some(opened).and_then(|bytes| String::from_utf8(bytes).ok())
        };
        open().ok_or_else(|| VaultError::Sealed { name: name.to_owned() })
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

/// Writes the key so that after a crash it is there whole or not at all.
fn create(data_dir: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    let new = path.with_extension("key.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(key)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_outlives_the_process_and_opens_only_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        let sealed = vault.seal("default/PAY_KEY", "sk_live_ü");
        assert!(!sealed.windows(7).any(|part| part == b"sk_live"));
        assert_ne!(sealed, vault.seal("default/PAY_KEY", "sk_live_ü"), "it looks different");
        let again = Vault::open(dir.path()).unwrap();
        assert_eq!(again.unseal("default/PAY_KEY", &sealed).unwrap(), "sk_live_ü");
        assert!(again.unseal("other/PAY_KEY", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert!(again.unseal("default/PAY_KEY", &damaged).is_err(), "byte {place}");
            assert!(again.unseal("default/PAY_KEY", &sealed[..place]).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn another_host_cannot_open_it() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sealed = Vault::open(one.path()).unwrap().seal("K", "value");
        let error = Vault::open(other.path()).unwrap().unseal("K", &sealed).unwrap_err();
        assert!(!error.to_string().contains("value") && error.to_string().contains("secret.key"));
    }

    #[test]
    fn the_key_is_for_nobody_else_to_read() {
        let dir = tempfile::tempdir().unwrap();
        Vault::open(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Vault::open(dir.path()), Err(VaultError::Open { .. })));
    }

    #[test]
    fn a_damaged_key_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        Vault::open(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Vault::open(dir.path()), Err(VaultError::Damaged { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
