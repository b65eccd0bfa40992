//! The signals of a script: those to everyone in the order of arrival, those
//! for the run in a queue per name, and the URLs that were handed out.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use crate::host::Signal;
use crate::refusal::{Code, Refusal};

/// Which signal to everyone a wait wants.
#[derive(Clone)]
pub(super) struct Wanted {
    pub name: String,
    pub members: Map<String, Value>,
}

/// A signal that the step published.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Its name.
    pub name: String,
    /// The run that it is for; everyone where there is none.
    pub run: Option<String>,
    /// Its identity, the same each time the step is played.
    pub id: String,
    /// By what it is found.
    pub params: Value,
    /// What it says.
    pub payload: Value,
}

/// All signals.
#[derive(Default)]
pub(super) struct Board {
    everyone: Vec<(Signal, Map<String, Value>)>,
    taken: BTreeSet<usize>,
    for_run: BTreeMap<String, VecDeque<Signal>>,
    for_run_count: u64,
    /// Which signal a URL publishes; none once it was used.
    urls: BTreeMap<String, Option<String>>,
}

impl Board {
    /// How many signals to everyone have arrived.
    pub(super) fn len(&self) -> usize {
        self.everyone.len()
    }

    /// Adds a signal to everyone and gives its place among its name.
    pub(super) fn publish(&mut self, mut signal: Signal) -> Result<u64, Refusal> {
        let params = params(&signal.name, &signal.params)?;
        let same = self.everyone.iter().filter(|(other, _)| other.name == signal.name);
        signal.sequence = same.count() as u64 + 1;
        let sequence = signal.sequence;
        self.everyone.push((signal, params));
        Ok(sequence)
    }

    /// Adds a signal for the run and gives its place among all of those.
    pub(super) fn publish_to_run(&mut self, mut signal: Signal) -> u64 {
        self.for_run_count += 1;
        signal.sequence = self.for_run_count;
        self.for_run.entry(signal.name.clone()).or_default().push_back(signal);
        self.for_run_count
    }

    /// The first signal that fits, which no other wait is given again.
    pub(super) fn take(&mut self, wanted: &Wanted, from: usize) -> Option<Signal> {
        let place = (from..self.everyone.len()).find(|place| {
            let (signal, params) = &self.everyone[*place];
            let fits = wanted
                .members
                .iter()
                .all(|(name, tests)| params.get(name).is_some_and(|given| fits(given, tests)));
            signal.name == wanted.name && fits && !self.taken.contains(place)
        })?;
        self.taken.insert(place);
        Some(self.everyone[place].0.clone())
    }

    /// The next signal of this name for the run.
    pub(super) fn take_for_run(&mut self, name: &str) -> Option<Signal> {
        self.for_run.get_mut(name)?.pop_front()
    }

    /// A new URL for a signal.
    pub(super) fn url(&mut self, name: &str) -> String {
        let url = format!("https://segno.test/v1/waitpoints/{}", self.urls.len() + 1);
        self.urls.insert(url.clone(), Some(name.to_owned()));
        url
    }

    /// The signal that the URL publishes, once.
    pub(super) fn use_url(&mut self, url: &str) -> Result<String, String> {
        let name = self.urls.get_mut(url);
        let name = name.ok_or_else(|| format!("the step has not made the URL {url}"))?;
        name.take().ok_or_else(|| format!("the URL {url} was used already"))
    }
}

fn params(name: &str, text: &str) -> Result<Map<String, Value>, Refusal> {
    let wrong = |message: String| Refusal { code: Code::Invalid, message };
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return Err(wrong(format!("the params of the signal `{name}` are no JSON object")));
    };
    let nested =
        members.iter().find(|(_, value)| value.is_null() || value.is_array() || value.is_object());
    match nested {
        Some((param, _)) => Err(wrong(format!(
            "param `{param}` of the signal `{name}` is no string, number or boolean; the payload \
             takes everything else"
        ))),
        None => Ok(members),
    }
}

/// As the host compares: a plain value asks for an equal one, an object names
/// operators.
fn fits(given: &Value, tests: &Value) -> bool {
    match tests {
        Value::Object(tests) => tests.iter().all(|(name, operand)| holds(name, given, operand)),
        value => equal(given, value),
    }
}

fn holds(operator: &str, given: &Value, operand: &Value) -> bool {
    let order = match (given, operand) {
        (Value::String(given), Value::String(operand)) => Some(given.cmp(operand)),
        (Value::Number(_), Value::Number(_)) => match (given.as_i64(), operand.as_i64()) {
            (Some(given), Some(operand)) => Some(given.cmp(&operand)),
            _ => given.as_f64().partial_cmp(&operand.as_f64()),
        },
        (Value::Bool(given), Value::Bool(operand)) => Some(given.cmp(operand)),
        _ => None,
    };
    match operator {
        "=" => order.is_some_and(Ordering::is_eq),
        "!=" => order.is_some_and(Ordering::is_ne),
        ">" => order.is_some_and(Ordering::is_gt),
        ">=" => order.is_some_and(Ordering::is_ge),
        "<" => order.is_some_and(Ordering::is_lt),
        "<=" => order.is_some_and(Ordering::is_le),
        "in" => operand.as_array().is_some_and(|all| all.iter().any(|one| equal(given, one))),
        "prefix" => {
            matches!((given, operand), (Value::String(given), Value::String(prefix)) if given.starts_with(prefix.as_str()))
        }
        _ => false,
    }
}

/// `2` and `2.0` are equal.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}
