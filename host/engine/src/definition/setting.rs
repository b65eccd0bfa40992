//! Numbers of a step or workflow that are written down, or computed from params,
//! as in `timeout: ${params.patience}`.

use super::draft::Use;
use super::field::Field;
use super::node::Kind;
use super::reader::Reader;
use super::site::Site;
use crate::setting::{Setting, TIMEOUT_MS_MAX};
use crate::template::Template;

/// Reads a time-out: a time with its unit, or text with expressions that gives
/// one or a whole number of seconds.
pub(super) fn timeout(
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Setting> {
    if is_computed(field) {
        let template = field.template(Site::Setting, uses, &mut reader.problems);
        return template.map(Setting::Computed);
    }
    field.duration_ms(TIMEOUT_MS_MAX, &mut reader.problems).map(Setting::Fixed)
}

/// Whether there are expressions in the value, right or wrong.
pub(super) fn is_computed(field: &Field<'_>) -> bool {
    match &field.node.kind {
        Kind::Text(text) if text.contains("${") => {
            let compiled = Template::compile(&field.node.to_json());
            compiled.map_or(true, |template| template.constant().is_none())
        }
        _ => false,
    }
}

/// The one expression that gives a number; `expected` says what kind of one.
pub(super) fn number(
    field: &Field<'_>,
    expected: &str,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
    let template = field.template(Site::Setting, uses, &mut reader.problems)?;
    if !template.is_one_expression() {
        let remedy = "write a number, or one expression, as in \"${params.tries}\"";
        field.wrong(&mut reader.problems, expected, remedy);
        return None;
    }
    Some(template)
}
