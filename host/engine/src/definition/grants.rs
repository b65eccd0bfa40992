//! What a step is granted beyond its own input. A new kind of grant is one more
//! key in [`KEYS`] and one more line in [`read`].

use super::field::{Field, Fields, Keys};
use super::reader::Reader;
use crate::grant::{BadName, ENTRIES_MAX, Grants, NamePattern, check_namespace, check_secret};
use std::fmt;

const KEYS: Keys =
    Keys { of: "grants", known: &["http", "secrets", "kv", "signals"], planned: &[] };

/// Reads `grants`.
pub(super) fn read(field: &Field<'_>, reader: &mut Reader<'_>) -> Grants {
    let remedy = "name what is granted, as in { http: [\"https://api.example.com\"] }";
    let Some(fields) = field.fields(remedy, &mut reader.problems) else {
        return Grants::default();
    };
    fields.check_keys(&KEYS, &mut reader.problems);
    let named = |check: fn(&str) -> Result<(), BadName>| {
        move |text: &str| check(text).map(|()| text.to_owned())
    };
    Grants {
        http: entries(&fields, "http", str::parse, reader).unwrap_or_default(),
        secrets: entries(&fields, "secrets", named(check_secret), reader).unwrap_or_default(),
        kv: entries(&fields, "kv", named(check_namespace), reader).unwrap_or_default(),
        signals: entries(&fields, "signals", str::parse::<NamePattern>, reader),
    }
}

/// The list at `key`, `None` if there is none.
fn entries<T: PartialEq, E: fmt::Display>(
    fields: &Fields<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, E>,
    reader: &mut Reader<'_>,
) -> Option<Vec<T>> {
    let field = fields.get(key)?;
    let example = match key {
        "http" => "list origins, as in [\"https://api.example.com\"]",
        "secrets" => "list names of secrets, as in [PAY_KEY]",
        "kv" => "list namespaces, as in [shared]",
        _ => "list names of signals, as in [\"report.*\"]",
    };
    let elements = field.list(example, &mut reader.problems)?;
    if elements.len() > ENTRIES_MAX {
        let message = format!("has {} entries", elements.len());
        let remedy = format!("write at most {ENTRIES_MAX}");
        field.problem(&mut reader.problems, message, remedy);
        return None;
    }
    let mut granted = Vec::with_capacity(elements.len());
    for element in elements {
        let Some(text) = element.text(example, &mut reader.problems) else { continue };
        match parse(text) {
            Ok(entry) if granted.contains(&entry) => {
                element.problem(&mut reader.problems, "is there twice", "name it once");
            }
            Ok(entry) => granted.push(entry),
            Err(error) => {
                let problems = &mut reader.problems;
                problems.add_text(element.node.mark, &element.path, &error.to_string(), example);
            }
        }
    }
    Some(granted)
}
