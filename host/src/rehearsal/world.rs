//! The world of one play: its clock, the journal, and what the step finds when
//! it calls its host. `calls` and `wait` answer the calls.

use super::Failure;
use super::board::Board;
use super::script::{Case, Child, Place};
use super::wait::Open;
use super::web::Web;
use crate::egress::Egress;
use crate::sandbox::{
    Answer, Answering, Call, Durable, Entry, Gone, LogLine, NewEntry, Refusal, Signal,
};
use segno_engine::grant::Grants;
use segno_engine::payload::Payload;
use segno_engine::signal::Params;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The run that is rehearsed.
pub(super) const RUN: &str = "run_test";
/// Its step.
pub(super) const STEP: &str = "step";

/// When a case begins: 2026-01-01T00:00:00Z.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// What becomes of the guest at a durable call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It goes on, and is stopped only where it has to wait.
    AsWritten,
    /// It is stopped, and played again from its start.
    StoppedAtEveryCall,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) sequence: u64,
    pub(super) hash: [u8; 16],
    /// For a person.
    pub(super) text: String,
}

/// A run that the step started.
pub(super) struct Started {
    pub(super) run: String,
    pub(super) workflow: String,
    pub(super) ends_at_ms: u64,
    pub(super) result: Result<String, (String, Option<String>)>,
}

/// What there is.
pub(super) struct World {
    clock: Arc<AtomicU64>,
    manner: Manner,
    pub(super) egress: Egress,
    pub(super) grants: Grants,
    pub(super) secrets: Vec<String>,
    pub(super) requested: Vec<segno_engine::grant::Origin>,
    pub(super) input: Payload,
    pub(super) attempt: u32,
    /// The calls of journals that a continuation ended.
    pub(super) first_sequence: u64,
    pub(super) journal: Vec<Entry>,
    pub(super) open: Option<Open>,
    pub(super) board: Board,
    pub(super) web: Web,
    pub(super) values: BTreeMap<Place, Payload>,
    pub(super) children: BTreeMap<String, Vec<Child>>,
    pub(super) runs: Vec<Started>,
    /// As scripts see them.
    pub(super) published: Vec<Value>,
    pub(super) started: Vec<Value>,
    pub(super) lines: Vec<LogLine>,
    pub(super) calls: Vec<Made>,
    /// The step of the script that is being played.
    pub(super) line: u32,
    /// What the script lacks, so that the play cannot go on.
    pub(super) fault: Option<Failure>,
}

impl World {
    pub(super) fn new(
        case: &Case,
        (grants, egress): (Grants, Egress),
        requested: &[segno_engine::grant::Origin],
        manner: Manner,
    ) -> Self {
        let setup = &case.setup;
        Self {
            clock: Arc::new(AtomicU64::new(BEGIN_MS)),
            manner,
            egress,
            secrets: setup.secrets.clone().unwrap_or_else(|| grants.secrets.clone()),
            grants,
            requested: requested.to_vec(),
            input: setup.input.clone(),
            attempt: 1,
            first_sequence: 0,
            journal: Vec::new(),
            open: None,
            board: Board::default(),
            web: Web::new(&setup.services),
            values: setup.values.clone(),
            children: setup.children.clone(),
            runs: Vec::new(),
            published: Vec::new(),
            started: Vec::new(),
            lines: Vec::new(),
            calls: Vec::new(),
            line: case.line,
            fault: None,
        }
    }

    /// The clock, for whoever must not lock the world.
    pub(super) fn clock(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.clock)
    }

    /// The present moment.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Moves the time forward, and ends the wait whose moment that is.
    pub(super) fn move_to(&mut self, moment_ms: u64) {
        self.clock.fetch_max(moment_ms, Ordering::SeqCst);
        self.settle();
    }

    /// The identity of what a call does outside.
    pub(super) fn identity(&self, entry: &NewEntry) -> String {
        format!("{RUN}/{STEP}/{}", entry.sequence)
    }

    /// A signal that is accepted now.
    pub(super) fn signal(&self, name: &str, id: String, payload: String) -> Signal {
        Signal {
            name: name.to_owned(),
            id,
            sequence: 0,
            params: "{}".to_owned(),
            payload,
            published_at_ms: self.now_ms(),
            this_run: false,
        }
    }

    /// Publishes a signal to everyone.
    pub(super) fn publish(&mut self, signal: Signal, params: Params) -> u64 {
        let signal = Signal { params: params.to_value().to_string(), ..signal };
        self.board.publish(signal, params)
    }

    /// Publishes a signal for the run.
    pub(super) fn publish_to_run(&mut self, signal: Signal) -> u64 {
        self.board.publish_to_run(Signal { this_run: true, ..signal })
    }

    /// The step starts afresh.
    pub(super) fn go_on_with(&mut self, input: Payload, sequence: u64) {
        self.input = input;
        self.first_sequence = sequence;
        self.journal.clear();
        self.board.go_on();
    }

    /// A failed step is tried again behind its last finished wait, as on a host:
    /// what it did after that is done again under the same sequence numbers.
    pub(super) fn try_again(&mut self) {
        let is_wait = |entry: &Entry| matches!(entry.answer, Answer::Woken { .. });
        let kept = self.journal.iter().rposition(is_wait).map_or(0, |at| at + 1);
        self.journal.truncate(kept);
        if kept == 0 {
            self.attempt += 1;
        }
    }

    /// Notes a call, and what was logged before it.
    pub(super) fn note(&mut self, entry: &mut NewEntry, call: &Call) {
        self.lines.append(&mut entry.lines);
        self.made(entry, super::calls::shown(call));
    }

    fn made(&mut self, entry: &NewEntry, text: String) {
        let NewEntry { sequence, hash, .. } = *entry;
        self.calls.push(Made { sequence, hash, text });
    }

    /// Records a call with its answer.
    pub(super) fn done(&mut self, entry: NewEntry, answer: Answer) -> Result<Answer, Gone> {
        let NewEntry { sequence, summary, hash, readings, lines: _ } = entry;
        let recorded = Entry { sequence, summary, hash, readings, answer: answer.clone() };
        self.journal.push(recorded);
        match self.manner {
            Manner::AsWritten => Ok(answer),
            Manner::StoppedAtEveryCall => Err(Gone::Suspended),
        }
    }

    /// The script has no answer to what the step does.
    pub(super) fn lacks(&mut self, what: &str, expected: String, actual: &str) -> Gone {
        self.fault = Some(Failure {
            line: self.line,
            what: what.to_owned(),
            expected,
            actual: actual.to_owned(),
        });
        Gone::Unwanted
    }
}

/// The world as the sandbox sees it.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// Nothing that holds the lock leaves the world half changed.
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Durable for Shared {
    fn call(&self, entry: NewEntry, call: Call) -> Answering<'_> {
        let answer = self.lock().call(entry, call);
        Box::pin(std::future::ready(answer))
    }

    fn record(&self, mut entry: NewEntry, answer: Answer) -> Answering<'_> {
        let mut world = self.lock();
        world.lines.append(&mut entry.lines);
        // A memo is known by its name alone, and what it gave may differ.
        let value = match &answer {
            Answer::Text(Ok(value)) => value.as_str(),
            _ => "",
        };
        let text = format!("{} = {value}", entry.summary);
        world.made(&entry, text);
        let recorded = world.done(entry, answer);
        Box::pin(std::future::ready(recorded))
    }
}

/// Why the host does not do something.
pub(super) fn refusal(code: &str, message: impl Into<String>) -> Refusal {
    Refusal { code: code.to_owned(), message: message.into() }
}
