//! The addresses of webhooks and of what came to them.

use super::{Builder, Error, Key, Kind, Prefix};
use segno_engine::id::TenantId;

const NAME: &str = "webhook name";

impl Key {
    /// A webhook.
    pub fn webhook(tenant: &TenantId, name: &str) -> Result<Key, Error> {
        Ok(Builder::new(tenant, Kind::Webhook).name(NAME, name)?.key())
    }

    /// One delivery to a webhook, or several that are alike.
    pub fn delivery(tenant: &TenantId, webhook: &str, sequence: u64) -> Result<Key, Error> {
        Ok(Builder::new(tenant, Kind::Delivery).name(NAME, webhook)?.number(sequence).key())
    }
}

impl Prefix {
    /// The webhooks of a tenant, by name.
    pub fn webhooks(tenant: &TenantId) -> Prefix {
        Builder::new(tenant, Kind::Webhook).prefix()
    }

    /// The deliveries to a webhook that are kept, oldest first.
    pub fn deliveries(tenant: &TenantId, webhook: &str) -> Result<Prefix, Error> {
        Ok(Builder::new(tenant, Kind::Delivery).name(NAME, webhook)?.prefix())
    }
}
