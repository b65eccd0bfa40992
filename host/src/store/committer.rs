//! The one thread that writes: group after group, each with one flush.
//!
//! There is no delay to collect a larger group: whatever arrived during the
//! last flush is the next group. One thread, because sled's asynchronous flush
//! can lock up when several are under way, and because one order of writes is
//! what makes a crash leave a prefix.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::backend::{Backend, Write};
use super::error::Error;
use super::line::{Group, Line};

/// The running thread. Stops when told to, or at the first failure.
#[derive(Debug)]
pub(super) struct Committer {
    line: Arc<Line>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    pub(super) fn start(line: Arc<Line>, backend: Arc<dyn Backend>) -> Result<Committer, Error> {
        let thread = std::thread::Builder::new()
            .name("store-committer".into())
            .spawn({
                let line = Arc::clone(&line);
                move || run(&line, backend.as_ref())
            })
            .map_err(|e| Error::unavailable(format!("cannot start the committer thread: {e}")))?;
        let thread = Mutex::new(Some(thread));
        Ok(Committer { line, thread })
    }

    /// Writes what is ordered, then ends the thread. Blocks until it has.
    pub(super) fn stop(&self) {
        self.line.close();
        let mut thread = self.thread.lock().expect("joining a thread does not panic here");
        if let Some(thread) = thread.take() {
            // Its panics are caught below and have become a failure of the store.
            let _ = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(line: &Line, backend: &dyn Backend) {
    let outcome = loop {
        let Some(group) = line.next_group() else {
            break guarded(|| backend.close());
        };
        if let Err(error) = guarded(|| write(line, backend, group)) {
            break Err(error);
        }
    };
    if let Err(error) = outcome {
        tracing::error!(%error, "the store failed and writes nothing more");
        line.fail(error);
    }
}

fn write(line: &Line, backend: &dyn Backend, group: Group) -> Result<(), Error> {
    let commits = group.commits();
    let rows = last_of_each_row(group.writes);
    backend.apply(&rows)?;
    crate::crash::point("group written");
    backend.sync()?;
    crate::crash::point("group flushed");
    let bytes = rows.iter().map(Write::bytes).sum::<usize>();
    line.settle(commits, rows.len() as u64, bytes as u64);
    Ok(())
}

/// A storage engine that gives up by panicking must not leave everyone waiting.
fn guarded(work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => Ok(()),
        // After the first failure, whatever its kind, nothing can be promised.
        Ok(Err(error @ Error::Unavailable { .. })) => Err(error),
        Ok(Err(other)) => Err(Error::unavailable(other.to_string())),
        Err(_) => Err(Error::unavailable("the storage engine panicked")),
    }
}

fn last_of_each_row(mut writes: Vec<Write>) -> Vec<Write> {
    if writes.len() > 1 {
        // The sort is stable: after the turn, the last write of a row is the
        // first of its run, which is the one that `dedup_by` keeps.
        writes.sort_by(|a, b| a.key().cmp(b.key()));
        writes.reverse();
        writes.dedup_by(|a, b| a.key() == b.key());
        writes.reverse();
    }
    writes
}

#[cfg(test)]
mod tests {
    use super::super::keys::Key;
    use super::*;
    use segno_engine::id::{RunId, TenantId};

    #[test]
    fn the_last_write_of_a_row_is_kept() {
        let tenant: TenantId = "a".parse().unwrap();
        let key = |n: u64| Key::event(&tenant, RunId::from_bytes([0; 16]), n);
        let put = |n: u64, value: &str| Write::Put { key: key(n), value: value.into() };
        let gone = Write::Delete { key: key(2) };
        let writes = vec![put(2, "a"), put(1, "b"), gone.clone(), put(1, "c")];
        assert_eq!(last_of_each_row(writes), [put(1, "c"), gone]);
    }
}
