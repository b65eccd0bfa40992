//! Where a script plays: one workflow, a run of it, a clock that stands still
//! until the script moves it. The commands:
//!
//! ```text
//! start {"year": 2012}              starts a run with these params
//! finish load 1 {"rows": 3}         attempt 1 of step load succeeds with this
//! fail load 1 user "no luck"        it fails: user, platform, timeout or fatal
//! fail load 1 user "later" delay=5s it asks to wait before the next attempt
//! end per-year 0 {"days": 366}      iteration 0 of step per-year succeeds
//! end per-year 0 failed "no luck"   it fails
//! end per-year 0 cancelled          it was cancelled
//! end-before per-year 0 cancelled   the same is told of its retry before
//! deadline                          the alarm rings
//! cancel                            somebody cancels the run
//! crash                             the run is lost, and built from its records
//! queue {"year": 2012}              creates a run that waits for its turn
//! fork b {} a={"rows": 1} c=skipped a run goes on from step b of another, which
//!                                   had done a and c
//! breakpoints load, report          somebody wants runs to stop before these
//! held yes                          the run around it is paused; or `no`
//! enter per-year 0                  goes on in the run of that iteration
//! enter-child 7 hold {"n": 1}       goes on in run 7, which step hold started
//! back per-year 0                   goes on in that run, which was left
//! leave                             goes back to its parent
//! show                              the run and its steps
//! allowed load                      what may be done with the run and the step
//! at +30s COMMAND                   moves the clock before, forward or back
//! ```
//!
//! Those about durable waits are in `durable.rs`, those of people in `control.rs`.

use crate::catalog;
use crate::control;
use crate::durable;
use crate::picture::Picture;
use crate::wording::{show_effect, show_event, show_run, show_time};
use segno_engine::command::{Command, Outcome, RunEnd};
use segno_engine::event::{Carried, Cause, Event, Given, IterationResult, Kept, Origin, Record};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::run::{Run, Surroundings};
use segno_engine::scope::Scope as _;
use segno_engine::usage::Usage;
use segno_engine::workflow::Workflow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// When every script begins.
pub const START: Timestamp = Timestamp(1_700_000_000_000);

/// What a script plays with.
pub struct Stage {
    workflow: Option<Arc<Workflow>>,
    now: Timestamp,
    /// The run that somebody started, then the iterations that were entered.
    actors: Vec<Actor>,
    /// Runs that were entered and left.
    left: Vec<Actor>,
}

/// A run, and all that is needed to build it again.
struct Actor {
    run: Run,
    surroundings: Surroundings,
    records: Vec<Record>,
    breakpoints: Arc<BTreeSet<String>>,
    held: bool,
}

/// Whether a run has to wait for its turn.
#[derive(Clone, Copy)]
enum Birth {
    Admitted,
    Queued,
}

impl Default for Stage {
    fn default() -> Self {
        Self { workflow: None, now: START, actors: Vec::new(), left: Vec::new() }
    }
}

