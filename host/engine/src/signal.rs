//! Which signals a step waits for. A signal's params are scalars by name, and a
//! pattern fits when it has members that are equal to some of them.

use crate::payload::Payload;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The most params that a signal may have, and a pattern may name.
pub const PARAMS_MAX: usize = 16;

/// The longest name of a signal, and of one of its params.
pub const NAME_BYTES_MAX: usize = 128;

/// The longest text in a param.
pub const TEXT_BYTES_MAX: usize = 256;

/// A value by which signals are found. Numbers with an integral value are
/// integers, so that `2` and `2.0` are equal.
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

/// The params of a signal, or those that a pattern asks for.
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

    /// Whether `params` has all of these, with equal values.
    pub fn fit(&self, params: &Self) -> bool {
        self.0.iter().all(|(name, wanted)| params.0.get(name) == Some(wanted))
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
        // Every integral double below 2^63 is exactly one integer.
        if float.fract() == 0.0 && float.abs() < 9.2e18 {
            return Self::Integer(float as i64);
        }
        Self::Number(float.to_bits())
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
    fn a_pattern_fits_when_its_members_are_there() {
        let given = params(json!({ "order": "a1", "amount": 2, "paid": true }));
        assert!(params(json!({})).fit(&given));
        assert!(params(json!({ "amount": 2.0, "paid": true })).fit(&given));
        assert!(!params(json!({ "order": "a2" })).fit(&given));
        assert!(!params(json!({ "colour": "red" })).fit(&given));
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
