//! What the params of a signal must be: `{ station: seattle, amount: { ">=": 5 } }`,
//! with expressions wherever a value may stand.

use super::draft::Use;
use super::field::{Field, Fields};
use super::node::{Kind, shown};
use super::reader::Reader;
use super::setting;
use super::site::Site;
use crate::signal::{
    OPERATORS, PARAMS_MAX, TEXT_BYTES_MAX, VALUES_MAX, check_name, check_test, meant_operator,
};
use crate::template::Template;

/// Reads the `match` of whatever looks for signals.
pub(super) fn read(
    field: &Field<'_>,
    site: Site,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
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
            Kind::Map(_) => {
                let fields = value.fields(remedy, &mut reader.problems);
                fields.into_iter().for_each(|fields| operators(name, &value, &fields, reader));
            }
            Kind::List(_) => {
                let remedy = "for one of several values write { in: [..] }";
                value.wrong(&mut reader.problems, "a single value", remedy);
            }
            _ => single(&value, reader),
        }
    }
    field.template(site, uses, &mut reader.problems)
}

/// The tests of one param.
fn operators(name: &str, field: &Field<'_>, fields: &Fields<'_>, reader: &mut Reader<'_>) {
    let known = OPERATORS.join(" ");
    if fields.all().next().is_none() {
        let remedy = format!("write a value, or use one of {known}");
        field.problem(&mut reader.problems, "there is no operator in it", remedy);
    }
    for (operator, operand) in fields.all() {
        if !OPERATORS.contains(&operator) {
            let remedy = match meant_operator(operator) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("use one of {known}"),
            };
            let message = format!("there is no operator {}", shown(operator));
            reader.problems.add(operand.key_mark, &field.path, message, remedy);
        } else if operator == "in" {
            one_of(&operand, reader);
        } else {
            single(&operand, reader);
            check(name, operator, &operand, reader);
        }
    }
}

/// The values of `in`: a list, or an expression that gives one.
fn one_of(field: &Field<'_>, reader: &mut Reader<'_>) {
    if setting::is_computed(field) {
        return;
    }
    let remedy = "write a list, as in [a, b]";
    let Some(elements) = field.list(remedy, &mut reader.problems) else { return };
    if elements.is_empty() || elements.len() > VALUES_MAX {
        let message = format!("there are {} values in it", elements.len());
        field.problem(&mut reader.problems, message, format!("write 1 to {VALUES_MAX}"));
    }
    for element in elements {
        single(&element, reader);
    }
}

/// A value that a param is compared with.
pub(super) fn single(field: &Field<'_>, reader: &mut Reader<'_>) {
    match &field.node.kind {
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            let remedy = "signals are found by text, numbers and flags; write one";
            field.wrong(&mut reader.problems, "a single value", remedy);
        }
        Kind::Text(text) if text.len() > TEXT_BYTES_MAX && !setting::is_computed(field) => {
            let message = format!("{} is too long", shown(text));
            let remedy = format!("a signal's param has at most {TEXT_BYTES_MAX} bytes");
            field.problem(&mut reader.problems, message, remedy);
        }
        Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
    }
}

/// Whether the operand suits the operator, where that is known here.
fn check(name: &str, operator: &str, field: &Field<'_>, reader: &mut Reader<'_>) {
    let suits = match &field.node.kind {
        Kind::Bool(_) | Kind::Number(_) => check_test(name, operator, &field.node.to_json()),
        _ => Ok(()),
    };
    if suits.is_err() {
        let expected = if operator == "prefix" { "text" } else { "text or a number" };
        field.wrong(&mut reader.problems, expected, "use \"=\"");
    }
}