impl Stage {
    /// Plays one block and returns what came of it, line by line.
    pub fn play(&mut self, block: &[&str]) -> String {
        let mut lines = Vec::new();
        if block.first().is_some_and(|line| line.starts_with("workflow:")) {
            *self = Self::default();
            match catalog::check(&block.join("\n")) {
                Ok(workflow) => {
                    lines.push("ok".to_owned());
                    self.workflow = Some(workflow);
                }
                Err(problems) => lines.extend(problems),
            }
        } else if self.workflow.is_none() {
            lines.push("there is no workflow".to_owned());
        } else {
            block.iter().for_each(|line| lines.extend(self.command(line)));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn command(&mut self, line: &str) -> Vec<String> {
        let (verb, rest) = split(line);
        let (place, rest_of_two) = split(rest);
        let (number, last) = split(rest_of_two);
        match verb {
            "at" => {
                self.now = moment(place);
                self.command(rest_of_two)
            }
            "start" => self.start(rest, Birth::Admitted),
            "queue" => self.start(rest, Birth::Queued),
            "fork" => self.fork(place, number, last),
            "breakpoints" => {
                let steps = rest.split(',').map(|step| step.trim().to_owned());
                let steps = Arc::new(steps.filter(|step| !step.is_empty()).collect());
                let actor = self.actors.last_mut().expect("a run was started");
                actor.breakpoints = Arc::clone(&steps);
                actor.run.set_breakpoints(steps);
                Vec::new()
            }
            "held" => {
                let actor = self.actors.last_mut().expect("a run was started");
                actor.held = rest == "yes";
                actor.run.set_held(actor.held);
                Vec::new()
            }
            "allowed" => {
                let (run, step) = (&self.actor().run, self.step(place));
                let run_actions = run.allowed_actions().join(", ");
                let step_actions = run.allowed_step_actions(step).join(", ");
                vec![format!("the run: {run_actions}"), format!("{place}: {step_actions}")]
            }
            "finish" => {
                let attempt = (self.step(place), parse(number));
                self.submit(&finish(attempt, Outcome::Succeeded(payload(last))))
            }
            "fail" => {
                let attempt = (self.step(place), parse(number));
                self.submit(&finish(attempt, failed(last)))
            }
            "end" => {
                let (step, index, result) = (self.step(place), parse(number), ended(last));
                let generation = self.actor().run.iteration_generation(step, index);
                self.end_iteration((step, index), generation, result)
            }
            // Of a retry before the last.
            "end-before" => {
                let (step, index, result) = (self.step(place), parse(number), ended(last));
                let generation = self.actor().run.iteration_generation(step, index) - 1;
                self.end_iteration((step, index), generation, result)
            }
            "deadline" => self.submit(&Command::CheckDeadlines),
            "cancel" => self.submit(&Command::Cancel { by: "somebody".to_owned() }),
            "crash" => self.crash(),
            "enter" => self.enter(self.step(place), parse(number)),
            "back" => self.back(self.step(place), parse(number)),
            "enter-child" => self.enter_child(parse(place), number, last),
            "leave" => {
                self.left.extend(self.actors.pop());
                Vec::new()
            }
            "show" => show_run(&self.actor().run, self.now),
            _ => {
                let command = control::command(line, &self.actor().run, &|id| self.step(id));
                let command =
                    command.or_else(|| durable::command(verb, self.step(place), rest_of_two));
                self.submit(&command.unwrap_or_else(|| panic!("{line:?} is no command")))
            }
        }
    }

    fn end_iteration(
        &mut self,
        (step, index): (StepIndex, u32),
        generation: u32,
        result: IterationResult,
    ) -> Vec<String> {
        let run = self.actor().run.iteration_id(step, index);
        let end = RunEnd::absent(run, generation, result);
        self.submit(&Command::EndIteration { step, index, end })
    }

    fn start(&mut self, params: &str, birth: Birth) -> Vec<String> {
        let cause = Cause::Manual { by: "somebody".to_owned() };
        self.start_because(params, cause, birth)
    }

    fn start_because(&mut self, params: &str, cause: Cause, birth: Birth) -> Vec<String> {
        let workflow = self.workflow.clone().expect("a workflow comes first");
        let given = payload(if params.is_empty() { "{}" } else { params });
        let given = given.value().as_object().expect("params are an object");
        let params = match workflow.bind_params(given) {
            Ok(params) => params,
            Err(mistakes) => return mistakes,
        };
        self.actors.clear();
        self.left.clear();
        let id = RunId::new(START, 42);
        let origin = Origin::Start { number: 1, given: Given::params(params), cause };
        self.begin(id, Surroundings::unknown(), (origin, birth))
    }

    /// From `b {} a={"rows":1} c=skipped`.
    fn fork(&mut self, from: &str, params: &str, carried: &str) -> Vec<String> {
        let workflow = self.workflow.clone().expect("a workflow comes first");
        let carried = carried.split_whitespace().map(|one| {
            let (id, kept) = one.split_once('=').unwrap_or_else(|| panic!("{one:?} has no ="));
            let place = workflow.body.steps.iter().position(|step| step.id == id);
            let kept = match kept {
                "skipped" => Kept::Skipped { by: "somebody".to_owned() },
                "unsatisfied" => Kept::Unsatisfied,
                output => Kept::Succeeded(payload(output)),
            };
            let step = place.unwrap_or_else(|| panic!("there is no step {id}")) as StepIndex;
            Carried { step, input: None, kept }
        });
        let cause = Cause::Fork {
            by: "somebody".to_owned(),
            of: durable::child(0),
            from: from.to_owned(),
            carried: carried.collect(),
            scheduled_at: START,
        };
        self.start_because(params, cause, Birth::Admitted)
    }

    fn enter(&mut self, step: StepIndex, index: u32) -> Vec<String> {
        let parent = &self.actor().run;
        match parent.iteration(step, index) {
            Some((id, origin)) => {
                let surroundings = parent.surroundings_of(step);
                self.begin(id, surroundings, (origin, Birth::Admitted))
            }
            None => vec!["there is no such iteration".to_owned()],
        }
    }

    fn back(&mut self, step: StepIndex, index: u32) -> Vec<String> {
        let known = self.actor().run.iteration_id(step, index);
        let place = self.left.iter().rposition(|actor| actor.run.id() == known);
        self.actors.push(self.left.remove(place.expect("it was entered before")));
        Vec::new()
    }

    fn enter_child(&mut self, child: u32, step: &str, params: &str) -> Vec<String> {
        let step = self.step(step);
        let parent = &self.actor().run;
        let (root, depth) = (parent.id(), parent.origin().depth() + 1);
        let given = Given::params(payload(params));
        let scheduled_at = parent.run().scheduled_at;
        let (number, generation, parent) = (2, 0, root);
        let origin =
            Origin::Child { number, given, parent, step, root, depth, generation, scheduled_at };
        self.begin(durable::child(child), Surroundings::unknown(), (origin, Birth::Admitted))
    }

    fn begin(
        &mut self,
        id: RunId,
        surroundings: Surroundings,
        (origin, birth): (Origin, Birth),
    ) -> Vec<String> {
        let workflow = self.workflow.clone().expect("a workflow comes first");
        let created = Event::RunCreated { workflow: workflow.name.clone(), version: 1, origin };
        let begin = match birth {
            Birth::Admitted => Run::begin,
            Birth::Queued => Run::create,
        };
        let (run, events) = begin(id, workflow, surroundings.clone(), (created, self.now))
            .expect("a run begins with its creation");
        let record = Record { at: self.now, events };
        let lines = tell(&run, &record, self.now);
        self.actors.push(Actor {
            run,
            surroundings,
            records: vec![record],
            breakpoints: Arc::default(),
            held: false,
        });
        lines
    }

    fn submit(&mut self, command: &Command) -> Vec<String> {
        let now = self.now;
        let actor = self.actors.last_mut().expect("a run was started");
        match actor.run.handle(command, now) {
            Err(refusal) => vec![format!("rejected: {refusal}")],
            Ok((_, events)) if events.is_empty() => vec!["nothing".to_owned()],
            Ok((at, events)) => {
                let record = Record { at, events };
                let lines = tell(&actor.run, &record, now);
                actor.records.push(record);
                lines
            }
        }
    }

    fn crash(&mut self) -> Vec<String> {
        let Actor { run, surroundings, records, breakpoints, held } =
            self.actors.last_mut().expect("a run was started");
        let decode = |record: &Record| Record::decode(&record.encode()).expect("it was encoded");
        let records: Vec<Record> = records.iter().map(decode).collect();
        let events = records.iter().flat_map(|record| record.events.iter().map(|e| (record.at, e)));
        let replayed =
            Run::replay(run.id(), Arc::clone(run.workflow()), surroundings.clone(), events)
                .expect("the records are of this run");
        // What is no part of its history is forgotten, and said again.
        let mut replayed = replayed;
        replayed.set_held(*held);
        replayed.set_breakpoints(Arc::clone(breakpoints));
        assert_eq!(Picture::of(run), Picture::of(&replayed), "the records tell another story");
        *run = replayed;
        let effects = run.outstanding();
        effects.iter().map(|effect| show_effect(run, effect)).collect()
    }

    fn actor(&self) -> &Actor {
        self.actors.last().expect("a run was started")
    }

    /// The step with this id, or for `#9` the step with that number.
    fn step(&self, id: &str) -> StepIndex {
        if let Some(number) = id.strip_prefix('#') {
            return parse(number);
        }
        let steps = &self.actor().run.body().steps;
        let place = steps.iter().position(|step| step.id == id);
        place.unwrap_or_else(|| panic!("there is no step {id}")) as StepIndex
    }
}

fn tell(run: &Run, record: &Record, now: Timestamp) -> Vec<String> {
    let moved = (record.at != now).then(|| format!("recorded at {}", show_time(record.at)));
    let events = record.events.iter().map(|event| show_event(run, event));
    let effects = record.events.iter().flat_map(|event| run.effects_of(event));
    let effects = effects.map(|effect| show_effect(run, &effect));
    moved.into_iter().chain(events).chain(effects).collect()
}

/// The first word, and the rest.
pub fn split(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    (first, rest.trim())
}

/// A number.
pub fn parse(number: &str) -> u32 {
    number.parse().unwrap_or_else(|_| panic!("{number:?} is no number"))
}

/// A JSON document.
pub fn payload(text: &str) -> Payload {
    Payload::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// From `+10s`.
pub fn moment(text: &str) -> Timestamp {
    START.plus_ms(duration(text.trim_start_matches('+')))
}

fn duration(text: &str) -> u64 {
    let length = humantime::parse_duration(text);
    let length: Duration = length.unwrap_or_else(|error| panic!("{text:?}: {error}"));
    length.as_millis() as u64
}

fn finish((step, attempt): (StepIndex, u32), outcome: Outcome) -> Command {
    Command::FinishAttempt { step, attempt, outcome, usage: Usage::default() }
}

/// From `user "no luck" delay=5s`.
fn failed(text: &str) -> Outcome {
    let (kind, rest) = split(text);
    let (message, delay) = match rest.rsplit_once(" delay=") {
        Some((message, delay)) => (message, Some(duration(delay))),
        None => (rest, None),
    };
    let (kind, reason) = match kind {
        "user" => (FailureKind::User, "user"),
        "platform" => (FailureKind::Platform, "trap"),
        "timeout" => (FailureKind::Timeout, "limit:wall"),
        "fatal" => (FailureKind::Fatal, "user"),
        _ => panic!("{kind:?} is no kind of failure"),
    };
    let failure = Failure::new(kind, reason, message.trim_matches('"'));
    Outcome::Failed { failure, delay_ms: delay }
}

/// From `{"days": 366}`, `failed "no luck"`, `refused params "it has no x"` or
/// `cancelled`.
pub fn ended(text: &str) -> IterationResult {
    match split(text) {
        ("cancelled", _) => IterationResult::Cancelled,
        ("refused", rest) => {
            let (reason, message) = split(rest);
            let message = message.trim_matches('"');
            IterationResult::Failed(Failure::new(FailureKind::User, reason, message))
        }
        ("failed", message) => {
            let message = message.trim_matches('"');
            IterationResult::Failed(Failure::new(FailureKind::User, "user", message))
        }
        _ => IterationResult::Succeeded(payload(text)),
    }
}
