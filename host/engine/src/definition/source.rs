//! From YAML to a tree. JSON is YAML, so both come in here. What would make a
//! definition ambiguous or endless is refused: keys that are there twice, tags,
//! several documents, aliases that multiply.

use super::node::{Entry, Kind, Mark, Node, shown};
use super::problem::Problems;
use crate::template::{Place, way};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};
use serde_json::Number;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest definition, in bytes.
pub const SOURCE_BYTES_MAX: usize = 1 << 20;

/// How deep a definition may be nested.
const NESTING_MAX: usize = 64;

/// The most values in a definition, what aliases stand for included.
const VALUES_MAX: usize = 250_000;

/// The tree of `source`; `None` if there is none.
pub(super) fn read(source: &str, problems: &mut Problems) -> Option<Node> {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!(
            "the definition has {} bytes, at most {SOURCE_BYTES_MAX} are allowed",
            source.len()
        );
        problems.add(Mark::START, "", message, "move large values into the data of a step");
        return None;
    }
    let source = join_surrogates(source.strip_prefix('\u{feff}').unwrap_or(source));
    let mut reader = Reader { stack: Vec::new(), anchors: BTreeMap::new(), values: 0, problems };
    let mut documents = 0;
    let mut root = None;
    for event in Parser::new_from_str(&source) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => return reader.not_yaml(&error),
        };
        let mark = mark(&span.start);
        match event {
            Event::DocumentStart(_) => documents += 1,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            _ if documents > 1 => {
                reader.problem(
                    mark,
                    "a second document begins here",
                    "keep one workflow in a file",
                );
                return None;
            }
            event => {
                if let Some(node) = reader.event(event, mark).ok()? {
                    root = Some(node);
                }
            }
        }
    }
    if root.is_none() {
        problems.add(Mark::START, "", "the definition is empty", "begin with `workflow: <name>`");
    }
    root
}

