//! What people do while runs go on: they pause, skip, kill, retry, and stop
//! runs before steps, at any moment; and in the end they let everything go on.

use crate::wish;
use crate::world::World;
use segno_engine::command::{Command, Rejection, Retry, RetryTarget, StepAction};
use segno_engine::decide::Refusal;
use segno_engine::event::Origin;
use segno_engine::id::{RunId, StepIndex};
use segno_engine::run::{Run, RunStatus, StepState};
use std::collections::BTreeSet;
use std::sync::Arc;

impl World {
    /// Somebody wants something of some run.
    pub fn somebody_acts(&mut self) {
        let all: Vec<RunId> = self.runs.keys().copied().collect();
        let Some(id) = self.choices.pick(&all).copied() else {
            return;
        };
        let command = wish::random(&self.runs[&id], &mut self.choices);
        // What a run is retried with comes from around it; and a run whose
        // parent has taken its end is only retried by that.
        if let Command::Retry(retry) = &command {
            let is_root = matches!(self.runs[&id].origin(), Origin::Start { .. });
            let is_open = self.runs[&id].status().is_open();
            let is_inside = matches!(retry.target, RetryTarget::Child(..));
            if retry.given.is_some() || retry.queued || is_inside || !(is_root || is_open) {
                return;
            }
        }
        // Whose turn it is only the lane says.
        if command == Command::Admit {
            return;
        }
        self.wish(id, &command);
    }

    /// Somebody wants a run to go on that is over and that nobody waits for.
    pub fn somebody_retries(&mut self) {
        let is_over =
            |run: &&Run| matches!(run.origin(), Origin::Start { .. }) && !run.status().is_open();
        let over: Vec<RunId> = self.runs.values().filter(is_over).map(Run::id).collect();
        if let Some(id) = self.choices.pick(&over).copied() {
            self.retry(id);
        }
    }

    /// A run is over, and others are about to hear of it: somebody may be faster.
    pub fn may_retry_at_once(&mut self, id: RunId) {
        let is_root = matches!(self.runs[&id].origin(), Origin::Start { .. });
        if is_root && self.trouble.unreliable && self.choices.chance(5) {
            self.retry(id);
        }
    }

    fn retry(&mut self, id: RunId) {
        let run = &self.runs[&id];
        let step = self.choices.below(run.steps().len() as u32);
        let retry = wish::retry(run, step, &mut self.choices);
        if !matches!(retry.target, RetryTarget::Child(..)) {
            let retry = Retry { given: None, queued: false, ..retry };
            self.wish(id, &Command::Retry(Box::new(retry)));
        }
    }

    /// Somebody cancels a run.
    pub fn cancel_something(&mut self) {
        let open = self.open_runs();
        if let Some(id) = self.choices.pick(&open) {
            self.submit(*id, &Command::Cancel { by: "somebody".to_owned() });
        }
    }

    /// The runs that are not over.
    pub fn open_runs(&self) -> Vec<RunId> {
        let open = self.runs.iter().filter(|(_, run)| run.status().is_open());
        open.map(|(id, _)| *id).collect()
    }

    /// Somebody wants runs to stop before some steps, or no longer.
    pub fn somebody_sets_breakpoints(&mut self) {
        let steps = self.runs.values().flat_map(|run| &run.body().steps).map(|step| &step.id);
        let steps: BTreeSet<&String> = steps.collect();
        let steps = steps.into_iter().filter(|_| self.choices.chance(10)).cloned();
        self.breakpoints = Arc::new(steps.collect());
        self.tell_breakpoints();
    }

    /// Says to all runs before which steps they are to stop.
    pub fn tell_breakpoints(&mut self) {
        for run in self.runs.values_mut() {
            run.set_breakpoints(Arc::clone(&self.breakpoints));
        }
    }

    /// Nothing moves any more: people let go on what they hold. False if they
    /// hold nothing.
    pub fn let_go_on(&mut self) -> bool {
        self.breakpoints = Arc::default();
        self.tell_breakpoints();
        let held = self.runs.iter().find_map(|(id, run)| Some((*id, held(run)?)));
        let Some((id, command)) = held else {
            return false;
        };
        self.wish(id, &command);
        true
    }

    fn wish(&mut self, id: RunId, command: &Command) {
        let mut run = self.runs[&id].clone();
        match run.handle(command, self.now()) {
            Ok(_) => {
                self.witness.wishes += 1;
                match command {
                    Command::Retry(retry) => {
                        self.take_up_again(id, Retry::clone(retry));
                    }
                    _ => self.submit(id, command),
                }
            }
            Err(Refusal::Rejected(
                Rejection::NotAllowed { .. }
                | Rejection::Over { .. }
                | Rejection::NoSuchStep { .. },
            )) => {}
            Err(other) => panic!("{command:?}: {other}"),
        }
    }
}

/// What would let a run go on that somebody holds.
fn held(run: &Run) -> Option<Command> {
    let by = "somebody".to_owned();
    if *run.status() == RunStatus::Paused {
        return Some(Command::Resume { by });
    }
    let place = run.steps().iter().position(|step| step.state == StepState::Paused)?;
    let step = place as StepIndex;
    Some(Command::Step { step, action: StepAction::Resume, by })
}
