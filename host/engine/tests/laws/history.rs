//! A random run with a random history: a workflow, then commands of which most
//! fit the state of the run and some don't. All turns are kept, so that a law
//! can look at the run before and after each.

use crate::catalog;
use crate::plan::{Bounds, Choices, Plan, numbers};
use crate::wish;
use segno_engine::command::{Command, Outcome, RunEnd};
use segno_engine::decide::Refusal;
use segno_engine::effect::Effect;
use segno_engine::event::{Cause, Ending, Event, Given, IterationResult, Origin, Record};
use segno_engine::failure::{Failure, FailureKind};
use segno_engine::id::{RunId, StepIndex, Timestamp};
use segno_engine::payload::Payload;
use segno_engine::rollup::{Rollup, StepStatus};
use segno_engine::run::{Run, StepState, Surroundings};
use segno_engine::signal::Pattern;
use segno_engine::usage::Usage;
use segno_engine::wait::{RunSignalWait, RunWait, SignalWait, TimerWait, Wait, Wake};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most turns of one history.
const TURNS_MAX: u32 = 60;

/// What happened to one run.
pub struct History {
    /// What is around it.
    pub surroundings: Surroundings,
    /// The run when it had just begun.
    pub begun: Run,
    /// The run in the end.
    pub run: Run,
    /// What was recorded.
    pub records: Vec<Record>,
    /// All turns, rejected ones too.
    pub turns: Vec<Turn>,
    now: Timestamp,
    /// Where somebody wants the run to stop.
    breakpoints: Arc<BTreeSet<String>>,
    /// Whether what is around it is paused.
    is_held: bool,
}

/// A command, and what came of it.
pub struct Turn {
    /// The run before.
    pub before: Run,
    /// The command.
    pub command: Command,
    /// The time on the clock, which may have gone back.
    pub now: Timestamp,
    /// What `Run::handle` said.
    pub result: Result<(Timestamp, Vec<Event>), Refusal>,
    /// The run after.
    pub after: Run,
}

impl History {
    /// The history that these numbers stand for. The shorter and the smaller
    /// they are, the simpler it is.
    pub fn random(numbers: Vec<u32>) -> Self {
        let mut choices = Choices::new(numbers.into_iter());
        let bounds = Bounds {
            steps_max: 6,
            depth_max: 2,
            has_timeouts: true,
            has_subworkflows: true,
            has_tags: false,
        };
        let plan = Plan::random(&mut choices, bounds);
        let workflow = catalog::check(&plan.definition()).expect("a plan is valid");
        let id = RunId::new(Timestamp(1_000_000), 7);
        let given = Given::params(Payload::from(json!({ "k": 1 })));
        let (number, parent) = (1, RunId::new(Timestamp(1), 1));
        let origin = match choices.chance(20) {
            true => Origin::Child {
                number,
                given,
                parent,
                step: 2,
                root: parent,
                depth: 1,
                generation: 0,
                scheduled_at: Timestamp(1),
            },
            false => {
                let cause = Cause::Manual { by: "somebody".to_owned() };
                Origin::Start { number, given, cause }
            }
        };
        let created = Event::RunCreated { workflow: "random".to_owned(), version: 1, origin };
        let surroundings = Surroundings::unknown();
        let now = Timestamp(1_000_000);
        let begun = Run::begin(id, workflow, surroundings.clone(), (created, now));
        let mut history = Self::of(begun.expect("it was created"), surroundings, now);
        let mut descends = choices.chance(50);
        for _ in 0..choices.below(TURNS_MAX) {
            if descends && let Some(child) = history.child(&mut choices) {
                history = child;
                descends = choices.chance(50);
            }
            history.turn(&mut choices);
        }
        history
    }

    fn of((run, events): (Run, Vec<Event>), surroundings: Surroundings, now: Timestamp) -> Self {
        let records = vec![Record { at: now, events }];
        Self {
            surroundings,
            begun: run.clone(),
            run,
            records,
            turns: Vec::new(),
            now,
            breakpoints: Arc::default(),
            is_held: false,
        }
    }

    /// Says to a run that was built again what is no part of its history.
    pub fn tell(&self, run: &mut Run) {
        run.set_breakpoints(Arc::clone(&self.breakpoints));
        run.set_held(self.is_held);
    }

    /// The history of an iteration that is under way, if one is.
    fn child(&self, choices: &mut Choices) -> Option<Self> {
        let start = |effect| match effect {
            Effect::StartIteration { step, index } => Some((step, index)),
            _ => None,
        };
        let under_way: Vec<_> = self.run.outstanding().into_iter().filter_map(start).collect();
        let (step, index) = *choices.pick(&under_way)?;
        let (id, origin) = self.run.iteration(step, index)?;
        let created = Event::RunCreated { workflow: "random".to_owned(), version: 1, origin };
        let surroundings = self.run.surroundings_of(step);
        let workflow = Arc::clone(self.run.workflow());
        let begun = Run::begin(id, workflow, surroundings.clone(), (created, self.now));
        Some(Self::of(begun.expect("it was created"), surroundings, self.now))
    }

