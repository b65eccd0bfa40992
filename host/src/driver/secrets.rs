//! Secrets: set from outside, sealed before they are kept, and opened only to
//! go into a request of a step that was granted them. Nothing gives one back.

use super::Driver;
use crate::egress::VaultError;
use crate::store::{self, SecretRecord, Write};
use segno_engine::grant::{BadName, check_secret};
use segno_engine::id::TenantId;

/// The longest secret.
pub const SECRET_BYTES_MAX: usize = 64 << 10;

/// Why a secret was not set, taken away or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Its name is no good.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// It is empty or too long.
    #[error("a secret has 1 to {SECRET_BYTES_MAX} bytes, not {0}")]
    BadLength(usize),
    /// There is none of this name.
    #[error(
        "there is no secret {0}; `segno secret list` shows what there is, and `segno secret set` makes one"
    )]
    Unknown(String),
    /// It does not open.
    #[error(transparent)]
    Sealed(#[from] VaultError),
    /// The store cannot keep or read it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Driver {
    /// Sets a secret, and returns when that is on stable storage. Requests that
    /// are made from then on have it.
    ///
    /// # Errors
    /// The name or the value is no good, or the store fails.
    pub async fn set_secret(
        &self,
        tenant: &TenantId,
        name: &str,
        value: &str,
    ) -> Result<SecretRecord, SecretError> {
        check_secret(name)?;
        if value.is_empty() || value.len() > SECRET_BYTES_MAX {
            return Err(SecretError::BadLength(value.len()));
        }
        let record = SecretRecord {
            name: name.to_owned(),
            sealed: self.0.outside.vault.seal(&sealed_name(tenant, name), value),
            set_at: self.0.clock.now(),
        };
        let write = Write::secret(tenant, &record)?;
        self.0.store.commit(vec![write]).durable().await?;
        Ok(record)
    }

    /// Takes a secret away, and returns what it was when that is on stable
    /// storage.
    ///
    /// # Errors
    /// There is none of this name, or the store fails.
    pub async fn delete_secret(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<SecretRecord, SecretError> {
        let record = self.secret(tenant, name)?;
        let write = Write::secret_deleted(tenant, name)?;
        self.0.store.commit(vec![write]).durable().await?;
        Ok(record)
    }

    /// A secret as it is kept.
    ///
    /// # Errors
    /// There is none of this name, or the store fails.
    pub fn secret(&self, tenant: &TenantId, name: &str) -> Result<SecretRecord, SecretError> {
        check_secret(name)?;
        let found = self.0.store.secret(tenant, name)?;
        found.ok_or_else(|| SecretError::Unknown(name.to_owned()))
    }

    /// The value of a secret, for a request that is about to be sent.
    ///
    /// # Errors
    /// There is none of this name, or it does not open with this host's key.
    pub(super) fn reveal(&self, tenant: &TenantId, name: &str) -> Result<String, SecretError> {
        let record = self.secret(tenant, name)?;
        Ok(self.0.outside.vault.unseal(&sealed_name(tenant, name), &record.sealed)?)
    }
}

/// Under which name a secret is sealed: one tenant's never opens as another's.
fn sealed_name(tenant: &TenantId, name: &str) -> String {
    format!("{tenant}/{name}")
}
