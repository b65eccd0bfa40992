//! What has to be done beside the effects of runs.

use crate::shelf::Place;
use crate::world::World;
use segno_engine::id::{RunId, StepIndex};
use segno_engine::strategy::lane::Entry;
use segno_engine::wait::Wake;

/// Something that has to be done.
#[derive(Clone, Debug)]
pub enum Errand {
    /// Wake this step from this wait.
    Wake(RunId, StepIndex, u64, Wake),
    /// See who of this run waits for what it was sent.
    Look(RunId),
    /// Let a run of this workflow leave its lane; it may have failed.
    Left(String, Entry, bool),
    /// Let those runs of this workflow begin whose turn it is.
    Admit(String),
    /// Let a failed run no longer hold up others.
    Lift(String, Entry),
    /// End a run for the sake of another.
    Replace(RunId, RunId),
    /// Go by what is set for this workflow.
    Readmit(String),
    /// Go by the limits that are set.
    SetLimits,
    /// Give back the permits of a step.
    GiveBack(Place),
    /// Let an attempt stand in line that was held before a crash.
    StandAgain(Place),
}

impl World {
    /// Does what has to be done.
    pub fn run_errand(&mut self, errand: Errand) {
        match errand {
            Errand::Wake(run, step, sequence, wake) => self.wake(run, (step, sequence), wake),
            Errand::Look(run) => self.look(run),
            Errand::Left(workflow, entry, failed) => {
                self.may_retry_at_once(entry.run);
                self.leave(&workflow, entry, failed);
            }
            Errand::Admit(workflow) => self.admit(&workflow),
            Errand::Lift(workflow, entry) => self.lift(&workflow, entry),
            Errand::Replace(run, by) => self.replace(run, by),
            Errand::Readmit(workflow) => self.readmit(&workflow),
            Errand::SetLimits => self.limits_changed(),
            Errand::GiveBack(place) => self.give_back(place),
            Errand::StandAgain(place) => self.stand_again(place),
        }
    }
}
