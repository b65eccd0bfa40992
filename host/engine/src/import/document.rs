//! From text to a tree: JSON as JSON, everything else as YAML.

use super::value::Value;
use crate::definition::{Problem, SOURCE_BYTES_MAX};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::collections::BTreeMap;
use std::fmt;

/// How deep a document may be nested.
const NESTING_MAX: usize = 100;

/// The tree of `source`.
///
/// # Errors
/// It is too long, or neither JSON nor YAML.
pub(super) fn read(source: &str) -> Result<Value, Problem> {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("has {} bytes, at most {SOURCE_BYTES_MAX} are read", source.len());
        return Err(problem((1, 1), message, "import one workflow at a time"));
    }
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    if !source.trim_start().starts_with('{') {
        return yaml(source);
    }
    serde_json::from_str(source).map_err(|error| {
        let place = (error.line(), error.column());
        problem(place, format!("is no JSON: {error}"), "give it one JSON object")
    })
}

/// A problem at a line and column.
pub(super) fn problem(
    place: (usize, usize),
    message: impl Into<String>,
    remedy: impl Into<String>,
) -> Problem {
    let number = |count: usize| u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    Problem {
        line: number(place.0),
        column: number(place.1),
        path: String::new(),
        message: message.into(),
        remedy: remedy.into(),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads JSON with the order of its keys.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(String, Value)> = Vec::new();
        while let Some((key, value)) = map.next_entry()? {
            put(&mut entries, key, value);
        }
        Ok(Value::Map(entries))
    }
}

/// Of two values with one key the later counts, as it does over there.
fn put(entries: &mut Vec<(String, Value)>, key: String, value: Value) {
    match entries.iter_mut().find(|(name, _)| *name == key) {
        Some(entry) => entry.1 = value,
        None => entries.push((key, value)),
    }
}

/// A list or map of YAML that is open.
struct Frame {
    anchor: usize,
    entries: Vec<(String, Value)>,
    elements: Vec<Value>,
    is_map: bool,
    pending: Option<String>,
}

fn yaml(source: &str) -> Result<Value, Problem> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(source) {
        let (event, span) = event.map_err(|error| {
            let place = (error.marker().line(), error.marker().col() + 1);
            problem(place, format!("is no YAML: {}", error.info()), "correct it")
        })?;
        builder.event(event, &span.start)?;
    }
    let remedy = "give it a workflow in JSON or YAML";
    builder.root.ok_or_else(|| problem((1, 1), "is empty", remedy))
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Value>,
    root: Option<Value>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, marker: &Marker) -> Result<(), Problem> {
        let place = (marker.line(), marker.col() + 1);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let value = match style {
                    ScalarStyle::Plain if !self.takes_key() => plain(&text),
                    _ => Value::Text(text.into_owned()),
                };
                self.complete(value, anchor, place)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().unwrap_or(Value::Null);
                self.complete(value, 0, place)
            }
            Event::SequenceStart(anchor, _) => self.open(anchor, false, place),
            Event::MappingStart(anchor, _) => self.open(anchor, true, place),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Ok(()) };
                let value = match frame.is_map {
                    true => Value::Map(frame.entries),
                    false => Value::List(frame.elements),
                };
                self.complete(value, frame.anchor, place)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(problem(place, "a second document begins here", "import one at a time"))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn takes_key(&self) -> bool {
        self.stack.last().is_some_and(|frame| frame.is_map && frame.pending.is_none())
    }

    fn open(&mut self, anchor: usize, is_map: bool, place: (usize, usize)) -> Result<(), Problem> {
        if self.stack.len() >= NESTING_MAX || self.takes_key() {
            return Err(problem(place, "is nested where it cannot be", "make it simpler"));
        }
        let (entries, elements) = (Vec::new(), Vec::new());
        self.stack.push(Frame { anchor, entries, elements, is_map, pending: None });
        Ok(())
    }

    fn complete(
        &mut self,
        value: Value,
        anchor: usize,
        place: (usize, usize),
    ) -> Result<(), Problem> {
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        if !frame.is_map {
            frame.elements.push(value);
            return Ok(());
        }
        match (frame.pending.take(), value) {
            (Some(key), value) => put(&mut frame.entries, key, value),
            (None, Value::Text(key)) => frame.pending = Some(key),
            (None, _) => return Err(problem(place, "a key is no text", "use text as keys")),
        }
        Ok(())
    }
}

/// What text without quotes means.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Number(number.into());
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let number = text.parse::<f64>().ok().filter(|_| is_number).and_then(Number::from_f64);
    number.map_or_else(|| Value::Text(text.to_owned()), Value::Number)
}
