//! A JSON document on its way between steps. It is checked once, where it
//! enters, and from then on copied by reference and never rewritten.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// One JSON document, cheap to clone.
#[derive(Clone)]
pub struct Payload(Arc<Inner>);

struct Inner {
    text: Box<str>,
    /// The parsed form, made when an expression first looks inside.
    value: OnceLock<Value>,
}

impl Payload {
    /// The document in `text`, if it is one that is nested at most 127 deep.
    ///
    /// # Errors
    /// Says where the text stops being JSON.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, serde_json::Error> {
        let text = text.into();
        serde_json::from_str::<IgnoredAny>(&text)?;
        if depth(&text) > DEPTH_MAX {
            let message = format!("it is nested deeper than {DEPTH_MAX}");
            return Err(serde::de::Error::custom(message));
        }
        Ok(Self::unchecked(text))
    }

    /// The document `null`.
    pub fn null() -> Self {
        Self::unchecked("null".into())
    }

    /// The document `{}`.
    pub fn empty_object() -> &'static Self {
        static EMPTY: OnceLock<Payload> = OnceLock::new();
        EMPTY.get_or_init(|| Self::unchecked("{}".into()))
    }

    /// The list of these documents.
    pub fn from_elements<'a>(elements: impl Iterator<Item = &'a Self>) -> Self {
        let mut text = String::from("[");
        for element in elements {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(element.text());
        }
        text.push(']');
        Self::unchecked(text.into())
    }

    /// The object with these fields.
    pub fn from_fields<'a>(fields: impl Iterator<Item = (&'a str, Self)>) -> Self {
        let mut text = String::from("{");
        for (name, value) in fields {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&Value::from(name).to_string());
            text.push(':');
            text.push_str(value.text());
        }
        text.push('}');
        Self::unchecked(text.into())
    }

    /// The document's text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The document's value, parsed at most once.
    pub fn value(&self) -> &Value {
        self.0.value.get_or_init(|| {
            // Every constructor checked the text, and how deep it is nested.
            serde_json::from_str(&self.0.text).unwrap_or(Value::Null)
        })
    }

    /// The document in `text`, which is known to be one.
    pub(crate) fn unchecked(text: Box<str>) -> Self {
        Self(Arc::new(Inner { text, value: OnceLock::new() }))
    }
}

/// The deepest nesting that can be parsed again.
const DEPTH_MAX: usize = 127;

/// How deep lists and objects are nested in this JSON text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { text: value.to_string().into(), value: OnceLock::from(value) }))
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// In the binary log as text; in JSON as the document itself.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.0.text);
        }
        let raw: &RawValue =
            serde_json::from_str(&self.0.text).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Ok(Self::unchecked(Box::<str>::deserialize(deserializer)?));
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::unchecked(Box::<str>::from(raw)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_kept_as_it_is() {
        let text = r#"{"b":1,"a":[1.50,"\"]"]}"#;
        let payload = Payload::parse(text).unwrap();
        assert_eq!(payload.text(), text);
        assert_eq!(payload.value()["a"][1], "\"]");
    }

    #[test]
    fn what_cannot_be_parsed_again_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(Payload::parse(nested(127)).unwrap().value().as_array().map(Vec::len), Some(1));
        assert!(Payload::parse(nested(128)).is_err());
        assert!(Payload::parse("{").is_err() && Payload::parse("1 2").is_err());
        let brackets = format!("\"{}\"", "[".repeat(500));
        assert!(Payload::parse(brackets).is_ok());
    }

    #[test]
    fn parts_become_documents() {
        let one = Payload::parse("1").unwrap();
        assert_eq!(Payload::from_elements([&one, &one].into_iter()).text(), "[1,1]");
        let fields = [("a\"", one.clone()), ("b", one)];
        assert_eq!(Payload::from_fields(fields.into_iter()).text(), r#"{"a\"":1,"b":1}"#);
    }
}
