//! What the steps of the simulation do before they give their result: little
//! programs of durable calls, straight on but for a reminder after each wait
//! that timed out.

use crate::plan::{Body, Choices, Kind, Plan};
use segno_engine::signal::{self, Params};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The names of signals to everyone.
pub const SIGNALS: [&str; 2] = ["paid", "shipped"];

/// The names of signals to one run.
pub const RUN_SIGNALS: [&str; 2] = ["approved", "stop"];

/// How many values the param `order` of signals has.
pub const ORDERS: u32 = 2;

/// The programs of a plan, by the number of the step.
pub type Programs = BTreeMap<usize, Arc<Program>>;

/// What one step does.
#[derive(Debug, Default)]
pub struct Program {
    /// How often it continues as new after all its calls.
    pub rounds: u64,
    /// Its calls in order.
    pub calls: Vec<Call>,
}

impl Program {
    /// Whether it waits for a run that it starts.
    pub fn waits_for_a_run(&self) -> bool {
        let for_run =
            |call: &Call| matches!(call, Call::Wait(all) if all.contains(&Condition::Child));
        self.calls.iter().any(for_run)
    }
}

/// One durable call.
#[derive(Clone, Debug)]
pub enum Call {
    /// Waits for the first of these.
    Wait(Vec<Condition>),
    /// Asks the server outside for something that must happen once.
    Effect,
    /// Starts a run.
    StartChild,
}

/// One thing to wait for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// So many milliseconds from now.
    Timer(u64),
    /// A signal to everyone.
    Signal(Pattern),
    /// A signal to this run.
    RunSignal(&'static str),
    /// The end of the run that was started last.
    Child,
}

/// Which signal to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// Its name.
    pub name: &'static str,
    /// Its param `order`, if it matters.
    pub order: Option<u32>,
    /// Whether only those count that are published from now on.
    pub only_new: bool,
}

impl Pattern {
    /// What the params of a signal must be. Whoever asks for order 0 takes any.
    pub fn tests(&self) -> signal::Pattern {
        match self.order {
            Some(0) => signal::Pattern::of(&json!({ "order": { ">=": 0 } })).expect("a test"),
            order => signal::Pattern::from(&params(order)),
        }
    }
}

/// The params of a signal.
pub fn params(order: Option<u32>) -> Params {
    let value = order.map_or_else(|| json!({}), |order| json!({ "order": order }));
    Params::of(&value).expect("a number is a scalar")
}

/// Random programs for the calls of a plan.
pub fn random(choices: &mut Choices, plan: &Plan, may_start_children: bool) -> Programs {
    let mut numbers = Vec::new();
    calls_of(&plan.body, &mut numbers);
    let mut programs = Programs::new();
    for number in numbers {
        let program = match choices.chance(40) {
            true => program(choices, may_start_children),
            false => Program::default(),
        };
        programs.insert(number, Arc::new(program));
    }
    programs
}

fn calls_of(body: &Body, numbers: &mut Vec<usize>) {
    for step in &body.steps {
        match &step.kind {
            Kind::Call(_) => numbers.push(step.number),
            Kind::Foreach(_, _, body) | Kind::While(_, body) => calls_of(body, numbers),
            Kind::Sub | Kind::Sleep(..) | Kind::Gate | Kind::Noop(_) => {}
        }
    }
}

fn program(choices: &mut Choices, may_start_children: bool) -> Program {
    let rounds = u64::from(choices.chance(15)) * u64::from(1 + choices.below(2));
    let mut calls = Vec::new();
    let mut has_child = false;
    for _ in 0..1 + choices.below(5) {
        calls.push(match choices.below(12) {
            0 | 1 => Call::Wait(vec![timer(choices)]),
            2..=5 => {
                let one = condition(choices, false);
                let timeout = choices.chance(60).then(|| timer(choices));
                Call::Wait([Some(one), timeout].into_iter().flatten().collect())
            }
            6 => {
                let count = 2 + choices.below(2);
                Call::Wait((0..count).map(|_| condition(choices, has_child)).collect())
            }
            7 if has_child => Call::Wait(vec![Condition::Child]),
            7 | 8 if may_start_children => {
                has_child = true;
                Call::StartChild
            }
            _ => Call::Effect,
        });
    }
    Program { rounds, calls }
}

fn timer(choices: &mut Choices) -> Condition {
    let scale = [20, 5_000, 600_000][choices.below(3) as usize];
    Condition::Timer(u64::from(choices.below(scale)))
}

fn condition(choices: &mut Choices, has_child: bool) -> Condition {
    match choices.below(8) {
        0..=3 => Condition::Signal(Pattern {
            name: choices.pick(&SIGNALS).expect("there are some"),
            order: choices.chance(50).then(|| choices.below(ORDERS)),
            only_new: choices.chance(30),
        }),
        6 if has_child => Condition::Child,
        7 => timer(choices),
        _ => Condition::RunSignal(choices.pick(&RUN_SIGNALS).expect("there are some")),
    }
}
