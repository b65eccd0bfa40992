//! What the shell does for runs: it performs the effects of one run at others.

use crate::model;
use crate::world::{Happening, World};
use segno_engine::command::{Command, Retry, RetryTarget, RunEnd};
use segno_engine::effect::Effect;
use segno_engine::event::{IterationResult, Origin};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{RunId, StepIndex};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, StepRun, StepState};

impl World {
    /// Performs one effect.
    pub fn perform(&mut self, id: RunId, effect: Effect) {
        match effect {
            Effect::RunAttempt { step, attempt } => self.run_attempt((id, step, attempt)),
            Effect::AbortAttempt { step, attempt } => {
                self.executor.abort((id, step, attempt), &mut self.choices);
            }
            Effect::StartIteration { step, index } => self.see_iteration(id, (step, index), 0),
            Effect::RetryIteration { step, index, generation, target } => {
                self.retry_iteration(id, (step, index), (generation, target));
            }
            // Performed late it might end what has begun again meanwhile.
            Effect::CancelIteration { .. } | Effect::CancelChild { .. }
                if !self.runs[&id].outstanding().contains(&effect) => {}
            Effect::CancelIteration { step, index, generation } => {
                self.cancel_iteration(id, (step, index), generation);
            }
            Effect::ReportEnd { parent, step, index, end } => {
                self.submit(parent, &Command::EndIteration { step, index, end });
            }
            Effect::WatchChild { step, child } => self.report_child(id, step, child),
            Effect::CancelChild { step, child } => self.cancel_child(id, step, child),
            Effect::ReportChild { parent, step } => self.report_child(parent, step, id),
            Effect::StartSubworkflow { step } => self.start_subworkflow(id, step),
            Effect::PublishSignals { step } => {
                self.some_time(Happening::SignalsArePublished(id, step));
            }
            Effect::AwaitSignal { step } => self.some_time(Happening::SignalComes(id, step)),
            Effect::TellBelow => self.tell_below(id),
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

    /// Lets the iterations and subworkflows of a run know whether it is paused.
    pub fn tell_below(&mut self, id: RunId) {
        let around = &self.runs[&id];
        let is_held = around.is_on_hold();
        let of_this = |run: &Run| match run.origin() {
            Origin::Iteration { parent, .. } => *parent == id,
            Origin::Child { parent, step, .. } => *parent == id && around.has_subworkflow(*step),
            Origin::Start { .. } => false,
        };
        let below: Vec<RunId> =
            self.runs.iter().filter(|(_, run)| of_this(run)).map(|(id, _)| *id).collect();
        for run in below {
            self.runs.get_mut(&run).expect("it is there").set_held(is_held);
            self.submit(run, &Command::CheckDeadlines);
            self.tell_below(run);
        }
    }

    fn start_subworkflow(&mut self, id: RunId, step: StepIndex) {
        let books = &self.runs[&id].steps()[step as usize];
        let StepState::Delegated { child, .. } = books.state else {
            return;
        };
        let (generation, target) = (books.child_generation, books.child_target.clone());
        if self.runs.contains_key(&child) {
            if !self.goes_on_with(child, (generation, &target)) {
                return self.report_child_as((id, step), child, generation);
            }
            if !self.go_on_with(child, (generation, target)) {
                let failure = Failure::new(FailureKind::Fatal, "retry", "another run is open");
                let end = RunEnd::absent(child, generation, IterationResult::Failed(failure));
                self.submit(id, &Command::EndChild { step, end });
            }
            return;
        }
        let origin = self.child_origin((id, step), generation);
        let workflow = self.child.workflow.name.clone();
        self.begin_numbered(child, &workflow, origin);
    }

    fn cancel_child(&mut self, parent: RunId, step: StepIndex, child: RunId) {
        let generation = self.runs[&parent].child_generation(child, step);
        match self.runs.get(&child).map(|run| run.status().is_open()) {
            None => {
                let end = RunEnd::absent(child, generation, IterationResult::Cancelled);
                self.submit(parent, &Command::EndChild { step, end });
            }
            Some(true) => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
            Some(false) => self.report_child_as((parent, step), child, generation),
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
        if self.runs.contains_key(&child) && self.goes_on_with(child, (generation, &target)) {
            let wanted = self.runs[&parent].iteration(step, index).is_some();
            if wanted {
                self.go_on_with(child, (generation, target));
            }
            return;
        }
        self.see_iteration(parent, (step, index), generation);
    }

    /// Whether a run that had ended is to go on as its parent wants.
    fn goes_on_with(&self, run: RunId, (generation, target): (u32, &RetryTarget)) -> bool {
        let run = &self.runs[&run];
        let is_incomplete = run.result().is_some_and(|result| {
            !matches!(result, IterationResult::Succeeded(_)) || *target != RetryTarget::Incomplete
        });
        is_incomplete && run.generation() < generation
    }

    fn go_on_with(&mut self, run: RunId, (generation, target): (u32, RetryTarget)) -> bool {
        let (by, generation) = ("its parent".to_owned(), Some(generation));
        self.take_up_again(run, Retry { by, target, given: None, queued: false, generation })
    }

    /// Tells a run that one which its step started is over, if it is.
    fn report_child(&mut self, parent: RunId, step: StepIndex, child: RunId) {
        self.report_child_as((parent, step), child, 0);
    }

    /// The same where it counts for this retry of the run, though the run was not
    /// taken up again for it.
    fn report_child_as(
        &mut self,
        (parent, step): (RunId, StepIndex),
        child: RunId,
        generation: u32,
    ) {
        if let Some(end) = self.runs[&child].run_end() {
            let end = RunEnd { generation: end.generation.max(generation), ..end };
            self.submit(parent, &Command::EndChild { step, end });
        }
    }

    /// Sees that an iteration runs, in this retry of it.
    fn see_iteration(&mut self, parent: RunId, (step, index): (StepIndex, u32), generation: u32) {
        let child = self.runs[&parent].iteration_id(step, index);
        if self.runs.contains_key(&child) {
            return self.report_iteration(parent, (step, index), generation);
        }
        let around = &self.runs[&parent];
        if let Some((child, origin)) = around.iteration(step, index) {
            let surroundings = around.surroundings_of(step);
            self.begin_iteration(child, origin, surroundings);
        }
    }

    fn cancel_iteration(
        &mut self,
        parent: RunId,
        (step, index): (StepIndex, u32),
        generation: u32,
    ) {
        let child = self.runs[&parent].iteration_id(step, index);
        match self.runs.get(&child).map(|run| run.status().is_open()) {
            None => {
                let end = RunEnd::absent(child, generation, IterationResult::Cancelled);
                self.submit(parent, &Command::EndIteration { step, index, end });
            }
            Some(true) => self.submit(child, &Command::Cancel { by: "its parent".to_owned() }),
            Some(false) => self.report_iteration(parent, (step, index), generation),
        }
    }

    /// Tells a run that one of its iterations is over, if it is.
    fn report_iteration(
        &mut self,
        parent: RunId,
        (step, index): (StepIndex, u32),
        generation: u32,
    ) {
        let child = self.runs[&parent].iteration_id(step, index);
        if let Some(end) = self.runs[&child].run_end() {
            let end = RunEnd { generation: end.generation.max(generation), ..end };
            self.submit(parent, &Command::EndIteration { step, index, end });
        }
    }
}
