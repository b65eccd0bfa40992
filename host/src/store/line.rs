//! The one order of all commits, and who waits for which place in it.
//!
//! `Store` adds at the end, the committer takes groups from the front and
//! settles them, tickets wait. No disk is touched here, and no lock is held
//! while a waiter is woken.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use tokio::sync::{oneshot, watch};

use super::backend::Write;
use super::error::Error;

/// The most commits that share one flush.
const GROUP_COMMITS_MAX: usize = 1024;

/// A group takes no further commit once it has this many bytes. One larger
/// commit still goes through, in a group of its own.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// What the store has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits that are on the disk.
    pub commits: u64,
    /// Groups they were flushed in, each with one flush of its own.
    pub groups: u64,
    /// Rows written, after later writes to a row replaced earlier ones in the same group.
    pub rows: u64,
    /// Bytes of keys and values of those rows.
    pub bytes: u64,
    /// Commits that are ordered and not yet on the disk.
    pub queued_commits: u64,
    /// Bytes of those that no group has taken yet.
    pub queued_bytes: u64,
}

/// Commits that are written together.
#[derive(Debug)]
pub(super) struct Group {
    /// All writes, in order.
    pub(super) writes: Vec<Write>,
    commits: u64,
}

/// How a place in the line stands.
pub(super) enum Wait {
    Over(Result<(), Error>),
    For(oneshot::Receiver<Result<(), Error>>),
}

#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
    arrived: Condvar,
    durable: AtomicU64,
    failure: watch::Sender<Option<Error>>,
}

#[derive(Debug, Default)]
struct State {
    /// The place of the last commit that was ordered; the first has place 1.
    ordered: u64,
    pending: VecDeque<Commit>,
    waiters: BinaryHeap<Reverse<Waiter>>,
    committer_sleeps: bool,
    closing: bool,
    failure: Option<Error>,
    stats: Stats,
}

#[derive(Debug)]
struct Commit {
    writes: Vec<Write>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiter {
    sequence: u64,
    settled: oneshot::Sender<Result<(), Error>>,
}

impl Line {
    pub(super) fn new() -> Line {
        Line {
            state: Mutex::default(),
            arrived: Condvar::new(),
            durable: AtomicU64::new(0),
            failure: watch::Sender::new(None),
        }
    }

    /// Gives `writes` the next place. Nothing to write means the place of the
    /// last commit.
    pub(super) fn order(&self, writes: Vec<Write>) -> Result<u64, Error> {
        let bytes = writes.iter().map(Write::bytes).sum();
        let mut state = self.state();
        if writes.is_empty() {
            return Ok(state.ordered);
        }
        if let Some(error) = &state.failure {
            return Err(error.clone());
        }
        if state.closing {
            return Err(Error::unavailable("the store is closed"));
        }
        state.ordered += 1;
        state.stats.queued_bytes += bytes as u64;
        state.pending.push_back(Commit { writes, bytes });
        let sequence = state.ordered;
        let wake = std::mem::take(&mut state.committer_sleeps);
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(sequence)
    }

    /// The next commits to write, or nothing when the line is closed and empty.
    /// Blocks until there is one of the two. For the committer alone.
    pub(super) fn next_group(&self) -> Option<Group> {
        let mut state = self.state();
        while state.pending.is_empty() {
            if state.closing {
                return None;
            }
            state.committer_sleeps = true;
            state = self.arrived.wait(state).expect("no thread panics while it holds the line");
        }
        Some(state.take_group())
    }

    /// The group's commits are on the disk.
    pub(super) fn settle(&self, group_commits: u64, rows: u64, bytes: u64) {
        let mut state = self.state();
        let durable = self.durable.load(Ordering::Relaxed) + group_commits;
        self.durable.store(durable, Ordering::Release);
        state.stats.commits += group_commits;
        state.stats.groups += 1;
        state.stats.rows += rows;
        state.stats.bytes += bytes;
        let settled = state.waiters_up_to(durable);
        drop(state);
        for waiter in settled {
            // Whoever stopped waiting does not want to know.
            let _ = waiter.settled.send(Ok(()));
        }
    }

    /// Nothing ordered from here on, or not durable yet, will ever be.
    pub(super) fn fail(&self, error: Error) {
        let mut state = self.state();
        state.failure = Some(error.clone());
        state.pending.clear();
        let lost = state.waiters_up_to(u64::MAX);
        drop(state);
        for waiter in lost {
            let _ = waiter.settled.send(Err(error.clone()));
        }
        self.failure.send_replace(Some(error));
    }

    /// Refuses what comes from now on; what is ordered will still be written.
    pub(super) fn close(&self) {
        self.state().closing = true;
        self.arrived.notify_one();
    }

    pub(super) fn ordered(&self) -> u64 {
        self.state().ordered
    }

    pub(super) fn is_durable(&self, sequence: u64) -> bool {
        self.durable.load(Ordering::Acquire) >= sequence
    }

    pub(super) fn wait(&self, sequence: u64) -> Wait {
        if self.is_durable(sequence) {
            return Wait::Over(Ok(()));
        }
        let mut state = self.state();
        // Settling changes both under the lock, so no waiter can slip between.
        if self.is_durable(sequence) {
            return Wait::Over(Ok(()));
        }
        if let Some(error) = &state.failure {
            return Wait::Over(Err(error.clone()));
        }
        let (settled, receiver) = oneshot::channel();
        state.waiters.push(Reverse(Waiter { sequence, settled }));
        Wait::For(receiver)
    }

    pub(super) fn failure(&self) -> watch::Receiver<Option<Error>> {
        self.failure.subscribe()
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state();
        Stats {
            queued_commits: state.ordered - self.durable.load(Ordering::Acquire),
            ..state.stats
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the line")
    }
}

impl Group {
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }
}

impl State {
    fn take_group(&mut self) -> Group {
        let mut group = Group { writes: Vec::new(), commits: 0 };
        let mut bytes = 0;
        for _ in 0..GROUP_COMMITS_MAX {
            let fits = |next: &mut Commit| bytes == 0 || bytes + next.bytes <= GROUP_BYTES_MAX;
            let Some(commit) = self.pending.pop_front_if(fits) else {
                break;
            };
            bytes += commit.bytes;
            group.commits += 1;
            group.writes.extend(commit.writes);
        }
        self.stats.queued_bytes -= bytes as u64;
        group
    }

    fn waiters_up_to(&mut self, sequence: u64) -> Vec<Waiter> {
        let mut reached = Vec::new();
        while let Some(Reverse(next)) = self.waiters.peek()
            && next.sequence <= sequence
        {
            reached.extend(self.waiters.pop().map(|Reverse(waiter)| waiter));
        }
        reached
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Waiter) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Waiter) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Waiter) -> std::cmp::Ordering {
        self.sequence.cmp(&other.sequence)
    }
}
