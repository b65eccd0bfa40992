//! Limits of tags: how many steps that carry a tag run code at once.

use super::super::Driver;
use super::note::{BadNote, check_note};
use crate::store::{self, TagLimit, Write};
use segno_engine::id::TenantId;

/// Why the limit of a tag was not set or taken away.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// It has none.
    #[error("tag {0:?} has no limit; `segno tag list` shows which do")]
    Unlimited(String),
    /// What was said about it cannot be kept.
    #[error(transparent)]
    BadNote(#[from] BadNote),
    /// The store cannot keep or read it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Driver {
    /// Every limit of a tenant's tags, by tag.
    ///
    /// # Errors
    /// The store cannot answer.
    pub fn tag_limits(&self, tenant: &TenantId) -> Result<Vec<(String, u32)>, store::Error> {
        self.0.store.tag_limits(tenant)
    }

    /// Sets the limit of a tag, and returns when that is on stable storage. 0
    /// lets no step with the tag begin.
    ///
    /// # Errors
    /// The tag or the note is malformed, or the store fails.
    pub async fn set_tag_limit(
        &self,
        tenant: &TenantId,
        (tag, max_allowed): (&str, u32),
        note: Option<String>,
        by: &str,
    ) -> Result<TagLimit, TagError> {
        check_note(note.as_deref())?;
        let at = self.0.clock.now();
        let is_new = self.0.store.tag_limit(tenant, tag)?.is_none();
        let record = TagLimit { tag: tag.to_owned(), max_allowed, note, by: by.to_owned(), at };
        let write = Write::tag_limit(tenant, &record)?;
        self.0.store.commit(vec![write]).durable().await?;
        self.permits_changed(tenant, is_new);
        Ok(record)
    }

    /// Takes the limit of a tag away, and returns what it was when that is on
    /// stable storage.
    ///
    /// # Errors
    /// It has none, or the store fails.
    pub async fn delete_tag_limit(
        &self,
        tenant: &TenantId,
        tag: &str,
    ) -> Result<TagLimit, TagError> {
        let found = self.0.store.tag_limit(tenant, tag)?;
        let record = found.ok_or_else(|| TagError::Unlimited(tag.to_owned()))?;
        let write = Write::tag_limit_deleted(tenant, tag)?;
        self.0.store.commit(vec![write]).durable().await?;
        self.permits_changed(tenant, false);
        Ok(record)
    }
}
