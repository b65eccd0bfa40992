//! What the shell does for runs: it performs the effects of one run at others.

use crate::world::World;
use segno_engine::command::Command;
use segno_engine::effect::Effect;
use segno_engine::event::IterationResult;
use segno_engine::id::{RunId, StepIndex};
use segno_engine::rollup::Rollup;

impl World {
    /// Performs one effect.
    pub fn perform(&mut self, id: RunId, effect: Effect) {
        match effect {
            Effect::RunAttempt { step, attempt } => self.run_attempt((id, step, attempt)),
            Effect::AbortAttempt { step, attempt } => {
                self.executor.abort((id, step, attempt), &mut self.choices);
            }
            Effect::StartIteration { step, index } => self.start_iteration(id, step, index),
            Effect::CancelIteration { step, index } => self.cancel_iteration(id, step, index),
            Effect::ReportEnd { parent, step, index, result, rollup } => {
                self.submit(parent, &Command::EndIteration { step, index, result, rollup });
            }
            Effect::WatchChild { step, child } => self.report_child(id, step, child),
            Effect::CancelChild { step, child } => match self.runs[&child].status().is_open() {
                true => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
                false => self.report_child(id, step, child),
            },
            Effect::ReportChild { parent, step } => self.report_child(parent, step, id),
            other => panic!("{other:?} is of no plan"),
        }
    }

    /// Tells a run that one which its step started is over, if it is.
    fn report_child(&mut self, parent: RunId, step: StepIndex, child: RunId) {
        if let Some((result, rollup)) = self.end_of(child) {
            self.submit(parent, &Command::EndChild { step, child, result, rollup });
        }
    }

    fn start_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = RunId::child(parent, step, (0, index));
        if self.runs.contains_key(&child) {
            return self.report_iteration(parent, (step, index), child);
        }
        let around = &self.runs[&parent];
        if let Some((child, origin)) = around.iteration(step, index) {
            let surroundings = around.surroundings_of(step);
            self.begin(child, origin, surroundings);
        }
    }

    fn cancel_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = RunId::child(parent, step, (0, index));
        match self.runs.get(&child).map(|run| run.status().is_open()) {
            None => {
                let (result, rollup) = (IterationResult::Cancelled, Rollup::default());
                self.submit(parent, &Command::EndIteration { step, index, result, rollup });
            }
            Some(true) => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
            Some(false) => self.report_iteration(parent, (step, index), child),
        }
    }

    fn report_iteration(&mut self, parent: RunId, (step, index): (StepIndex, u32), child: RunId) {
        if let Some((result, rollup)) = self.end_of(child) {
            self.submit(parent, &Command::EndIteration { step, index, result, rollup });
        }
    }

    /// How a run ended and how its steps did, if it is over.
    fn end_of(&self, run: RunId) -> Option<(IterationResult, Rollup)> {
        let run = &self.runs[&run];
        Some((run.result()?, run.rollup(&mut |_| Rollup::default())))
    }
}
