//! A param as it is written over there.

use super::note::Notes;
use super::sel::Ty;
use super::value::Value;

/// What a param may hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Text,
    Int,
    Double,
    Bool,
    List(Box<Kind>),
    TextMap,
    /// A map of params of any type.
    Json,
}

/// Where its value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Literal(Value),
    /// SEL.
    Expression(String),
    /// A map of params.
    Nested(Vec<Param>),
    Nothing,
}

/// A param.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) source: Source,
    /// Who may change it, in our words; `None` is everyone.
    pub(super) mode: Option<String>,
    pub(super) is_optional: bool,
}

impl Kind {
    /// The type in our words.
    pub(super) fn ours(&self) -> String {
        match self {
            Self::Text => "string".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Double => "double".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::List(element) => format!("list<{}>", element.ours()),
            Self::TextMap => "map<string>".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }

    /// The type for expressions.
    pub(super) fn ty(&self) -> Ty {
        match self {
            Self::Text => Ty::Text,
            Self::Int => Ty::Int,
            Self::Double => Ty::Double,
            Self::Bool => Ty::Bool,
            Self::List(element) => Ty::List(Box::new(element.ty())),
            Self::TextMap => Ty::Map(Box::new(Ty::Text)),
            Self::Json => Ty::Map(Box::new(Ty::Any)),
        }
    }

    /// The type of an element, if it is a list.
    pub(super) fn element(&self) -> Kind {
        match self {
            Self::List(element) => (**element).clone(),
            _ => Self::Json,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        if let Some(element) = name.strip_suffix("_ARRAY") {
            return Some(Self::List(Box::new(Self::named(element)?)));
        }
        Some(match name.as_str() {
            "STRING" => Self::Text,
            "LONG" | "INT" | "INTEGER" => Self::Int,
            "DOUBLE" | "FLOAT" => Self::Double,
            "BOOLEAN" => Self::Bool,
            "STRING_MAP" => Self::TextMap,
            "MAP" => Self::Json,
            _ => return None,
        })
    }

    /// The type that a value shows.
    fn shown_by(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_f64() => Self::Double,
            Value::Number(_) => Self::Int,
            Value::List(elements) => {
                Self::List(Box::new(elements.first().map_or(Self::Text, Self::shown_by)))
            }
            Value::Map(_) => Self::Json,
            Value::Null | Value::Text(_) => Self::Text,
        }
    }

    /// Whether our reader sees this type in the value by itself.
    pub(super) fn is_evident_in(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::List(_), Value::List(elements)) if elements.is_empty() => false,
            (Self::List(element), Value::List(elements)) => {
                elements.iter().all(|value| element.is_evident_in(value))
            }
            (Self::TextMap | Self::Json, _) => false,
            _ => *self == Self::shown_by(value),
        }
    }
}

/// Reads all params of a map.
pub(super) fn read_all(value: &Value, place: &str, notes: &mut Notes) -> Vec<Param> {
    let read = |(name, value): &(String, Value)| read(name, value, place, notes);
    value.entries().iter().map(read).collect()
}

/// Reads one param.
pub(super) fn read(name: &str, value: &Value, place: &str, notes: &mut Notes) -> Param {
    let place = format!("{place}.{name}");
    let is_definition = value.get("value").is_some()
        || value.get("expression").is_some()
        || value.get("type").is_some_and(|kind| kind.text().is_some());
    if !is_definition {
        let kind = Kind::shown_by(value);
        let (name, source) = (name.to_owned(), Source::Literal(value.clone()));
        return Param { name, kind, source, mode: None, is_optional: false };
    }
    let literal = value.get("value");
    let named = value.get("type").and_then(Value::text).map(|name| (name, Kind::named(name)));
    let kind = match named {
        Some((_, Some(kind))) => kind,
        Some((unknown, None)) => {
            notes.needs_you(&place, format!("there is no type {unknown}; it is json here"));
            Kind::Json
        }
        None => literal.map_or(Kind::Text, Kind::shown_by),
    };
    let source = match (literal, value.get("expression").and_then(Value::scalar)) {
        (_, Some(expression)) => Source::Expression(expression),
        (Some(map @ Value::Map(_)), None) if kind == Kind::Json => {
            Source::Nested(read_all(map, &place, notes))
        }
        (Some(value), None) => Source::Literal(value.clone()),
        (None, None) => Source::Nothing,
    };
    let mode = mode(value, &place, notes);
    let internal = value.get("internal_mode").and_then(Value::text).map(str::to_ascii_uppercase);
    let is_optional = internal.as_deref() == Some("OPTIONAL");
    match internal.as_deref() {
        None => {}
        Some("OPTIONAL") => notes.translated(&place, "may be absent: `optional: true`"),
        Some("REQUIRED") => notes.translated(&place, "has to be given: it has no value of its own"),
        Some(other) => {
            notes.dropped(&place, format!("internal_mode {other}: no param is reserved"))
        }
    }
    note_rest(value, &place, notes);
    Param { name: name.to_owned(), kind, source, mode, is_optional }
}

fn mode(value: &Value, place: &str, notes: &mut Notes) -> Option<String> {
    const MODES: [&str; 4] =
        ["mutable_on_start_restart", "mutable_on_start", "immutable", "constant"];
    let mode = value.get("mode")?.text()?.to_ascii_lowercase();
    if mode != "mutable" && !MODES.contains(&mode.as_str()) {
        notes.needs_you(place, format!("there is no mode {mode}; it is mutable here"));
    }
    MODES.contains(&mode.as_str()).then_some(mode)
}

fn note_rest(value: &Value, place: &str, notes: &mut Notes) {
    const KNOWN: [&str; 6] = ["name", "type", "value", "expression", "mode", "internal_mode"];
    for (key, value) in value.entries() {
        match key.as_str() {
            known if KNOWN.contains(&known) => {}
            "validator" => {
                let text = "was never enforced over there; check it in a step";
                notes.dropped(place, format!("validator {}: {text}", value.json()));
            }
            key => notes.dropped(place, format!("{key} {}: has no equal", value.json())),
        }
    }
}
