//! The parameters of a workflow: `years: { type: list<int>, value: [2012] }`, or
//! for short `years: [2012]`, a default whose type is inferred.

use super::draft::Draft;
use super::field::{Field, Fields, Keys};
use super::name::Name;
use super::node::{Kind, Node, shown};
use super::reader::Reader;
use super::workflow::text;
use crate::params::TYPE_NAMES;
use crate::template::Template;
use crate::workflow::{Param, ParamMode, ParamType};

const KEYS: Keys =
    Keys { of: "a parameter", known: &["type", "value", "description"], planned: &[] };

/// The most parameters of a workflow.
const PARAMS_MAX: usize = 128;

/// Reads `params` into `draft`.
pub(super) fn read(workflow: &Fields<'_>, draft: &mut Draft, reader: &mut Reader<'_>) {
    let Some(field) = workflow.get("params") else {
        draft.param_names = Some(Vec::new());
        return;
    };
    let remedy = "write names and their types, as in `year: { type: int }`";
    let Some(params) = field.fields(remedy, &mut reader.problems) else { return };
    let names: Vec<String> = params.all().map(|(name, _)| name.to_owned()).collect();
    if names.len() > PARAMS_MAX {
        let message =
            format!("there are {} parameters, at most {PARAMS_MAX} are allowed", names.len());
        field.problem(&mut reader.problems, message, "put several into one of type json");
    }
    draft.param_names = Some(names);
    for (name, field) in params.all() {
        Name::Variable.check(name, &field, &mut reader.problems);
        draft.params.extend(param(name, &field, reader));
    }
}

fn param(name: &str, field: &Field<'_>, reader: &mut Reader<'_>) -> Option<Param> {
    if !matches!(field.node.kind, Kind::Map(_)) {
        let kind = inferred(field, field, reader)?;
        return made(name, kind, Some(field.node.to_json()), None);
    }
    let fields = field.fields("", &mut reader.problems)?;
    fields.check_keys(&KEYS, &mut reader.problems);
    let value = fields.get("value");
    let kind = match (fields.get("type"), &value) {
        (Some(kind), _) => parse(&kind, reader),
        (None, Some(value)) => inferred(value, field, reader),
        (None, None) => {
            fields.missing(
                "type",
                &format!("use one of {}", TYPE_NAMES.join(", ")),
                &mut reader.problems,
            );
            None
        }
    };
    let description = text(&fields, "description", reader);
    let default = value.map(|value| {
        if let Some(kind) = &kind {
            check(&value, kind, reader);
        }
        value.node.to_json()
    });
    made(name, kind?, default, description)
}

fn made(
    name: &str,
    kind: ParamType,
    value: Option<serde_json::Value>,
    description: Option<String>,
) -> Option<Param> {
    let value = value.and_then(|value| Template::compile(&value).ok());
    let (name, mode) = (name.to_owned(), ParamMode::default());
    Some(Param { name, kind, value, optional: false, mode, description })
}

fn parse(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<ParamType> {
    let remedy = format!("use one of {}", TYPE_NAMES.join(", "));
    let text = field.text(&remedy, &mut reader.problems)?;
    match text.parse() {
        Ok(kind) => Some(kind),
        Err(remedy) => {
            field.problem(&mut reader.problems, format!("{} is no type", shown(text)), remedy);
            None
        }
    }
}

/// The type of a default that is given without one.
fn inferred(value: &Field<'_>, param: &Field<'_>, reader: &mut Reader<'_>) -> Option<ParamType> {
    refuse_expressions(value.node, value, reader);
    let kind = ParamType::of(&value.node.to_json());
    if kind.is_none() {
        let message = "has neither a type nor a default that shows it";
        param.problem(&mut reader.problems, message, "give it a type, as in { type: string }");
    }
    kind
}

fn check(value: &Field<'_>, kind: &ParamType, reader: &mut Reader<'_>) {
    refuse_expressions(value.node, value, reader);
    if let Err(mistake) = kind.accepts(&value.node.to_json()) {
        let remedy = format!("give a value of type {kind}, or correct the type");
        value.problem(&mut reader.problems, mistake, remedy);
    }
}

/// A default with `${…}` would not be evaluated, which nobody expects.
fn refuse_expressions(node: &Node, value: &Field<'_>, reader: &mut Reader<'_>) {
    match &node.kind {
        Kind::Text(text) if text.contains("${") => {
            let message = "a default is not evaluated";
            let remedy = "give a plain value here and use the expression in the params of a step";
            reader.problems.add(node.mark, &value.path, message, remedy);
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        Kind::List(elements) => {
            elements.iter().for_each(|node| refuse_expressions(node, value, reader));
        }
        Kind::Map(entries) => {
            entries.iter().for_each(|entry| refuse_expressions(&entry.value, value, reader));
        }
    }
}
