//! From the text of a script to a tree of values that remember where they stand.
//! JSON is YAML, so both come in here.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use segno_engine::definition::Problem;
use serde_json::Value;
use std::collections::BTreeMap;

/// How deep a script may be nested.
const NESTING_MAX: usize = 64;

/// The most values in a script, what aliases stand for included.
const VALUES_MAX: usize = 250_000;

/// A place in the text, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Neither list nor map.
    Leaf(Value),
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
    fn of(marker: &Marker) -> Self {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { line: number(marker.line()), column: number(marker.col() + 1) }
    }

    /// What is wrong here, and what to do about it.
    pub(super) fn problem(self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            line: self.line,
            column: self.column,
            path: String::new(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

impl Node {
    /// The value as JSON.
    pub(super) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Leaf(value) => value.clone(),
            Kind::List(elements) => elements.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
        }
    }

    /// What the value is, for a message.
    pub(super) fn described(&self) -> String {
        match &self.kind {
            Kind::Leaf(Value::Null) => "empty".to_owned(),
            Kind::Leaf(value) => value.to_string(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }

    fn size(&self) -> usize {
        match &self.kind {
            Kind::Leaf(_) => 1,
            Kind::List(elements) => 1 + elements.iter().map(Self::size).sum::<usize>(),
            Kind::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
        }
    }

    fn height(&self) -> usize {
        let below = match &self.kind {
            Kind::Leaf(_) => None,
            Kind::List(elements) => elements.iter().map(Self::height).max(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.height()).max(),
        };
        1 + below.unwrap_or(0)
    }
}

/// The tree of a text.
///
/// # Errors
/// It is no YAML, or none that has one meaning.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = event.map_err(|error| {
            let message = format!("the script is neither YAML nor JSON: {}", error.info());
            let remedy = "check the indentation there, and quote text that has `: ` in it";
            Mark::of(error.marker()).problem(message, remedy)
        })?;
        builder.take(event, Mark::of(&span.start))?;
    }
    builder.root.ok_or_else(|| {
        let start = Mark { line: 1, column: 1 };
        start.problem("the script is empty", "begin with `- case: what it shows`")
    })
}

#[derive(Default)]
struct Builder {
    /// The lists and maps that are open.
    open: Vec<Open>,
    /// What aliases may stand for.
    anchors: BTreeMap<usize, Node>,
    values: usize,
    root: Option<Node>,
}

/// A list or map that is open.
struct Open {
    mark: Mark,
    anchor: usize,
    kind: Kind,
    /// The key whose value comes next.
    key: Option<(String, Mark)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(mark.problem("a tag stands here", "remove it; quote what is text"));
                }
                if self.takes_key() {
                    return self.key(text.into_owned(), mark);
                }
                let value = match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => Value::String(text.into_owned()),
                };
                self.count(1, mark)?;
                self.complete(Node { mark, kind: Kind::Leaf(value) }, anchor);
                Ok(())
            }
            Event::Alias(anchor) => {
                let Some(known) = self.anchors.get(&anchor).filter(|_| !self.takes_key()) else {
                    return Err(mark.problem("the alias stands for nothing", "write it out"));
                };
                let node = known.clone();
                self.count(node.size(), mark)?;
                if self.open.len() + node.height() > NESTING_MAX {
                    return Err(too_deep(mark));
                }
                self.complete(node, 0);
                Ok(())
            }
            Event::SequenceStart(anchor, _) => self.start(mark, anchor, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.start(mark, anchor, Kind::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { mark, anchor, kind, .. }) = self.open.pop() {
                    self.complete(Node { mark, kind }, anchor);
                }
                Ok(())
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(mark.problem("a second document begins here", "keep all cases in one list"))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn start(&mut self, mark: Mark, anchor: usize, kind: Kind) -> Result<(), Problem> {
        if self.takes_key() {
            return Err(mark.problem("a key is a list or a map", "use text as keys"));
        }
        self.count(1, mark)?;
        if self.open.len() >= NESTING_MAX {
            return Err(too_deep(mark));
        }
        self.open.push(Open { mark, anchor, kind, key: None });
        Ok(())
    }

    /// Whether a key of a map comes next.
    fn takes_key(&self) -> bool {
        self.open.last().is_some_and(|open| matches!(open.kind, Kind::Map(_)) && open.key.is_none())
    }

    fn key(&mut self, key: String, mark: Mark) -> Result<(), Problem> {
        let Some(Open { kind: Kind::Map(entries), key: next, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        if let Some(first) = entries.iter().find(|entry| entry.key == key) {
            let line = first.mark.line;
            let message = format!("the key `{key}` is there already, on line {line}");
            return Err(mark.problem(message, "remove one of the two"));
        }
        *next = Some((key, mark));
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { kind: Kind::List(elements), .. }) => elements.push(node),
            Some(Open { kind: Kind::Map(entries), key, .. }) => {
                if let Some((key, mark)) = key.take() {
                    entries.push(Entry { key, mark, value: node });
                }
            }
            Some(Open { kind: Kind::Leaf(_), .. }) => {}
        }
    }

    fn count(&mut self, values: usize, mark: Mark) -> Result<(), Problem> {
        self.values = self.values.saturating_add(values);
        if self.values <= VALUES_MAX {
            return Ok(());
        }
        let message = format!("the script has more than {VALUES_MAX} values");
        Err(mark.problem(message, "make two scripts of it"))
    }
}

fn too_deep(mark: Mark) -> Problem {
    let message = format!("the script is nested deeper than {NESTING_MAX} levels");
    mark.problem(message, "flatten it")
}

/// What a scalar without quotes is: JSON's numbers and words, or else text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match serde_json::from_str(text) {
            Ok(Value::Number(number)) => Value::Number(number),
            _ => Value::String(text.to_owned()),
        },
    }
}
