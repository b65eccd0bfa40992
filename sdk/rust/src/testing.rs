//! Plays a step in an ordinary `cargo test`, with its whole world in the
//! script: services, signals, child runs, and a clock that is moved by hand.
//!
//! ```
//! use segno::prelude::*;
//! use segno::testing::Script;
//! use segno::{http, signals, timers};
//!
//! #[segno::step]
//! fn run(order: Value) -> Result<String> {
//!     let approved = signals::for_this_run("approval").timeout(days(3)).receive::<Value>()?;
//!     let Some(approved) = approved else {
//!         return Err(fatal!("nobody approved within three days"));
//!     };
//!     http::post("https://pay.example.com/charges").json(&order).send()?.error_for_status()?;
//!     timers::sleep(duration!("1 week"));
//!     Ok(approved.payload["by"].to_string())
//! }
//!
//! // Somebody approves.
//! let mut script = Script::new(run)
//!     .input(json!({ "id": "a1" }))
//!     .http("POST", "https://pay.example.com/charges", 200, json!({ "id": "ch_1" }));
//! script.run_until_suspended().assert_signal("approval");
//! script.signal_run("approval", json!({ "by": 7 })).advance("7 days");
//! assert_eq!(script.finish().unwrap(), "7");
//! assert_eq!(script.requests().len(), 1);
//! script.check_replay();
//!
//! // Nobody does.
//! let mut script = Script::new(run);
//! assert!(script.advance("3 days").finish().unwrap_err().is_fatal());
//! ```
//!
//! Whenever a step waits it is stopped, and later played again from its start
//! with the answers that are recorded, as on a host. A step that then calls
//! something else fails the test and shows both.

mod board;
mod calls;
mod journal;
mod playable;
pub(crate) mod stage;
mod waiting;
mod web;
mod world;

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::duration::whole_ms;
use crate::host::Response;
use crate::refusal::{Code, Refusal};
use crate::{Context, Result, Value};
use stage::{Ending, Step, Stop};
use web::Answer;

pub use board::Published;
pub use playable::{Playable, Span};
pub use waiting::Waiting;
pub use web::Request;
use world::Part;
pub(crate) use world::World;

/// How often a step may continue as new before the script believes that it
/// never ends.
const CONTINUATIONS_MAX: usize = 1_000;

/// A step and its world. Made with what the world has, then played.
pub struct Script {
    step: Box<Step>,
    world: Rc<RefCell<World>>,
    state: State,
    /// What continuations ended, and the input that each went on with.
    continued: Vec<(Part, String)>,
}

enum State {
    /// It waits, or was never played.
    Open,
    Returned(Result<String>),
}

/// What the world has.
impl Script {
    /// A script for a step, whose input is `{}` and whose time is the start of
    /// 2026.
    pub fn new<Form>(step: impl Playable<Form>) -> Self {
        let world = Rc::new(RefCell::new(World::new()));
        Self { step: step.boxed(), world, state: State::Open, continued: Vec::new() }
    }

    /// What the step is given, a JSON object.
    pub fn input(self, input: Value) -> Self {
        self.world.borrow_mut().input = input.to_string();
        self
    }

    /// Which attempt of which run it is. Otherwise the first of the step `step`
    /// in `run_test`.
    pub fn context(self, context: Context) -> Self {
        self.world.borrow_mut().context = context;
        self
    }

    /// What a service answers to this request. Several answers to the same
    /// request are given in order, the last one ever after.
    pub fn http(self, method: &str, url: &str, status: u16, body: Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let response = Response { status, headers, body: body.to_string().into_bytes() };
        self.world.borrow_mut().web.add(method, url, Answer::Response(response));
        self
    }

    /// Why this request is refused, in the same order as answers.
    pub fn http_refused(self, method: &str, url: &str, code: Code) -> Self {
        let message = format!("the script refuses it: {code}");
        let refusal = Refusal { code, message };
        self.world.borrow_mut().web.add(method, url, Answer::Refused(refusal));
        self
    }

    /// Grants a secret.
    pub fn secret(self, name: &str) -> Self {
        self.world.borrow_mut().secrets.insert(name.to_owned());
        self
    }

