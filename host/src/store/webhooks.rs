//! Webhooks, and what came to them lately.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{TenantId, Timestamp};

/// A webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookRecord {
    /// Its name. The key has it.
    #[serde(skip)]
    pub name: String,
    /// The definition as one JSON object, checked before it was kept.
    pub definition: serde_json::Map<String, serde_json::Value>,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who changed it last.
    pub changed_by: String,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// It became a signal.
    Published,
    /// A delivery with its id had become one before.
    Repeated,
    /// `when` did not hold.
    Ignored,
    /// It was a question whether somebody is there, and was answered.
    Challenge,
    /// No signal can be made of it.
    BadBody,
    /// Its signature does not hold, or it has none.
    BadSignature,
    /// It was signed too long ago, or is from the future.
    TooOld,
    /// Its body is too large to look at.
    TooLarge,
    /// The webhook was disabled.
    Disabled,
    /// None of the webhook's secrets can be used.
    NoSecret,
}

/// A delivery to a webhook, or several that were refused alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// Its place among those of the webhook, from 1. The key has it.
    #[serde(skip)]
    pub sequence: u64,
    /// What became of it.
    pub outcome: DeliveryOutcome,
    /// When it came; of several, the first.
    pub at: Timestamp,
    /// When the last of several came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// How many there were.
    pub count: u64,
    /// Where it came from; of several, the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name and the place of its signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<(String, u64)>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Record for WebhookRecord {
    const WHAT: &str = "webhook";
}

impl Record for DeliveryRecord {
    const WHAT: &str = "delivery";
}

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
impl Write {
    /// Sets a webhook.
    pub fn webhook(tenant: &TenantId, record: &WebhookRecord) -> Result<Write, Error> {
        Ok(put(Key::webhook(tenant, &record.name)?, record.encode()))
    }

    /// Takes a webhook away; it need not be there.
    pub fn webhook_deleted(tenant: &TenantId, name: &str) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::webhook(tenant, name)? })
    }

    /// A delivery to a webhook.
    pub fn delivery(
        tenant: &TenantId,
        webhook: &str,
        record: &DeliveryRecord,
    ) -> Result<Write, Error> {
        Ok(put(Key::delivery(tenant, webhook, record.sequence)?, record.encode()))
    }

    /// Forgets a delivery; it need not be there.
    pub fn delivery_deleted(
        tenant: &TenantId,
        webhook: &str,
        sequence: u64,
    ) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::delivery(tenant, webhook, sequence)? })
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// A webhook.
    pub fn webhook(&self, tenant: &TenantId, name: &str) -> Result<Option<WebhookRecord>, Error> {
        let found = self.record::<WebhookRecord>(&Key::webhook(tenant, name)?)?;
        Ok(found.map(|record| WebhookRecord { name: name.to_owned(), ..record }))
    }

    /// The webhooks of a tenant, by name.
    pub fn webhooks(
        &self,
        tenant: &TenantId,
        paging: &Paging,
    ) -> Result<Page<WebhookRecord>, Error> {
        let prefix = Prefix::webhooks(tenant);
        self.page(prefix.clone(), paging, |key, bytes| {
            let name = key.name_below(&prefix)?;
            let record = WebhookRecord::decode(key, &bytes)?;
            Ok(Some((WebhookRecord { name, ..record }, bytes.len())))
        })
    }

    /// The deliveries to a webhook that are kept, newest first.
    pub fn deliveries(
        &self,
        tenant: &TenantId,
        webhook: &str,
        paging: &Paging,
    ) -> Result<Page<DeliveryRecord>, Error> {
        let prefix = Prefix::deliveries(tenant, webhook)?;
        self.page_backwards(prefix.clone(), paging, |key, bytes| {
            let sequence = key.number_below(&prefix)?;
            let record = DeliveryRecord::decode(key, &bytes)?;
            Ok(Some((DeliveryRecord { sequence, ..record }, bytes.len())))
        })
    }
}
