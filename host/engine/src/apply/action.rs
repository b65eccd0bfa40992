//! What events do that somebody wanted, and what they do to a single step that
//! has no guest.

use crate::event::Event;
use crate::failure::Failure;
use crate::id::{StepIndex, Timestamp};
use crate::payload::Payload;
use crate::run::{Deadline, Run, RunStatus, StepRun, StepState};
use crate::settle::killed;
use crate::workflow::{FailureMode, Step};

impl Run {
    pub(super) fn apply_action(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::StepUnready { step, attempt, failure, retry_at } => {
                self.be_unready(at, (*step, *attempt), failure, *retry_at);
            }
            Event::StepReady { step } => self.be_ready(at, *step),
            Event::AttemptHeld { step, permit, .. } => {
                self.clear_timeout(*step);
                let state = StepState::Queued { permit: permit.clone() };
                self.put(at, *step, state);
            }
            Event::AttemptReleased { step, .. } => {
                self.put(at, *step, StepState::Running);
                self.steps[*step as usize].attempt_at = at;
                self.set_timeout(at, *step);
            }
            Event::StepPaused { step } => {
                self.agenda.remove(step);
                self.active += 1;
                self.put(at, *step, StepState::Paused);
            }
            Event::StepResumed { step, .. } => {
                self.active -= 1;
                self.steps[*step as usize].is_past_breakpoint = true;
                self.put(at, *step, StepState::Pending { waiting_for: 0 });
                self.agenda.insert(*step);
            }
            Event::StepSkipped { step, by } => {
                self.finish(at, *step, StepState::Skipped { by: by.clone() });
                self.find_failure();
            }
            Event::StepCancelled { step, .. } => self.finish(at, *step, StepState::Cancelled),
            Event::StepKilled { step, by } => {
                self.fail_step(at, *step, &killed("the step", by));
            }
            Event::WaitBypassed { step, by } => {
                let output = Payload::from(serde_json::json!({ "bypassed_by": by }));
                self.finish(at, *step, StepState::Succeeded { output });
            }
            Event::RunPaused { .. } => self.status = RunStatus::Paused,
            Event::RunResumed { .. } => self.status = RunStatus::Running,
            // `apply` sends no others here that change anything.
            _ => {}
        }
    }

    fn put(&mut self, at: Timestamp, place: StepIndex, state: StepState) {
        let step = &mut self.steps[place as usize];
        step.state = state;
        step.since = at;
    }

    fn be_unready(
        &mut self,
        at: Timestamp,
        (place, attempt): (StepIndex, u32),
        failure: &Failure,
        retry_at: Option<Timestamp>,
    ) {
        self.agenda.remove(&place);
        let step = &mut self.steps[place as usize];
        step.attempt = attempt;
        step.tally.add(failure.kind);
        step.last_failure = Some(failure.clone());
        match retry_at {
            Some(until) => {
                self.active += 1;
                self.put(at, place, StepState::BackingOff { until });
                self.deadlines.insert((until, Deadline::Backoff(place)));
            }
            None => self.fail_step(at, place, failure),
        }
    }

    fn be_ready(&mut self, at: Timestamp, place: StepIndex) {
        self.clear_backoff(place);
        self.active -= 1;
        self.steps[place as usize].keeps_journal = true;
        self.put(at, place, StepState::Pending { waiting_for: 0 });
        self.agenda.insert(place);
    }

    /// How many needs of each step that has not begun are not complete.
    pub(super) fn count_needs(&mut self) {
        for place in 0..self.steps.len() {
            if let StepState::Pending { .. } = self.steps[place].state {
                let needs = self.body().steps[place].needs.iter();
                let open = needs
                    .filter(|need| !self.steps[need.step as usize].state.is_complete())
                    .count();
                self.steps[place].state = StepState::Pending { waiting_for: open as u32 };
            }
        }
    }

    /// Every step that may begin is to be looked at.
    pub(super) fn fill_agenda(&mut self) {
        let ready = StepState::Pending { waiting_for: 0 };
        let places = (0..self.steps.len() as StepIndex)
            .filter(|place| self.steps[*place as usize].state == ready);
        self.agenda = places.collect();
        for place in 0..self.steps.len() as StepIndex {
            if self.looping(place).is_some() {
                self.put_loop_on_agenda(place);
            }
        }
    }

    /// What the run would fail with.
    pub(super) fn find_failure(&mut self) {
        let failed = self.steps.iter().enumerate().find_map(|(place, step)| match &step.state {
            StepState::Failed { failure } => Some((place as StepIndex, failure.clone())),
            _ => None,
        });
        self.failure = failed.map(|(place, failure)| self.name_step(place, &failure));
        let steps = self.steps.iter().zip(&self.body().steps);
        let ends_at_once = |(step, definition): (&StepRun, &Step)| {
            matches!(step.state, StepState::Failed { .. })
                && definition.failure_mode == FailureMode::FailImmediately
        };
        // A failure that did not end the run before does not now.
        self.fails_at_once = self.fails_at_once && steps.into_iter().any(ends_at_once);
    }
}