    /// A value of the workflow's own.
    pub fn kv(self, key: &str, value: Value) -> Self {
        self.kv_in("", key, value)
    }

    /// A value in a namespace.
    pub fn kv_in(self, namespace: &str, key: &str, value: Value) -> Self {
        let place = (namespace.to_owned(), key.to_owned());
        self.world.borrow_mut().kv.insert(place, value.to_string());
        self
    }

    /// What a run of another workflow gives for its params. It takes no time.
    pub fn child(self, workflow: &str, run: impl FnMut(Value) -> Result<Value> + 'static) -> Self {
        self.world.borrow_mut().children.insert(workflow.to_owned(), Box::new(run));
        self
    }
}

/// What happens.
impl Script {
    /// Plays the step until it waits, and says for what.
    ///
    /// # Panics
    /// If the step returns instead, or has a mistake.
    #[track_caller]
    pub fn run_until_suspended(&mut self) -> Waiting {
        self.play();
        match &self.state {
            State::Open => self.waiting(),
            State::Returned(result) => panic!("the step returned instead of waiting: {result:?}"),
        }
    }

    /// Plays the step to its end and gives its output, or why there is none.
    ///
    /// # Panics
    /// If the step waits for something that the script does not bring, or has a
    /// mistake.
    #[track_caller]
    pub fn finish(&mut self) -> Result<Value> {
        self.play();
        match &self.state {
            State::Open => panic!(
                "the step waits for {}: publish it before, or move the time with `advance`",
                self.waiting()
            ),
            State::Returned(Ok(output)) => Ok(serde_json::from_str(output)?),
            State::Returned(Err(error)) => Err(error.clone()),
        }
    }

    /// Publishes a signal to everyone.
    ///
    /// # Panics
    /// If the params are no object of strings, numbers and booleans.
    #[track_caller]
    pub fn publish(&mut self, name: &str, params: Value, payload: Value) -> &mut Self {
        let mut world = self.world.borrow_mut();
        let id = format!("test/{}", world.board.len() + 1);
        let signal = world.signal(name, &id, &params.to_string(), &payload.to_string());
        if let Err(refusal) = world.board.publish(signal) {
            panic!("{}", refusal.message);
        }
        world.settle();
        drop(world);
        self
    }

    /// Publishes a signal for the run.
    pub fn signal_run(&mut self, name: &str, payload: Value) -> &mut Self {
        let mut world = self.world.borrow_mut();
        let signal = world.signal(name, "test", "{}", &payload.to_string());
        world.board.publish_to_run(signal);
        world.settle();
        drop(world);
        self
    }

    /// Posts a document to a URL that the step made with
    /// [`one_time_url`](crate::signals::one_time_url).
    ///
    /// # Panics
    /// If the step has not made it, or it was used already.
    #[track_caller]
    pub fn post(&mut self, url: &str, payload: Value) -> &mut Self {
        let name = self.world.borrow_mut().board.use_url(url);
        let name = name.unwrap_or_else(|why| panic!("{why}"));
        self.signal_run(&name, payload)
    }

    /// Moves the time, and plays the step at each moment on the way at which
    /// something ends: `"3 days"`, or a `Duration`.
    ///
    /// # Panics
    /// If the text is no duration, or the step has a mistake.
    #[track_caller]
    pub fn advance(&mut self, span: impl Span) -> &mut Self {
        let span_ms = whole_ms(span.duration());
        let until_ms = self.world.borrow().now_ms.saturating_add(span_ms);
        loop {
            self.play();
            let mut world = self.world.borrow_mut();
            let deadline_ms = world.deadline_ms().filter(|deadline_ms| *deadline_ms <= until_ms);
            let Some(deadline_ms) = deadline_ms else {
                world.now_ms = until_ms;
                break;
            };
            world.now_ms = deadline_ms;
            world.settle();
        }
        self
    }

    /// Tries a step again that failed, as a host does: what it did before its
    /// last finished wait stays, and the rest is done again under the same
    /// idempotency keys.
    ///
    /// # Panics
    /// If the step has not failed.
    #[track_caller]
    pub fn try_again(&mut self) -> &mut Self {
        assert!(
            matches!(self.state, State::Returned(Err(_))),
            "only a step that failed is tried again"
        );
        let mut world = self.world.borrow_mut();
        if !world.journal.drop_unsettled() {
            let context = &world.context;
            world.context = Context::new(context.run(), context.step(), context.attempt() + 1);
        }
        drop(world);
        self.state = State::Open;
        self
    }

