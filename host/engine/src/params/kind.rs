//! What the types of params accept, how they read, and what becomes a value of
//! them by itself.

use crate::suggestion::closest;
use crate::workflow::ParamType;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// How deep types may be nested, as in `list<map<int>>`.
const NESTING_MAX: usize = 8;

/// The types by name, as authors write them.
pub(crate) const TYPE_NAMES: [&str; 7] =
    ["string", "int", "double", "bool", "json", "list<…>", "map<…>"];

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Int => f.write_str("int"),
            Self::Double => f.write_str("double"),
            Self::Bool => f.write_str("bool"),
            Self::Json => f.write_str("json"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Map(value) => write!(f, "map<{value}>"),
        }
    }
}

impl FromStr for ParamType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, NESTING_MAX)
    }
}

fn parse(text: &str, room: usize) -> Result<ParamType, String> {
    let text = text.trim();
    match text {
        "string" => return Ok(ParamType::String),
        "int" => return Ok(ParamType::Int),
        "double" => return Ok(ParamType::Double),
        "bool" => return Ok(ParamType::Bool),
        "json" => return Ok(ParamType::Json),
        "list" | "map" => return Err(format!("say of what, as in {text}<string> or {text}<json>")),
        _ => {}
    }
    let inner =
        |prefix: &str| text.strip_prefix(prefix)?.trim_start().strip_prefix('<')?.strip_suffix('>');
    let Some(inner_room) = room.checked_sub(1) else {
        return Err(format!(
            "nest types no deeper than {NESTING_MAX}; use json for what is inside"
        ));
    };
    if let Some(element) = inner("list") {
        return Ok(ParamType::List(Box::new(parse(element, inner_room)?)));
    }
    if let Some(value) = inner("map") {
        return Ok(ParamType::Map(Box::new(parse(value, inner_room)?)));
    }
    let known = ["string", "int", "double", "bool", "json", "list", "map"];
    Err(match closest(text, known).or_else(|| other_name(text)) {
        Some(similar) => format!("did you mean {similar}?"),
        None => format!("use one of {}", TYPE_NAMES.join(", ")),
    })
}

/// Our name for a type that goes by another elsewhere.
fn other_name(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "str" | "text" => Some("string"),
        "integer" | "long" | "number" => Some("int"),
        "float" => Some("double"),
        "boolean" => Some("bool"),
        "object" | "any" | "dyn" => Some("json"),
        "array" => Some("list<json>"),
        _ => None,
    }
}

impl ParamType {
    /// Whether `value` is of this type.
    ///
    /// # Errors
    /// Says what is wrong, and where inside, as in `[3] is a string, expected
    /// int`.
    pub fn accepts(&self, value: &Value) -> Result<(), String> {
        let mut place = String::new();
        self.check(value, &mut place).map_err(|message| {
            if place.is_empty() { message } else { format!("{place} {message}") }
        })
    }

    /// Leaves the way to the mistake in `place`.
    fn check(&self, value: &Value, place: &mut String) -> Result<(), String> {
        match (self, value) {
            (Self::Json, _)
            | (Self::String, Value::String(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Double, Value::Number(_)) => Ok(()),
            (Self::Int, Value::Number(number)) if number.is_i64() => Ok(()),
            (Self::Int, Value::Number(number)) if number.is_u64() => {
                Err(format!("is {number}, which is out of range for an int"))
            }
            (Self::List(element), Value::Array(elements)) => {
                let mut elements = elements.iter().enumerate();
                elements.try_for_each(|(number, value)| {
                    let before = place.len();
                    place.push_str(&format!("[{number}]"));
                    element.check(value, place)?;
                    place.truncate(before);
                    Ok(())
                })
            }
            (Self::Map(inner), Value::Object(entries)) => {
                let mut entries = entries.iter();
                entries.try_for_each(|(key, value)| {
                    let before = place.len();
                    place.push_str(&format!("[{key:?}]"));
                    inner.check(value, place)?;
                    place.truncate(before);
                    Ok(())
                })
            }
            _ => Err(format!("is {}, expected {self}", described(value))),
        }
    }

    /// The narrowest type that accepts `value`; `None` for null, which says
    /// nothing.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) => Some(Self::Bool),
            Value::String(_) => Some(Self::String),
            Value::Number(number) if number.is_i64() => Some(Self::Int),
            Value::Number(_) => Some(Self::Double),
            Value::Object(_) => Some(Self::Json),
            Value::Array(elements) => {
                let element = elements.iter().map(Self::of).reduce(common);
                Some(Self::List(Box::new(element.flatten().unwrap_or(Self::Json))))
            }
        }
    }

    /// The value as this type has it: a whole number given for a double is one.
    pub(super) fn convert(&self, value: &Value) -> Value {
        self.each(value, &|kind, value| match (kind, value) {
            (Self::Double, Value::Number(number)) => number.as_f64().map(Value::from),
            _ => None,
        })
    }

    /// What an expression gave, as this type has it: besides, numbers and bools
    /// become text, and text that is a whole number an int.
    pub(super) fn convert_computed(&self, value: &Value) -> Value {
        self.each(value, &|kind, value| match (kind, value) {
            (Self::Double, Value::Number(number)) => number.as_f64().map(Value::from),
            (Self::String, Value::Number(_) | Value::Bool(_)) => {
                Some(Value::from(value.to_string()))
            }
            (Self::Int, Value::String(text)) => whole(text).map(Value::from),
            _ => None,
        })
    }

    /// The value with what `one` makes of the values that are no list or map.
    fn each(&self, value: &Value, one: &dyn Fn(&Self, &Value) -> Option<Value>) -> Value {
        match (self, value) {
            (Self::List(element), Value::Array(elements)) => {
                elements.iter().map(|value| element.each(value, one)).collect()
            }
            (Self::Map(inner), Value::Object(entries)) => {
                let each = |(key, value): (&String, &Value)| (key.clone(), inner.each(value, one));
                entries.iter().map(each).collect()
            }
            _ => one(self, value).unwrap_or_else(|| value.clone()),
        }
    }
}

