//! The parameters of a workflow: `years: { type: list<int>, value: [2012] }`, or
//! for short `years: [2012]`, a value whose type is inferred.

use super::circle::{self, Named};
use super::draft::{Draft, Use};
use super::field::{Field, Fields, Keys};
use super::name::Name;
use super::node::{Kind, Mark};
use super::reader::Reader;
use super::site::Site;
use super::typed;
use super::workflow::text;
use crate::params::TYPE_NAMES;
use crate::workflow::{Param, ParamMode};

const KEYS: Keys = Keys {
    of: "a parameter",
    known: &["type", "value", "optional", "mode", "description"],
    planned: &[],
};

/// The most parameters of a workflow.
const PARAMS_MAX: usize = circle::VALUES_MAX;

/// Reads `params` into `draft`.
pub(super) fn read(workflow: &Fields<'_>, draft: &mut Draft, reader: &mut Reader<'_>) {
    let Some(field) = workflow.get("params") else {
        draft.param_names = Some(Vec::new());
        return;
    };
    let remedy = "write names and their types, as in `year: { type: int }`";
    let Some(params) = field.fields(remedy, &mut reader.problems) else { return };
    let names: Vec<String> = params.all().map(|(name, _)| name.to_owned()).collect();
    let is_too_many = names.len() > PARAMS_MAX;
    if is_too_many {
        let message =
            format!("there are {} parameters, at most {PARAMS_MAX} are allowed", names.len());
        field.problem(&mut reader.problems, message, "put several into one of type json");
    }
    draft.param_names = Some(names);
    let mut named = Vec::new();
    for (name, field) in params.all() {
        Name::Variable.check(name, &field, &mut reader.problems);
        let mut uses = Vec::new();
        let (param, mark) = param(name, &field, &mut uses, reader);
        draft.params.extend(param);
        named.push(Named::of_params((name, mark, field.path), &uses));
        draft.uses.append(&mut uses);
    }
    if !is_too_many {
        circle::sort(&named, &mut reader.problems);
    }
}

/// The parameter, and where its value stands.
fn param(
    name: &str,
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> (Option<Param>, Mark) {
    let Kind::Map(_) = field.node.kind else {
        return (short(name, field, uses, reader), field.node.mark);
    };
    let Some(fields) = field.fields("", &mut reader.problems) else {
        return (None, field.node.mark);
    };
    let mark = fields.get("value").map_or(field.node.mark, |value| value.node.mark);
    (long(name, &fields, uses, reader), mark)
}

/// Only the value.
fn short(
    name: &str,
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Param> {
    let kind = typed::inferred(field, field, reader);
    let value = field.template(Site::WorkflowParam, uses, &mut reader.problems);
    Some(Param {
        name: name.to_owned(),
        kind: kind?,
        value: Some(value?),
        optional: false,
        mode: ParamMode::default(),
        description: None,
    })
}

/// A map with what there is to say.
fn long(
    name: &str,
    fields: &Fields<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Param> {
    fields.check_keys(&KEYS, &mut reader.problems);
    let field = fields.get("value");
    let kind = match (fields.get("type"), &field) {
        (Some(kind), _) => typed::kind(&kind, reader),
        (None, Some(value)) => typed::inferred(value, value, reader),
        (None, None) => {
            let remedy = format!("use one of {}", TYPE_NAMES.join(", "));
            fields.missing("type", &remedy, &mut reader.problems);
            None
        }
    };
    if let (Some(kind), Some(value)) = (&kind, &field) {
        typed::check(value, kind, reader);
    }
    let value = match &field {
        Some(field) => Some(field.template(Site::WorkflowParam, uses, &mut reader.problems)),
        None => None,
    };
    let mode = typed::mode(fields, reader);
    let optional = fields.get("optional").and_then(|field| field.flag(&mut reader.problems));
    let optional = optional.unwrap_or(false);
    check_presence(fields, optional, mode, reader);
    let description = text(fields, "description", reader);
    let value = match value {
        Some(value) => Some(value?),
        None => None,
    };
    Some(Param { name: name.to_owned(), kind: kind?, value, optional, mode, description })
}

/// Reports a value that is there and should not be, or the other way round.
fn check_presence(fields: &Fields<'_>, optional: bool, mode: ParamMode, reader: &mut Reader<'_>) {
    match (fields.get("value"), fields.get("optional"), fields.get("mode")) {
        (Some(_), Some(field), _) if optional => {
            let message = "a parameter with a value is never absent";
            field.problem(&mut reader.problems, message, "remove `optional`, or `value`");
        }
        (None, _, Some(field)) if mode >= ParamMode::Immutable => {
            let message = "nobody may give it a value, and it has none";
            field.problem(&mut reader.problems, message, "add `value`, or use another mode");
        }
        _ => {}
    }
}
