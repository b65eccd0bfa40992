//! What the shell does for runs: it performs the effects of one run at others.

use crate::model;
use crate::world::{Happening, World};
use segno_engine::command::{Command, Retry, RetryTarget};
use segno_engine::effect::Effect;
use segno_engine::event::{IterationResult, Origin};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::payload::Payload;
use segno_engine::rollup::Rollup;
use segno_engine::run::{Run, StepRun, StepState};

impl World {
    /// Performs one effect.
    pub fn perform(&mut self, id: RunId, effect: Effect) {
        match effect {
            Effect::RunAttempt { step, attempt } => self.run_attempt((id, step, attempt)),
            Effect::AbortAttempt { step, attempt } => {
                self.executor.abort((id, step, attempt), &mut self.choices);
            }
            Effect::StartIteration { step, index } => self.start_iteration(id, step, index),
            Effect::RetryIteration { step, index, generation, target } => {
                self.retry_iteration(id, (step, index), (generation, target));
            }
            // Performed late it might end what has begun again meanwhile.
            Effect::CancelIteration { .. } | Effect::CancelChild { .. }
                if !self.runs[&id].outstanding().contains(&effect) => {}
            Effect::CancelIteration { step, index } => self.cancel_iteration(id, step, index),
            Effect::ReportEnd { parent, step, index, result, rollup } => {
                self.submit(parent, &Command::EndIteration { step, index, result, rollup });
            }
            Effect::WatchChild { step, child } => self.report_child(id, step, child),
            Effect::CancelChild { step, child } => self.cancel_child(id, step, child),
            Effect::ReportChild { parent, step } => self.report_child(parent, step, id),
            Effect::StartSubworkflow { step } => self.start_subworkflow(id, step),
            Effect::PublishSignals { step } => {
                self.some_time(Happening::SignalsArePublished(id, step));
            }
            Effect::AwaitSignal { step } => self.some_time(Happening::SignalComes(id, step)),
            Effect::TellIterations => self.tell_iterations(id),
            Effect::AwaitPermits { .. } => {}
        }
    }

    /// The signal comes that a gate waits for.
    pub fn signal_comes(&mut self, id: RunId, step: StepIndex) {
        if self.runs[&id].outstanding().contains(&Effect::AwaitSignal { step }) {
            let output = Payload::from(model::signal());
            self.submit(id, &Command::EndWait { step, output });
        }
    }

    /// The signals of a step are kept.
    pub fn signals_are_published(&mut self, id: RunId, step: StepIndex) {
        let StepRun { attempt, publications, state, .. } = &self.runs[&id].steps()[step as usize];
        let StepState::Publishing { signals, .. } = state else { return };
        let sequences = (1..=signals.len() as u64).collect();
        let (attempt, publication) = (*attempt, *publications);
        self.witness.count("publications of steps");
        self.submit(id, &Command::EndPublishing { step, attempt, publication, sequences });
    }

    /// Lets the iterations of a run know whether it is paused.
    pub fn tell_iterations(&mut self, id: RunId) {
        let is_held = self.runs[&id].is_on_hold();
        let of_this =
            |run: &Run| matches!(run.origin(), Origin::Iteration { parent, .. } if *parent == id);
        let iterations: Vec<RunId> =
            self.runs.iter().filter(|(_, run)| of_this(run)).map(|(id, _)| *id).collect();
        for iteration in iterations {
            self.runs.get_mut(&iteration).expect("it is there").set_held(is_held);
            self.submit(iteration, &Command::CheckDeadlines);
            self.tell_iterations(iteration);
        }
    }

    fn start_subworkflow(&mut self, id: RunId, step: StepIndex) {
        let books = &self.runs[&id].steps()[step as usize];
        let StepState::Delegated { child, .. } = books.state else {
            return;
        };
        let (generation, target) = (books.child_generation, books.child_target.clone());
        if self.runs.contains_key(&child) {
            if !self.goes_on_with(child, generation) {
                return self.report_child(id, step, child);
            }
            if !self.go_on_with(child, (generation, target)) {
                let failure = Failure::new(FailureKind::Fatal, "retry", "another run is open");
                let (result, rollup) = (IterationResult::Failed(failure), Rollup::default());
                self.submit(id, &Command::EndChild { step, child, result, rollup });
            }
            return;
        }
        let (origin, workflow) = (self.child_origin(id, step), self.child.workflow.name.clone());
        self.begin_numbered(child, &workflow, origin);
    }

    fn cancel_child(&mut self, parent: RunId, step: StepIndex, child: RunId) {
        match self.runs.get(&child).map(|run| run.status().is_open()) {
            None => {
                let (result, rollup) = (IterationResult::Cancelled, Rollup::default());
                self.submit(parent, &Command::EndChild { step, child, result, rollup });
            }
            Some(true) => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
            Some(false) => self.report_child(parent, step, child),
        }
    }

    fn retry_iteration(
        &mut self,
        parent: RunId,
        (step, index): (StepIndex, u32),
        (generation, target): (u32, RetryTarget),
    ) {
        let child = self.runs[&parent].iteration_id(step, index);
        let is_held = self.runs[&parent].is_on_hold();
        if let Some(run) = self.runs.get_mut(&child) {
            run.set_held(is_held);
        }
        // It may have been cancelled before there was anything of it.
        if self.runs.contains_key(&child) && self.goes_on_with(child, generation) {
            let wanted = self.runs[&parent].iteration(step, index).is_some();
            if wanted {
                self.go_on_with(child, (generation, target));
            }
            return;
        }
        self.start_iteration(parent, step, index);
    }

    /// Whether a run that had ended is to go on as its parent wants.
    fn goes_on_with(&self, run: RunId, generation: u32) -> bool {
        let run = &self.runs[&run];
        let is_badly_over =
            run.result().is_some_and(|result| !matches!(result, IterationResult::Succeeded(_)));
        is_badly_over && run.generation() < generation
    }

    fn go_on_with(&mut self, run: RunId, (generation, target): (u32, RetryTarget)) -> bool {
        let (by, generation) = ("its parent".to_owned(), Some(generation));
        self.take_up_again(run, Retry { by, target, given: None, queued: false, generation })
    }

    /// Tells a run that one which its step started is over, if it is.
    fn report_child(&mut self, parent: RunId, step: StepIndex, child: RunId) {
        if let Some((result, rollup)) = self.end_of(child) {
            self.submit(parent, &Command::EndChild { step, child, result, rollup });
        }
    }

    fn start_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = self.runs[&parent].iteration_id(step, index);
        if self.runs.contains_key(&child) {
            return self.report_iteration(parent, (step, index), child);
        }
        let around = &self.runs[&parent];
        if let Some((child, origin)) = around.iteration(step, index) {
            let surroundings = around.surroundings_of(step);
            self.begin_iteration(child, origin, surroundings);
        }
    }

    fn cancel_iteration(&mut self, parent: RunId, step: StepIndex, index: u32) {
        let child = self.runs[&parent].iteration_id(step, index);
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
