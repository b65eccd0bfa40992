//! Runs that had ended and go on for the run that started them.

use super::live::Live;
use super::{Driver, Due};
use segno_engine::command::{Retry, RetryTarget, RunEnd};
use segno_engine::event::IterationResult;
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::StepIndex;
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
                {
                    let state = parent.lock();
                    let mut below = live.lock();
                    below.run.set_held(state.run.is_on_hold());
                    below.run.set_breakpoints(state.run.breakpoints());
                    if !below.run.status().is_open() {
                        // It may be in memory since before the params changed.
                        below.run.set_surroundings(state.run.surroundings_of(step));
                    }
                }
                if let Some(end) = self.go_on_or_end(&live, (generation, retry), due) {
                    self.end_iteration(parent, (step, index), end, due);
                }
            }
            // It was cancelled before it was created.
            Ok(None) => self.create_child(parent, (step, index), due),
            Err(error) => self.cannot_wake(child, &error),
        }
    }

    /// Lets a run go on that another has started, unless it does already or did
    /// so before; then how it ended.
    pub(super) fn go_on_or_end(
        &self,
        live: &Arc<Live>,
        (generation, retry): (u32, Retry),
        due: &mut VecDeque<Due>,
    ) -> Option<RunEnd> {
        let end = live.lock().run.run_end()?;
        let has_succeeded = matches!(end.result, IterationResult::Succeeded(_));
        let is_complete = has_succeeded && retry.target == RetryTarget::Incomplete;
        let end = if is_complete || end.generation >= generation {
            RunEnd { generation: end.generation.max(generation), ..end }
        } else {
            match self.take_up_again(live, retry, due) {
                Ok(_) => return None,
                Err(error) => {
                    let failure = Failure::new(FailureKind::Fatal, "retry", error.to_string());
                    RunEnd::absent(live.id, generation, IterationResult::Failed(failure))
                }
            }
        };
        self.put_back(live);
        Some(end)
    }
}
