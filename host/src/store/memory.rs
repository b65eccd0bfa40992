//! A store that lives in memory and can be crashed on purpose.
//!
//! It keeps what was applied apart from what was synced, so that a test can
//! see the very states that a power cut may leave. It promises nothing after
//! the process ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::backend::{Backend, Direction, Scan, Write};
use super::error::Error;
use super::keys::Key;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Rows in memory. Clones are handles on the same rows.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    applied: Rows,
    durable: Rows,
    /// What was applied since the last sync, in order.
    unsynced: Vec<Vec<Write>>,
    syncs_left: Option<u64>,
    held: bool,
    dead: bool,
}

impl Memory {
    /// No rows at all.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// From now on every sync waits until [`Memory::release`] or
    /// [`Memory::crash`]: commits are ordered and applied, and none becomes
    /// durable. A store cannot be closed or dropped meanwhile.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Lets held syncs go on.
    pub fn release(&self) {
        self.state().held = false;
        self.0.released.notify_all();
    }

    /// Cuts the power at the n-th sync from now: it fails, and so does all that
    /// follows. 1 means the next.
    pub fn cut_at_sync(&self, n: u64) {
        self.state().syncs_left = Some(n);
    }

    /// Cuts the power now. Gives what a restart finds: all that was synced and
    /// the first `kept` of the applies behind the last sync.
    pub fn crash(&self, kept: usize) -> Memory {
        let mut state = self.state();
        state.dead = true;
        let mut found = state.durable.clone();
        for rows in state.unsynced.iter().take(kept) {
            write_all(&mut found, rows);
        }
        self.0.released.notify_all();
        let state = State { applied: found.clone(), durable: found, ..State::default() };
        Memory(Arc::new(Shared { state: Mutex::new(state), released: Condvar::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no thread panics while it holds the rows")
    }
}

impl Backend for Memory {
    fn apply(&self, rows: &[Write]) -> Result<(), Error> {
        let mut state = self.state();
        state.check_power()?;
        write_all(&mut state.applied, rows);
        state.unsynced.push(rows.to_vec());
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        let mut state = self.state();
        while state.held && !state.dead {
            state = self.0.released.wait(state).expect("no thread panics while it holds the rows");
        }
        state.check_power()?;
        if let Some(left) = &mut state.syncs_left {
            *left -= 1;
            state.dead = *left == 0;
            state.check_power()?;
        }
        let State { durable, unsynced, .. } = &mut *state;
        for rows in unsynced.drain(..) {
            write_all(durable, &rows);
        }
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.state().applied.get(key.as_bytes()).cloned())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<(Key, Vec<u8>)>, Error> {
        let (low, high) = scan.bounds();
        if low >= high {
            return Ok(Vec::new());
        }
        let state = self.state();
        let rows = state
            .applied
            .range(low..high)
            .map(|(key, value)| Ok((Key::from_stored(key.clone()), value.clone())));
        match scan.direction {
            Direction::Ascending => scan.collect(rows),
            Direction::Descending => scan.collect(rows.rev()),
        }
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl State {
    fn check_power(&self) -> Result<(), Error> {
        if self.dead {
            return Err(Error::unavailable("the power was cut"));
        }
        Ok(())
    }
}

fn write_all(rows: &mut Rows, writes: &[Write]) {
    for write in writes {
        match write {
            Write::Put { key, value } => {
                rows.insert(key.as_bytes().to_vec(), value.clone());
            }
            Write::Delete { key } => {
                rows.remove(key.as_bytes());
            }
        }
    }
}
