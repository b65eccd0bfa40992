//! The values of a script by their types. Whatever does not fit is noted with
//! its place and the remedy, and left out.

use super::tree::{Entry, Kind, Mark, Node};
use segno_engine::definition::Problem;
use segno_engine::payload::Payload;
use segno_engine::signal::{BadParams, Params, Pattern};
use serde_json::Value;

/// The longest time that a script may name: a hundred years.
const DURATION_MS_MAX: u64 = 100 * 366 * 24 * 60 * 60 * 1_000;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds what is wrong at a place. Returns nothing, for whoever wants a value.
    pub(super) fn add<T>(
        &mut self,
        mark: Mark,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Option<T> {
        self.0.push(mark.problem(message, remedy));
        None
    }

    /// The value, if nothing is wrong.
    ///
    /// # Errors
    /// Everything that is, in the order of the text.
    pub(super) fn none_or<T>(mut self, value: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        self.0.dedup();
        Err(self.0)
    }
}

/// The entries of a map whose keys are known.
pub(super) struct Fields<'n> {
    /// Whose they are, as in `a case`.
    of: String,
    pub(super) mark: Mark,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// The entries of a map; all keys must be among `known`.
    pub(super) fn read(
        node: &'n Node,
        of: impl Into<String>,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let of = of.into();
        let keys = known.join(", ");
        let Kind::Map(entries) = &node.kind else {
            let message = format!("{of} is {}", node.described());
            return problems.add(node.mark, message, format!("write a map with some of {keys}"));
        };
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let message = format!("{of} has no key `{}`", entry.key);
            problems.add::<()>(entry.mark, message, format!("the keys are {keys}"));
        }
        Some(Self { of, mark: node.mark, entries })
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &'static str) -> Option<Field<'n>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field { key: key.to_owned(), node: &entry.value })
    }

    /// The value of a key that must be there.
    pub(super) fn need(
        &self,
        key: &'static str,
        example: &str,
        problems: &mut Problems,
    ) -> Option<Field<'n>> {
        self.get(key).or_else(|| {
            let message = format!("{} has no `{key}`", self.of);
            problems.add(self.mark, message, format!("add `{key}: {example}`"))
        })
    }
}

/// The value of a key.
pub(super) struct Field<'n> {
    key: String,
    pub(super) node: &'n Node,
}

impl<'n> Field<'n> {
    /// The value of an element or of a map's entry, called `key` in messages.
    pub(super) fn new(key: impl Into<String>, node: &'n Node) -> Self {
        Self { key: key.into(), node }
    }

    /// The value does not fit; says what to write instead.
    pub(super) fn wrong<T>(&self, instead: &str, problems: &mut Problems) -> Option<T> {
        let message = format!("`{}` is {}", self.key, self.node.described());
        problems.add(self.node.mark, message, format!("write {instead}"))
    }

    /// Text.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<String> {
        match &self.node.kind {
            Kind::Leaf(Value::String(text)) => Some(text.clone()),
            // A name of digits needs no quotes here.
            Kind::Leaf(Value::Number(number)) => Some(number.to_string()),
            _ => self.wrong("text", problems),
        }
    }

    /// A list.
    pub(super) fn list(&self, example: &str, problems: &mut Problems) -> Option<&'n [Node]> {
        match &self.node.kind {
            Kind::List(elements) => Some(elements),
            _ => self.wrong(&format!("a list such as {example}"), problems),
        }
    }

    /// A map with keys of any name.
    pub(super) fn map(&self, example: &str, problems: &mut Problems) -> Option<&'n [Entry]> {
        match &self.node.kind {
            Kind::Map(entries) => Some(entries),
            _ => self.wrong(&format!("a map such as {example}"), problems),
        }
    }

    /// Anything, as a document.
    pub(super) fn payload(&self) -> Payload {
        self.node.to_json().into()
    }

    /// The params of a signal.
    pub(super) fn params(&self, problems: &mut Problems) -> Option<Params> {
        self.or_report(Params::of(&self.node.to_json()), problems)
    }

    /// What the params of a signal must be.
    pub(super) fn pattern(&self, problems: &mut Problems) -> Option<Pattern> {
        self.or_report(Pattern::of(&self.node.to_json()), problems)
    }

    fn or_report<T>(&self, read: Result<T, BadParams>, problems: &mut Problems) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("`{}` is wrong", self.key);
                problems.add(self.node.mark, message, error.to_string())
            }
        }
    }

    /// A time, in milliseconds.
    pub(super) fn duration_ms(&self, problems: &mut Problems) -> Option<u64> {
        let text = match &self.node.kind {
            Kind::Leaf(Value::String(text)) => text.as_str(),
            _ => "",
        };
        let millis = humantime::parse_duration(text).ok().map(|duration| duration.as_millis());
        match millis.and_then(|millis| u64::try_from(millis).ok()) {
            Some(millis) if millis <= DURATION_MS_MAX => Some(millis),
            _ => self.wrong("a time such as 3 days or 1h 30m", problems),
        }
    }

    /// A moment, in milliseconds since 1970.
    pub(super) fn moment_ms(&self, problems: &mut Problems) -> Option<u64> {
        let text = match &self.node.kind {
            Kind::Leaf(Value::String(text)) => text.as_str(),
            _ => "",
        };
        let since = humantime::parse_rfc3339_weak(text)
            .ok()
            .and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok());
        match since {
            Some(since) => Some(since.as_millis() as u64),
            None => self.wrong("a moment such as 2026-01-04T00:00:00Z", problems),
        }
    }
}
