//! What one commit says of one run, and its bytes.

use super::Event;
use crate::id::Timestamp;
use serde::{Deserialize, Serialize};

/// What one commit says of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// What, in order.
    pub events: Vec<Event>,
}

/// The first byte of an encoded record: the format of the rest.
const FORMAT: u8 = 5;

/// A record that is not what this version writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record of events cannot be read: {0}")]
pub struct Unreadable(String);

impl Record {
    /// The record's bytes: a format number, then postcard.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![FORMAT]).expect("a growing vector takes every record")
    }

    /// The record in these bytes.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => match postcard::take_from_bytes(rest) {
                Ok((record, [])) => Ok(record),
                Ok((_, more)) => Err(Unreadable(format!("{} bytes follow it", more.len()))),
                Err(error) => Err(Unreadable(error.to_string())),
            },
            Some((format, _)) => Err(Unreadable(format!(
                "it has format {format}, and this version knows {FORMAT}; use a newer segno"
            ))),
            None => Err(Unreadable("it is empty".to_owned())),
        }
    }
}