/// JSON writes some characters as two escapes, as in `\ud83d\ude00`. That is the
/// one thing in JSON that YAML does not have, so they become one.
fn join_surrogates(source: &str) -> Cow<'_, str> {
    let is_json = source.trim_start().starts_with('{');
    if !is_json || !source.contains("\\ud") && !source.contains("\\uD") {
        return Cow::Borrowed(source);
    }
    let mut joined = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(escape) = rest.find('\\') {
        joined.push_str(&rest[..escape]);
        rest = &rest[escape..];
        if let Some(character) = surrogates(rest) {
            joined.push_str(&format!("\\U{:08x}", u32::from(character)));
            rest = &rest[12..];
        } else {
            let escaped = rest.chars().take(2).map(char::len_utf8).sum();
            joined.push_str(&rest[..escaped]);
            rest = &rest[escaped..];
        }
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

/// The character that `text` begins with as two escapes.
fn surrogates(text: &str) -> Option<char> {
    let unit = |place: usize| {
        let digits = text.get(place..place + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    char::decode_utf16([unit(0)?, unit(6)?])
        .next()?
        .ok()
        .filter(|character| character.len_utf16() == 2)
}

fn mark(marker: &Marker) -> Mark {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Mark { line: number(marker.line()), column: number(marker.col() + 1) }
}

/// There is no going on.
struct Broken;

struct Reader<'p> {
    /// The lists and maps that are open.
    stack: Vec<Frame>,
    /// What aliases may stand for.
    anchors: BTreeMap<usize, Node>,
    /// How many values there are so far.
    values: usize,
    problems: &'p mut Problems,
}

/// A list or map that is open.
struct Frame {
    mark: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Where each key stands.
        keys: BTreeMap<String, Mark>,
        /// The key whose value comes next.
        pending: Option<(String, Mark)>,
    },
}

impl Reader<'_> {
    /// Takes in one event. Returns the root when it is complete.
    fn event(&mut self, event: Event<'_>, mark: Mark) -> Result<Option<Node>, Broken> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = tag {
                    let message = format!("has the tag !{}", tag.suffix);
                    self.problem(mark, message, "remove the tag, and quote what is text");
                }
                if self.takes_key() {
                    self.key(text.into_owned(), mark);
                    return Ok(None);
                }
                let kind = match style {
                    ScalarStyle::Plain => self.plain(&text, mark),
                    _ => Kind::Text(text.into_owned()),
                };
                self.count(1, mark)?;
                Ok(self.complete(Node { mark, kind }, anchor))
            }
            Event::Alias(anchor) => self.alias(anchor, mark),
            Event::SequenceStart(anchor, _) => {
                self.open(Frame { mark, anchor, content: Content::List(Vec::new()) })
            }
            Event::MappingStart(anchor, _) => {
                let (entries, keys) = (Vec::new(), BTreeMap::new());
                let content = Content::Map { entries, keys, pending: None };
                self.open(Frame { mark, anchor, content })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Err(Broken) };
                let kind = match frame.content {
                    Content::List(elements) => Kind::List(elements),
                    Content::Map { entries, .. } => Kind::Map(entries),
                };
                Ok(self.complete(Node { mark: frame.mark, kind }, frame.anchor))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(None),
        }
    }

    fn open(&mut self, frame: Frame) -> Result<Option<Node>, Broken> {
        let mark = frame.mark;
        if self.takes_key() {
            self.problem(mark, "a key is a list or a map", "use text as keys");
            return Err(Broken);
        }
        self.count(1, mark)?;
        self.check_height(1, mark)?;
        self.stack.push(frame);
        Ok(None)
    }

    /// Whether a key of a map comes next.
    fn takes_key(&self) -> bool {
        match self.stack.last() {
            Some(Frame { content: Content::Map { pending, .. }, .. }) => pending.is_none(),
            _ => false,
        }
    }

    fn key(&mut self, key: String, mark: Mark) {
        let Some(Frame { content: Content::Map { keys, pending, .. }, .. }) = self.stack.last_mut()
        else {
            return;
        };
        *pending = Some((key.clone(), mark));
        let first = keys.get(&key).copied();
        keys.entry(key.clone()).or_insert(mark);
        if let Some(first) = first {
            let message =
                format!("the key {} is there already, on line {}", shown(&key), first.line);
            self.problem(mark, message, "remove one of the two");
        }
    }

    /// Puts a finished value where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Option<Node> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|frame| &mut frame.content) {
            None => return Some(node),
            Some(Content::List(elements)) => elements.push(node),
            Some(Content::Map { entries, keys, pending }) => {
                if let Some((key, mark)) = pending.take()
                    && keys.get(&key) == Some(&mark)
                {
                    entries.push(Entry { key, mark, value: node });
                }
            }
        }
        None
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<Option<Node>, Broken> {
        let Some(node) = self.anchors.get(&anchor).filter(|_| !self.takes_key()).cloned() else {
            self.problem(mark, "the alias stands for nothing yet", "write the value out");
            return Err(Broken);
        };
        self.count(node.size(), mark)?;
        self.check_height(node.height(), mark)?;
        Ok(self.complete(Node { mark, kind: node.kind }, 0))
    }

    fn count(&mut self, values: usize, mark: Mark) -> Result<(), Broken> {
        self.values += values;
        if self.values <= VALUES_MAX {
            return Ok(());
        }
        let message = format!("the definition has more than {VALUES_MAX} values");
        self.problem(mark, message, "move large values into the data of a step");
        Err(Broken)
    }

    fn check_height(&mut self, height: usize, mark: Mark) -> Result<(), Broken> {
        if self.stack.len() + height <= NESTING_MAX {
            return Ok(());
        }
        let message = format!("the definition is nested deeper than {NESTING_MAX} levels");
        self.problem(mark, message, "flatten it");
        Err(Broken)
    }

    /// A scalar without quotes, by the core schema of YAML 1.2. What the schema
    /// reads otherwise than most people is refused.
    fn plain(&mut self, text: &str, mark: Mark) -> Kind {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
            "true" | "True" | "TRUE" => return Kind::Bool(true),
            "false" | "False" | "FALSE" => return Kind::Bool(false),
            _ => {}
        }
        match number(text) {
            Ok(Some(number)) => Kind::Number(number),
            Ok(None) => Kind::Text(text.to_owned()),
            Err(message) => {
                self.problem(mark, format!("{} {message}", shown(text)), "quote it if it is text");
                Kind::Null
            }
        }
    }

    /// Adds a problem at the place that is being read.
    fn problem(&mut self, mark: Mark, message: impl Into<String>, remedy: &str) {
        let places: Vec<_> = self
            .stack
            .iter()
            .filter_map(|frame| match &frame.content {
                Content::List(elements) => Some(Place::Element(elements.len())),
                Content::Map { pending, .. } => {
                    pending.as_ref().map(|(key, _)| Place::Key(key.clone()))
                }
            })
            .collect();
        self.problems.add(mark, way(&places).trim_start_matches('.'), message, remedy);
    }

    fn not_yaml(&mut self, error: &ScanError) -> Option<Node> {
        let message = format!("is neither YAML nor JSON: {}", error.info());
        let remedy = if error.info().contains("mapping values") {
            "put text with `: ` in it in quotes, or check the indentation"
        } else {
            "check the indentation and the quotes there"
        };
        self.problems.add(mark(error.marker()), "", message, remedy);
        None
    }
}

/// The number that `text` is; `None` if it is text.
fn number(text: &str) -> Result<Option<Number>, &'static str> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(radix) = [("0x", 16), ("0o", 8)].iter().find(|(prefix, _)| text.starts_with(prefix))
    {
        return Ok(u64::from_str_radix(&text[2..], radix.1).ok().map(Number::from));
    }
    if matches!(digits.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return Err("is no number that JSON has");
    }
    let starts = digits.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let allowed =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if !starts || !digits.bytes().all(allowed) {
        return Ok(None);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if digits.len() > 1 && digits.starts_with('0') {
            return Err("begins with a zero");
        }
        let text = text.trim_start_matches('+');
        let signed = text.parse::<i64>().map(Number::from);
        let number = signed.or_else(|_| text.parse::<u64>().map(Number::from));
        return number.map(Some).map_err(|_| "is too large for a number");
    }
    match text.parse::<f64>() {
        Ok(value) => Number::from_f64(value).map(Some).ok_or("is too large for a number"),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_those_of_the_core_schema() {
        let read = |text: &str| number(text).map(|number| number.map(|it| it.to_string()));
        let cases = [
            ("0", "0"),
            ("-12", "-12"),
            ("+3", "3"),
            ("18446744073709551615", "18446744073709551615"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("1e3", "1000.0"),
            ("-1.5E-3", "-0.0015"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), Ok(Some(expected.to_owned())), "{text}");
        }
        for text in ["1.2.3", "2012-01-01", "1e", "e1", ".", "-", "+", "1_000", "0x", "12h", "1-2"]
        {
            assert_eq!(read(text), Ok(None), "{text}");
        }
        for text in ["007", "-01", ".inf", "-.INF", ".nan", "99999999999999999999", "1e999"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