    fn turn(&mut self, choices: &mut Choices) {
        if choices.chance(8) {
            self.turn_switches(choices);
        }
        let command = self.command(choices);
        let before = self.run.clone();
        self.take(before, command);
    }

    fn take(&mut self, before: Run, command: Command) {
        let result = self.run.handle(&command, self.now);
        if let Ok((at, events)) = &result
            && !events.is_empty()
        {
            self.records.push(Record { at: *at, events: events.clone() });
        }
        let after = self.run.clone();
        self.turns.push(Turn { before, command, now: self.now, result, after });
    }

    /// Breakpoints come and go, and what is around the run is paused or not.
    fn turn_switches(&mut self, choices: &mut Choices) {
        let steps = self.run.body().steps.iter().filter(|_| choices.chance(30));
        self.breakpoints = Arc::new(steps.map(|step| step.id.clone()).collect());
        self.run.set_breakpoints(Arc::clone(&self.breakpoints));
        self.is_held = choices.chance(20);
        self.run.set_held(self.is_held);
        // Whoever says it looks at the run.
        let before = self.run.clone();
        let command = Command::CheckDeadlines;
        self.take(before, command);
    }

    fn command(&mut self, choices: &mut Choices) -> Command {
        let outstanding = self.run.outstanding();
        self.now = self.now.plus_ms(u64::from(choices.below(500)));
        let suspended: Vec<StepIndex> = (0..self.run.steps().len() as StepIndex)
            .filter(|step| self.run.wait_of(*step).is_some())
            .collect();
        match (choices.below(20), choices.pick(&outstanding)) {
            (0..=7, Some(effect)) => self.answer(effect, choices),
            (8, Some(_)) => wish::random(&self.run, choices),
            (16..=18, _) if !suspended.is_empty() => {
                let step = *choices.pick(&suspended).expect("there is one");
                self.of_suspended(step, choices)
            }
            (9, _) => self.noise(choices),
            (10, _) => match choices.pick(&self.turns) {
                Some(turn) => turn.command.clone(),
                None => Command::CheckDeadlines,
            },
            (11, _) => wish::random(&self.run, choices),
            // What is over only goes on by hand.
            (1..=8, None) if choices.chance(60) => wish::random(&self.run, choices),
            (12, _) => {
                let back = u64::from(choices.below(100_000));
                self.now = Timestamp(self.now.0.saturating_sub(back));
                Command::CheckDeadlines
            }
            (13, _) => {
                self.now = self.now.plus_ms(u64::from(choices.below(100_000)));
                Command::CheckDeadlines
            }
            (14, _) => {
                let just_before = self.run.next_deadline().map(|at| Timestamp(at.0 - 1));
                self.now = just_before.unwrap_or(self.now).max(self.now);
                Command::CheckDeadlines
            }
            _ => {
                self.now = self.run.next_deadline().unwrap_or(self.now).max(self.now);
                Command::CheckDeadlines
            }
        }
    }
}

impl History {
    fn answer(&self, effect: &Effect, choices: &mut Choices) -> Command {
        match effect {
            Effect::RunAttempt { step, attempt } if choices.chance(55) => {
                self.durable_call((*step, *attempt), choices)
            }
            Effect::RunAttempt { step, attempt } | Effect::AbortAttempt { step, attempt } => {
                finish((*step, *attempt), choices)
            }
            Effect::StartIteration { step, index }
            | Effect::RetryIteration { step, index, .. }
            | Effect::CancelIteration { step, index, .. }
            | Effect::ReportEnd { step, index, .. } => self.end((*step, *index), choices),
            Effect::WatchChild { step, child } | Effect::CancelChild { step, child } => {
                self.end_child((*step, *child), choices)
            }
            Effect::ReportChild { step, .. } => self.end_child((*step, self.run.id()), choices),
            Effect::StartSubworkflow { step } => {
                let child = self.run.steps()[*step as usize].child;
                self.end_child((*step, child.expect("it is under way")), choices)
            }
            Effect::AwaitSignal { step } => {
                Command::EndWait { step: *step, output: output(choices) }
            }
            Effect::PublishSignals { step } => self.published(*step, choices),
            Effect::AwaitPermits { step, attempt } => {
                Command::Release { step: *step, attempt: *attempt }
            }
            Effect::TellBelow => Command::CheckDeadlines,
        }
    }

