//! JSON with expressions in its strings, as in `{"year": "${loop.year}"}`. A
//! string that is one `${…}` becomes that value with its type; in longer ones
//! the values become text. `$${` stands for `${`.
//!
//! What is constant is written once, and a document that is handed on whole is
//! copied as text, so that rendering costs what changes.

#[cfg(test)]
mod tests;

use crate::expression::{Expression, Names, RESULT_BYTES_MAX, References, closing_brace};
use crate::payload::Payload;
use crate::scope::Scope;
use serde_json::Value;
use std::fmt;

/// A JSON value with the expressions in it, checked when it was made.
pub struct Template {
    kind: Kind,
    expressions: Vec<(Vec<Place>, Expression)>,
    references: References,
}

/// What rendering has to do.
enum Kind {
    /// Nothing: it is always this.
    Constant(Payload),
    /// The value of the only expression.
    Whole,
    /// These, one after the other.
    Parts(Vec<Part>),
}

/// A stretch of the rendered text.
#[derive(Debug)]
enum Part {
    /// JSON as it is.
    Json(String),
    /// The value of an expression, by its number.
    Value(usize),
    /// The value of an expression as text, inside a string that is open.
    Text(usize),
}

/// One level of the way to a part of a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The value at a key of an object.
    Key(String),
    /// An element of a list.
    Element(usize),
}

/// What could not be made a template.
#[derive(Debug)]
pub(crate) struct Broken {
    /// What is wrong, and where.
    pub(crate) mistakes: Vec<(Vec<Place>, String)>,
    /// The expressions that nothing is wrong with.
    pub(crate) expressions: Vec<(Vec<Place>, Expression)>,
}

/// An expression of a template has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`${{{expression}}}`{}: {message}", at(.place))]
pub struct EvaluationError {
    /// Where it stands in the template, for example `.a[2]`; empty if it is
    /// all there is.
    pub place: String,
    /// The expression.
    pub expression: String,
    /// Why it has no value, with the remedy.
    pub message: String,
}

fn at(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" at {place}") }
}

impl Template {
    /// The template that `json` means.
    ///
    /// # Errors
    /// Every mistake in it: the place, for example `.a[2]`, and what is wrong.
    pub fn compile(json: &Value) -> Result<Self, Vec<(String, String)>> {
        Self::compile_located(json).map_err(|broken| {
            let show = |(place, message): (Vec<Place>, String)| (way(&place), message);
            broken.mistakes.into_iter().map(show).collect()
        })
    }

    /// Like [`Template::compile`], with places that can be followed, and with
    /// what is right next to what is wrong.
    pub(crate) fn compile_located(json: &Value) -> Result<Self, Broken> {
        Self::compile_with(json, Names::Run)
    }

    /// The same where expressions may start from these names.
    pub(crate) fn compile_with(json: &Value, names: Names) -> Result<Self, Broken> {
        let mut compiler = Compiler::new(names);
        compiler.value(json);
        let Compiler { parts, expressions, mistakes, .. } = compiler;
        if !mistakes.is_empty() {
            return Err(Broken { mistakes, expressions });
        }
        let kind = match parts.as_slice() {
            [Part::Value(_)] => Kind::Whole,
            [Part::Json(constant)] => match Payload::parse(constant.as_str()) {
                Ok(payload) => Kind::Constant(payload),
                Err(error) => {
                    let mistakes = vec![(Vec::new(), format!("is no JSON: {error}"))];
                    return Err(Broken { mistakes, expressions });
                }
            },
            _ => Kind::Parts(parts),
        };
        let mut references = References::default();
        for (_, expression) in &expressions {
            references.extend(expression.references());
        }
        Ok(Self { kind, expressions, references })
    }

    /// What its expressions read.
    pub fn references(&self) -> &References {
        &self.references
    }

    /// Its expressions, each with its place.
    pub(crate) fn expressions(&self) -> &[(Vec<Place>, Expression)] {
        &self.expressions
    }

    /// What it always is, if there is no expression in it.
    pub fn constant(&self) -> Option<&Payload> {
        match &self.kind {
            Kind::Constant(payload) => Some(payload),
            Kind::Whole | Kind::Parts(_) => None,
        }
    }

    /// Whether it is the value of a single expression, whatever that gives.
    pub(crate) fn is_one_expression(&self) -> bool {
        matches!(self.kind, Kind::Whole)
    }

