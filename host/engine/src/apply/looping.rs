//! What events do to the iterations of a loop.

use crate::command::RetryTarget;
use crate::event::{Ending, IterationResult};
use crate::failure::Failure;
use crate::id::{StepIndex, Timestamp};
use crate::payload::Payload;
use crate::rollup::Rollup;
use crate::run::{Iterations, Run, StepState};
use crate::workflow::{FailureMode, Step, StepKind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Run {
    pub(super) fn start_foreach(
        &mut self,
        at: Timestamp,
        place: StepIndex,
        items: &Payload,
        count: u32,
    ) {
        let step = &mut self.steps[place as usize];
        let known = step.iterations.take().filter(|_| step.keeps_journal);
        let iterations = match known {
            Some(mut known) if known.items == *items => {
                known.go_on();
                known
            }
            other => {
                // It runs over something else: iterations are other runs.
                step.round += u32::from(other.is_some());
                Box::new(Iterations::new(items.clone(), count))
            }
        };
        self.begin_loop(at, place, iterations);
    }

    pub(super) fn start_while(&mut self, at: Timestamp, place: StepIndex, variables: &Payload) {
        let step = &mut self.steps[place as usize];
        let known = step.iterations.take().filter(|_| step.keeps_journal);
        let mut iterations = match known {
            Some(mut known) => {
                known.go_on();
                known
            }
            None => Box::new(Iterations::new(Payload::empty_object().clone(), 0)),
        };
        iterations.variables = Some(variables.clone());
        self.begin_loop(at, place, iterations);
    }

    fn begin_loop(&mut self, at: Timestamp, place: StepIndex, iterations: Box<Iterations>) {
        self.active += 1;
        self.agenda.insert(place);
        let step = &mut self.steps[place as usize];
        step.keeps_journal = false;
        step.started_at = Some(at);
        step.since = at;
        step.attempt_at = at;
        step.state = StepState::Looping;
        step.iterations = Some(iterations);
        self.set_timeout(at, place);
    }

    pub(super) fn continue_while(&mut self, place: StepIndex, index: u32, variables: &Payload) {
        if let Some(iterations) = self.loop_mut(place) {
            iterations.count = index + 1;
            // What it gave is in the variables, and only the last is asked for.
            if let Some(before) = iterations.outputs.last_mut() {
                *before = None;
            }
            iterations.outputs.push(None);
            iterations.variables = Some(variables.clone());
        }
        self.start_iterations(place, index, 1);
    }

    pub(super) fn retry_iteration(&mut self, place: StepIndex, index: u32) {
        if let Some(iterations) = self.loop_mut(place) {
            iterations.again.remove(&index);
            iterations.in_flight.insert(index);
            iterations.retried.entry(index).or_default().0 += 1;
        }
        self.put_loop_on_agenda(place);
    }

    /// Every iteration is over.
    pub(super) fn end_loop(&mut self, at: Timestamp, place: StepIndex) {
        let output = self.output_so_far(place).unwrap_or_else(Payload::null);
        self.finish(at, place, StepState::Succeeded { output });
        self.forget_outputs(place);
    }

    /// The outputs of the iterations are part of that of the step.
    pub(super) fn forget_outputs(&mut self, place: StepIndex) {
        if matches!(self.body().steps[place as usize].kind, StepKind::Foreach(_))
            && let Some(iterations) = self.steps[place as usize].iterations.as_deref_mut()
        {
            iterations.outputs = Vec::new();
        }
    }

    /// What there is of the output of a loop.
    pub(crate) fn output_so_far(&self, place: StepIndex) -> Option<Payload> {
        let iterations = self.steps[place as usize].iterations.as_deref()?;
        Some(match self.body().steps[place as usize].kind {
            StepKind::While(_) => iterations.next_variables(),
            _ => iterations.output(),
        })
    }

    pub(super) fn loop_stopped(&mut self, at: Timestamp, place: StepIndex) {
        let ending = self.loop_mut(place).and_then(|iterations| iterations.ending.clone());
        let state = match ending {
            Some(Ending::Skipped { by }) if self.stop.is_none() => StepState::Skipped { by },
            _ => StepState::Cancelled,
        };
        self.finish(at, place, state);
    }

    pub(super) fn start_iterations(&mut self, place: StepIndex, first: u32, count: u32) {
        if let Some(iterations) = self.loop_mut(place) {
            iterations.next = first + count;
            iterations.in_flight.extend(first..first + count);
        }
        self.put_loop_on_agenda(place);
    }

    pub(super) fn end_iteration(
        &mut self,
        place: StepIndex,
        index: u32,
        (result, rollup): (&IterationResult, Rollup),
    ) {
        let ignores = self.body().steps[place as usize].failure_mode == FailureMode::IgnoreFailure;
        if let Some(iterations) = self.loop_mut(place) {
            iterations.end(index, result, rollup);
            // The others run all the same.
            iterations.goes_on = ignores;
        }
        self.put_loop_on_agenda(place);
    }

    pub(super) fn stop_loop(&mut self, place: StepIndex, ending: &Ending) {
        self.clear_timeout(place);
        if let Some(iterations) = self.loop_mut(place) {
            iterations.ending = Some(ending.clone());
            iterations.failed.append(&mut iterations.again);
        }
        self.put_loop_on_agenda(place);
    }

    pub(super) fn put_loop_on_agenda(&mut self, place: StepIndex) {
        let stopping = self.stop.is_some();
        let wants = self.looping(place).is_some_and(|iterations| {
            let definition = &self.body().steps[place as usize];
            let fails = !stopping
                && definition.failure_mode == FailureMode::FailImmediately
                && iterations.failure.is_some()
                && iterations.ending.is_none();
            fails
                || iterations.startable(definition, stopping) > 0
                || iterations.is_over(definition, stopping)
        });
        if wants {
            self.agenda.insert(place);
        } else {
            self.agenda.remove(&place);
        }
    }
}

impl Iterations {
    fn new(items: Payload, count: u32) -> Self {
        Self {
            items,
            count,
            next: 0,
            in_flight: BTreeSet::new(),
            outputs: vec![None; count as usize],
            succeeded: 0,
            failed: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            failure: None,
            goes_on: false,
            ending: None,
            again: BTreeSet::new(),
            retried: BTreeMap::new(),
            variables: None,
            rollup: Rollup::default(),
            usual_rollup: None,
            rollups: BTreeMap::new(),
        }
    }

    /// A retry: those that did not succeed are due again.
    fn go_on(&mut self) {
        self.ending = None;
        self.failure = None;
        let failed = std::mem::take(&mut self.failed);
        failed.into_iter().for_each(|index| self.let_go_on(index, RetryTarget::Incomplete));
    }

    /// An iteration that is over is due again.
    pub(super) fn let_go_on(&mut self, index: u32, target: RetryTarget) {
        let output = self.outputs.get_mut(index as usize).and_then(Option::take);
        self.succeeded -= u32::from(output.is_some());
        self.failed.remove(&index);
        self.cancelled.remove(&index);
        self.again.insert(index);
        self.retried.entry(index).or_default().1 = target;
        let usual = self.usual_rollup.filter(|_| output.is_some());
        let before = self.rollups.remove(&index).or(usual).unwrap_or_default();
        self.rollup = self.rollup.minus(before);
    }

    /// Takes the outputs back from that of the step, which had succeeded.
    pub(super) fn remember_outputs(&mut self, output: &Payload) {
        if let Value::Array(outputs) = output.value() {
            self.outputs = outputs.iter().map(|one| Some(Payload::from(one.clone()))).collect();
        }
    }

    /// How many more may start now.
    pub(crate) fn startable(&self, definition: &Step, stopping: bool) -> u32 {
        let failed = !self.failed.is_empty() && !self.goes_on;
        if stopping || self.ending.is_some() || (failed && self.again.is_empty()) {
            return 0;
        }
        let StepKind::Foreach(foreach) = &definition.kind else {
            return u32::from(self.in_flight.is_empty() && !self.again.is_empty());
        };
        let room = foreach.concurrency.saturating_sub(self.in_flight.len() as u32);
        if !self.again.is_empty() {
            return room.min(self.again.len() as u32);
        }
        let mut left = self.count - self.next;
        if let (true, Some(slowest)) = (foreach.strict_ordering, self.in_flight.first()) {
            left = left.min((slowest + foreach.concurrency).saturating_sub(self.next));
        }
        room.min(left)
    }

    /// Whether nothing runs and nothing will, unless the condition of a `while`
    /// says so.
    pub(crate) fn is_over(&self, definition: &Step, stopping: bool) -> bool {
        let failed = !self.failed.is_empty() && !self.goes_on;
        let is_last = match definition.kind {
            StepKind::Foreach(_) => self.next == self.count,
            _ => true,
        };
        let ends = stopping || self.ending.is_some();
        self.in_flight.is_empty() && (ends || (self.again.is_empty() && (is_last || failed)))
    }

    fn end(&mut self, index: u32, result: &IterationResult, rollup: Rollup) {
        self.in_flight.remove(&index);
        self.rollup = self.rollup.plus(rollup);
        match result {
            IterationResult::Succeeded(output) => {
                self.succeeded += 1;
                if *self.usual_rollup.get_or_insert(rollup) != rollup {
                    self.rollups.insert(index, rollup);
                }
                self.outputs[index as usize] = Some(output.clone());
                return;
            }
            IterationResult::Failed(failure) => {
                let message = format!("iteration {index}: {}", failure.message);
                self.failure.get_or_insert(Failure { message, ..failure.clone() });
            }
            IterationResult::Cancelled => {
                self.cancelled.insert(index);
            }
        }
        self.failed.insert(index);
        self.rollups.insert(index, rollup);
    }

    /// The list of all outputs, in the order of the iterations; null where there
    /// is none.
    fn output(&self) -> Payload {
        let (outputs, null) = (self.outputs.iter(), Payload::null());
        Payload::from_elements(outputs.map(|output| output.as_ref().unwrap_or(&null)))
    }
}
