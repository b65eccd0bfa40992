//! What events do to a step that waits: for something, or until what it
//! publishes is there.

use crate::event::Event;
use crate::id::{StepIndex, Timestamp};
use crate::payload::Payload;
use crate::retry::Tally;
use crate::run::{Deadline, Match, Run, StepState};
use crate::wait::{SignalWait, Wait};

impl Run {
    pub(super) fn suspend(&mut self, at: Timestamp, place: StepIndex, wait: &Wait) {
        if let Some(timer) = wait.timer {
            self.deadlines.insert((timer.until, Deadline::Wait(place)));
        }
        let step = &mut self.steps[place as usize];
        step.state = StepState::Suspended { wait: Box::new(wait.clone()) };
        step.waited = wait.sequence;
        step.since = at;
    }

    /// The step waits itself: it has no guest.
    pub(super) fn wait(&mut self, at: Timestamp, place: StepIndex, wait: &Wait) {
        if let Some(timer) = wait.timer {
            self.deadlines.insert((timer.until, Deadline::Wait(place)));
        }
        let step = &mut self.steps[place as usize];
        step.attempt += 1;
        step.attempt_at = at;
        step.since = at;
        step.state = StepState::Waiting { wait: Box::new(wait.clone()) };
        self.set_timeout(at, place);
    }

    /// The step leaves its work to another run.
    pub(super) fn delegate(&mut self, at: Timestamp, event: &Event) {
        let Event::SubworkflowStarted { step: place, child, workflow, version } = event else {
            return;
        };
        let (place, child) = (*place, *child);
        self.children.insert(child, place);
        let step = &mut self.steps[place as usize];
        step.child_generation = match step.child {
            Some(known) if known == child => step.child_generation + 1,
            _ => 0,
        };
        step.child = Some(child);
        step.attempt += 1;
        step.attempt_at = at;
        step.since = at;
        let (workflow, version) = (workflow.clone(), version.clone());
        step.child_of = Some(Box::new((workflow.clone(), version.clone())));
        step.state = StepState::Delegated { child, workflow, version };
        self.set_timeout(at, place);
    }

    pub(super) fn resume(&mut self, at: Timestamp, place: StepIndex) {
        self.clear_wait(place);
        let step = &mut self.steps[place as usize];
        step.state = StepState::Running;
        step.since = at;
    }

    /// The step's work is done, and its signals have to be published. Nothing
    /// that it waited for matters any more.
    pub(super) fn publish(&mut self, at: Timestamp, event: &Event) {
        let Event::StepPublishing { step: place, output, signals, .. } = event else { return };
        let place = *place;
        let output =
            output.clone().or_else(|| self.output_so_far(place)).unwrap_or_else(Payload::null);
        self.note_match(place, &output);
        self.agenda.remove(&place);
        self.clear_timeout(place);
        self.clear_wait(place);
        let step = &mut self.steps[place as usize];
        step.publications += 1;
        step.since = at;
        step.state = StepState::Publishing { output, signals: signals.clone() };
    }

    /// A signal has released the step, which gives this.
    pub(super) fn note_match(&mut self, place: StepIndex, output: &Payload) {
        let step = &mut self.steps[place as usize];
        let StepState::Waiting { wait } = &step.state else { return };
        let Some(SignalWait { name, pattern, .. }) = wait.signals.first().cloned() else { return };
        step.matched = Some(Box::new(Match { name, pattern, output: output.clone() }));
    }

    pub(super) fn published(&mut self, at: Timestamp, place: StepIndex) {
        let step = &mut self.steps[place as usize];
        let output = match std::mem::replace(&mut step.state, StepState::Running) {
            StepState::Publishing { output, .. } => output,
            _ => Payload::null(),
        };
        self.finish(at, place, StepState::Succeeded { output });
        self.forget_outputs(place);
    }

    pub(super) fn clear_wait(&mut self, place: StepIndex) {
        if let Some(timer) = self.wait_of(place).and_then(|wait| wait.timer) {
            self.deadlines.remove(&(timer.until, Deadline::Wait(place)));
        }
    }

    pub(super) fn continue_step(&mut self, at: Timestamp, event: &Event) {
        let Event::StepContinued { step: place, attempt, input, sequence, signals_taken, usage } =
            event
        else {
            return;
        };
        self.clear_timeout(*place);
        self.add_usage(*place, *usage);
        let step = &mut self.steps[*place as usize];
        step.input = Some(input.clone());
        step.sequence = *sequence;
        step.continued += 1;
        step.continued_bytes += continued_bytes(input, signals_taken);
        step.signals_taken.clone_from(signals_taken);
        step.tally = Tally::default();
        self.start_attempt(at, *place, *attempt);
    }
}

/// What continuing with this adds to the history of the run.
pub(crate) fn continued_bytes(input: &Payload, signals_taken: &[(String, u64)]) -> u64 {
    let names: usize = signals_taken.iter().map(|(name, _)| name.len() + 8).sum();
    (input.text().len() + names) as u64
}
