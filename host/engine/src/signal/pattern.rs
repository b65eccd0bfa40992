//! Which signals count: tests on their params. In YAML and JSON a plain value
//! asks for an equal one, and an object names operators:
//! `{ station: seattle, amount: { ">=": 5, "<": 10 }, day: { in: [a, b] } }`.

use super::{BadParams, PARAMS_MAX, Params, Scalar, check_name};
use crate::payload::Payload;
use crate::suggestion::closest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// The most values that one `in` may name.
pub const VALUES_MAX: usize = 100;

/// The operators that a pattern may name.
pub const OPERATORS: [&str; 8] = ["=", "!=", ">", ">=", "<", "<=", "in", "prefix"];

/// What the params of a signal must be. Every test of every param has to hold;
/// a param that the signal does not have passes none, and neither does a value
/// of another type.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pattern(BTreeMap<String, Vec<Test>>);

/// What one param must be. Numbers compare as numbers, whole or not; text
/// compares by its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Test {
    /// `=`: this value.
    Equal(Scalar),
    /// `!=`: another value of the same type.
    NotEqual(Scalar),
    /// `>`: a higher value.
    Above(Scalar),
    /// `>=`: this value or a higher one.
    AtLeast(Scalar),
    /// `<`: a lower value.
    Below(Scalar),
    /// `<=`: this value or a lower one.
    AtMost(Scalar),
    /// `in`: one of these values.
    In(Vec<Scalar>),
    /// `prefix`: text that begins so.
    Prefix(String),
}

impl Pattern {
    /// The pattern in a JSON object.
    ///
    /// # Errors
    /// It is no object, has too many members, or one is neither a scalar nor an
    /// object of operators.
    pub fn of(value: &Value) -> Result<Self, BadParams> {
        let Value::Object(members) = value else {
            return Err(BadParams(
                "a `match` is a JSON object such as {\"order\": \"a1\", \"amount\": {\">=\": 5}}"
                    .to_owned(),
            ));
        };
        if members.len() > PARAMS_MAX {
            return Err(BadParams(format!(
                "a signal has at most {PARAMS_MAX} params, and a `match` names {}; match on fewer",
                members.len()
            )));
        }
        let mut tests = BTreeMap::new();
        for (name, value) in members {
            check_name("a param's name", name)?;
            tests.insert(name.clone(), tests_of(name, value)?);
        }
        Ok(Self(tests))
    }

    /// The pattern in the text of a JSON object.
    ///
    /// # Errors
    /// As for `of`, and if it is no JSON.
    pub fn parse(text: &str) -> Result<Self, BadParams> {
        let value = Payload::parse(text)
            .map_err(|error| BadParams(format!("a `match` is no JSON: {error}")))?;
        Self::of(value.value())
    }

    /// Whether a signal with these params counts.
    pub fn fits(&self, params: &Params) -> bool {
        self.0.iter().all(|(name, tests)| {
            params.get(name).is_some_and(|value| tests.iter().all(|test| test.holds(value)))
        })
    }

    /// The params that must have one value, in the order of their names.
    pub fn equals(&self) -> impl Iterator<Item = (&str, &Scalar)> {
        self.0.iter().filter_map(|(name, tests)| {
            let equal = tests.iter().find_map(|test| match test {
                Test::Equal(value) => Some(value),
                _ => None,
            });
            Some((name.as_str(), equal?))
        })
    }

    /// Every test with its param, in order.
    pub fn tests(&self) -> impl Iterator<Item = (&str, &Test)> {
        self.0.iter().flat_map(|(name, tests)| tests.iter().map(move |test| (name.as_str(), test)))
    }

    /// Whether there is more to it than values that params must have.
    pub fn has_more_than_equals(&self) -> bool {
        self.0.values().any(|tests| !matches!(tests.as_slice(), [Test::Equal(_)]))
    }

    /// Whether it fits every signal.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pattern as a JSON object.
    pub fn to_value(&self) -> Value {
        let members = self.0.iter().map(|(name, tests)| {
            let value = match tests.as_slice() {
                [Test::Equal(value)] => value.to_value(),
                tests => {
                    let named =
                        tests.iter().map(|test| (test.operator().to_owned(), test.operand()));
                    Value::Object(named.collect::<Map<_, _>>())
                }
            };
            (name.clone(), value)
        });
        Value::Object(members.collect())
    }
}

/// The params as a pattern that asks for equal ones.
impl From<&Params> for Pattern {
    fn from(params: &Params) -> Self {
        let test =
            |(name, value): (&str, &Scalar)| (name.to_owned(), vec![Test::Equal(value.clone())]);
        Self(params.iter().map(test).collect())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_value())
    }
}

impl Test {
    /// Whether the value passes.
    pub fn holds(&self, value: &Scalar) -> bool {
        let is =
            |wanted: &Scalar, holds: fn(Ordering) -> bool| value.compare(wanted).is_some_and(holds);
        match self {
            Self::Equal(wanted) => is(wanted, Ordering::is_eq),
            Self::NotEqual(wanted) => is(wanted, Ordering::is_ne),
            Self::Above(wanted) => is(wanted, Ordering::is_gt),
            Self::AtLeast(wanted) => is(wanted, Ordering::is_ge),
            Self::Below(wanted) => is(wanted, Ordering::is_lt),
            Self::AtMost(wanted) => is(wanted, Ordering::is_le),
            Self::In(all) => all.iter().any(|wanted| is(wanted, Ordering::is_eq)),
            Self::Prefix(prefix) => match value {
                Scalar::Text(text) => text.starts_with(prefix.as_str()),
                Scalar::Integer(_) | Scalar::Number(_) | Scalar::Boolean(_) => false,
            },
        }
    }