    /// The names of its fields, if it is an object whatever the expressions give.
    pub(crate) fn fields(&self) -> Option<Vec<String>> {
        let skeleton = match &self.kind {
            Kind::Constant(payload) => payload.text().to_owned(),
            Kind::Whole => return None,
            Kind::Parts(parts) => {
                let json = parts.iter().map(|part| match part {
                    Part::Json(json) => json,
                    Part::Value(_) => "null",
                    Part::Text(_) => "",
                });
                json.collect()
            }
        };
        let fields: serde_json::Map<String, Value> = serde_json::from_str(&skeleton).ok()?;
        Some(fields.into_iter().map(|(name, _)| name).collect())
    }

    /// The JSON with the values of the expressions.
    ///
    /// # Errors
    /// The first expression that has no value in this scope.
    pub fn render(&self, scope: &dyn Scope) -> Result<Payload, EvaluationError> {
        match &self.kind {
            Kind::Constant(payload) => Ok(payload.clone()),
            Kind::Whole => self.render_whole(scope),
            Kind::Parts(parts) => self.render_parts(parts, scope),
        }
    }

    fn render_whole(&self, scope: &dyn Scope) -> Result<Payload, EvaluationError> {
        let (_, expression) = &self.expressions[0];
        let rendered = match expression.document(scope) {
            Some(document) => document,
            None => expression.evaluate(scope).map(Payload::from),
        };
        rendered.map_err(|message| self.error(0, message))
    }

    fn render_parts(&self, parts: &[Part], scope: &dyn Scope) -> Result<Payload, EvaluationError> {
        let mut out = Vec::new();
        for part in parts {
            let (number, written) = match part {
                Part::Json(json) => {
                    out.extend_from_slice(json.as_bytes());
                    continue;
                }
                Part::Value(number) => {
                    (*number, write_value(&self.expressions[*number].1, scope, &mut out))
                }
                Part::Text(number) => {
                    (*number, write_text(&self.expressions[*number].1, scope, &mut out))
                }
            };
            written.map_err(|message| self.error(number, message))?;
        }
        let text = String::from_utf8(out).map_err(|error| error.to_string());
        text.map(|text| Payload::unchecked(text.into())).map_err(|message| self.error(0, message))
    }

    fn error(&self, number: usize, message: String) -> EvaluationError {
        let (place, expression) = &self.expressions[number];
        EvaluationError { place: way(place), expression: expression.source().to_owned(), message }
    }
}

/// As an author would write it, with constants as JSON.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = |number: usize| self.expressions[number].1.source();
        match &self.kind {
            Kind::Constant(payload) => f.write_str(payload.text()),
            Kind::Whole => write!(f, "${{{}}}", source(0)),
            Kind::Parts(parts) => parts.iter().try_for_each(|part| match part {
                Part::Json(json) => f.write_str(json),
                Part::Value(number) | Part::Text(number) => {
                    write!(f, "${{{}}}", source(*number))
                }
            }),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({self})")
    }
}

/// The way to a part, as `.a[2]`.
pub(crate) fn way(places: &[Place]) -> String {
    let one = |place: &Place| match place {
        Place::Element(number) => format!("[{number}]"),
        Place::Key(key) if is_plain(key) => format!(".{key}"),
        Place::Key(key) => format!("[{key:?}]"),
    };
    places.iter().map(one).collect()
}

fn is_plain(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !key.is_empty() && key.bytes().all(plain)
}

fn write_value(
    expression: &Expression,
    scope: &dyn Scope,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match expression.document(scope) {
        Some(document) => out.extend_from_slice(document?.text().as_bytes()),
        None => expression.value(scope)?.write_json(out)?,
    }
    check_room(out)
}

fn write_text(expression: &Expression, scope: &dyn Scope, out: &mut Vec<u8>) -> Result<(), String> {
    let quoted = Value::from(expression.value(scope)?.to_text()?).to_string();
    // The quotes around the whole string are already there.
    out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
    check_room(out)
}

fn check_room(out: &[u8]) -> Result<(), String> {
    if out.len() <= RESULT_BYTES_MAX {
        return Ok(());
    }
    let limit = RESULT_BYTES_MAX >> 20;
    Err(format!("makes more than {limit} MiB of JSON; hand on less of it"))
}

