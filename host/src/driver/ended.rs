//! Runs that have just ended stay at hand for a while: whoever started them
//! asks now, and would otherwise read their whole history back.

use super::Driver;
use super::live::Live;
use segno_engine::id::RunId;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

/// The most runs that are kept at hand.
const RUNS_MAX: usize = 4_096;

/// The most bytes of history that they may have together.
const BYTES_MAX: usize = 32 << 20;

/// The runs that are kept at hand, oldest first, with their bytes.
#[derive(Default)]
pub(super) struct Ended {
    runs: VecDeque<(RunId, usize)>,
    bytes: usize,
    /// Iterations, which go as soon as the store shows that they are over.
    leaving: VecDeque<RunId>,
}

impl Ended {
    /// Adds a run, and names those that have to go.
    fn add(&mut self, run: RunId, bytes: usize) -> Vec<(RunId, usize)> {
        self.runs.push_back((run, bytes));
        self.bytes += bytes;
        let mut gone = Vec::new();
        while self.runs.len() > RUNS_MAX || self.bytes > BYTES_MAX {
            let Some((oldest, bytes)) = self.runs.pop_front() else { break };
            self.bytes -= bytes;
            gone.push((oldest, bytes));
        }
        gone
    }

    /// Takes one back that could not go.
    fn keep(&mut self, run: RunId, bytes: usize) {
        self.runs.push_back((run, bytes));
        self.bytes += bytes;
    }
}

/// What becomes of a run that has to go.
enum Fate {
    /// It goes: whoever looks for it in the store finds no open run.
    Goes,
    /// It was taken up again, and comes here once more.
    IsOpen,
    /// The store does not show yet that it is over, or somebody holds it.
    Stays,
}

/// Never waits for the run: whoever asks may hold another.
fn fate(live: &Live) -> Fate {
    match live.try_lock() {
        Some(state) if state.run.status().is_open() => Fate::IsOpen,
        Some(state) if state.ticket.is_durable() => Fate::Goes,
        _ => Fate::Stays,
    }
}

impl Driver {
    /// Takes a run out of memory if it can go.
    fn let_go(&self, run: RunId) -> Fate {
        let known = self.lock_live().get(&run).cloned();
        let fate = known.as_deref().map_or(Fate::Goes, fate);
        if let Fate::Goes = fate {
            self.lock_live().remove(&run);
        }
        fate
    }

    /// Iterations leave in the order of their ends, once those are durable:
    /// whoever looks for one in the store must not find it open.
    fn let_iterations_leave(&self, next: Option<RunId>) {
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.leaving.extend(next);
        while let Some(first) = ended.leaving.front().copied() {
            if let Fate::Stays = self.let_go(first) {
                return;
            }
            ended.leaving.pop_front();
        }
    }

    /// Takes a run that is over out of memory: an iteration as soon as that is
    /// durable, for only its parent asks for it, any other after a while.
    pub(super) fn put_away(&self, live: &Arc<Live>, bytes: usize, keep: bool) {
        self.let_iterations_leave((!keep).then_some(live.id));
        if !keep {
            return;
        }
        let gone = {
            let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.add(live.id, bytes)
        };
        for (run, bytes) in gone {
            if let Fate::Stays = self.let_go(run) {
                let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
                ended.keep(run, bytes);
            }
        }
    }
}
