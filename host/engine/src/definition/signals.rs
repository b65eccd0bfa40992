//! What a step publishes when its work is done: a list of
//! `{ name, params, payload }`, or one expression that gives such a list.

use super::draft::Use;
use super::field::{Field, Keys};
use super::node::Kind;
use super::reader::Reader;
use super::site::Site;
use super::{pattern, setting};
use crate::publishing::SIGNALS_MAX;
use crate::signal::{PARAMS_MAX, check_name};
use crate::template::Template;

const KEYS: Keys = Keys { of: "a signal", known: &["name", "params", "payload"], planned: &[] };

/// Reads the `signals` of a step.
pub(super) fn read(
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
    let remedy = "list signals, as in [{ name: weather.landed, params: { station: seattle } }]";
    if setting::is_computed(field) {
        let template = field.template(Site::Done, uses, &mut reader.problems)?;
        if !template.is_one_expression() {
            let remedy = "write a list, or one expression, as in \"${self.output.signals}\"";
            field.wrong(&mut reader.problems, "a list", remedy);
            return None;
        }
        return Some(template);
    }
    let elements = field.list(remedy, &mut reader.problems)?;
    if elements.len() > SIGNALS_MAX {
        let message = format!("there are {} signals in it", elements.len());
        let remedy = format!("a step publishes at most {SIGNALS_MAX}; put more into each");
        field.problem(&mut reader.problems, message, remedy);
    }
    for element in elements {
        signal(&element, remedy, reader);
    }
    field.template(Site::Done, uses, &mut reader.problems)
}

fn signal(field: &Field<'_>, remedy: &str, reader: &mut Reader<'_>) {
    let Some(fields) = field.fields(remedy, &mut reader.problems) else { return };
    fields.check_keys(&KEYS, &mut reader.problems);
    match fields.get("name") {
        Some(name) => self::name(&name, reader),
        None => fields.missing(
            "name",
            "name the signal, as in `name: weather.landed`",
            &mut reader.problems,
        ),
    }
    if let Some(given) = fields.get("params").filter(|given| !setting::is_computed(given)) {
        params(&given, reader);
    }
}

fn name(field: &Field<'_>, reader: &mut Reader<'_>) {
    let remedy = "name it as in \"weather.landed\"";
    let Some(text) = field.text(remedy, &mut reader.problems) else { return };
    if !setting::is_computed(field)
        && let Err(error) = check_name("a signal's name", text)
    {
        field.problem(&mut reader.problems, error.to_string(), remedy);
    }
}

fn params(field: &Field<'_>, reader: &mut Reader<'_>) {
    let remedy = "write params and their values, as in { station: seattle }";
    let Some(fields) = field.fields(remedy, &mut reader.problems) else { return };
    let count = fields.all().count();
    if count > PARAMS_MAX {
        let message = format!("there are {count} params, and a signal has at most {PARAMS_MAX}");
        field.problem(&mut reader.problems, message, "put the rest into the payload");
    }
    for (name, value) in fields.all() {
        if let Err(error) = check_name("a param's name", name) {
            reader.problems.add(value.key_mark, &value.path, error.to_string(), "use another name");
        }
        match value.node.kind {
            Kind::Map(_) | Kind::List(_) | Kind::Null => {
                let remedy =
                    "signals are found by text, numbers and flags; put it into the payload";
                value.wrong(&mut reader.problems, "a single value", remedy);
            }
            _ => pattern::single(&value, reader),
        }
    }
}
