//! JSON as text, read and written. CEL has no such functions; the names follow
//! `base64.encode` and `base64.decode`.

use super::super::meter::{ENTRY, Halt, Meter};
use super::super::value::{Key, Text, Value};
use super::call::{Call, list};
use super::{Native, Signature, Style};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("json.encode", Style::Global, [1, 1], Native(encode)),
    Signature("json.decode", Style::Global, [1, 1], Native(decode)),
];

/// How many bytes of JSON are parsed at the price of an operation: the shortest
/// value and its comma.
const BYTES_PER_OPERATION: usize = 2;

fn encode<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let value = &call.arguments[0];
    call.meter.charge_value(value)?;
    let mut out = Vec::new();
    value.write_json(&mut out).map_err(|message| call.fault(message))?;
    let text = String::from_utf8(out).map_err(|error| call.fault(error))?;
    call.give_text(&text)
}

fn decode<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let text = call.text(0)?;
    call.meter.charge(text.len() / BYTES_PER_OPERATION)?;
    let json = serde_json::from_str(text)
        .map_err(|error| call.fault(format!("{error}; give it the text of one JSON value")))?;
    owned(json, call.meter)
}

/// The value that a document of the evaluation's own is. A document is never
/// nested deeper than its parser goes.
fn owned<'a>(json: Json, meter: &mut Meter) -> Result<Value<'a>, Halt> {
    meter.charge(1)?;
    Ok(match json {
        Json::String(text) => Value::Text(Text::from(text)),
        Json::Array(elements) => {
            let elements = elements.into_iter().map(|element| owned(element, meter));
            list(elements.collect::<Result<_, _>>()?)
        }
        Json::Object(entries) => {
            let mut map = BTreeMap::new();
            for (key, value) in entries {
                meter.charge(ENTRY)?;
                map.insert(Key::Text(Text::from(key)), owned(value, meter)?);
            }
            Value::Map(Arc::new(map))
        }
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::Other(cel::Value::UInt(value)),
            (None, None) => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Null => Value::Null,
    })
}
