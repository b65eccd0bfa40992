//! Writes YAML that people like to read: short things on one line, comments
//! above what they are about.

use super::value::Value;

/// How long a line of a short map or list may get.
const INLINE_MAX: usize = 92;

/// A value to write.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Yaml {
    /// Text, in quotes where that is needed.
    Text(String),
    /// Written as it is: a number, `true`, `null`.
    Plain(String),
    /// On one line if it is short.
    List(Vec<Yaml>),
    /// On one line if it is short and nothing in it has a comment.
    Map(Block),
    /// Always with a line for each entry.
    Block(Block),
    /// Maps, one after the other: steps.
    Steps(Vec<Block>),
}

/// A map with comments.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Block {
    /// What stands above all of it.
    pub(super) comments: Vec<String>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    comments: Vec<String>,
    key: String,
    value: Yaml,
}

impl Block {
    /// Adds an entry.
    pub(super) fn put(&mut self, key: &str, value: Yaml) {
        self.put_with(key, value, Vec::new());
    }

    /// Adds an entry with comments above it.
    pub(super) fn put_with(&mut self, key: &str, value: Yaml, comments: Vec<String>) {
        self.entries.push(Entry { comments, key: key.to_owned(), value });
    }

    /// Adds all entries of another.
    pub(super) fn put_all(&mut self, other: Block) {
        self.entries.extend(other.entries);
    }

    /// Adds text.
    pub(super) fn text(&mut self, key: &str, text: impl Into<String>) {
        self.put(key, Yaml::Text(text.into()));
    }

    /// Whether it has that key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// The keys, in their order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The whole document.
    pub(super) fn document(&self) -> String {
        let mut out = String::new();
        for comment in &self.comments {
            put_comment(comment, 0, &mut out);
        }
        block(self, 0, &mut out);
        out
    }
}

impl Yaml {
    /// `true` or `false`.
    pub(super) fn bool(value: bool) -> Self {
        Self::Plain(value.to_string())
    }

    /// A whole number.
    pub(super) fn whole(value: i64) -> Self {
        Self::Plain(value.to_string())
    }

    /// Plain data. What looks like an expression in its texts is kept as text.
    pub(super) fn data(value: &Value) -> Self {
        match value {
            Value::Null => Self::Plain("null".to_owned()),
            Value::Bool(value) => Self::bool(*value),
            Value::Number(number) => Self::Plain(number.to_string()),
            Value::Text(text) => Self::Text(text.replace("${", "$${")),
            Value::List(elements) => Self::List(elements.iter().map(Self::data).collect()),
            Value::Map(entries) => {
                let mut block = Block::default();
                for (key, value) in entries {
                    block.put(key, Self::data(value));
                }
                Self::Map(block)
            }
        }
    }

    /// The value on one line, if it can stand there.
    pub(super) fn inline(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(scalar(text)),
            Self::Plain(text) => Some(text.clone()),
            Self::List(elements) => {
                let parts: Option<Vec<_>> = elements.iter().map(Self::inline).collect();
                Some(format!("[{}]", parts?.join(", ")))
            }
            Self::Map(map) => {
                let part = |entry: &Entry| {
                    let value = entry.value.inline().filter(|_| entry.comments.is_empty())?;
                    Some(format!("{}: {value}", scalar(&entry.key)).trim_end().to_owned())
                };
                let parts: Option<Vec<_>> = map.entries.iter().map(part).collect();
                let parts = parts?.join(", ");
                Some(if parts.is_empty() { "{}".to_owned() } else { format!("{{ {parts} }}") })
            }
            Self::Block(_) | Self::Steps(_) => None,
        }
    }
}

fn block(map: &Block, indent: usize, out: &mut String) {
    for entry in &map.entries {
        for comment in &entry.comments {
            put_comment(comment, indent, out);
        }
        let start = format!("{}{}:", " ".repeat(indent), scalar(&entry.key));
        out.push_str(&start);
        value(&entry.value, indent, start.chars().count(), out);
    }
}

/// Writes a value behind its key, and the end of the line.
fn value(value: &Yaml, indent: usize, used: usize, out: &mut String) {
    if let Yaml::Text(text) = value
        && let Some((sign, lines)) = literal(text)
    {
        out.push_str(&format!(" {sign}\n"));
        for line in lines {
            let line = if line.is_empty() {
                String::new()
            } else {
                format!("{}  {line}", " ".repeat(indent))
            };
            out.push_str(&format!("{line}\n"));
        }
        return;
    }
    let inline = value.inline();
    let is_scalar = matches!(value, Yaml::Text(_) | Yaml::Plain(_));
    if let Some(inline) =
        inline.filter(|line| is_scalar || used + line.chars().count() < INLINE_MAX)
    {
        let gap = if inline.is_empty() { "" } else { " " };
        out.push_str(&format!("{gap}{inline}\n"));
        return;
    }
    out.push('\n');
    match value {
        Yaml::Map(map) | Yaml::Block(map) => block(map, indent + 2, out),
        Yaml::Steps(steps) => steps.iter().for_each(|step| item(step, indent + 2, out)),
        Yaml::List(elements) => {
            for element in elements {
                let start = format!("{}-", " ".repeat(indent + 2));
                out.push_str(&start);
                match element {
                    Yaml::Map(map) if element.inline().is_none_or(|l| l.len() > INLINE_MAX) => {
                        let mut text = String::new();
                        block(map, indent + 4, &mut text);
                        out.push_str(&format!(" {}", text.trim_start()));
                    }
                    _ => self::value(element, indent + 2, start.len(), out),
                }
            }
        }
        Yaml::Text(_) | Yaml::Plain(_) => {}
    }
}

/// One step of a list of steps.
fn item(step: &Block, indent: usize, out: &mut String) {
    for comment in &step.comments {
        put_comment(comment, indent, out);
    }
    let mut text = String::new();
    block(step, indent + 2, &mut text);
    let dash = format!("{}- ", " ".repeat(indent));
    out.push_str(&text.replacen(&" ".repeat(indent + 2), &dash, 1));
}

fn put_comment(comment: &str, indent: usize, out: &mut String) {
    for line in comment.lines() {
        out.push_str(&format!("{}# {line}", " ".repeat(indent)));
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
}

/// Text of several lines, if it can be written as such.
fn literal(text: &str) -> Option<(&'static str, Vec<&str>)> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let fits = body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && !body.chars().any(|c| c.is_control() && c != '\n')
        && !body.lines().any(|line| line.ends_with(' '));
    let sign = if body.len() < text.len() { "|" } else { "|-" };
    fits.then(|| (sign, body.split('\n').collect()))
}

/// Text on one line, in quotes unless it cannot be taken for anything else.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 7] = ["true", "false", "null", "yes", "no", "on", "off"];
    const UNITS: [&str; 5] = ["ms", "s", "m", "h", "d"];
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_time = number.len() < text.len() && UNITS.contains(&number);
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./-@<>() ".contains(c))
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain || is_time {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

/// A value that is left out, as in `needs: { a: }`.
pub(super) fn left_out() -> Yaml {
    Yaml::Plain(String::new())
}
