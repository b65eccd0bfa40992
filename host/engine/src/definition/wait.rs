//! Steps that wait: for a time, `sleep: 30s`, or for a signal,
//! `wait: { signal: weather.landed, match: { station: seattle } }`.

use super::draft::{DraftKind, Use};
use super::field::{Field, Keys};
use super::node::{Kind, shown};
use super::reader::Reader;
use super::setting;
use super::site::Site;
use crate::setting::SLEEP_MS_MAX;
use crate::signal::{PARAMS_MAX, TEXT_BYTES_MAX, check_name};
use crate::template::Template;
use serde_json::json;

const KEYS: Keys = Keys { of: "wait", known: &["signal", "match"], planned: &[] };

/// Reads how long a step sleeps: a time with its unit, or a whole number of
/// seconds, or text with expressions that gives either.
pub(super) fn sleep(
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
    match field.node.kind {
        Kind::Number(_) => {
            field.whole(0..=SLEEP_MS_MAX / 1_000, &mut reader.problems)?;
        }
        _ if setting::is_computed(field) => {}
        _ => {
            field.duration_ms(SLEEP_MS_MAX, &mut reader.problems)?;
        }
    }
    field.template(Site::Work, uses, &mut reader.problems)
}

/// Reads which signal a step waits for.
pub(super) fn signal(field: &Field<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> DraftKind {
    let remedy = "name a signal, as in { signal: weather.landed, match: { station: seattle } }";
    let nothing = DraftKind::Wait { signal: None, params: None };
    let Some(fields) = field.fields(remedy, &mut reader.problems) else { return nothing };
    fields.check_keys(&KEYS, &mut reader.problems);
    let signal = match fields.get("signal") {
        Some(field) => name(&field, uses, reader),
        None => {
            fields.missing("signal", remedy, &mut reader.problems);
            None
        }
    };
    let params = match fields.get("match") {
        Some(field) => pattern(&field, uses, reader),
        None => Template::compile(&json!({})).ok(),
    };
    DraftKind::Wait { signal, params }
}

fn name(field: &Field<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<Template> {
    let text = field.text("name a signal, as in \"weather.landed\"", &mut reader.problems)?;
    if !setting::is_computed(field)
        && let Err(error) = check_name("a signal's name", text)
    {
        field.problem(&mut reader.problems, error.to_string(), "name it as in \"weather.landed\"");
    }
    field.template(Site::Work, uses, &mut reader.problems)
}

/// What the params of the signal have to be: scalars, or expressions that give
/// them.
fn pattern(field: &Field<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<Template> {
    let remedy = "write params and their values, as in { station: seattle }";
    let fields = field.fields(remedy, &mut reader.problems)?;
    let count = fields.all().count();
    if count > PARAMS_MAX {
        let message = format!("there are {count} params, and a signal has at most {PARAMS_MAX}");
        field.problem(&mut reader.problems, message, "match on fewer");
    }
    for (name, value) in fields.all() {
        if let Err(error) = check_name("a param's name", name) {
            reader.problems.add(value.key_mark, &value.path, error.to_string(), "use another name");
        }
        match &value.node.kind {
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                let remedy = "signals are found by text, numbers and flags; write one";
                value.wrong(&mut reader.problems, "a single value", remedy);
            }
            Kind::Text(text) if text.len() > TEXT_BYTES_MAX && !setting::is_computed(&value) => {
                let message = format!("{} is too long", shown(text));
                let remedy = format!("a signal's param has at most {TEXT_BYTES_MAX} bytes");
                value.problem(&mut reader.problems, message, remedy);
            }
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }
    field.template(Site::Work, uses, &mut reader.problems)
}