    /// The operator, as one of [`OPERATORS`].
    pub fn operator(&self) -> &'static str {
        match self {
            Self::Equal(_) => "=",
            Self::NotEqual(_) => "!=",
            Self::Above(_) => ">",
            Self::AtLeast(_) => ">=",
            Self::Below(_) => "<",
            Self::AtMost(_) => "<=",
            Self::In(_) => "in",
            Self::Prefix(_) => "prefix",
        }
    }

    /// What stands behind the operator, as JSON.
    pub fn operand(&self) -> Value {
        match self {
            Self::Equal(value)
            | Self::NotEqual(value)
            | Self::Above(value)
            | Self::AtLeast(value)
            | Self::Below(value)
            | Self::AtMost(value) => value.to_value(),
            Self::In(all) => all.iter().map(Scalar::to_value).collect(),
            Self::Prefix(text) => json!(text),
        }
    }

    /// The test that an operator and its operand stand for.
    fn of(name: &str, operator: &str, operand: &Value) -> Result<Self, BadParams> {
        let scalar = || Scalar::of(name, operand);
        let ordered = || match scalar()? {
            Scalar::Boolean(_) => Err(BadParams(format!(
                "`match` of param `{name}`: `{operator}` compares text or numbers, and {operand} \
                 is neither; use \"=\""
            ))),
            value => Ok(value),
        };
        Ok(match operator {
            "=" => Self::Equal(scalar()?),
            "!=" => Self::NotEqual(scalar()?),
            ">" => Self::Above(ordered()?),
            ">=" => Self::AtLeast(ordered()?),
            "<" => Self::Below(ordered()?),
            "<=" => Self::AtMost(ordered()?),
            "in" => Self::In(values(name, operand)?),
            "prefix" => match scalar()? {
                Scalar::Text(text) => Self::Prefix(text),
                _ => {
                    return Err(BadParams(format!(
                        "`match` of param `{name}`: `prefix` is the beginning of a text, and \
                         {operand} is none; use \"=\""
                    )));
                }
            },
            _ => return Err(BadParams(unknown_operator(name, operator))),
        })
    }
}

/// Which operator may be meant by this.
pub(crate) fn meant_operator(operator: &str) -> Option<&'static str> {
    match operator {
        "==" | "eq" => Some("="),
        "<>" | "ne" => Some("!="),
        "=>" | "ge" | "gte" => Some(">="),
        "=<" | "le" | "lte" => Some("<="),
        "gt" => Some(">"),
        "lt" => Some("<"),
        _ => closest(operator, OPERATORS),
    }
}

/// Says that there is no such operator, and which may be meant.
fn unknown_operator(name: &str, operator: &str) -> String {
    let meant = meant_operator(operator);
    let meant = meant.map(|meant| format!("use {meant:?}, or one of {}", OPERATORS.join(" ")));
    let remedy = meant.unwrap_or_else(|| format!("use one of {}", OPERATORS.join(" ")));
    format!("`match` of param `{name}`: there is no operator {operator:?}; {remedy}")
}

fn tests_of(name: &str, value: &Value) -> Result<Vec<Test>, BadParams> {
    let Value::Object(operators) = value else {
        return match value {
            Value::Array(_) => Err(BadParams(format!(
                "`match` of param `{name}` is a list; for one of several values write {{\"in\": [..]}}"
            ))),
            _ => Ok(vec![Test::Equal(Scalar::of(name, value)?)]),
        };
    };
    if operators.is_empty() {
        return Err(BadParams(format!(
            "`match` of param `{name}` names no operator; write a value, or use one of {}",
            OPERATORS.join(" ")
        )));
    }
    let mut tests = Vec::with_capacity(operators.len());
    for (operator, operand) in operators {
        tests.push(Test::of(name, operator, operand)?);
    }
    tests.sort_unstable();
    Ok(tests)
}

/// The values of an `in`, each once.
fn values(name: &str, operand: &Value) -> Result<Vec<Scalar>, BadParams> {
    let Value::Array(given) = operand else {
        return Err(BadParams(format!(
            "`match` of param `{name}`: `in` takes a list such as [\"a\", \"b\"], not {operand}"
        )));
    };
    if given.is_empty() || given.len() > VALUES_MAX {
        return Err(BadParams(format!(
            "`match` of param `{name}`: `in` takes 1 to {VALUES_MAX} values, not {}",
            given.len()
        )));
    }
    let mut values = Vec::with_capacity(given.len());
    for value in given {
        values.push(Scalar::of(name, value)?);
    }
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

/// Checks one operator and its operand, as far as the operand is no expression.
///
/// # Errors
/// There is no such operator, or the operand does not suit it.
pub fn check_test(name: &str, operator: &str, operand: &Value) -> Result<(), BadParams> {
    Test::of(name, operator, operand).map(|_| ())
}

#[cfg(test)]
mod tests;
