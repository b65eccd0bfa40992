//! The world of a script: what the step finds when it calls its host, and what
//! happens to it between two plays. The calls themselves are in `calls.rs`.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::board::{Board, Published};
use super::journal::{Journal, Open};
use super::stage::Stop;
use super::web::Web;
use crate::host::{Failure, Happening, Random};
use crate::{Context, Result, Value};

/// When a script begins: 2026-01-01T00:00:00Z.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// What a child run does.
pub(super) type Child = Box<dyn FnMut(Value) -> Result<Value>>;

/// What happened to a wait, and its place among the conditions.
pub(super) type Happened = (usize, Happening);

/// What plays a host.
pub(crate) struct World {
    pub(super) context: Context,
    pub(super) input: String,
    pub(super) now_ms: u64,
    pub(super) journal: Journal,
    /// The calls of journals that a continuation ended.
    pub(super) sequence_base: u64,
    pub(super) mode: Mode,
    pub(super) random: Random,
    /// The memo whose work is being done.
    pub(super) open_memo: Option<String>,
    pub(super) board: Board,
    pub(super) published: Vec<Published>,
    pub(super) web: Web,
    pub(super) kv: BTreeMap<(String, String), String>,
    pub(super) secrets: BTreeSet<String>,
    pub(super) children: BTreeMap<String, Child>,
    pub(super) ended: BTreeMap<String, Result<String, Failure>>,
    pub(super) started: Vec<(String, Value)>,
    pub(super) log: Vec<String>,
}

/// What was played from one input: the whole step, or up to where it went on as
/// new.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) input: String,
    /// The calls of the parts before.
    pub(super) sequence_base: u64,
    pub(super) journal: Journal,
}

