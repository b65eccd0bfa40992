//! The sandbox through its own door: what guests can do, what they cannot, and
//! what it costs the others.

mod admission;
mod artefacts;
mod compact;
mod guests;
mod host;
mod hostile;
mod imports;
mod limits;
mod sharing;
mod wasi;
