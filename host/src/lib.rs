//! Segno's host: the shell around the pure core, and everything that the binary
//! `segno` does. `ARCHITECTURE.md` beside this crate is the map.

pub mod api;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod driver;
pub mod egress;
pub mod rehearsal;
pub mod sandbox;
pub mod server;
pub mod store;
