//! What an evaluation may cost, and why it stops. All that its cost and its
//! memory grow with is paid for in one currency before it is done, so that both
//! are bounded by one number.

use super::value::Value;
use serde_json::Value as Json;

/// The most operations of one evaluation. The dearest of them take about 50 ns.
pub const OPERATIONS_MAX: usize = 1_000_000;

/// How many bytes of text are looked through, or made, at the price of an
/// operation.
const TEXT_BYTES_PER_OPERATION: usize = 32;

/// What an entry of a map that is built costs, in operations.
pub(crate) const ENTRY: usize = 4;

/// Why an evaluation stops.
#[derive(Debug, PartialEq)]
pub(crate) enum Halt {
    /// It is wrong: `||` and `&&` may still save it.
    Fault(String),
    /// It is wrong since something that was read is not there: `default` may
    /// save it too.
    Missing(String),
    /// It is too much: nothing saves it.
    Exhausted,
}

/// Counts the operations of one evaluation.
#[derive(Debug)]
pub(crate) struct Meter {
    left: usize,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { left: OPERATIONS_MAX }
    }

    /// How many operations were paid for, all of them where they did not suffice.
    pub(crate) fn spent(&self) -> usize {
        OPERATIONS_MAX - self.left
    }

    /// Pays for `operations`, before they are done.
    pub(crate) fn charge(&mut self, operations: usize) -> Result<(), Halt> {
        match self.left.checked_sub(operations) {
            Some(left) => self.left = left,
            None => {
                self.left = 0;
                return Err(Halt::Exhausted);
            }
        }
        Ok(())
    }

    /// Pays for looking through `text`, or for copying it.
    pub(crate) fn charge_text(&mut self, text: &str) -> Result<(), Halt> {
        self.charge_bytes(text.len())
    }

    /// Pays for looking through bytes, or for copying them.
    pub(crate) fn charge_bytes(&mut self, length: usize) -> Result<(), Halt> {
        self.charge(length / TEXT_BYTES_PER_OPERATION)
    }

    /// Pays for writing a value as JSON, with all that is in it.
    pub(crate) fn charge_value(&mut self, value: &Value<'_>) -> Result<(), Halt> {
        self.charge(1)?;
        match value {
            Value::Text(text) => self.charge_written(text.as_str()),
            Value::JsonList(list) => list.iter().try_for_each(|json| self.charge_json(json)),
            Value::JsonMap(map) => self.charge_object(map),
            Value::List(list) => list.iter().try_for_each(|value| self.charge_value(value)),
            Value::Map(map) => map.iter().try_for_each(|(key, value)| {
                self.charge(key.bytes().saturating_mul(ESCAPED) / TEXT_BYTES_PER_OPERATION)?;
                self.charge_value(value)
            }),
            _ => Ok(()),
        }
    }

    fn charge_json(&mut self, json: &Json) -> Result<(), Halt> {
        self.charge(1)?;
        match json {
            Json::String(text) => self.charge_written(text),
            Json::Array(list) => list.iter().try_for_each(|json| self.charge_json(json)),
            Json::Object(map) => self.charge_object(map),
            Json::Null | Json::Bool(_) | Json::Number(_) => Ok(()),
        }
    }

    fn charge_object(&mut self, map: &serde_json::Map<String, Json>) -> Result<(), Halt> {
        map.iter().try_for_each(|(key, json)| {
            self.charge_written(key)?;
            self.charge_json(json)
        })
    }

    /// Pays for text as JSON writes it.
    fn charge_written(&mut self, text: &str) -> Result<(), Halt> {
        self.charge_text(text)?;
        let escaped = text.bytes().filter(|byte| *byte < b' ').count();
        self.charge_bytes(text.len().saturating_add(escaped.saturating_mul(ESCAPED)))
    }
}

/// How long a control character is in JSON, as in `\u0001`.
const ESCAPED: usize = 6;