    /// The end of an iteration; now and then of a retry before the last, or of
    /// another run.
    fn end(&self, (step, index): (StepIndex, u32), choices: &mut Choices) -> Command {
        let known = self.run.iteration_generation(step, index);
        let other = if choices.chance(5) { index + 1 } else { index };
        let end = RunEnd {
            run: self.run.iteration_id(step, other),
            generation: known.saturating_sub(u32::from(choices.chance(20))),
            ..ending(choices)
        };
        Command::EndIteration { step, index, end }
    }

    fn end_child(&self, (step, run): (StepIndex, RunId), choices: &mut Choices) -> Command {
        let known = self.run.child_generation(run, step);
        let generation = known.saturating_sub(u32::from(choices.chance(20)));
        Command::EndChild { step, end: RunEnd { run, generation, ..ending(choices) } }
    }

    /// The signals of a step are published; now and then it is another news.
    fn published(&self, step: StepIndex, choices: &mut Choices) -> Command {
        let known = &self.run.steps()[step as usize];
        let count = match &known.state {
            StepState::Publishing { signals, .. } => signals.len() as u64,
            _ => 1,
        };
        let publication = known.publications.saturating_sub(u32::from(choices.chance(5)));
        let sequences = (1..=count + u64::from(choices.chance(5))).collect();
        Command::EndPublishing { step, attempt: known.attempt, publication, sequences }
    }

    /// An answer that most likely nobody waits for.
    fn noise(&self, choices: &mut Choices) -> Command {
        let (step, attempt) = (choices.below(8), choices.below(4));
        let (child, usage) = (child_id(step, choices), Usage::default());
        match choices.below(8) {
            0 => finish((step, attempt), choices),
            1 => self.end((step, attempt), choices),
            2 => Command::Suspend { step, attempt, wait: Wait::default() },
            3 => Command::Wake { step, sequence: 1, wake: Wake::Timer { index: 0 } },
            4 => Command::PutAway { step, attempt, usage },
            5 => Command::StartChild { step, attempt, child },
            6 => self.end_child((step, child), choices),
            _ => Command::Continue {
                step,
                attempt,
                input: Payload::empty_object().clone(),
                sequence: 1,
                signals_taken: Vec::new(),
                usage,
            },
        }
    }

    /// What a running attempt may ask for.
    fn durable_call(&self, (step, attempt): (StepIndex, u32), choices: &mut Choices) -> Command {
        match choices.below(12) {
            10..=11 => Command::Hold { step, attempt, permit: "tag:x".to_owned() },
            0 => Command::Continue {
                step,
                attempt,
                input: Payload::from(json!({ "round": choices.below(9) })),
                sequence: u64::from(choices.below(50)),
                signals_taken: vec![("paid".to_owned(), u64::from(choices.below(9)))],
                usage: Usage { cpu_us: 2, ..Usage::default() },
            },
            1..=3 => Command::StartChild { step, attempt, child: child_id(step, choices) },
            _ => Command::Suspend { step, attempt, wait: self.wait(step, choices) },
        }
    }

    /// What may happen to a step that waits.
    fn of_suspended(&self, step: StepIndex, choices: &mut Choices) -> Command {
        let attempt = self.run.steps()[step as usize].attempt;
        let wait = self.run.wait_of(step).expect("it was just there");
        let sequence = match choices.below(8) {
            0 => wait.sequence + 1,
            _ => wait.sequence,
        };
        match (choices.below(4), wait.runs.first()) {
            (0, _) => {
                Command::PutAway { step, attempt, usage: Usage { wall_us: 3, ..Usage::default() } }
            }
            (1 | 2, Some(RunWait { run, .. })) => self.end_child((step, *run), choices),
            _ => match wake(wait) {
                Some(wake) => Command::Wake { step, sequence, wake },
                None => Command::CheckDeadlines,
            },
        }
    }

    /// Between one and four conditions, some of which hold already.
    fn wait(&self, step: StepIndex, choices: &mut Choices) -> Wait {
        let mut wait = Wait { sequence: u64::from(choices.below(50)), ..Wait::default() };
        for index in 0..=choices.below(3) {
            match choices.below(9) {
                0..=2 => {
                    let until = self.now.0 + u64::from(choices.below(30_000));
                    let until = Timestamp(until - u64::from(choices.below(1_000)));
                    wait.timer = Some(TimerWait { index, until });
                }
                3 => wait.signals.push(SignalWait {
                    index,
                    name: "paid".to_owned(),
                    pattern: Pattern::of(&json!({ "order": { ">=": choices.below(3) } }))
                        .expect("a test"),
                    after: u64::from(choices.below(9)),
                }),
                4 => wait.run_signals.push(RunSignalWait { index, name: "go".to_owned() }),
                _ => {
                    let open: Vec<RunId> = self.run.children().keys().copied().collect();
                    let run =
                        choices.pick(&open).copied().unwrap_or_else(|| child_id(step, choices));
                    wait.runs.push(RunWait { index, run });
                }
            }
        }
        wait
    }
}

