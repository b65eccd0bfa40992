//! What a plan comes to when nothing disturbs it, worked out directly: no
//! events, no time, no runs. It shares no code with the engine.

use crate::plan::{
    Body, Condition, FailureMode, Kind, List, Plan, Read, Shape, Step, Target, numbers,
};
use crate::program::{self, Call, Program, Programs};
use crate::server;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where a step is, for example `s3[2]/s5`, and its status.
pub type Statuses = BTreeMap<String, &'static str>;

/// How a body ends: its output, or nothing if it fails.
pub type End = Option<Value>;

/// A value, or nothing where an expression cannot be evaluated.
type Evaluated<T> = Option<T>;

#[derive(Clone, Default)]
struct Around {
    /// The workflow's param.
    k: u64,
    /// The outputs of the complete steps; null where there is none.
    outputs: BTreeMap<usize, Value>,
    /// How the complete steps ended.
    statuses: BTreeMap<usize, &'static str>,
    variables: BTreeMap<String, u64>,
}

/// The output of step `number` for this input: what every guest of the
/// simulation does.
pub fn guest(number: usize, input: &Value) -> Value {
    let fields = input.as_object().into_iter().flat_map(|fields| fields.values());
    let sum: u64 = fields.filter_map(Value::as_u64).sum();
    let n = (number as u64 * 7 + sum * 3) % 10;
    json!({ "n": n, "list": (0..n % 4).collect::<Vec<_>>() })
}

/// How every step of `plan` ends that was given `k`, and the whole; `child` is
/// how runs end that steps start.
pub fn evaluate((plan, programs): (&Plan, &Programs), k: u64, child: End) -> (Statuses, End) {
    let mut model = Model { programs, child, statuses: Statuses::new() };
    let end = model.run(&plan.body, Around { k, ..Around::default() }, "");
    (model.statuses, end)
}

struct Model<'a> {
    programs: &'a Programs,
    child: End,
    statuses: Statuses,
}

impl Model<'_> {
    /// What the last round of a program adds to the input of its step.
    fn last_input(&self, number: usize, mut input: Value) -> Value {
        let Program { rounds, calls } = &*self.programs[&number];
        let mut extra = 0;
        for (place, call) in calls.iter().enumerate() {
            extra += match call {
                Call::Effect => server::worth(*rounds, place),
                Call::Wait(conditions) if conditions[..] == [program::Condition::Child] => {
                    2 * u64::from(self.child.is_some())
                }
                Call::Wait(_) | Call::StartChild => 0,
            };
        }
        input["extra"] = extra.into();
        if *rounds > 0 {
            input["round"] = (*rounds).into();
        }
        input
    }

    fn run(&mut self, body: &Body, mut around: Around, path: &str) -> End {
        let mut left: Vec<&Step> = body.steps.iter().collect();
        let ready = |step: &&Step, around: &Around| {
            step.needs.iter().all(|(need, _)| around.outputs.contains_key(need))
        };
        while let Some(place) = left.iter().position(|step| ready(step, &around)) {
            let step = left.remove(place);
            let place = format!("{path}s{}", step.number);
            let ignores = step.failure_mode == Some(FailureMode::Ignore);
            let (status, output) = match self.run_step(step, &around, &place) {
                Came::Well(output) => ("succeeded", Some(output)),
                Came::Not => ("unsatisfied", Some(Value::Null)),
                Came::Badly(output) if ignores => ("completed_with_error", Some(output)),
                Came::Badly(_) => ("failed", None),
            };
            self.statuses.insert(place, status);
            around.statuses.insert(step.number, status);
            around.outputs.extend(output.map(|output| (step.number, output)));
        }
        self.statuses
            .extend(left.iter().map(|step| (format!("{path}s{}", step.number), "pending")));
        let is_well = body.steps.iter().all(|step| around.outputs.contains_key(&step.number));
        is_well.then(|| output(body, &around)).flatten()
    }

    fn run_step(&mut self, step: &Step, around: &Around, place: &str) -> Came {
        match begins(step, around) {
            Some(true) => self.play(step, around, place).unwrap_or(Came::Badly(Value::Null)),
            Some(false) => Came::Not,
            None => Came::Badly(Value::Null),
        }
    }

    fn play(&mut self, step: &Step, around: &Around, place: &str) -> Evaluated<Came> {
        Some(match &step.kind {
            Kind::Call(reads) => {
                let input = self.last_input(step.number, fields(reads, around)?);
                Came::Well(guest(step.number, &input))
            }
            Kind::Noop(number) | Kind::Sleep(_, number) => Came::Well(numbers(*number)),
            Kind::Gate => Came::Well(signal()),
            Kind::Sub => Came::Well(self.child.clone()?),
            Kind::While(count, body) => self.run_while(step, (*count, body), around, place),
            Kind::Foreach(lists, _, body) => self.run_foreach(step, (lists, body), around, place),
        })
    }

    fn run_while(
        &mut self,
        step: &Step,
        (count, body): (u32, &Body),
        around: &Around,
        place: &str,
    ) -> Came {
        let name = format!("w{}", step.number);
        for index in 0..count {
            let mut inside = around.clone();
            inside.variables.insert(name.clone(), index.into());
            if self.run(body, inside, &format!("{place}[{index}]/")).is_none() {
                return Came::Badly(json!({ name: index }));
            }
        }
        Came::Well(json!({ name: count }))
    }

    fn run_foreach(
        &mut self,
        step: &Step,
        (lists, body): (&[List], &Body),
        around: &Around,
        place: &str,
    ) -> Came {
        let lists: Vec<Vec<u64>> = lists.iter().map(|list| elements(list, around)).collect();
        let count: usize = lists.iter().map(Vec::len).product();
        let outputs: Vec<End> = (0..count)
            .map(|index| {
                let mut inside = around.clone();
                let mut rest = index;
                for (list, elements) in lists.iter().enumerate() {
                    let name = format!("v{}_{list}", step.number);
                    inside.variables.insert(name, elements[rest % elements.len()]);
                    rest /= elements.len();
                }
                self.run(body, inside, &format!("{place}[{index}]/"))
            })
            .collect();
        match outputs.iter().all(Option::is_some) {
            true => Came::Well(outputs.into_iter().flatten().collect()),
            false => Came::Badly(outputs.into_iter().map(Option::unwrap_or_default).collect()),
        }
    }
}

