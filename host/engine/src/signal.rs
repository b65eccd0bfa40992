//! By what signals are found. A signal's params are scalars by name; a pattern
//! says what they must be.

mod pattern;
mod publisher;

pub(crate) use self::pattern::meant_operator;
pub use self::pattern::{OPERATORS, Pattern, Test, VALUES_MAX, check_test};
pub use self::publisher::Publisher;

use crate::payload::Payload;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// The most params that a signal may have, and a pattern may name.
pub const PARAMS_MAX: usize = 16;

/// The longest name of a signal, and of one of its params.
pub const NAME_BYTES_MAX: usize = 128;

/// The largest payload of a signal.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;

/// The longest text in a param.
pub const TEXT_BYTES_MAX: usize = 256;

/// A value by which signals are found. Numbers with an integral value are
/// integers if 64 bits have room for them, so that `2` and `2.0` are equal.
/// `compare` says which of two is higher; the order of `Ord` has no meaning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number, by its bits.
    Number(u64),
    /// True or false.
    Boolean(bool),
}

/// The params of a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Params(BTreeMap<String, Scalar>);

/// Params that are no good, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadParams(String);

impl Params {
    /// The params in a JSON object.
    ///
    /// # Errors
    /// It is no object, has too many members, or one is no scalar.
    pub fn of(value: &Value) -> Result<Self, BadParams> {
        let Value::Object(members) = value else {
            return Err(BadParams(
                "a signal's params are a JSON object such as {\"order\": \"a1\"}".to_owned(),
            ));
        };
        if members.len() > PARAMS_MAX {
            return Err(BadParams(format!(
                "a signal has at most {PARAMS_MAX} params, and {} were given; the payload takes \
                 the rest",
                members.len()
            )));
        }
        let mut params = BTreeMap::new();
        for (name, value) in members {
            check_name("a param's name", name)?;
            params.insert(name.clone(), Scalar::of(name, value)?);
        }
        Ok(Self(params))
    }

    /// The params in the text of a JSON object.
    ///
    /// # Errors
    /// As for `of`, and if it is no JSON.
    pub fn parse(text: &str) -> Result<Self, BadParams> {
        let value = Payload::parse(text)
            .map_err(|error| BadParams(format!("a signal's params are no JSON: {error}")))?;
        Self::of(value.value())
    }

    /// The params by name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Scalar)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// One param.
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        self.0.get(name)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The params as a JSON object.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, value)| (name.clone(), value.to_value())).collect())
    }
}

impl Scalar {
    fn of(name: &str, value: &Value) -> Result<Self, BadParams> {
        match value {
            Value::String(text) if text.len() > TEXT_BYTES_MAX => Err(BadParams(format!(
                "param `{name}` has {} bytes, and at most {TEXT_BYTES_MAX} are allowed; the \
                 payload takes long texts",
                text.len()
            ))),
            Value::String(text) => Ok(Self::Text(text.clone())),
            Value::Bool(flag) => Ok(Self::Boolean(*flag)),
            Value::Number(number) => Ok(Self::of_number(number)),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(BadParams(format!(
                "param `{name}` is no string, number or boolean; the payload takes everything else"
            ))),
        }
    }

    fn of_number(number: &serde_json::Number) -> Self {
        if let Some(integer) = number.as_i64() {
            return Self::Integer(integer);
        }
        let float = number.as_f64().unwrap_or_default();
        // Every integral double from -2^63 to below 2^63 is exactly one integer.
        if float.fract() == 0.0 && (-INTEGERS_END..INTEGERS_END).contains(&float) {
            return Self::Integer(float as i64);
        }
        Self::Number(float.to_bits())
    }

    /// Which of two values of one type is higher; numbers exactly, text by its
    /// bytes. Nothing for values of different types.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Boolean(one), Self::Boolean(other)) => Some(one.cmp(other)),
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(other)),
            (Self::Number(one), Self::Number(other)) => {
                f64::from_bits(*one).partial_cmp(&f64::from_bits(*other))
            }
            (Self::Integer(one), Self::Number(other)) => {
                Some(compare_exactly(*one, f64::from_bits(*other)))
            }
            (Self::Number(one), Self::Integer(other)) => {
                Some(compare_exactly(*other, f64::from_bits(*one)).reverse())
            }
            _ => None,
        }
    }

    /// The value as JSON.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Integer(integer) => Value::from(*integer),
            Self::Number(bits) => Value::from(f64::from_bits(*bits)),
            Self::Boolean(flag) => Value::from(*flag),
        }
    }
}

/// 2^63, above every integer.
const INTEGERS_END: f64 = 9_223_372_036_854_775_808.0;

/// How a whole number compares to a double, without rounding it.
fn compare_exactly(integer: i64, double: f64) -> Ordering {
    if double >= INTEGERS_END {
        return Ordering::Less;
    }
    if double < -INTEGERS_END {
        return Ordering::Greater;
    }
    let whole = double.trunc();
    let fraction = 0.0_f64.partial_cmp(&(double - whole)).unwrap_or(Ordering::Equal);
    integer.cmp(&(whole as i64)).then(fraction)
}

/// Checks the name of a signal or of one of its params.
///
/// # Errors
/// It is empty, too long, or has a control character.
pub fn check_name(what: &str, name: &str) -> Result<(), BadParams> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(BadParams(format!(
            "{what} has 1 to {NAME_BYTES_MAX} bytes, not {}",
            name.len()
        )));
    }
    if name.contains(char::is_control) {
        return Err(BadParams(format!("{what} has no control characters: {name:?}")));
    }
    Ok(())
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn params(value: Value) -> Params {
        Params::of(&value).unwrap()
    }

    #[test]
    fn numbers_compare_without_loss() {
        let scalar = |value: Value| params(json!({ "n": value })).get("n").cloned().unwrap();
        let order = [
            json!(-1e300),
            json!(-9_223_372_036_854_775_808_i64),
            json!(-9_223_372_036_854_774_784.0),
            json!(-0.5),
            json!(0),
            json!(2),
            json!(2.25),
            json!(9_007_199_254_740_992_i64),
            json!(9_007_199_254_740_993_i64),
            json!(9_221_120_237_041_090_560.0),
            json!(i64::MAX),
            json!(9_223_372_036_854_775_808.0),
        ];
        for (one, lower) in order.iter().enumerate() {
            for (other, higher) in order.iter().enumerate() {
                let compared = scalar(lower.clone()).compare(&scalar(higher.clone()));
                assert_eq!(compared, Some(one.cmp(&other)), "{lower} and {higher}");
            }
        }
        assert_eq!(scalar(json!(2)), scalar(json!(2.0)));
        assert_eq!(scalar(json!(-0.0)), scalar(json!(0)));
        let near = json!(9_221_120_237_041_090_560_i64);
        assert_eq!(scalar(near), scalar(json!(9_221_120_237_041_090_560.0)));
    }

    #[test]
    fn only_scalars_are_params() {
        for wrong in [json!([1]), json!({ "a": null }), json!({ "a": [1] }), json!({ "": 1 })] {
            assert!(Params::of(&wrong).is_err(), "{wrong}");
        }
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert!(Params::of(&json!({ "a": long })).is_err());
    }
}