/// Collects the parts of a template, and the mistakes in it.
struct Compiler {
    names: Names,
    parts: Vec<Part>,
    expressions: Vec<(Vec<Place>, Expression)>,
    mistakes: Vec<(Vec<Place>, String)>,
    /// The way to the value that is being compiled.
    way: Vec<Place>,
}

impl Compiler {
    fn new(names: Names) -> Self {
        let (parts, expressions, mistakes) = (Vec::new(), Vec::new(), Vec::new());
        Self { names, parts, expressions, mistakes, way: Vec::new() }
    }

    fn value(&mut self, json: &Value) {
        match json {
            Value::String(text) => self.string(text),
            Value::Array(elements) => {
                self.json("[");
                for (number, element) in elements.iter().enumerate() {
                    self.json(if number > 0 { "," } else { "" });
                    self.inside(Place::Element(number), element);
                }
                self.json("]");
            }
            Value::Object(entries) => {
                self.json("{");
                for (number, (key, value)) in entries.iter().enumerate() {
                    self.json(if number > 0 { "," } else { "" });
                    self.key(key);
                    self.inside(Place::Key(key.clone()), value);
                }
                self.json("}");
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => self.json(&json.to_string()),
        }
    }

    fn inside(&mut self, place: Place, value: &Value) {
        self.way.push(place);
        self.value(value);
        self.way.pop();
    }

    fn key(&mut self, key: &str) {
        if key.contains("${") {
            let remedy = "make the map in an expression, as in ${{'key': value}}";
            self.mistake(format!("the key {key:?} is not evaluated; {remedy}"));
        }
        self.json(&format!("{}:", Value::from(key)));
    }

    fn string(&mut self, text: &str) {
        let pieces = match pieces(text, self.names) {
            Ok(pieces) => pieces,
            Err(messages) => return messages.into_iter().for_each(|message| self.mistake(message)),
        };
        if let [Piece::Expression(_)] = pieces.as_slice() {
            for piece in pieces {
                self.piece(piece, Part::Value);
            }
            return;
        }
        self.json("\"");
        for piece in pieces {
            self.piece(piece, Part::Text);
        }
        self.json("\"");
    }

    fn piece(&mut self, piece: Piece, part: fn(usize) -> Part) {
        match piece {
            Piece::Text(text) => {
                let quoted = Value::from(text).to_string();
                self.json(&quoted[1..quoted.len() - 1]);
            }
            Piece::Expression(expression) => {
                self.parts.push(part(self.expressions.len()));
                self.expressions.push((self.way.clone(), *expression));
            }
        }
    }

    /// Adds constant JSON to the parts.
    fn json(&mut self, json: &str) {
        match self.parts.last_mut() {
            Some(Part::Json(last)) => last.push_str(json),
            _ => self.parts.push(Part::Json(json.to_owned())),
        }
    }

    fn mistake(&mut self, message: String) {
        self.mistakes.push((self.way.clone(), message));
    }
}

enum Piece {
    Text(String),
    Expression(Box<Expression>),
}

/// The text and the expressions of a string, in order.
fn pieces(text: &str, names: Names) -> Result<Vec<Piece>, Vec<String>> {
    let (mut pieces, mut mistakes) = (Vec::new(), Vec::new());
    let (mut literal, mut rest) = (String::new(), text);
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("$${") {
            literal.push_str("${");
            rest = after;
            continue;
        }
        if !from.starts_with("${") {
            literal.push('$');
            rest = &from[1..];
            continue;
        }
        let Some(end) = closing_brace(from, 2) else {
            mistakes.push("`${` without its `}`; write `$${` for the characters `${`".to_owned());
            break;
        };
        match Expression::compile_with(&from[2..end], names) {
            Ok(expression) if literal.is_empty() => {
                pieces.push(Piece::Expression(Box::new(expression)))
            }
            Ok(expression) => {
                let before = std::mem::take(&mut literal);
                pieces.extend([Piece::Text(before), Piece::Expression(Box::new(expression))]);
            }
            Err(message) => mistakes.push(format!("`{}` {message}", shortened(&from[..=end]))),
        }
        rest = &from[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    if mistakes.is_empty() { Ok(pieces) } else { Err(mistakes) }
}

fn shortened(source: &str) -> String {
    const SHOWN: usize = 60;
    match source.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &source[..end]),
        None => source.to_owned(),
    }
}
