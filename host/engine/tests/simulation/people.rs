//! What people do while runs go on: they pause, skip, kill, retry, and stop
//! runs before steps, at any moment; and in the end they let everything go on.

use crate::wish;
use crate::world::World;
use segno_engine::command::{Command, Rejection, RetryTarget, StepAction};
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
        self.wish(id, &command);
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
                self.submit(id, command);
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
