//! A run as what is inside of it sees it: a step that knows its own params, the
//! condition of a `while` that knows its variables.

use crate::payload::Payload;
use crate::run::Run;
use crate::scope::{RunFacts, Scope, StepResult};

/// A run, and what is seen beside it.
pub(crate) struct Within<'a> {
    run: &'a Run,
    loop_variables: Option<Payload>,
    own: &'a Payload,
}

impl<'a> Within<'a> {
    /// As a step sees it that was given this.
    pub(crate) fn step(run: &'a Run, own: &'a Payload) -> Self {
        Self { run, loop_variables: None, own }
    }

    /// As a loop sees it that has these variables.
    pub(crate) fn turn(run: &'a Run, loop_variables: Payload) -> Self {
        Self { run, loop_variables: Some(loop_variables), own: Payload::empty_object() }
    }
}

impl Scope for Within<'_> {
    fn params(&self) -> &Payload {
        self.run.params()
    }

    fn loop_variables(&self) -> &Payload {
        self.loop_variables.as_ref().unwrap_or_else(|| self.run.loop_variables())
    }

    fn own_params(&self) -> &Payload {
        self.own
    }

    fn step(&self, id: &str) -> Option<StepResult<'_>> {
        Scope::step(self.run, id)
    }

    fn run(&self) -> RunFacts<'_> {
        Scope::run(self.run)
    }
}
