//! What the shell does for runs: it performs the effects of one run at others.

use crate::world::World;
use segno_engine::command::Command;
use segno_engine::effect::Effect;
use segno_engine::event::IterationResult;
use segno_engine::id::{RunId, StepIndex};
use segno_engine::run::Run;

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
            Effect::ReportEnd { parent, step, index, result } => {
                self.submit(parent, &Command::EndIteration { step, index, result });
            }
            Effect::WatchChild { step, child } => {
                if !self.runs[&child].status().is_open() {
                    self.submit(id, &Command::EndChild { step, child });
                }
            }
            Effect::CancelChild { step, child } => match self.runs[&child].status().is_open() {
                true => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
                false => self.submit(id, &Command::EndChild { step, child }),
            },
            Effect::ReportChild { parent, step } => {
                self.submit(parent, &Command::EndChild { step, child: id });
            }
        }
    }

    fn start_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = RunId::child(parent, step, index);
        if let Some(result) = self.runs.get(&child).map(Run::iteration_result) {
            self.report(parent, (step, index), result);
            return;
        }
        let around = &self.runs[&parent];
        if let Some((child, origin)) = around.iteration(step, index) {
            let surroundings = around.surroundings_of(step);
            self.begin(child, origin, surroundings);
        }
    }

    fn cancel_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = RunId::child(parent, step, index);
        let result = match self.runs.get(&child) {
            None => Some(IterationResult::Cancelled),
            Some(run) => run.iteration_result(),
        };
        match result {
            None => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
            result => self.report(parent, (step, index), result),
        }
    }

    fn report(
        &mut self,
        parent: RunId,
        (step, index): (StepIndex, u32),
        result: Option<IterationResult>,
    ) {
        if let Some(result) = result {
            self.submit(parent, &Command::EndIteration { step, index, result });
        }
    }
}
