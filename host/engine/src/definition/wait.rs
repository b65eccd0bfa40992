//! Steps that wait: for a time, `sleep: 30s`, or for a signal,
//! `wait: { signal: weather.landed, match: { station: seattle } }`.

use super::draft::{DraftKind, Use};
use super::field::{Field, Keys};
use super::node::Kind;
use super::pattern;
use super::reader::Reader;
use super::setting;
use super::site::Site;
use crate::setting::SLEEP_MS_MAX;
use crate::signal::check_name;
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
    let nothing = DraftKind::Wait { signal: None, pattern: None };
    let Some(fields) = field.fields(remedy, &mut reader.problems) else { return nothing };
    fields.check_keys(&KEYS, &mut reader.problems);
    let signal = match fields.get("signal") {
        Some(field) => name(&field, uses, reader),
        None => {
            fields.missing("signal", remedy, &mut reader.problems);
            None
        }
    };
    let pattern = match fields.get("match") {
        Some(field) => pattern::read(&field, Site::Work, uses, reader),
        None => Template::compile(&json!({})).ok(),
    };
    DraftKind::Wait { signal, pattern }
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
