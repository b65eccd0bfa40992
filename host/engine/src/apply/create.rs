//! The first event of a run.

use super::Corrupt;
use crate::event::{Carried, Cause, Event, Kept, Origin, Unsatisfied};
use crate::id::{RunId, Timestamp};
use crate::run::{Run, RunStatus, StepRun, StepState, Surroundings};
use crate::workflow::Workflow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Run {
    /// The run after its first event.
    pub(crate) fn created(
        id: RunId,
        workflow: Arc<Workflow>,
        surroundings: Surroundings,
        (at, event): (Timestamp, &Event),
    ) -> Result<Self, Corrupt> {
        let Event::RunCreated { version, origin, .. } = event else {
            return Err(Corrupt::NotCreated);
        };
        let (surroundings, given) = match origin {
            Origin::Start { given, .. } | Origin::Child { given, .. } => {
                (Surroundings::of_root(given), Some(given.clone()))
            }
            Origin::Iteration { path, .. } if workflow.body_at(path).is_none() => {
                return Err(Corrupt::NoLoop { path: path.clone() });
            }
            Origin::Iteration { .. } => (surroundings, None),
        };
        let mut run = Self {
            id,
            workflow,
            version: *version,
            origin: origin.clone(),
            surroundings,
            status: RunStatus::Queued,
            stop: None,
            failure: None,
            fails_at_once: false,
            steps: Vec::new(),
            active: 0,
            agenda: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            children: BTreeMap::new(),
            given,
            generation: origin.generation(),
            breakpoints: Arc::default(),
            is_held: false,
            created_at: at,
            started_at: None,
            updated_at: at,
        };
        let needs = run.body().steps.iter().map(|step| step.needs.len());
        run.steps = needs.map(|needs| StepRun::new(at, needs)).collect();
        if let Origin::Start { cause: Cause::Fork { carried, .. }, .. } = origin {
            run.carry(at, carried)?;
        }
        Ok(run)
    }

    /// Takes over what another run has done.
    fn carry(&mut self, at: Timestamp, carried: &[Carried]) -> Result<(), Corrupt> {
        for Carried { step, input, kept } in carried {
            if self.steps.get(*step as usize).is_none() {
                let event = format!("a fork that takes over step {step}");
                return Err(Corrupt::Misfit { step: Some(*step), state: "unknown", event });
            }
            self.steps[*step as usize].input.clone_from(input);
            let state = match kept {
                Kept::Succeeded(output) => StepState::Succeeded { output: output.clone() },
                Kept::CompletedWithError(failure, output) => StepState::CompletedWithError {
                    failure: failure.clone(),
                    output: output.clone(),
                },
                Kept::Skipped { by } => StepState::Skipped { by: by.clone() },
                Kept::Unsatisfied => StepState::Unsatisfied { unsatisfied: Unsatisfied::Needs },
            };
            self.steps[*step as usize].state = state;
            self.steps[*step as usize].since = at;
        }
        self.count_needs();
        Ok(())
    }
}
