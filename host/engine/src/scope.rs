//! What the names in an expression stand for. A run answers for its own
//! steps; a test answers with whatever it likes. Nothing here evaluates.

use crate::id::{RunId, Timestamp};
use crate::payload::Payload;

/// The values that an expression may read. While one is evaluated, the same
/// question has to get the same answer.
pub trait Scope {
    /// `params.x`: a JSON object.
    fn params(&self) -> &Payload;

    /// `loop.x`: a JSON object, `{}` outside of loops.
    fn loop_variables(&self) -> &Payload;

    /// `self.x`: the params of the step itself that are known so far, a JSON
    /// object.
    fn own_params(&self) -> &Payload {
        Payload::empty_object()
    }

    /// `steps.<id>.output`, `.status` and `.params`; `None` if there is no such
    /// step here.
    fn step(&self, id: &str) -> Option<StepResult<'_>>;

    /// `run.id` and what else is known of the run.
    fn run(&self) -> RunFacts<'_>;

    /// `schedule.at` and what else is known of an instant; `None` where no
    /// schedule is about to start a run.
    fn schedule(&self) -> Option<ScheduleFacts<'_>> {
        None
    }

    /// `signal` or `signals`, and `trigger`: a JSON object that has them; `None`
    /// where no signals are about to start a run.
    fn of_trigger(&self) -> Option<&Payload> {
        None
    }

    /// The document of this name, for expressions that are of no run.
    fn document(&self, _name: &str) -> Option<&Payload> {
        None
    }
}

/// What `schedule` has.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleFacts<'a> {
    /// `schedule.id`: the schedule's name, or its id in the definition.
    pub id: &'a str,
    /// `schedule.at`: the instant.
    pub at: Timestamp,
    /// `schedule.local`: what the clocks show then, with their offset, as in
    /// `2026-03-08T03:00:00-07:00`; `schedule.local_date` is its day.
    pub local: &'a str,
    /// `schedule.timezone`.
    pub timezone: &'a str,
}

/// What is about to start a run, for the expressions of a trigger. They see
/// nothing else.
#[derive(Clone, Copy, Debug)]
pub enum Occasion<'a> {
    /// An instant of a schedule.
    Schedule(ScheduleFacts<'a>),
    /// Signals: a JSON object with `signal` or `signals`, and `trigger`.
    Signals(&'a Payload),
}

impl Scope for Occasion<'_> {
    fn params(&self) -> &Payload {
        Payload::empty_object()
    }

    fn loop_variables(&self) -> &Payload {
        Payload::empty_object()
    }

    fn step(&self, _: &str) -> Option<StepResult<'_>> {
        None
    }

    fn run(&self) -> RunFacts<'_> {
        RunFacts::of_none()
    }

    fn schedule(&self) -> Option<ScheduleFacts<'_>> {
        match self {
            Self::Schedule(facts) => Some(*facts),
            Self::Signals(_) => None,
        }
    }

    fn of_trigger(&self) -> Option<&Payload> {
        match self {
            Self::Schedule(_) => None,
            Self::Signals(facts) => Some(facts),
        }
    }
}

/// Documents by name: what expressions read that are of no run.
#[derive(Clone, Copy, Debug)]
pub struct Documents<'a>(pub &'a [(&'static str, Payload)]);

impl Scope for Documents<'_> {
    fn params(&self) -> &Payload {
        Payload::empty_object()
    }

    fn loop_variables(&self) -> &Payload {
        Payload::empty_object()
    }

    fn step(&self, _: &str) -> Option<StepResult<'_>> {
        None
    }

    fn run(&self) -> RunFacts<'_> {
        RunFacts::of_none()
    }

    fn document(&self, name: &str) -> Option<&Payload> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, document)| document)
    }
}

/// What `run` has.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts<'a> {
    /// `run.id`.
    pub id: RunId,
    /// `run.number`, which iterations do not have, and params are evaluated
    /// before.
    pub number: Option<u64>,
    /// `run.workflow`: the name.
    pub workflow: &'a str,
    /// `run.version`.
    pub version: u64,
    /// `run.created_at`.
    pub created_at: Timestamp,
    /// `run.scheduled_at`: the instant of the schedule that started it, and else
    /// when it was created; a part or a fork of another run has that run's.
    pub scheduled_at: Timestamp,
    /// `run.retries`: how often the run was taken up again.
    pub retries: u32,
}

impl RunFacts<'_> {
    /// Nothing that is true, where no expression can ask for it.
    fn of_none() -> Self {
        let at = Timestamp(0);
        Self {
            id: RunId::new(at, 0),
            number: None,
            workflow: "",
            version: 0,
            created_at: at,
            scheduled_at: at,
            retries: 0,
        }
    }
}

/// What a step has come to.
#[derive(Clone, Copy, Debug)]
pub struct StepResult<'a> {
    /// Its status, for example `succeeded`.
    pub status: &'a str,
    /// What it gave; `None` reads as null.
    pub output: Option<&'a Payload>,
    /// What it was given; `None` reads as null.
    pub params: Option<&'a Payload>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{RunFacts, Scope, StepResult};
    use crate::id::{RunId, Timestamp};
    use crate::payload::Payload;
    use serde_json::Value;
    use std::collections::BTreeMap;

    /// A scope that a test makes up.
    pub(crate) struct Given {
        params: Payload,
        loop_variables: Payload,
        own: Payload,
        steps: BTreeMap<String, Option<Payload>>,
        given: BTreeMap<String, Payload>,
        number: Option<u64>,
    }

    impl Given {
        pub(crate) fn new(params: Value) -> Self {
            let empty = || Payload::empty_object().clone();
            Self {
                params: Payload::from(params),
                loop_variables: empty(),
                own: empty(),
                steps: BTreeMap::new(),
                given: BTreeMap::new(),
                number: Some(7),
            }
        }

        pub(crate) fn with_loop(mut self, variables: Value) -> Self {
            self.loop_variables = Payload::from(variables);
            self
        }

        pub(crate) fn with_step(mut self, id: &str, output: Option<Value>) -> Self {
            self.steps.insert(id.to_owned(), output.map(Payload::from));
            self
        }

        pub(crate) fn with_own(mut self, own: Value) -> Self {
            self.own = Payload::from(own);
            self
        }

        /// What a step was given.
        pub(crate) fn with_given(mut self, id: &str, params: Value) -> Self {
            self.given.insert(id.to_owned(), Payload::from(params));
            self
        }

        pub(crate) fn without_number(mut self) -> Self {
            self.number = None;
            self
        }

        pub(crate) fn output(&self, id: &str) -> &str {
            self.steps[id].as_ref().expect("the test gave an output").text()
        }
    }

    impl Scope for Given {
        fn params(&self) -> &Payload {
            &self.params
        }

        fn loop_variables(&self) -> &Payload {
            &self.loop_variables
        }

        fn own_params(&self) -> &Payload {
            &self.own
        }

        fn step(&self, id: &str) -> Option<StepResult<'_>> {
            let output = self.steps.get(id)?.as_ref();
            let status = if output.is_some() { "succeeded" } else { "skipped" };
            Some(StepResult { status, output, params: self.given.get(id) })
        }

        fn run(&self) -> RunFacts<'_> {
            RunFacts {
                id: RunId::new(Timestamp(0), 0),
                number: self.number,
                workflow: "w",
                version: 3,
                created_at: Timestamp(1_000),
                scheduled_at: Timestamp(500),
                retries: 0,
            }
        }
    }
}
