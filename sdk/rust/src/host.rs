//! The functions of the host. In a component they are the imports of the
//! contract in `wit/`; elsewhere they are stand-ins, so that a step runs under
//! `cargo test`. Both sides offer the same five functions and nothing else.

#[cfg(target_family = "wasm")]
pub(crate) mod component;
#[cfg(target_family = "wasm")]
pub(crate) use component::{bytes, next_u64, now_ms, report, write};

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::{bytes, next_u64, now_ms, report, write};