    /// Plays everything so far again, stopped at each durable call in turn, and
    /// insists on the same calls and the same result.
    ///
    /// # Panics
    /// If the step does something else, with both sides.
    #[track_caller]
    pub fn check_replay(&self) {
        let world = self.world.borrow();
        let context = world.context.clone();
        for (part, next) in &self.continued {
            check(&self.step, &context, part, &format!("it continued with {next}"));
        }
        let ending = match &self.state {
            State::Open if world.journal.open().is_empty() => return,
            State::Open => "it waits".to_owned(),
            State::Returned(result) => format!("it returned {result:?}"),
        };
        check(&self.step, &context, &world.part(), &ending);
    }

    #[track_caller]
    fn play(&mut self) {
        while matches!(self.state, State::Open) {
            let ending = stage::play(&self.step, &self.world);
            self.world.borrow_mut().journal.keep_tail();
            match ending {
                Ending::Returned(result) => self.state = State::Returned(result),
                Ending::Stopped(Stop::Suspended) => return,
                Ending::Stopped(Stop::Continued(next)) => self.go_on_with(next),
                Ending::Stopped(Stop::Fault(fault)) => panic!("{fault}"),
                Ending::Stopped(Stop::Cut) => unreachable!("only a check is cut"),
                Ending::Panicked(payload) => resume_unwind(payload),
            }
        }
    }

    #[track_caller]
    fn go_on_with(&mut self, next: String) {
        assert!(
            self.continued.len() < CONTINUATIONS_MAX,
            "the step continued as new {CONTINUATIONS_MAX} times without a wait that lasts"
        );
        let part = self.world.borrow_mut().go_on_with(next.clone());
        self.continued.push((part, next));
    }

    fn waiting(&self) -> Waiting {
        let world = self.world.borrow();
        let left_ms = world.deadline_ms().map(|moment_ms| moment_ms.saturating_sub(world.now_ms));
        Waiting::new(world.journal.open(), left_ms)
    }
}

/// What can be seen.
impl Script {
    /// The requests that were made, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.world.borrow().web.requests.clone()
    }

    /// The signals that the step published, in order.
    pub fn published(&self) -> Vec<Published> {
        self.world.borrow().published.clone()
    }

    /// The runs that the step started, in order: workflow and params.
    pub fn started(&self) -> Vec<(String, Value)> {
        self.world.borrow().started.clone()
    }

    /// A value of the workflow's own.
    pub fn value(&self, key: &str) -> Option<Value> {
        let world = self.world.borrow();
        let text = world.kv.get(&(String::new(), key.to_owned()))?;
        serde_json::from_str(text).ok()
    }

    /// The lines of the log, each once.
    pub fn log(&self) -> Vec<String> {
        self.world.borrow().log.clone()
    }

    /// The durable calls since the step began or last continued as new.
    pub fn calls(&self) -> Vec<String> {
        self.world.borrow().journal.texts().collect()
    }

    /// The present moment.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.world.borrow().now_ms)
    }
}

/// Plays a part once for each of its calls, and once to its end.
#[track_caller]
fn check(step: &Step, context: &Context, part: &Part, before: &str) {
    let calls = part.journal.len();
    for cut in 0..=calls {
        let world = World::check(context.clone(), part.clone(), cut);
        let now = match stage::play(step, &Rc::new(RefCell::new(world))) {
            Ending::Stopped(Stop::Cut) => continue,
            Ending::Stopped(Stop::Fault(fault)) => panic!("{fault}"),
            Ending::Stopped(Stop::Suspended) => "it waits".to_owned(),
            Ending::Stopped(Stop::Continued(next)) => format!("it continued with {next}"),
            Ending::Returned(result) => format!("it returned {result:?}"),
            Ending::Panicked(payload) => resume_unwind(payload),
        };
        if now != before || cut < calls {
            panic!("{}", journal::nondeterminism(calls + 1, before, &now));
        }
    }
}
