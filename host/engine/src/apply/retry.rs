//! What a retry does: steps wait for their turn again, and what is complete
//! stays.

use crate::command::RetryTarget;
use crate::event::Event;
use crate::id::{StepIndex, Timestamp};
use crate::retry::Tally;
use crate::rollup::Rollup;
use crate::run::{Run, RunStatus, StepState};

impl Run {
    pub(super) fn go_on(&mut self, at: Timestamp, event: &Event) {
        let Event::RunRetried { generation, given, steps, fresh, inner, queued, .. } = event else {
            return;
        };
        let was_over = !self.status.is_open();
        self.generation = *generation;
        if let Some(given) = given {
            self.surroundings.take(given);
            self.given = Some((**given).clone());
        }
        if was_over {
            self.status = if *queued { RunStatus::Queued } else { RunStatus::Running };
            self.stop = None;
            self.fails_at_once = false;
            self.active = 0;
        }
        for step in steps {
            self.reset(at, *step, fresh.contains(step));
        }
        match inner {
            RetryTarget::Iteration(step, index, inner) => self.reopen(at, *step, (*index, inner)),
            RetryTarget::Child(step, inner) => {
                self.steps[*step as usize].child_target = (**inner).clone();
            }
            _ => {}
        }
        self.count_needs();
        self.find_failure();
        if *queued && was_over {
            return;
        }
        if was_over {
            self.start(at);
        } else {
            self.fill_agenda();
        }
    }

    /// The step waits for its turn again.
    fn reset(&mut self, at: Timestamp, place: StepIndex, is_fresh: bool) {
        let step = &mut self.steps[place as usize];
        step.state = StepState::Pending { waiting_for: 0 };
        step.since = at;
        step.tally = Tally::default();
        step.is_past_breakpoint = false;
        step.keeps_journal = !is_fresh;
        step.below = Rollup::default();
        step.child_target = RetryTarget::Incomplete;
        if is_fresh {
            step.begin_afresh();
            step.input = None;
            step.round += u32::from(step.iterations.take().is_some());
            step.child = None;
        }
    }

    /// One iteration of a loop is due again, and the loop goes on with it.
    fn reopen(&mut self, at: Timestamp, place: StepIndex, (index, inner): (u32, &RetryTarget)) {
        let step = &mut self.steps[place as usize];
        let Some(iterations) = step.iterations.as_deref_mut() else { return };
        if let StepState::Succeeded { output } = &step.state {
            iterations.remember_outputs(output);
        }
        iterations.let_go_on(index, inner.clone());
        iterations.ending = None;
        // Whether others had failed is asked when nothing is under way.
        iterations.failure = None;
        if step.state != StepState::Looping {
            step.state = StepState::Looping;
            step.since = at;
            step.attempt_at = at;
            self.active += 1;
            if self.status == RunStatus::Queued {
                return;
            }
            self.set_timeout(at, place);
        }
        self.put_loop_on_agenda(place);
    }
}