/// What a world does beyond its journal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It goes on.
    Live,
    /// It goes no further: a call that is not recorded is a fault. The play is
    /// cut at this call, if there is one.
    Check { cut: usize },
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Context::new("run_test", "step", 1), "{}".to_owned(), Mode::Live)
    }

    /// A world that only knows what was recorded.
    pub(super) fn check(context: Context, part: Part, cut: usize) -> Self {
        let Part { input, sequence_base, journal } = part;
        Self { journal, sequence_base, ..Self::with(context, input, Mode::Check { cut }) }
    }

    fn with(context: Context, input: String, mode: Mode) -> Self {
        let now_ms = match mode {
            Mode::Live => BEGIN_MS,
            // No timer ends by itself in a check.
            Mode::Check { .. } => 0,
        };
        Self {
            context,
            input,
            now_ms,
            journal: Journal::default(),
            sequence_base: 0,
            mode,
            random: Random::new(),
            open_memo: None,
            board: Board::default(),
            published: Vec::new(),
            web: Web::default(),
            kv: BTreeMap::new(),
            secrets: BTreeSet::new(),
            children: BTreeMap::new(),
            ended: BTreeMap::new(),
            started: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Begins a play.
    pub(super) fn begin(&mut self) -> (Context, String) {
        self.journal.rewind();
        // As on a host: other numbers once the step went on as new.
        self.random = Random::of(self.sequence_base);
        self.open_memo = None;
        (self.context.clone(), self.input.clone())
    }

    /// Begins afresh with a new input and gives what was played so far, whose
    /// calls keep their numbers.
    pub(super) fn go_on_with(&mut self, input: String) -> Part {
        let part = self.part();
        self.sequence_base += self.journal.len() as u64;
        self.input = input;
        self.journal = Journal::default();
        part
    }

    /// What was played since the present input.
    pub(super) fn part(&self) -> Part {
        let Self { input, sequence_base, journal, .. } = self;
        Part { input: input.clone(), sequence_base: *sequence_base, journal: journal.clone() }
    }

    /// Whether the step does something for the first time.
    pub(crate) fn is_live(&self) -> bool {
        self.mode == Mode::Live && self.journal.is_live()
    }

    /// Adds a line, unless a replay has it already.
    pub(crate) fn log(&mut self, message: &str) -> bool {
        let is_live = self.is_live();
        if is_live {
            self.log.push(message.to_owned());
        }
        is_live
    }

    /// The time, as it was read here before.
    pub(crate) fn now_ms(&mut self) -> u64 {
        if let Some(before) = self.journal.reading(self.mode != Mode::Live) {
            return before;
        }
        self.journal.read(self.now_ms);
        self.now_ms
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.random.next_u64()
    }

    /// As on a host: what a memo's work drew is not drawn again in a replay, so
    /// behind it the numbers follow from its place.
    pub(super) fn renew_random(&mut self) {
        self.random = Random::of(self.sequence());
    }

    /// The place of the next call among all that this step has made, from 0.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence_base + self.journal.cursor() as u64
    }

    /// The identity of what the next call does outside.
    pub(super) fn identity(&self) -> String {
        format!("{}/{}/{}", self.context.run(), self.context.step(), self.sequence())
    }

    /// A call that does not wait: what it gave before, or what it gives now.
    pub(super) fn call<T: Clone + 'static>(
        &mut self,
        function: &'static str,
        arguments: String,
        perform: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if self.follow(function, &arguments) {
            return self.answer();
        }
        let answer = perform(self);
        self.append(function, arguments, Some(Rc::new(answer.clone())), Vec::new());
        answer
    }

    /// A call that waits for the first of some conditions.
    pub(super) fn wait(
        &mut self,
        function: &'static str,
        arguments: String,
        open: impl FnOnce(&Self) -> Vec<Open>,
    ) -> Happened {
        if !self.follow(function, &arguments) {
            let open = open(self);
            self.append(function, arguments, None, open);
        }
        self.settle();
        match self.journal.answer() {
            Some(happened) => happened,
            None => Stop::Suspended.now(),
        }
    }

    /// Ends the wait that has begun, if something happened that it waits for.
    pub(super) fn settle(&mut self) {
        let open = self.journal.open().to_vec();
        let mut conditions = open.iter().enumerate();
        let happened = conditions.find_map(|(place, open)| Some((place, self.happened(open)?)));
        if let Some(happened) = happened {
            self.journal.close(Rc::new(happened));
        }
    }

    /// The next moment at which the wait ends by itself.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let timers = self.journal.open().iter().filter_map(|open| match open {
            Open::Timer(moment_ms) => Some(*moment_ms),
            Open::Everyone { .. } | Open::ThisRun(_) | Open::Run(_) => None,
        });
        timers.min()
    }

    fn happened(&mut self, open: &Open) -> Option<Happening> {
        match open {
            Open::Timer(moment_ms) => (*moment_ms <= self.now_ms).then_some(Happening::Timer),
            Open::Everyone { wanted, from } => {
                self.board.take(wanted, *from).map(Happening::Signal)
            }
            Open::ThisRun(name) => self.board.take_for_run(name).map(Happening::Signal),
            Open::Run(run) => self.ended.get(run).cloned().map(Happening::Run),
        }
    }

    /// Goes along the journal; false at its end, where the call is made.
    fn follow(&mut self, function: &'static str, arguments: &str) -> bool {
        if let Some(memo) = &self.open_memo {
            Stop::Fault(format!(
                "the step calls `{function}` before the memo `{memo}` is recorded: its work makes \
                 no durable calls, and its error is handed on with `?` or recorded as a value"
            ))
            .now();
        }
        let place = self.journal.cursor();
        let followed = self.journal.follow(function, arguments);
        let followed = followed.unwrap_or_else(|fault| Stop::Fault(fault).now());
        match self.mode {
            Mode::Check { cut } if followed && cut == place => Stop::Cut.now(),
            Mode::Check { .. } if !followed => {
                let now = format!("{function} {arguments}");
                let before = "the step ended";
                Stop::Fault(super::journal::nondeterminism(place + 1, before, &now)).now()
            }
            Mode::Live | Mode::Check { .. } => followed,
        }
    }

    fn append(
        &mut self,
        function: &'static str,
        arguments: String,
        answer: Option<Rc<dyn Any>>,
        open: Vec<Open>,
    ) {
        if let Err(fault) = self.journal.append(function, arguments, answer, open) {
            Stop::Fault(fault).now();
        }
    }

    fn answer<T: Clone + 'static>(&self) -> T {
        // A function's answers have one type.
        self.journal.answer().expect("only waits are without an answer")
    }

    /// The recorded result of the memo, where the play has come to one.
    pub(super) fn follow_memo(&mut self, name: &str) -> Option<String> {
        match self.journal.is_live() && self.open_memo.is_none() {
            true => None,
            false => self.follow("memo", name).then(|| self.answer()),
        }
    }

    /// Records the result of a memo.
    pub(super) fn append_memo(&mut self, name: &str, value: &str) {
        self.open_memo = None;
        self.call("memo", name.to_owned(), |_| value.to_owned());
    }
}
