//! What a backend must do to be one: a list of behaviours, run for each.
//!
//! `commits` is about order and durability, `reads` about scans and records.
//! What only one backend can show stands beside: `crashes` cuts the power of
//! the memory backend and kills a process on the sled one, `directories` is
//! about the files, `keys` about the addresses; `signals` are the rows of
//! signals, values and secrets, `workflows` those of what is set for workflows,
//! `schedules` those of schedules, their ticks and backfills.

mod commits;
mod crashes;
mod directories;
mod keys;
mod reads;
mod schedules;
mod signals;
mod webhooks;
mod workflows;

use std::cell::RefCell;
use std::future::Future;

use tempfile::TempDir;

use super::{Key, Memory, Options, Store, Ticket, Write};
use segno_engine::id::{RunId, TenantId};

/// Somewhere rows survive while no store is open.
trait Place {
    /// Opens the store here. Any before it must have been dropped.
    fn open(&self) -> Store;
}

/// Runs every named behaviour on an empty place of each kind.
macro_rules! on_every_backend {
    ($($behaviour:ident)*) => {
        mod memory {
            $(#[test]
            fn $behaviour() {
                super::$behaviour(&super::super::InMemory::default());
            })*
        }
        mod sled {
            $(#[test]
            fn $behaviour() {
                super::$behaviour(&super::super::OnDisk::new());
            })*
        }
    };
}
use on_every_backend;

#[derive(Default)]
struct InMemory(RefCell<Memory>);

impl Place for InMemory {
    fn open(&self) -> Store {
        let found = self.0.borrow().crash(0);
        self.0.replace(found.clone());
        Store::on(found).unwrap()
    }
}

struct OnDisk(TempDir);

impl OnDisk {
    fn new() -> OnDisk {
        OnDisk(TempDir::new().unwrap())
    }
}

impl Place for OnDisk {
    fn open(&self) -> Store {
        let options = Options {
            // So small that most reads miss it, and no reserve: the machine of
            // whoever runs the tests may be nearly full.
            cache_bytes: 1 << 20,
            reserve_bytes: 0,
        };
        Store::open(self.0.path(), options).unwrap()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Commits and waits until it is on the disk.
fn commit(store: &Store, writes: Vec<Write>) {
    settle(&store.commit(writes));
}

fn settle(ticket: &Ticket) {
    block_on(ticket.durable()).unwrap();
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn run(n: u8) -> RunId {
    let mut run = [0; 16];
    run[15] = n;
    RunId::from_bytes(run)
}

fn put(key: Key, value: impl Into<Vec<u8>>) -> Write {
    Write::Put { key, value: value.into() }
}

/// A value that is no repetition of itself, so that a misplaced part shows.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = bytes as u64 + 1;
    let next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}