/// What comes of a step.
enum Came {
    /// This output.
    Well(Value),
    /// Nothing: it did not run.
    Not,
    /// A failure, and what there is of an output.
    Badly(Value),
}

/// Whether the conditions of a step hold.
fn begins(step: &Step, around: &Around) -> Evaluated<bool> {
    let mut any_edge = step.needs.is_empty();
    for (need, condition) in &step.needs {
        let holds = || condition.as_ref().map_or(Some(true), |condition| holds(condition, around));
        any_edge = any_edge || (around.statuses[need] != "unsatisfied" && holds()?);
    }
    Some(any_edge && step.when.as_ref().map_or(Some(true), |when| holds(when, around))?)
}

/// What the signal brings that gates wait for.
pub fn signal() -> Value {
    numbers(6)
}

fn output(body: &Body, around: &Around) -> End {
    if let Some(reads) = &body.output {
        return fields(reads, around);
    }
    let is_needed = |step: &&Step| {
        body.steps.iter().any(|other| other.needs.iter().any(|(need, _)| *need == step.number))
    };
    let last: Vec<&Step> = body.steps.iter().filter(|step| !is_needed(step)).collect();
    match last[..] {
        [only] => Some(around.outputs[&only.number].clone()),
        _ => Some(
            last.iter()
                .map(|step| (format!("s{}", step.number), around.outputs[&step.number].clone()))
                .collect(),
        ),
    }
}

fn fields(reads: &[Read], around: &Around) -> Evaluated<Value> {
    let field = |(place, read)| Some((format!("r{place}"), value_of(read, around)?));
    reads.iter().enumerate().map(field).collect()
}

fn value_of(read: &Read, around: &Around) -> Evaluated<Value> {
    match read {
        Read::Guarded(step) if !succeeded(step.number, around) => Some(0.into()),
        Read::Guarded(step) => value(*step, around).map(Value::from),
        Read::Bare(step) => value(*step, around).map(Value::from),
        Read::Loop(variable) => Some(around.variables[variable].into()),
        Read::Param => Some(around.k.into()),
    }
}

fn holds(condition: &Condition, around: &Around) -> Evaluated<bool> {
    match condition {
        Condition::Fixed(holds) => Some(*holds),
        Condition::Succeeded(step) => Some(succeeded(step.number, around)),
        Condition::Above(step, least) => Some(value(*step, around)? > u64::from(*least)),
    }
}

fn value(step: Target, around: &Around) -> Evaluated<u64> {
    let output = &around.outputs[&step.number];
    match step.shape {
        Shape::List => output.as_array().map(|all| all.len() as u64),
        Shape::Object => output["n"].as_u64(),
        Shape::Variable => output[format!("w{}", step.number)].as_u64(),
        Shape::Unknown => Some(1),
    }
}

fn succeeded(step: usize, around: &Around) -> bool {
    around.statuses.get(&step) == Some(&"succeeded")
}

fn elements(list: &List, around: &Around) -> Vec<u64> {
    match list {
        List::Fixed(count) => (0..u64::from(*count)).collect(),
        List::Of(step) => {
            let list = around.outputs[step]["list"].as_array();
            list.into_iter().flatten().filter_map(Value::as_u64).collect()
        }
    }
}
