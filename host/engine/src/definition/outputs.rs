//! What the output of a step has to have: `outputs: { rows: int, table: string }`.

use super::circle;
use super::field::Field;
use super::name::Name;
use super::reader::Reader;
use super::typed;
use crate::workflow::{ParamType, StepParam, StepParams};

/// The most fields of an output.
const FIELDS_MAX: usize = circle::VALUES_MAX;

/// Reads `outputs` of a step with these params.
pub(super) fn read(
    field: &Field<'_>,
    params: Option<&StepParams>,
    reader: &mut Reader<'_>,
) -> Option<Vec<(String, ParamType)>> {
    let remedy = "write the fields and their types, as in { rows: int }";
    let fields = field.fields(remedy, &mut reader.problems)?;
    let count = fields.all().count();
    if count > FIELDS_MAX {
        let message = format!("there are {count} fields, at most {FIELDS_MAX} are allowed");
        field.problem(&mut reader.problems, message, "put several into one of type json");
    }
    let mut outputs = Vec::new();
    for (name, field) in fields.all() {
        Name::Variable.check(name, &field, &mut reader.problems);
        let Some(kind) = typed::kind(&field, reader) else { continue };
        if let Some(param) = declared(params, name) {
            check(param, &field, &kind, reader);
        }
        outputs.push((name.to_owned(), kind));
    }
    Some(outputs)
}

fn declared<'p>(params: Option<&'p StepParams>, name: &str) -> Option<&'p StepParam> {
    match params? {
        StepParams::Whole(_) => None,
        StepParams::Each(params) => params.iter().find(|param| param.name == name),
    }
}

/// An output that is named like a param is of its type: who reads one for the
/// other gets no surprise.
fn check(param: &StepParam, field: &Field<'_>, kind: &ParamType, reader: &mut Reader<'_>) {
    if let Some(declared) = param.kind.as_ref().filter(|declared| *declared != kind) {
        let message = format!("is {kind}, but the param of that name is {declared}");
        field.problem(&mut reader.problems, message, "use one type, or another name");
    }
}
