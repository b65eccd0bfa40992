//! Long lists in pieces, and the mark by which a reader asks for the next one.

use std::fmt;
use std::str::FromStr;

use super::Store;
use super::backend::{Direction, SCAN_BYTES_MAX, SCAN_ROWS_MAX, Scan};
use super::error::Error;
use super::hex;
use super::keys::{KEY_BYTES_MAX, Key, Prefix};

/// The most items of one page.
pub const PAGE_ROWS_MAX: usize = SCAN_ROWS_MAX;

/// The most rows that are looked at for one page of a list of which only some
/// rows are wanted.
pub const PAGE_LOOKS_MAX: usize = 10 * SCAN_ROWS_MAX;

/// Where a page ended. Opaque: only worth something for the list it came from.
///
/// It holds a key without its prefix, so it cannot lead into another tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

/// Which piece of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    /// At most so many items, and never more than [`PAGE_ROWS_MAX`]. A page
    /// may end before, when its items are large.
    pub limit: usize,
    /// Go on behind this page.
    pub after: Option<Cursor>,
}

/// A piece of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; nothing behind the last.
    pub next: Option<Cursor>,
}

impl Paging {
    /// The first `limit` items.
    pub fn first(limit: usize) -> Paging {
        Paging { limit, after: None }
    }

    /// The page behind one that ended with `cursor`.
    pub fn after(self, cursor: Option<Cursor>) -> Paging {
        Paging { after: cursor, ..self }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Cursor, Error> {
        hex::decode(text)
            .filter(|bytes| bytes.len() <= KEY_BYTES_MAX)
            .map(Cursor)
            .ok_or_else(|| Error::invalid("cursor", format!("{text:?} was not given out here")))
    }
}

impl Store {
    /// The rows below `prefix` that `paging` asks for, each turned into an item.
    /// Rows that give none are left out. `item` also says how large it is.
    pub(super) fn page<T>(
        &self,
        prefix: Prefix,
        paging: &Paging,
        item: impl Fn(&Key, Vec<u8>) -> Result<Option<(T, usize)>, Error>,
    ) -> Result<Page<T>, Error> {
        self.page_of(Scan::new(prefix, paging.limit), paging, item)
    }

    /// As `page`, from the last row to the first.
    pub(super) fn page_backwards<T>(
        &self,
        prefix: Prefix,
        paging: &Paging,
        item: impl Fn(&Key, Vec<u8>) -> Result<Option<(T, usize)>, Error>,
    ) -> Result<Page<T>, Error> {
        let scan = Scan::new(prefix, paging.limit);
        self.page_of(Scan { direction: Direction::Descending, ..scan }, paging, item)
    }

    /// As `page`, for a list of which most rows may give no item: it goes on
    /// until the page is full. Only a page for which [`PAGE_LOOKS_MAX`] rows were
    /// looked at may have fewer items, or none, and more may follow.
    pub(super) fn page_of_some<T>(
        &self,
        prefix: Prefix,
        paging: &Paging,
        item: impl Fn(&Key, Vec<u8>) -> Result<Option<(T, usize)>, Error>,
    ) -> Result<Page<T>, Error> {
        let limit = paging.limit.clamp(1, PAGE_ROWS_MAX);
        let mut after = paging.after.as_ref().map(|cursor| prefix.join(&cursor.0));
        let (mut items, mut bytes, mut looks) = (Vec::new(), 0, 0);
        let mut last = None::<Key>;
        while looks < PAGE_LOOKS_MAX {
            let rows = self.scan(&Scan::new(prefix.clone(), SCAN_ROWS_MAX).after(after.take()))?;
            let Some((seen, _)) = rows.last() else { return Ok(Page { items, next: None }) };
            (after, looks) = (Some(seen.clone()), looks + rows.len());
            for (key, value) in rows {
                let Some((item, size)) = item(&key, value)? else { continue };
                if items.len() == limit || bytes >= SCAN_BYTES_MAX {
                    let next = last.and_then(|last| cursor(&prefix, &last));
                    return Ok(Page { items, next });
                }
                items.push(item);
                bytes += size;
                last = Some(key);
            }
        }
        let scan = Scan::new(prefix, SCAN_ROWS_MAX);
        let next = after.map(|after| self.cursor_behind(scan, after)).transpose()?.flatten();
        Ok(Page { items, next })
    }

    fn page_of<T>(
        &self,
        scan: Scan,
        paging: &Paging,
        item: impl Fn(&Key, Vec<u8>) -> Result<Option<(T, usize)>, Error>,
    ) -> Result<Page<T>, Error> {
        let limit = paging.limit.clamp(1, PAGE_ROWS_MAX);
        let after = paging.after.as_ref().map(|cursor| scan.prefix.join(&cursor.0));
        let scan = Scan { limit, after, ..scan };
        let rows = self.scan(&scan)?;
        let mut items = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        let mut last = None;
        for (key, value) in rows {
            if let Some((item, size)) = item(&key, value)? {
                items.push(item);
                bytes += size;
            }
            last = Some(key);
            if bytes >= SCAN_BYTES_MAX {
                break;
            }
        }
        let next = match last {
            Some(last) => self.cursor_behind(scan, last)?,
            None => None,
        };
        Ok(Page { items, next })
    }

    /// A cursor only where something follows, so that no page is empty but the
    /// only one.
    fn cursor_behind(&self, scan: Scan, last: Key) -> Result<Option<Cursor>, Error> {
        let cursor = cursor(&scan.prefix, &last);
        let behind = Scan { limit: 1, after: Some(last), ..scan };
        let more = !self.scan(&behind)?.is_empty();
        Ok(cursor.filter(|_| more))
    }
}

/// Behind the row of this key.
fn cursor(prefix: &Prefix, last: &Key) -> Option<Cursor> {
    last.below(prefix).map(|rest| Cursor(rest.to_vec()))
}
