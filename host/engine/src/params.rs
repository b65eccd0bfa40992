//! Typed parameters: what a type accepts, and what a run is given against what
//! the workflow asks for. All mistakes are found at once.

use crate::payload::Payload;
use crate::suggestion::{closest, listed};
use crate::template::Template;
use crate::workflow::{Param, ParamType, Workflow};
use serde_json::{Map, Value};
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
    fn convert(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Double, Value::Number(number)) => {
                number.as_f64().map_or_else(|| value.clone(), Value::from)
            }
            (Self::List(element), Value::Array(elements)) => {
                elements.iter().map(|value| element.convert(value)).collect()
            }
            (Self::Map(inner), Value::Object(entries)) => {
                let convert = |(key, value): (&String, &Value)| (key.clone(), inner.convert(value));
                entries.iter().map(convert).collect()
            }
            _ => value.clone(),
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

/// What a value is, for a message.
fn described(value: &Value) -> String {
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

impl Workflow {
    /// The parameters of a run: what it is given, and the defaults for the rest,
    /// in the order of the definition.
    ///
    /// # Errors
    /// Every name that is unknown or missing, and every value of the wrong type.
    pub fn bind_params(&self, given: &Map<String, Value>) -> Result<Payload, Vec<String>> {
        let mut mistakes: Vec<String> = given
            .keys()
            .filter(|name| !self.params.iter().any(|param| param.name == **name))
            .map(|name| unknown(name, &self.params))
            .collect();
        let mut bound = Vec::new();
        for param in &self.params {
            match bind(param, given.get(&param.name)) {
                Ok(value) => bound.push((param.name.as_str(), Payload::from(value))),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() {
            Ok(Payload::from_fields(bound.into_iter()))
        } else {
            Err(mistakes)
        }
    }
}

fn bind(param: &Param, given: Option<&Value>) -> Result<Value, String> {
    let Param { name, kind, value, .. } = param;
    let Some(given) = given else {
        return match value.as_ref().and_then(Template::constant) {
            Some(value) => Ok(kind.convert(value.value())),
            None => {
                Err(format!("{name}: is missing and has no default; give a value of type {kind}"))
            }
        };
    };
    match kind.accepts(given) {
        Ok(()) => Ok(kind.convert(given)),
        // A place inside follows the name directly: `years[3] is "x"`.
        Err(mistake) if mistake.starts_with('[') => Err(format!("{name}{mistake}")),
        Err(mistake) => Err(format!("{name} {mistake}")),
    }
}

fn unknown(name: &str, params: &[Param]) -> String {
    let shown: String = name.chars().take(80).collect();
    match closest(name, params.iter().map(|param| param.name.as_str())) {
        Some(similar) => format!("{shown}: unknown parameter; did you mean {similar}?"),
        None => {
            let names: Vec<_> = params.iter().map(|param| param.name.as_str()).collect();
            format!("{shown}: unknown parameter; {}", listed(&names))
        }
    }
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamSource {
    /// a
    Definition,
    /// a
    Start,
    /// a
    Retry,
}

/// a
/// # Errors
/// a
pub fn check_output(_: &[(String, ParamType)], _: &Payload) -> Result<(), String> {
    Ok(())
}

impl crate::workflow::StepParams {
    /// a
    /// # Errors
    /// a
    pub fn render(
        &self,
        scope: &dyn crate::scope::Scope,
        _: Option<&Map<String, Value>>,
    ) -> Result<Payload, String> {
        match self {
            Self::Whole(t) => t.render(scope).map_err(|e| e.to_string()),
            Self::Each(_) => Err(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{Body, ParamMode};
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

    fn workflow(params: Vec<(&str, &str, Option<Value>)>) -> Workflow {
        let param = |(name, kind, default): (&str, &str, Option<Value>)| Param {
            name: name.to_owned(),
            kind: kind.parse().expect("it is a type"),
            value: default.map(|value| Template::compile(&value).expect("it is a template")),
            optional: false,
            mode: ParamMode::Mutable,
            description: None,
        };
        Workflow {
            name: "w".to_owned(),
            description: None,
            owner: None,
            tags: Vec::new(),
            run_strategy: None,
            step_concurrency: None,
            run_step_concurrency: None,
            params: params.into_iter().map(param).collect(),
            timeout: None,
            body: Body { steps: Vec::new(), output: None },
        }
    }

    fn bind_all(workflow: &Workflow, given: Value) -> Result<String, Vec<String>> {
        let given = given.as_object().expect("it is an object").clone();
        workflow.bind_params(&given).map(|payload| payload.text().to_owned())
    }

    #[test]
    fn defaults_are_filled_in_and_the_order_is_the_definitions() {
        let workflow = workflow(vec![
            ("zone", "string", Some(json!("UTC"))),
            ("ratio", "double", None),
            ("ids", "list<double>", Some(json!([1]))),
        ]);
        let bound = bind_all(&workflow, json!({"ratio": 3}));
        assert_eq!(bound.as_deref(), Ok(r#"{"zone":"UTC","ratio":3.0,"ids":[1.0]}"#));
    }

    #[test]
    fn every_mistake_is_named() {
        let workflow =
            workflow(vec![("year", "int", None), ("ids", "list<int>", None), ("b", "bool", None)]);
        let mistakes = bind_all(&workflow, json!({"yaer": 1, "ids": [1, "x"], "b": 1}));
        let expected = [
            "yaer: unknown parameter; did you mean year?",
            "year: is missing and has no default; give a value of type int",
            r#"ids[1] is "x", expected int"#,
            "b is 1, expected bool",
        ];
        assert_eq!(mistakes, Err(expected.map(str::to_owned).to_vec()));
    }
}
