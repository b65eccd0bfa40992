//! How large a run that somebody started may become with everything below it.

use super::Error;
use segno_engine::event::Origin;
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::RunId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many runs that steps started may be above another.
pub(super) const DEPTH_MAX: u32 = 10;

/// Runs that may be open at once below the run that somebody started.
pub(super) const FAMILY_MAX: u32 = 10_000;

/// Steps that are no loops and no subworkflows, which there may be in a run that
/// somebody started with everything below it. As many of its iterations and
/// subworkflows may have none.
const LEAVES_MAX: u64 = 1_000_000;

/// What there is below each run that somebody started.
#[derive(Default)]
pub(super) struct Families {
    /// How many runs are open.
    open: Mutex<HashMap<RunId, u32>>,
    /// How many leaves there have been.
    leaves: Mutex<HashMap<RunId, Leaves>>,
}

/// What there was below a run.
#[derive(Clone, Copy, Default)]
struct Leaves {
    leaves: u64,
    /// Iterations and subworkflows without any: each costs a run all the same.
    bare: u64,
}

impl Leaves {
    /// With a run that has so many leaves.
    fn with(self, more: u64) -> Self {
        match more {
            0 => Self { bare: self.bare + 1, ..self },
            more => Self { leaves: self.leaves + more, ..self },
        }
    }

    fn fit(self) -> bool {
        self.leaves.max(self.bare) <= LEAVES_MAX
    }
}

impl Families {
    /// Counts one more, unless there are too many.
    pub(super) fn started(&self, root: RunId) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(root).or_default();
        let room = *count < FAMILY_MAX;
        *count += u32::from(room);
        room
    }

    /// Counts one less, if a run of this origin was counted.
    pub(super) fn ended(&self, origin: &Origin) {
        if let Origin::Child { root, .. } = origin {
            self.gone(*root);
        }
    }

    /// Counts a run with so many leaves below another, unless there are too many;
    /// `before` says how many leaves a restart has found, or that the run is over. What outlives it
    /// is counted for the next run with a number, so that it is forgotten with
    /// that.
    pub(super) fn grow(
        &self,
        (root, numbered): (RunId, RunId),
        more: u64,
        before: impl FnOnce() -> Result<Option<u64>, Error>,
    ) -> Result<(), Failure> {
        let is_counted = self.lock_leaves().contains_key(&root);
        // Whoever finds out looks at runs, whose locks come first.
        let (counted, first) = match is_counted {
            true => (root, 0),
            false => match before().map_err(|error| unknown_count(&error))? {
                Some(before) => (root, before),
                None => (numbered, 0),
            },
        };
        let mut leaves = self.lock_leaves();
        let count = leaves.entry(counted).or_insert(Leaves { leaves: first, bare: 0 });
        let grown = count.with(more);
        if grown.fit() {
            *count = grown;
            return Ok(());
        }
        let what = if more == 0 { "iterations that only loop" } else { "steps" };
        let message = format!(
            "{root} and all runs below it would have more than {LEAVES_MAX} {what}; split the work \
             over several runs"
        );
        Err(Failure::new(FailureKind::Fatal, "limit:steps", message))
    }

    /// A run that somebody started is over.
    pub(super) fn forget(&self, root: RunId) {
        self.lock_leaves().remove(&root);
    }

    fn lock_leaves(&self) -> MutexGuard<'_, HashMap<RunId, Leaves>> {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn gone(&self, root: RunId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&root) {
            *count -= 1;
            if *count == 0 {
                open.remove(&root);
            }
        }
    }
}

fn unknown_count(error: &Error) -> Failure {
    let message = format!("the steps below a run cannot be counted: {error}");
    Failure::new(FailureKind::Platform, "store", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_leaves_fit_in_any_nest_of_loops() {
        let families = Families::default();
        let root = RunId::from_bytes([1; 16]);
        let grow = |more| families.grow((root, root), more, || Ok(Some(0)));
        for _ in 0..1_000 {
            grow(0).expect("a loop is no leaf");
            grow(1_000).expect("there is room");
        }
        let full = grow(1).expect_err("that is one more");
        assert_eq!((full.kind, full.reason.as_str()), (FailureKind::Fatal, "limit:steps"));
        assert!(full.message.contains("more than 1000000 steps"), "{}", full.message);
    }

    #[test]
    fn loops_without_leaves_have_an_end() {
        let families = Families::default();
        let root = RunId::from_bytes([1; 16]);
        let grow = || families.grow((root, root), 0, || Ok(Some(0)));
        assert!((0..LEAVES_MAX).all(|_| grow().is_ok()));
        let full = grow().expect_err("that is one more");
        assert!(full.message.contains("iterations that only loop"), "{}", full.message);
    }
}
