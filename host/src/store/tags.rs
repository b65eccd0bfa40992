//! Limits of tags: how many steps that carry a tag run code at once.

use serde::{Deserialize, Serialize};

use super::Store;
use super::backend::Write;
use super::error::Error;
use super::keys::{Key, Prefix};
use super::page::{Page, Paging};
use super::records::{Record, put};
use segno_engine::id::{TenantId, Timestamp};

/// How many steps that carry a tag run code at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagLimit {
    /// The tag. The key has it.
    #[serde(skip)]
    pub tag: String,
    /// The most steps at once; 0 lets none begin.
    pub max_allowed: u32,
    /// Why, as whoever set it said.
    #[serde(default)]
    pub note: Option<String>,
    /// Who set it.
    pub by: String,
    /// When it was set.
    pub at: Timestamp,
}

impl Record for TagLimit {
    const WHAT: &str = "limit of a tag";
}

/// All of these fail with [`Error::Invalid`] when a name is not well formed.
impl Write {
    /// Sets the limit of a tag.
    pub fn tag_limit(tenant: &TenantId, record: &TagLimit) -> Result<Write, Error> {
        Ok(put(Key::tag_limit(tenant, &record.tag)?, record.encode()))
    }

    /// Takes the limit of a tag away; it need not be there.
    pub fn tag_limit_deleted(tenant: &TenantId, tag: &str) -> Result<Write, Error> {
        Ok(Write::Delete { key: Key::tag_limit(tenant, tag)? })
    }
}

/// All of these fail with [`Error::Corrupt`] or [`Error::Unavailable`], and
/// with [`Error::Invalid`] for a name that is not well formed.
impl Store {
    /// The limit of a tag.
    pub fn tag_limit(&self, tenant: &TenantId, tag: &str) -> Result<Option<TagLimit>, Error> {
        let found = self.record::<TagLimit>(&Key::tag_limit(tenant, tag)?)?;
        Ok(found.map(|record| TagLimit { tag: tag.to_owned(), ..record }))
    }

    /// Every limit of a tenant's tags, by tag.
    pub fn tag_limits(&self, tenant: &TenantId) -> Result<Vec<(String, u32)>, Error> {
        let prefix = Prefix::tag_limits(tenant);
        let mut limits = Vec::new();
        self.each_below(prefix.clone(), |key, bytes| {
            let record = TagLimit::decode(key, &bytes)?;
            limits.push((key.name_below(&prefix)?, record.max_allowed));
            Ok(())
        })?;
        Ok(limits)
    }

    /// The limits of a tenant's tags, by tag and by page.
    pub fn tag_limits_page(
        &self,
        tenant: &TenantId,
        paging: &Paging,
    ) -> Result<Page<TagLimit>, Error> {
        let prefix = Prefix::tag_limits(tenant);
        self.page(prefix.clone(), paging, |key, bytes| {
            let tag = key.name_below(&prefix)?;
            let record = TagLimit::decode(key, &bytes)?;
            Ok(Some((TagLimit { tag, ..record }, bytes.len())))
        })
    }
}
