//! The values of an evaluation. A document's parts are borrowed, never copied,
//! and what an expression builds is shared, so that handing a value on costs
//! nothing however large it is.

use chrono::NaiveDate;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A CEL value.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text<'a>),
    /// A list of a document. Its scalars become the variants above when they
    /// are read.
    JsonList(&'a [Json]),
    /// An object of a document.
    JsonMap(&'a serde_json::Map<String, Json>),
    /// A list that the expression built.
    List(Arc<Vec<Value<'a>>>),
    /// A map that the expression built. Sorted, so that going through it is the
    /// same in every replay.
    Map(Arc<BTreeMap<Key<'a>, Value<'a>>>),
    /// A day of the calendar.
    Date(NaiveDate),
    /// What `type(x)` gives.
    Type(&'static str),
    /// An unsigned number, bytes, a timestamp or a duration: what only the
    /// library of the `cel` crate works with.
    Other(cel::Value),
}

/// Text of a document, of the expression, or made by it.
#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Arc<str>),
}

/// A key of a map that the expression built.
#[derive(Clone, Debug)]
pub(crate) enum Key<'a> {
    Bool(bool),
    /// Signed and unsigned numbers are one kind of key.
    Number(i128),
    Text(Text<'a>),
}

impl<'a> Text<'a> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl<'a> Key<'a> {
    /// The key that `value` is; `None` if it can be none.
    pub(crate) fn of(value: &Value<'a>) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::Int(value) => Some(Self::Number((*value).into())),
            Value::Text(text) => Some(Self::Text(text.clone())),
            // A whole number finds its key, whatever its type.
            Value::Double(value) if value.fract() == 0.0 && value.abs() < 1e18 => {
                Some(Self::Number(*value as i128))
            }
            Value::Other(cel::Value::UInt(value)) => Some(Self::Number((*value).into())),
            _ => None,
        }
    }

    /// The key as a value.
    pub(crate) fn value(&self) -> Value<'a> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => Value::Int(value),
                (_, Ok(value)) => Value::Other(cel::Value::UInt(value)),
                _ => Value::Null,
            },
            Self::Text(text) => Value::Text(text.clone()),
        }
    }

    /// How long it is, if it is text.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.as_str().len(),
            Self::Bool(_) | Self::Number(_) => 0,
        }
    }

    fn rank(&self) -> (u8, i128, &str) {
        match self {
            Self::Bool(value) => (0, i128::from(*value), ""),
            Self::Number(value) => (1, *value, ""),
            Self::Text(text) => (2, 0, text.as_str()),
        }
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Key<'_> {}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Self::Int(value),
                (None, Some(value)) => Self::Other(cel::Value::UInt(value)),
                (None, None) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(Text::Borrowed(text)),
            Json::Array(list) => Self::JsonList(list),
            Json::Object(map) => Self::JsonMap(map),
        }
    }
}

impl<'a> Value<'a> {
    /// The name of the value's type, as CEL has it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::JsonList(_) | Self::List(_) => "list",
            Self::JsonMap(_) | Self::Map(_) => "map",
            Self::Date(_) => "date",
            Self::Type(_) => "type",
            Self::Other(cel::Value::UInt(_)) => "uint",
            Self::Other(cel::Value::Bytes(_)) => "bytes",
            Self::Other(cel::Value::Timestamp(_)) => "timestamp",
            Self::Other(cel::Value::Duration(_)) => "duration",
            Self::Other(_) => "dyn",
        }
    }

    /// How many elements a list or map has.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::JsonList(list) => Some(list.len()),
            Self::List(list) => Some(list.len()),
            Self::JsonMap(map) => Some(map.len()),
            Self::Map(map) => Some(map.len()),
            _ => None,
        }
    }

    /// Whether this is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::JsonList(_) | Self::List(_))
    }

    /// The element of a list at `place`.
    pub(crate) fn element(&self, place: usize) -> Option<Value<'a>> {
        match self {
            Self::JsonList(list) => list.get(place).map(Value::from),
            Self::List(list) => list.get(place).cloned(),
            _ => None,
        }
    }

    /// The value at `key` of a map; `None` if this is no map or has no such key.
    pub(crate) fn entry(&self, key: &Key<'_>) -> Option<Value<'a>> {
        match (self, key) {
            (Self::JsonMap(map), Key::Text(text)) => map.get(text.as_str()).map(Value::from),
            (Self::Map(map), key) => map.get(key).cloned(),
            _ => None,
        }
    }

    /// How long the keys of a map are together, in bytes: what looking through
    /// them costs.
    pub(crate) fn key_bytes(&self) -> usize {
        match self {
            Self::JsonMap(map) => map.keys().map(String::len).sum(),
            Self::Map(map) => map.keys().map(Key::bytes).sum(),
            _ => 0,
        }
    }

    /// The keys of a map, sorted.
    pub(crate) fn keys(&self) -> Option<Vec<Key<'a>>> {
        match self {
            Self::JsonMap(map) => {
                let mut keys: Vec<_> =
                    map.keys().map(|key| Key::Text(Text::Borrowed(key))).collect();
                keys.sort();
                Some(keys)
            }
            Self::Map(map) => Some(map.keys().cloned().collect()),
            _ => None,
        }
    }
}
