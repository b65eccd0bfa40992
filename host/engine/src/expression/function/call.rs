//! One call of a function: its arguments, read as what the function needs, and
//! the meter that it pays with. What is wrong with an argument is said here, in
//! the same words for every function.

use super::super::meter::{Halt, Meter};
use super::super::value::{Text, Value};
use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta};
use std::sync::Arc;

/// What a function of ours does.
pub(crate) type Body = for<'a> fn(&mut Call<'a, '_>) -> Result<Value<'a>, Halt>;

/// One call.
pub(crate) struct Call<'a, 'c> {
    pub(crate) name: &'static str,
    /// Whether the first argument is what the function is called on.
    pub(crate) is_method: bool,
    pub(crate) arguments: &'c [Value<'a>],
    pub(crate) meter: &'c mut Meter,
}

impl<'a, 'c> Call<'a, 'c> {
    /// A failure of this function: what is wrong, and the remedy after a `;`.
    pub(crate) fn fault(&self, message: impl std::fmt::Display) -> Halt {
        Halt::Fault(format!("{}: {message}", self.name))
    }

    /// That the argument at `place` is not what it has to be.
    pub(crate) fn wrong(&self, place: usize, expected: &str) -> Halt {
        let actual = self.arguments.get(place).map_or("missing", Value::type_name);
        let remedy = match expected {
            "a string" => "use string(…)",
            "an int" => "use int(…)",
            "a number" => "use double(…)",
            "a list" => "write [x] for a list of one",
            "a map" => "write {'key': value}",
            "a date" => "use date(…)",
            "a timestamp" => "use timestamp(…)",
            "a duration" => "use duration(…)",
            _ => "give it one of these",
        };
        let name = self.name;
        Halt::Fault(match (self.is_method, place) {
            (true, 0) => format!("{name} is called on {expected}, not {actual}; {remedy}"),
            (true, place) => {
                format!("{name} needs {expected} as argument {place}, not {actual}; {remedy}")
            }
            (false, place) => {
                format!("{name} needs {expected} as argument {}, not {actual}; {remedy}", place + 1)
            }
        })
    }

    /// The argument at `place`, if there is one.
    pub(crate) fn get(&self, place: usize) -> Option<&'c Value<'a>> {
        self.arguments.get(place)
    }

    /// The text at `place`, which is paid for as if it were read once.
    pub(crate) fn text(&mut self, place: usize) -> Result<&'c str, Halt> {
        match self.arguments.get(place) {
            Some(Value::Text(text)) => {
                self.meter.charge_text(text.as_str())?;
                Ok(text.as_str())
            }
            _ => Err(self.wrong(place, "a string")),
        }
    }

    /// The whole number at `place`.
    pub(crate) fn int(&self, place: usize) -> Result<i64, Halt> {
        match self.arguments.get(place) {
            Some(Value::Int(value)) => Ok(*value),
            Some(Value::Other(cel::Value::UInt(value))) => {
                i64::try_from(*value).map_err(|_| self.fault(format!("{value} is out of range")))
            }
            _ => Err(self.wrong(place, "an int")),
        }
    }

    /// The whole number at `place`, or `otherwise` if it is left out.
    pub(crate) fn int_or(&self, place: usize, otherwise: i64) -> Result<i64, Halt> {
        if self.arguments.len() > place { self.int(place) } else { Ok(otherwise) }
    }

    /// The number at `place`, of any type.
    pub(crate) fn number(&self, place: usize) -> Result<f64, Halt> {
        match self.arguments.get(place) {
            Some(Value::Double(value)) => Ok(*value),
            Some(Value::Int(value)) => Ok(*value as f64),
            Some(Value::Other(cel::Value::UInt(value))) => Ok(*value as f64),
            _ => Err(self.wrong(place, "a number")),
        }
    }

    /// The elements of the list at `place`. They are paid for.
    pub(crate) fn elements(&mut self, place: usize) -> Result<Vec<Value<'a>>, Halt> {
        match self.arguments.get(place) {
            Some(list) if list.is_list() => {
                let length = list.len().unwrap_or(0);
                self.meter.charge(length)?;
                Ok((0..length).filter_map(|place| list.element(place)).collect())
            }
            _ => Err(self.wrong(place, "a list")),
        }
    }

    /// The map at `place`. Going through it is paid for.
    pub(crate) fn map(&mut self, place: usize) -> Result<&'c Value<'a>, Halt> {
        match self.arguments.get(place) {
            Some(map @ (Value::JsonMap(_) | Value::Map(_))) => {
                self.meter.charge(map.len().unwrap_or(0))?;
                self.meter.charge_bytes(map.key_bytes())?;
                Ok(map)
            }
            _ => Err(self.wrong(place, "a map")),
        }
    }

    /// The date at `place`.
    pub(crate) fn date(&self, place: usize) -> Result<NaiveDate, Halt> {
        match self.arguments.get(place) {
            Some(Value::Date(date)) => Ok(*date),
            _ => Err(self.wrong(place, "a date")),
        }
    }

    /// The timestamp at `place`.
    pub(crate) fn timestamp(&self, place: usize) -> Result<DateTime<FixedOffset>, Halt> {
        match self.arguments.get(place) {
            Some(Value::Other(cel::Value::Timestamp(timestamp))) => Ok(*timestamp),
            _ => Err(self.wrong(place, "a timestamp")),
        }
    }

    /// The duration at `place`.
    pub(crate) fn duration(&self, place: usize) -> Result<TimeDelta, Halt> {
        match self.arguments.get(place) {
            Some(Value::Other(cel::Value::Duration(duration))) => Ok(*duration),
            _ => Err(self.wrong(place, "a duration")),
        }
    }

    /// Text that the function made. It is paid for.
    pub(crate) fn give_text(&mut self, text: &str) -> Result<Value<'a>, Halt> {
        self.meter.charge_text(text)?;
        Ok(Value::Text(Text::Shared(text.into())))
    }
}

/// A list of `elements`.
pub(crate) fn list<'a>(elements: Vec<Value<'a>>) -> Value<'a> {
    Value::List(Arc::new(elements))
}
