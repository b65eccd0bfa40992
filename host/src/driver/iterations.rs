//! Iterations that had ended and go on.

use super::live::Live;
use super::{Driver, Due};
use segno_engine::command::{Retry, RetryTarget};
use segno_engine::event::IterationResult;
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::StepIndex;
use segno_engine::rollup::Rollup;
use std::collections::VecDeque;
use std::sync::Arc;

impl Driver {
    /// Lets an iteration go on that had ended, unless it does already.
    pub(super) fn retry_iteration(
        &self,
        parent: &Arc<Live>,
        (step, index): (StepIndex, u32),
        (generation, target): (u32, RetryTarget),
        due: &mut VecDeque<Due>,
    ) {
        let child = parent.lock().run.iteration(step, index).map(|(id, _)| id);
        let Some(child) = child else { return };
        match self.revive(&parent.tenant, child) {
            Ok(Some(live)) => {
                let by = format!("run {}", parent.id);
                let retry =
                    Retry { by, target, given: None, queued: false, generation: Some(generation) };
                self.go_on_with_iteration((parent, step, index), &live, (generation, retry), due);
            }
            // It was cancelled before it was created.
            Ok(None) => self.create_child(parent, (step, index), due),
            Err(error) => self.cannot_wake(child, &error),
        }
    }

    fn go_on_with_iteration(
        &self,
        (parent, step, index): (&Arc<Live>, StepIndex, u32),
        live: &Arc<Live>,
        (generation, retry): (u32, Retry),
        due: &mut VecDeque<Due>,
    ) {
        let (held, breakpoints) = {
            let state = parent.lock();
            (state.run.is_on_hold(), state.run.breakpoints())
        };
        let end = {
            let mut state = live.lock();
            state.run.set_held(held);
            state.run.set_breakpoints(breakpoints);
            let rollup = state.run.rollup(&mut |_| Rollup::default());
            let generation = state.run.generation();
            state.run.result().map(|result| (result, rollup, generation))
        };
        let end = match end {
            None => return,
            Some((_, _, done)) if done < generation => match self.take_up_again(live, retry, due) {
                Ok(_) => return,
                Err(error) => {
                    let failure = Failure::new(FailureKind::Fatal, "retry", error.to_string());
                    (IterationResult::Failed(failure), Rollup::default())
                }
            },
            Some((result, rollup, _)) => (result, rollup),
        };
        self.put_back(live);
        self.end_iteration(parent, (step, index), end, due);
    }
}
