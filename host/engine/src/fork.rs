//! What a new run takes over that goes on from a step of another.

use crate::event::{Carried, Kept};
use crate::id::StepIndex;
use crate::run::{Run, StepState};
use crate::workflow::{Step, Workflow};

impl Run {
    /// What a run of `workflow` takes over that begins with the step `from`: the
    /// steps that are complete in this one and neither are `from` nor depend on
    /// it in the new one.
    ///
    /// # Errors
    /// The workflow has no such step outside of loops; says which it has.
    pub fn carried_to(&self, workflow: &Workflow, from: &str) -> Result<Vec<Carried>, String> {
        let body = &workflow.body;
        let Some(first) = body.place(from) else {
            let ids: Vec<_> = body.steps.iter().map(|step| step.id.as_str()).take(20).collect();
            return Err(format!(
                "the version has no such step outside of loops, but {}",
                ids.join(", ")
            ));
        };
        let mut anew = body.dependents(first);
        // What needs a step that runs anew runs anew, too.
        for (place, step) in body.steps.iter().enumerate() {
            let known = self.body().place(&step.id);
            let complete =
                known.is_some_and(|known| self.steps[known as usize].state.is_complete());
            if !complete {
                anew.extend(body.dependents(place as StepIndex));
            }
        }
        let carry = |(place, step): (usize, &Step)| {
            let place = place as StepIndex;
            let known = self.body().place(&step.id).filter(|_| !anew.contains(&place))?;
            let known = &self.steps[known as usize];
            let kept = kept(&known.state)?;
            Some(Carried { step: place, input: known.input.clone(), kept })
        };
        Ok(body.steps.iter().enumerate().filter_map(carry).collect())
    }
}

/// What a complete step gives to the new run.
fn kept(state: &StepState) -> Option<Kept> {
    match state {
        StepState::Succeeded { output } => Some(Kept::Succeeded(output.clone())),
        StepState::CompletedWithError { failure, output } => {
            Some(Kept::CompletedWithError(failure.clone(), output.clone()))
        }
        StepState::Skipped { by } => Some(Kept::Skipped { by: by.clone() }),
        StepState::Unsatisfied { .. } => Some(Kept::Unsatisfied),
        _ => None,
    }
}
