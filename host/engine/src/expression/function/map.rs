//! Maps: what is in them, and maps out of maps and lists. CEL has no such
//! functions; a map is always gone through in the order of its keys.

use super::super::meter::{ENTRY, Halt};
use super::super::value::{Key, Text, Value};
use super::call::{Call, list};
use super::{Native, Signature, Style};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("keys", Style::Method, [1, 1], Native(keys)),
    Signature("values", Style::Method, [1, 1], Native(values)),
    Signature("entries", Style::Method, [1, 1], Native(entries)),
    Signature("merge", Style::Method, [2, 2], Native(merge)),
    Signature("maps.from", Style::Global, [1, 1], Native(from)),
];

fn keys<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let keys = call.map(0)?.keys().unwrap_or_default();
    Ok(list(keys.iter().map(Key::value).collect()))
}

fn values<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let map = call.map(0)?;
    let keys = map.keys().unwrap_or_default();
    Ok(list(keys.iter().filter_map(|key| map.entry(key)).collect()))
}

fn entries<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let map = call.map(0)?;
    let keys = map.keys().unwrap_or_default();
    call.meter.charge(keys.len().saturating_mul(2 * ENTRY))?;
    let entries = keys.iter().filter_map(|key| {
        let entry = [("key", key.value()), ("value", map.entry(key)?)];
        let entry = entry.map(|(name, value)| (Key::Text(Text::Borrowed(name)), value));
        Some(Value::Map(Arc::new(BTreeMap::from(entry))))
    });
    Ok(list(entries.collect()))
}

fn merge<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let mut merged = BTreeMap::new();
    for map in [call.map(0)?, call.map(1)?] {
        let keys = map.keys().unwrap_or_default();
        call.meter.charge(keys.len().saturating_mul(ENTRY))?;
        for key in keys {
            if let Some(value) = map.entry(&key) {
                merged.insert(key, value);
            }
        }
    }
    Ok(Value::Map(Arc::new(merged)))
}

/// A map of `[key, value]` pairs; of two with one key the later counts.
fn from<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let mut map = BTreeMap::new();
    for (place, pair) in call.elements(0)?.into_iter().enumerate() {
        call.meter.charge(ENTRY)?;
        let (key, value) = match (pair.len(), pair.element(0), pair.element(1)) {
            (Some(2), Some(key), Some(value)) => (key, value),
            _ => {
                return Err(call.fault(format!(
                    "element {place} is no pair; make pairs with map(x, [key, value])"
                )));
            }
        };
        let key = match (&key, Key::of(&key)) {
            (Value::Double(_), _) | (_, None) => {
                let kind = key.type_name();
                return Err(call.fault(format!("{kind} can be no key of a map; use string(…)")));
            }
            (_, Some(key)) => key,
        };
        call.meter.charge_bytes(key.bytes())?;
        map.insert(key, value);
    }
    Ok(Value::Map(Arc::new(map)))
}
