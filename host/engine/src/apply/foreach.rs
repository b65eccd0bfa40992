//! What events do to the iterations of a `foreach`.

use crate::event::IterationResult;
use crate::failure::{Failure, FailureKind};
use crate::id::{StepIndex, Timestamp};
use crate::payload::Payload;
use crate::run::{Iterations, Run, StepState};
use crate::workflow::StepKind;
use std::collections::BTreeSet;

impl Run {
    pub(super) fn start_foreach(
        &mut self,
        at: Timestamp,
        place: StepIndex,
        items: &Payload,
        count: u32,
    ) {
        self.active += 1;
        self.agenda.insert(place);
        let step = &mut self.steps[place as usize];
        step.started_at = Some(at);
        step.since = at;
        step.attempt_at = at;
        step.state = StepState::Looping;
        step.iterations = Some(Box::new(Iterations {
            items: items.clone(),
            count,
            next: 0,
            in_flight: BTreeSet::new(),
            outputs: vec![None; count as usize],
            succeeded: 0,
            failed: BTreeSet::new(),
            failure: None,
            stopping: false,
        }));
        self.set_timeout(at, place);
    }

    pub(super) fn start_iterations(&mut self, place: StepIndex, first: u32, count: u32) {
        if let Some(iterations) = self.loop_mut(place) {
            iterations.next = first + count;
            iterations.in_flight.extend(first..first + count);
        }
        self.put_loop_on_agenda(place);
    }

    pub(super) fn end_iteration(&mut self, place: StepIndex, index: u32, result: &IterationResult) {
        if let Some(iterations) = self.loop_mut(place) {
            iterations.end(index, result);
        }
        self.put_loop_on_agenda(place);
    }

    pub(super) fn stop_foreach(&mut self, place: StepIndex, failure: &Failure) {
        self.clear_timeout(place);
        if let Some(iterations) = self.loop_mut(place) {
            iterations.stopping = true;
            iterations.failure.get_or_insert_with(|| failure.clone());
        }
        self.put_loop_on_agenda(place);
    }

    pub(super) fn put_loop_on_agenda(&mut self, place: StepIndex) {
        let StepKind::Foreach(foreach) = &self.body().steps[place as usize].kind else {
            return;
        };
        let concurrency = foreach.concurrency;
        let stopping = self.stop.is_some();
        let wants = self.looping(place).is_some_and(|iterations| {
            iterations.startable(concurrency, stopping) > 0 || iterations.is_over(stopping)
        });
        if wants {
            self.agenda.insert(place);
        } else {
            self.agenda.remove(&place);
        }
    }
}

impl Iterations {
    /// How many more may start now.
    pub(crate) fn startable(&self, concurrency: u32, stopping: bool) -> u32 {
        if stopping || self.failure.is_some() {
            return 0;
        }
        let room = concurrency.saturating_sub(self.in_flight.len() as u32);
        room.min(self.count - self.next)
    }

    /// Whether nothing runs and nothing will.
    pub(crate) fn is_over(&self, stopping: bool) -> bool {
        self.in_flight.is_empty() && (self.next == self.count || stopping || self.failure.is_some())
    }

    fn end(&mut self, index: u32, result: &IterationResult) {
        self.in_flight.remove(&index);
        match result {
            IterationResult::Succeeded(output) => {
                self.succeeded += 1;
                self.outputs[index as usize] = Some(output.clone());
            }
            IterationResult::Failed(failure) => {
                self.failed.insert(index);
                let message = format!("iteration {index}: {}", failure.message);
                self.failure.get_or_insert(Failure { message, ..failure.clone() });
            }
            IterationResult::Cancelled => {
                self.failed.insert(index);
                let message = format!("iteration {index} was cancelled");
                self.failure.get_or_insert(Failure::new(FailureKind::Fatal, "cancelled", message));
            }
        }
    }

    /// The list of all outputs, in the order of the iterations.
    pub(super) fn take_output(&mut self) -> Payload {
        Payload::from_elements(std::mem::take(&mut self.outputs).iter().flatten())
    }
}
