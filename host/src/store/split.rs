//! How a value of any size becomes rows that sled keeps in its log.
//!
//! sled 0.34 writes a leaf of its tree as one message, and a message of more
//! than a quarter of a segment (128 KiB) goes to a file under `blobs/` that is
//! never synced, may be removed before its successor is durable, and is
//! skipped in silence when it is missing. A leaf has up to 20 rows, so a row
//! must stay below 6 KiB for sled never to make such a file. Larger values are
//! cut into parts under keys of their own; the row itself then only says how
//! many there are.

use super::error::Error;
use super::keys::{KEY_BYTES_MAX, Key};

/// The most bytes of a value that one row holds.
pub(super) const PART_BYTES: usize = 4096;

// A leaf of 17 rows is split and one of 3 may join it before, so 20 rows are
// the most; 24 leave room for what two threads may do to a leaf at once. An
// inner node has up to 256 keys and 63 that may join them.
const LEAF_ROWS: usize = 24;
const INNER_KEYS: usize = 320;
const ROW_OVERHEAD: usize = 24;
const MESSAGE_BYTES_MAX: usize = 512 * 1024 / 4 - 64;
const _: () = assert!(LEAF_ROWS * (KEY_BYTES_MAX + PART_BYTES + ROW_OVERHEAD) < MESSAGE_BYTES_MAX);
const _: () = assert!(INNER_KEYS * (KEY_BYTES_MAX + ROW_OVERHEAD) < MESSAGE_BYTES_MAX);

const WHOLE: u8 = 0;
const SPLIT: u8 = 1;

/// The first byte of the keys of parts: above all that callers may use.
const PARTS: u8 = 0xff;

/// What a stored row says about its value.
pub(super) enum Stored<'a> {
    Whole(&'a [u8]),
    Split { parts: u32, bytes: usize },
}

impl Stored<'_> {
    pub(super) fn read<'a>(key: &Key, row: &'a [u8]) -> Result<Stored<'a>, Error> {
        let stored = match row.split_first() {
            Some((&WHOLE, value)) => Some(Stored::Whole(value)),
            Some((&SPLIT, bytes)) => bytes.try_into().ok().and_then(|bytes| {
                let bytes = usize::try_from(u64::from_be_bytes(bytes)).ok()?;
                let parts = u32::try_from(bytes.div_ceil(PART_BYTES)).ok()?;
                Some(Stored::Split { parts, bytes })
            }),
            _ => None,
        };
        stored.ok_or_else(|| Error::corrupt(format!("the row {key:?} has no known shape")))
    }

    /// How many rows beside its own a value takes.
    pub(super) fn parts(&self) -> u32 {
        match self {
            Stored::Whole(_) => 0,
            Stored::Split { parts, .. } => *parts,
        }
    }
}

/// The row of `value`, and the parts that go with it.
pub(super) fn split(value: &[u8]) -> (Vec<u8>, impl Iterator<Item = &[u8]>) {
    let whole = value.len() <= PART_BYTES;
    let row = match whole {
        true => [&[WHOLE], value].concat(),
        false => [&[SPLIT], (value.len() as u64).to_be_bytes().as_slice()].concat(),
    };
    let parts = if whole { &[] } else { value };
    (row, parts.chunks(PART_BYTES))
}

/// Where a part is kept. The length keeps the parts of one key apart from
/// those of a longer key that begins alike.
pub(super) fn part_key(key: &Key, part: u32) -> Vec<u8> {
    let key = key.as_bytes();
    let mut bytes = Vec::with_capacity(key.len() + 7);
    bytes.push(PARTS);
    bytes.extend_from_slice(&(key.len() as u16).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&part.to_be_bytes());
    bytes
}
