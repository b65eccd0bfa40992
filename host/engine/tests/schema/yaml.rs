//! The value of a YAML or JSON text, for tests that need one without the
//! reader's checks. What the reader refuses in a text as such, this refuses too
//! or passes over: `definitions.rs` looks at that.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// The value of `source`; `None` if it is no single document of YAML or JSON.
pub fn value(source: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(source) {
        return Some(value);
    }
    let mut events = Vec::new();
    for event in Parser::new_from_str(source) {
        let (event, _) = event.ok()?;
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            event => events.push(event),
        }
    }
    let mut events = events.into_iter();
    let Some(Event::DocumentStart(_)) = events.next() else { return None };
    let mut tree = Tree { events, anchors: BTreeMap::new() };
    let root = tree.next()??;
    tree.events.next().is_none().then_some(root)
}

struct Tree<'e> {
    events: std::vec::IntoIter<Event<'e>>,
    anchors: BTreeMap<usize, Value>,
}

impl Tree<'_> {
    /// The next value, the inner `None` at the end of a list or map; the outer
    /// if there is none at all.
    fn next(&mut self) -> Option<Option<Value>> {
        let (value, anchor) = match self.events.next()? {
            Event::Scalar(text, ScalarStyle::Plain, anchor, None) => (plain(&text), anchor),
            Event::Scalar(text, _, anchor, None) => (Value::from(text.into_owned()), anchor),
            Event::Alias(anchor) => return Some(Some(self.anchors.get(&anchor)?.clone())),
            Event::SequenceStart(anchor, None) => {
                let mut elements = Vec::new();
                while let Some(element) = self.next()? {
                    elements.push(element);
                }
                (Value::from(elements), anchor)
            }
            Event::MappingStart(anchor, None) => {
                let mut entries = Map::new();
                while let Some(key) = self.key()? {
                    entries.insert(key, self.next()??);
                }
                (Value::from(entries), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => return Some(None),
            _ => return None,
        };
        self.anchors.insert(anchor, value.clone());
        Some(Some(value))
    }

    fn key(&mut self) -> Option<Option<String>> {
        match self.events.next()? {
            Event::Scalar(text, ..) => Some(Some(text.into_owned())),
            Event::MappingEnd => Some(None),
            _ => None,
        }
    }
}

/// A scalar without quotes, by the core schema of YAML 1.2.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => return Value::Null,
        "true" => return Value::from(true),
        "false" => return Value::from(false),
        _ => {}
    }
    if let Some(Ok(number)) = text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16))
    {
        return Value::from(number);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::from(number);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse::<f64>().ok().filter(|_| is_number).and_then(Number::from_f64) {
        Some(number) => Value::from(number),
        None => Value::from(text),
    }
}
