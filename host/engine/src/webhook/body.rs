//! The body and the query of a request as documents.

use super::mapping::Unfit;
use crate::payload::Payload;
use serde_json::{Map, Value};

/// The content type of forms, as Slack sends commands.
const FORM: &str = "application/x-www-form-urlencoded";

/// The document that a body is: of a form a map, else JSON; null if it is empty.
pub(super) fn read(bytes: &[u8], content_type: Option<&str>) -> Result<Payload, Unfit> {
    let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case(FORM) {
        return Ok(pairs(bytes));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Unfit::at("body", format!("is no text in UTF-8: {error}")))?;
    match text.trim() {
        "" => Ok(Payload::null()),
        text => {
            Payload::parse(text).map_err(|error| Unfit::at("body", format!("is no JSON: {error}")))
        }
    }
}

/// Names and their texts; a name that is there several times has a list of them.
pub(super) fn pairs(encoded: &[u8]) -> Payload {
    let mut all = Map::new();
    for (name, text) in form_urlencoded::parse(encoded) {
        let text = Value::from(text.into_owned());
        match all.get_mut(name.as_ref()) {
            None => {
                all.insert(name.into_owned(), text);
            }
            Some(Value::Array(texts)) => texts.push(text),
            Some(first) => *first = Value::Array(vec![first.take(), text]),
        }
    }
    Payload::from(Value::Object(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_or_a_form() {
        let text = |bytes: &[u8], kind| read(bytes, kind).map(|body| body.text().to_owned());
        assert_eq!(text(b" {\"a\": 1.50}\n", None).unwrap(), "{\"a\": 1.50}", "as it was sent");
        assert_eq!(text(b"", Some("application/json")).unwrap(), "null");
        let kind = Some("application/x-www-form-urlencoded; charset=utf-8");
        let form = text(b"command=%2Fdeploy&text=now+or+never&a=1&a=2&a=3&b", kind).unwrap();
        let expected = r#"{"a":["1","2","3"],"b":"","command":"/deploy","text":"now or never"}"#;
        assert_eq!(form, expected);
        assert!(text(b"a=b", None).is_err() && text(b"\xff", None).is_err());
        assert!(read("[".repeat(200).as_bytes(), None).is_err());
    }
}
