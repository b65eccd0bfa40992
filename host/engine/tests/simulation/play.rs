//! A guest of the simulation as a machine: it says which call it makes next and
//! takes the answer. It knows nothing but its input and what it was answered,
//! so that playing it again over the same answers gives the same calls.

use crate::model;
use crate::program::{Call, Condition, Program};
use segno_engine::id::RunId;
use segno_engine::payload::Payload;
use segno_engine::wait::Wake;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A guest, somewhere in its program.
#[derive(Debug)]
pub struct Play {
    program: Arc<Program>,
    number: usize,
    input: Map<String, Value>,
    place: usize,
    /// Whether it was told that a wait timed out, and has not reminded yet.
    reminds: bool,
    extra: u64,
    child: Option<RunId>,
    /// The place of its next call in the journal.
    pub sequence: u64,
}

/// What a guest does next.
pub enum Next {
    /// It makes this call.
    Call(Request),
    /// It continues as new with this input.
    Continue(Payload),
    /// It gives this result.
    Finish(Payload),
}

/// A call with its arguments, as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Waits for the first of these; the run is the one that was started last.
    Wait(Vec<Condition>, Option<RunId>),
    /// Asks the server.
    Effect(Ask),
    /// Starts a run.
    StartChild,
}

/// What the server is asked for. No two calls of one step ask for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// How often the step had continued.
    pub round: u64,
    /// Which call of the program.
    pub place: usize,
    /// Whether it reminds of a wait.
    pub reminds: bool,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The wait is over; and whether the run ended well that it was for.
    Woken(Wake, bool),
    /// The server said this.
    Answered(u64),
    /// This run was started.
    Started(RunId),
}

impl Play {
    /// The beginning of step `number` with this input.
    pub fn new(number: usize, program: Arc<Program>, input: &Payload, sequence: u64) -> Self {
        let input = input.value().as_object().cloned().unwrap_or_default();
        Self { program, number, input, place: 0, reminds: false, extra: 0, child: None, sequence }
    }

    /// What it does now.
    pub fn next(&self) -> Next {
        let round = self.input.get("round").and_then(Value::as_u64).unwrap_or(0);
        if self.reminds {
            return Next::Call(Request::Effect(Ask {
                round,
                place: self.place - 1,
                reminds: true,
            }));
        }
        match self.program.calls.get(self.place) {
            Some(Call::Wait(conditions)) => {
                Next::Call(Request::Wait(conditions.clone(), self.child))
            }
            Some(Call::Effect) => {
                Next::Call(Request::Effect(Ask { round, place: self.place, reminds: false }))
            }
            Some(Call::StartChild) => Next::Call(Request::StartChild),
            None if round < self.program.rounds => {
                let mut input = self.input.clone();
                input.insert("round".to_owned(), (round + 1).into());
                Next::Continue(Payload::from(Value::Object(input)))
            }
            None => {
                let mut input = self.input.clone();
                input.insert("extra".to_owned(), self.extra.into());
                Next::Finish(Payload::from(model::guest(self.number, &Value::Object(input))))
            }
        }
    }

    /// Takes the answer to its call.
    pub fn take(&mut self, answer: &Answer) {
        self.sequence += 1;
        if std::mem::take(&mut self.reminds) {
            return;
        }
        let call = &self.program.calls[self.place];
        self.place += 1;
        match (call, answer) {
            (Call::Wait(conditions), Answer::Woken(wake, well)) => {
                let is_only = conditions.len() == 1;
                self.reminds = !is_only && matches!(wake, Wake::Timer { .. });
                if is_only && matches!(wake, Wake::Run { .. }) {
                    self.extra += 2 * u64::from(*well);
                }
            }
            (Call::Effect, Answer::Answered(value)) => self.extra += value,
            (Call::StartChild, Answer::Started(run)) => self.child = Some(*run),
            _ => panic!("{call:?} was answered with {answer:?}"),
        }
    }
}
