//! Values that outlive runs, and secrets. A secret comes here sealed: nothing
//! in the store can read it.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::hex;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::payload::Payload;

/// A value that outlives runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueRecord {
    /// The value, as it was given.
    pub value: Payload,
    /// When it was set.
    pub set_at: Timestamp,
}

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRecord {
    /// Its name. The key has it.
    #[serde(skip)]
    pub name: String,
    /// Its value, as it was sealed.
    #[serde(with = "sealed_as_hex")]
    pub sealed: Vec<u8>,
    /// When it was set.
    pub set_at: Timestamp,
}

impl Record for ValueRecord {
    const WHAT: &str = "value";
}

impl Record for SecretRecord {
    const WHAT: &str = "secret";
}

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
impl Write {
    /// Sets a value that outlives runs.
    pub fn value(
        tenant: &TenantId,
        (namespace, key): (&str, &str),
        record: &ValueRecord,
    ) -> Result<Write, Error> {
        Ok(put(Key::value(tenant, namespace, key)?, record.encode()))
    }

    /// Takes such a value away; it need not be there.
    pub fn value_deleted(tenant: &TenantId, namespace: &str, key: &str) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::value(tenant, namespace, key)? })
    }

    /// Sets a secret.
    pub fn secret(tenant: &TenantId, record: &SecretRecord) -> Result<Write, Error> {
        Ok(put(Key::secret(tenant, &record.name)?, record.encode()))
    }

    /// Takes a secret away; it need not be there.
    pub fn secret_deleted(tenant: &TenantId, name: &str) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::secret(tenant, name)? })
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// A value that outlives runs.
    pub fn value(
        &self,
        tenant: &TenantId,
        namespace: &str,
        key: &str,
    ) -> Result<Option<ValueRecord>, Error> {
        self.record(&Key::value(tenant, namespace, key)?)
    }

    /// A secret, sealed.
    pub fn secret(&self, tenant: &TenantId, name: &str) -> Result<Option<SecretRecord>, Error> {
        let found = self.record::<SecretRecord>(&Key::secret(tenant, name)?)?;
        Ok(found.map(|record| SecretRecord { name: name.to_owned(), ..record }))
    }

    /// The secrets of a tenant, sealed, by name.
    pub fn secrets(&self, tenant: &TenantId, paging: &Paging) -> Result<Page<SecretRecord>, Error> {
        let prefix = Prefix::secrets(tenant);
        self.page(prefix.clone(), paging, |key, bytes| {
            let name = key.name_below(&prefix)?;
            let record = SecretRecord::decode(key, &bytes)?;
            Ok(Some((SecretRecord { name, ..record }, bytes.len())))
        })
    }
}

mod sealed_as_hex {
    use super::hex;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(&text).ok_or_else(|| D::Error::custom("a sealed secret is hexadecimal"))
    }
}