/// What comes true of the wait from outside; its moment comes by itself.
fn wake(wait: &Wait) -> Option<Wake> {
    if let Some(SignalWait { index, name, after, .. }) = wait.signals.first() {
        return Some(Wake::Signal { index: *index, name: name.clone(), sequence: after + 1 });
    }
    let RunSignalWait { index, name } = wait.run_signals.first()?;
    Some(Wake::RunSignal { index: *index, name: name.clone(), sequence: 1 })
}

/// A run that only this step starts, maybe again.
fn child_id(step: StepIndex, choices: &mut Choices) -> RunId {
    RunId::new(Timestamp(1_000_000), u128::from(100 + step * 10 + choices.below(2)))
}

fn finish((step, attempt): (StepIndex, u32), choices: &mut Choices) -> Command {
    let usage = Usage { host_calls: 1, ..Usage::default() };
    let outcome = match choices.below(8) {
        0..=4 => Outcome::Succeeded(output(choices)),
        _ => {
            let delay_ms = choices.chance(20).then(|| u64::from(choices.below(20_000)));
            Outcome::Failed { failure: failure(choices), delay_ms }
        }
    };
    Command::FinishAttempt { step, attempt, outcome, usage }
}

/// How a run below this one ended, and how its steps did.
fn ending(choices: &mut Choices) -> RunEnd {
    let mut rollup = Rollup::default();
    let (result, status) = match choices.below(8) {
        0..=5 => (IterationResult::Succeeded(output(choices)), StepStatus::Succeeded),
        6 => (IterationResult::Failed(failure(choices)), StepStatus::Failed),
        _ => (IterationResult::Cancelled, StepStatus::Cancelled),
    };
    (0..=choices.below(3)).for_each(|_| rollup.add(status));
    RunEnd { run: child_id(0, choices), generation: 0, result, rollup }
}

/// Mostly what a plan reads, sometimes something else.
fn output(choices: &mut Choices) -> Payload {
    let n = choices.below(10);
    Payload::from(match choices.below(8) {
        0..=6 => numbers(n),
        _ => Value::Null,
    })
}

/// An event that most likely cannot have happened, with numbers at the edges.
pub fn stray_event(choices: &mut Choices) -> Event {
    const EDGES: [u32; 8] = [0, 1, 2, 3, 7, 100_001, u32::MAX - 1, u32::MAX];
    let mut edge = || EDGES[choices.below(8) as usize];
    let (step, attempt, first, count) = (edge() % 8, edge(), edge(), edge());
    let output = Payload::null();
    let failure = Failure::new(FailureKind::Timeout, "timeout", "a stray event");
    let usage = Usage { cpu_us: u64::MAX, ..Usage::default() };
    let child = RunId::new(Timestamp(u64::from(edge())), 0);
    let timer = Some(TimerWait { index: edge(), until: Timestamp(u64::MAX) });
    match choices.below(20) {
        0 => Event::RunStarted,
        1 => Event::StepStarted { step, input: output },
        2 => Event::AttemptStarted { step, attempt },
        3 => Event::AttemptFailed { step, attempt, failure, retry_at: None, usage },
        4 => Event::StepSucceeded { step, attempt, output, usage },
        5 => Event::StepFailed { step, failure },
        6 => Event::ForeachStarted { step, items: output, count },
        7 => Event::IterationsStarted { step, first, count },
        8 => Event::IterationEnded {
            step,
            index: first,
            result: IterationResult::Cancelled,
            rollup: Rollup::default(),
        },
        9 => Event::LoopSucceeded { step },
        10 => Event::LoopStopRequested { step, ending: Ending::Failed(failure) },
        11 => Event::AttemptSuspended { step, attempt, wait: Wait { timer, ..Wait::default() } },
        12 => Event::AttemptResumed { step, attempt, wake: Wake::Timer { index: first } },
        13 => Event::AttemptPutAway { step, attempt, usage },
        14 => Event::StepContinued {
            step,
            attempt,
            input: output,
            sequence: u64::MAX,
            signals_taken: Vec::new(),
            usage,
        },
        15 => Event::ChildStarted { step, child },
        17 => Event::StepPublishing { step, attempt, output: None, signals: Vec::new(), usage },
        18 => Event::StepPublished { step, attempt, sequences: vec![1] },
        16 => Event::ChildEnded { step, child, rollup: Rollup::default() },
        _ => Event::RunSucceeded { output: None },
    }
}

fn failure(choices: &mut Choices) -> Failure {
    let (kind, reason) = match choices.below(8) {
        0..=3 => (FailureKind::User, "user"),
        4 | 5 => (FailureKind::Platform, "trap"),
        6 => (FailureKind::Timeout, "limit:wall"),
        _ => (FailureKind::Fatal, "user"),
    };
    Failure::new(kind, reason, "the dice wanted it")
}
