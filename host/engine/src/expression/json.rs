//! From a value of an evaluation to JSON, as a tree or as text. Whole numbers
//! stay whole and text stays as it is; what JSON does not have is refused with
//! the function that makes something of it.

use super::library;
use super::value::{Key, Value};
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::{Map, Value as Json};
use std::cell::Cell;

/// The most bytes of JSON that one expression may give.
pub const RESULT_BYTES_MAX: usize = 16 << 20;

/// What a value counts besides its text, so that many small values are not
/// cheap: a million of them is the most.
const VALUE_BYTES: usize = 16;

/// How deep a result may be nested. A document that is nested deeper than 128
/// could be written, but not read again.
const RESULT_NESTING_MAX: usize = 100;

impl Value<'_> {
    /// The value as JSON.
    ///
    /// # Errors
    /// Says what about it JSON does not have, and the remedy.
    pub(crate) fn to_json(&self) -> Result<Json, String> {
        let room = Cell::new(RESULT_BYTES_MAX);
        let tree = Part { value: self, depth: 0, room: &room };
        serde_json::to_value(tree).map_err(|error| error.to_string())
    }

    /// Appends the value as compact JSON.
    ///
    /// # Errors
    /// As for [`Value::to_json`].
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) -> Result<(), String> {
        let room = Cell::new(RESULT_BYTES_MAX.saturating_sub(out.len()));
        let tree = Part { value: self, depth: 0, room: &room };
        serde_json::to_writer(out, &tree).map_err(|error| error.to_string())
    }

    /// The value as it reads inside other text: text as it is, null as nothing,
    /// all else as JSON.
    ///
    /// # Errors
    /// As for [`Value::to_json`].
    pub(crate) fn to_text(&self) -> Result<String, String> {
        match self {
            Self::Null => Ok(String::new()),
            Self::Text(text) => Ok(text.as_str().to_owned()),
            Self::Date(date) => Ok(date.to_string()),
            Self::Other(cel::Value::Timestamp(_) | cel::Value::Duration(_)) => library::text(self),
            _ => {
                let mut out = Vec::new();
                self.write_json(&mut out)?;
                String::from_utf8(out).map_err(|error| error.to_string())
            }
        }
    }
}

/// A part of a value that is being written.
struct Part<'v, 'a> {
    value: &'v Value<'a>,
    depth: usize,
    /// How many bytes may still be written.
    room: &'v Cell<usize>,
}

impl Part<'_, '_> {
    /// Takes the room for a value with `text`.
    fn take_room(&self, text: &str) -> Result<(), String> {
        match self.room.get().checked_sub(text.len() + VALUE_BYTES) {
            Some(left) => self.room.set(left),
            None => {
                let limit = RESULT_BYTES_MAX >> 20;
                return Err(format!("gives more than {limit} MiB of JSON; take less of it"));
            }
        }
        Ok(())
    }

    /// Takes the room for a value of a document, which is then written as it is.
    fn take_json(&self, json: &Json, depth: usize) -> Result<(), String> {
        match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => self.take_room(""),
            Json::String(text) => self.take_room(text),
            Json::Array(list) => self.take_list(list, depth),
            Json::Object(map) => self.take_map(map, depth),
        }
    }

    fn take_list(&self, list: &[Json], depth: usize) -> Result<(), String> {
        check_depth(depth)?;
        self.take_room("")?;
        list.iter().try_for_each(|value| self.take_json(value, depth + 1))
    }

    fn take_map(&self, map: &Map<String, Json>, depth: usize) -> Result<(), String> {
        check_depth(depth)?;
        self.take_room("")?;
        map.iter().try_for_each(|(key, value)| {
            self.take_room(key)?;
            self.take_json(value, depth + 1)
        })
    }

    fn list<'e, S: Serializer>(
        &self,
        serializer: S,
        elements: &[Value<'e>],
    ) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(elements.len()))?;
        for value in elements {
            list.serialize_element(&self.inner(value))?;
        }
        list.end()
    }

    fn inner<'p>(&'p self, value: &'p Value<'p>) -> Part<'p, 'p> {
        Part { value, depth: self.depth + 1, room: self.room }
    }
}

impl Serialize for Part<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        check_depth(self.depth).map_err(S::Error::custom)?;
        self.take_room("").map_err(S::Error::custom)?;
        match self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Double(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::Double(value) => {
                Err(no_json(&value.to_string(), "rule it out with a condition"))
            }
            Value::Text(text) => {
                self.take_room(text.as_str()).map_err(S::Error::custom)?;
                serializer.serialize_str(text.as_str())
            }
            Value::JsonList(list) => {
                self.take_list(list, self.depth).map_err(S::Error::custom)?;
                list.serialize(serializer)
            }
            Value::JsonMap(map) => {
                self.take_map(map, self.depth).map_err(S::Error::custom)?;
                map.serialize(serializer)
            }
            Value::List(list) => self.list(serializer, list),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries.iter() {
                    let Key::Text(key) = key else {
                        return Err(no_json("a map with keys other than text", "use string(…)"));
                    };
                    self.take_room(key.as_str()).map_err(S::Error::custom)?;
                    map.serialize_entry(key.as_str(), &self.inner(value))?;
                }
                map.end()
            }
            Value::Date(date) => serializer.collect_str(date),
            Value::Type(_) => Err(no_json("a type", "compare it, or name it in text")),
            Value::Other(cel::Value::UInt(value)) => serializer.serialize_u64(*value),
            Value::Other(cel::Value::Bytes(_)) => Err(no_json("bytes", "use base64.encode(…)")),
            Value::Other(_) => {
                let text = library::text(self.value).map_err(S::Error::custom)?;
                serializer.serialize_str(&text)
            }
        }
    }
}

fn check_depth(depth: usize) -> Result<(), String> {
    if depth <= RESULT_NESTING_MAX {
        return Ok(());
    }
    Err(format!("gives a value nested deeper than {RESULT_NESTING_MAX}; flatten it"))
}

fn no_json<E: serde::ser::Error>(what: &str, remedy: &str) -> E {
    E::custom(format!("gives {what}, which JSON does not have; {remedy}"))
}