/// The narrowest type for values of two types.
fn common(one: Option<ParamType>, other: Option<ParamType>) -> Option<ParamType> {
    match (one, other) {
        (one, other) if one == other => one,
        (Some(ParamType::Int), Some(ParamType::Double))
        | (Some(ParamType::Double), Some(ParamType::Int)) => Some(ParamType::Double),
        _ => Some(ParamType::Json),
    }
}

/// The int that `text` is, digit for digit.
fn whole(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

/// What a value is, for a message.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_survives_text() {
        for text in ["string", "int", "double", "bool", "json", "list<int>", "map<list<json>>"] {
            assert_eq!(text.parse::<ParamType>().map(|kind| kind.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("list < int >".parse::<ParamType>(), "list<int>".parse());
        let deep = format!("{}int{}", "list<".repeat(9), ">".repeat(9));
        for text in ["", "list", "list<>", "list<int", "set<int>", &deep] {
            assert!(text.parse::<ParamType>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_inside_is_located() {
        let kind: ParamType = "list<map<int>>".parse().expect("it is a type");
        assert_eq!(kind.accepts(&json!([{"a": 1}])), Ok(()));
        let mistake = r#"[1]["b"] is "x", expected int"#;
        assert_eq!(kind.accepts(&json!([{"a": 1}, {"a": 2, "b": "x"}])), Err(mistake.to_owned()));
    }

    #[test]
    fn an_int_is_whole_and_fits() {
        assert!(ParamType::Int.accepts(&json!(i64::MIN)).is_ok());
        for value in [json!(1.0), json!(u64::MAX), json!("1"), json!(null)] {
            assert!(ParamType::Int.accepts(&value).is_err(), "{value}");
        }
        assert!(ParamType::Double.accepts(&json!(3)).is_ok());
    }

    #[test]
    fn what_is_computed_is_converted_where_nothing_is_lost() {
        let computed = |kind: &str, value: Value| {
            let kind: ParamType = kind.parse().expect("it is a type");
            kind.convert_computed(&value)
        };
        assert_eq!(computed("double", json!(3)).to_string(), "3.0");
        assert_eq!(computed("string", json!(3)), json!("3"));
        assert_eq!(computed("string", json!(2.5)), json!("2.5"));
        assert_eq!(computed("string", json!(true)), json!("true"));
        assert_eq!(computed("int", json!("-42")), json!(-42));
        assert_eq!(computed("list<map<int>>", json!([{"a": "1"}])), json!([{"a": 1}]));
        for (kind, value) in [
            ("int", json!("4.0")),
            ("int", json!(4.5)),
            ("int", json!(" 4")),
            ("int", json!("+4")),
            ("bool", json!("true")),
            ("string", json!([1])),
            ("json", json!("1")),
            ("double", json!("1.5")),
        ] {
            assert_eq!(computed(kind, value.clone()), value, "{kind}");
        }
    }
}
