//! What a recorded history has to be like, whatever happened: one attempt of a
//! step at a time, none twice, and nothing after its end.

use segno_engine::event::{Event, Record};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use std::collections::HashMap;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The second, since the host was first opened.
    pub at: f64,
    /// What.
    pub event: Event,
}

/// The events of these records, in order.
pub fn moments(records: &[Record], since: Timestamp) -> Vec<Moment> {
    let second = |record: &Record| record.at.since(since) as f64 / 1e3;
    let moments = |record: &Record| {
        let at = second(record);
        record.events.clone().into_iter().map(move |event| Moment { at, event })
    };
    records.iter().flat_map(moments).collect()
}

/// What is known of a step.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Phase {
    #[default]
    Idle,
    Active,
    Over,
}

#[derive(Debug, Default)]
struct Known {
    phase: Phase,
    /// The last attempt that began.
    attempt: u32,
}

/// Panics where a history breaks the rules.
pub fn check(run: RunId, records: &[Record]) {
    let times: Vec<_> = records.iter().map(|record| record.at).collect();
    assert!(times.is_sorted(), "{run}: time goes back");
    let mut steps: HashMap<StepIndex, Known> = HashMap::new();
    let mut over = false;
    for event in records.iter().flat_map(|record| &record.events) {
        if let Event::RunRetried { steps: again, inner, .. } = event {
            for step in again.iter().copied().chain(inner.step()) {
                steps.entry(step).or_default().phase = Phase::Idle;
            }
            over = false;
            continue;
        }
        let is_note = matches!(event, Event::RunUnblocked { .. } | Event::ChildEnded { .. });
        assert!(!over || is_note, "{run}: after its end there is {event:?}");
        over |= matches!(
            event,
            Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped
        );
        if let Some(step) = event.step() {
            steps.entry(step).or_default().take(run, event);
        }
    }
}

impl Known {
    fn take(&mut self, run: RunId, event: &Event) {
        match event {
            Event::AttemptStarted { attempt, .. } | Event::StepContinued { attempt, .. } => {
                let continues = matches!(event, Event::StepContinued { .. });
                assert_eq!(self.phase == Phase::Active, continues, "{run}: two at once: {event:?}");
                assert!(*attempt > self.attempt, "{run}: an attempt twice: {event:?}");
                *self = Self { phase: Phase::Active, attempt: *attempt };
            }
            Event::SubworkflowStarted { .. } => {
                assert_ne!(self.phase, Phase::Active, "{run}: two at once: {event:?}");
                *self = Self { phase: Phase::Active, attempt: self.attempt + 1 };
            }
            Event::AttemptFailed { attempt, retry_at, .. } => {
                self.ends(run, *attempt, event);
                self.phase = if retry_at.is_some() { Phase::Idle } else { Phase::Over };
            }
            Event::StepSucceeded { attempt, .. } => {
                if self.phase == Phase::Active {
                    assert_eq!(self.attempt, *attempt, "{run}: of another attempt: {event:?}");
                }
                self.finish(run, event);
            }
            Event::StepPublished { .. }
            | Event::StepFailed { .. }
            | Event::StepUnsatisfied { .. }
            | Event::LoopSucceeded { .. }
            | Event::LoopStopped { .. }
            | Event::StepCancelled { .. }
            | Event::StepKilled { .. }
            | Event::StepSkipped { .. } => self.finish(run, event),
            Event::AttemptSuspended { attempt, .. } | Event::AttemptResumed { attempt, .. } => {
                self.ends(run, *attempt, event);
            }
            _ => {}
        }
    }

    /// Only the attempt that is under way can have this.
    fn ends(&self, run: RunId, attempt: u32, event: &Event) {
        let fits = self.phase == Phase::Active && self.attempt == attempt;
        assert!(fits, "{run}: of no attempt that is under way: {event:?} {self:?}");
    }

    fn finish(&mut self, run: RunId, event: &Event) {
        // What failed can be skipped afterwards.
        let is_skip = matches!(event, Event::StepSkipped { .. });
        assert!(is_skip || self.phase != Phase::Over, "{run}: it was over before {event:?}");
        self.phase = Phase::Over;
    }
}
