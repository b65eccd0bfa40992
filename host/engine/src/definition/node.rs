//! A definition as a tree of values that remember where they stand.

use crate::template::Place;
use serde_json::{Number, Value as Json};

/// A place in the source, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) mark: Mark,
    pub(super) value: Node,
}

impl Mark {
    /// The beginning of a source.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

impl Node {
    /// The value as JSON.
    pub(super) fn to_json(&self) -> Json {
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(*value),
            Kind::Number(number) => Json::Number(number.clone()),
            Kind::Text(text) => Json::String(text.clone()),
            Kind::List(elements) => elements.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
        }
    }

    /// What the value is, for a message.
    pub(super) fn described(&self) -> String {
        match &self.kind {
            Kind::Null => "empty".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number(number) => number.to_string(),
            Kind::Text(text) => shown(text),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }

    /// Where the part at the end of `way` stands; as far as the way goes.
    pub(super) fn mark_at(&self, way: &[Place]) -> Mark {
        let Some((first, rest)) = way.split_first() else { return self.mark };
        let next = match (&self.kind, first) {
            (Kind::List(elements), Place::Element(number)) => elements.get(*number),
            (Kind::Map(entries), Place::Key(key)) => {
                entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
            }
            _ => None,
        };
        next.map_or(self.mark, |next| next.mark_at(rest))
    }

    /// How many values it is made of, itself included.
    pub(super) fn size(&self) -> usize {
        match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => 1,
            Kind::List(elements) => 1 + elements.iter().map(Self::size).sum::<usize>(),
            Kind::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
        }
    }

    /// How many levels it has.
    pub(super) fn height(&self) -> usize {
        let below = match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => None,
            Kind::List(elements) => elements.iter().map(Self::height).max(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.height()).max(),
        };
        1 + below.unwrap_or(0)
    }
}

/// Text in quotes, cut where it gets long.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
