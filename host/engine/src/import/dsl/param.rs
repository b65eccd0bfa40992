//! Params in the short form: `'!name<type>(mode)': value`, where `!` says that
//! the value is an expression.

use super::super::value::Value;

/// A param in the long form.
pub(super) fn definition(kind: &str, key: &str, value: Value) -> Value {
    Value::Map(vec![("type".to_owned(), Value::Text(kind.to_owned())), (key.to_owned(), value)])
}

/// The params among the entries of a map: those whose keys are not known.
///
/// # Errors
/// A key that is no param, or a value that has no type.
pub(super) fn rest(map: &Value, known: &[&[&str]]) -> Result<Value, String> {
    let is_known = |key: &str| known.iter().any(|keys| keys.contains(&key));
    let mut params = Vec::new();
    for (key, value) in map.entries().iter().filter(|(key, _)| !is_known(key)) {
        params.push(read(key, value)?);
    }
    Ok(Value::Map(params))
}

/// The params of a map, of which some may be in the long form already.
///
/// # Errors
/// As for [`rest`].
pub(super) fn long(map: &Value) -> Result<Value, String> {
    let is_long = |value: &Value| {
        value.get("type").is_some()
            && (value.get("value").is_some() || value.get("expression").is_some())
    };
    let mut params = Vec::new();
    for (key, value) in map.entries() {
        params.push(match is_long(value) {
            true => (key.clone(), value.clone()),
            false => read(key, value)?,
        });
    }
    Ok(Value::Map(params))
}

fn read(key: &str, value: &Value) -> Result<(String, Value), String> {
    let key = key.trim();
    let (is_expression, rest) = match key.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, key),
    };
    let (rest, mode) = match (rest.rfind('('), rest.rfind(')')) {
        (Some(start), Some(end)) if start > 0 && start < end => {
            (rest[..start].trim(), Some(rest[start + 1..end].trim().to_ascii_uppercase()))
        }
        _ => (rest, None),
    };
    let (name, kind) = match (rest.find('<'), rest.rfind('>')) {
        (Some(start), Some(end)) if start > 0 && start < end => {
            (rest[..start].trim(), Some(named(rest[start + 1..end].trim())))
        }
        _ => (rest, None),
    };
    if name.is_empty() {
        return Err(format!("{key:?} is no name of a param"));
    }
    let mut definition = match is_expression {
        true => {
            let source =
                value.scalar().ok_or_else(|| format!("the expression {name} is no text"))?;
            definition(kind.as_deref().unwrap_or("STRING"), "expression", Value::Text(source))
        }
        false => literal(kind, value)?,
    };
    if let (Value::Map(entries), Some(mode)) = (&mut definition, mode) {
        entries.push(("mode".to_owned(), Value::Text(mode)));
    }
    Ok((name.to_owned(), definition))
}

/// The long name of a type.
fn named(kind: &str) -> String {
    let kind = kind.to_ascii_uppercase();
    match kind.strip_prefix("ARRAY<").and_then(|rest| rest.strip_suffix('>')) {
        Some(element) => format!("{}_ARRAY", element.trim()),
        None if kind == "PMAP" => "MAP".to_owned(),
        None if kind == "MAP" => "STRING_MAP".to_owned(),
        None => kind,
    }
}

fn literal(kind: Option<String>, value: &Value) -> Result<Value, String> {
    let shown = shown(value);
    let kind = match (kind, shown) {
        (Some(kind), _) => kind,
        (None, Some(shown)) => shown,
        (None, None) => return Err(format!("{} has no type", value.json())),
    };
    let value = match kind.as_str() {
        "MAP" => rest(value, &[])?,
        _ => value.clone(),
    };
    Ok(definition(&kind, "value", value))
}

/// The type that a value shows.
fn shown(value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(_) => "STRING".to_owned(),
        Value::Bool(_) => "BOOLEAN".to_owned(),
        Value::Number(number) if number.is_f64() => "DOUBLE".to_owned(),
        Value::Number(_) => "LONG".to_owned(),
        Value::List(elements) => match elements.first() {
            None => "STRING_ARRAY".to_owned(),
            Some(first) => format!("{}_ARRAY", shown(first)?),
        },
        Value::Map(entries) if entries.is_empty() => "MAP".to_owned(),
        Value::Map(entries) => {
            let is_text = entries.iter().all(|(_, value)| value.text().is_some());
            if is_text { "STRING_MAP" } else { "MAP" }.to_owned()
        }
        Value::Null => return None,
    })
}
