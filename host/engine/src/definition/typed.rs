//! Types and modes of params, and whether a value that is written down is of its
//! type. What an expression gives is known only in a run.

use super::field::{Field, Fields};
use super::node::{Kind, Node, shown};
use super::reader::Reader;
use crate::params::TYPE_NAMES;
use crate::template::{Place, Template, way};
use crate::workflow::{ParamMode, ParamType};
use serde_json::Value;

/// The modes, as authors write them.
const MODES: [(&str, ParamMode); 5] = [
    ("mutable", ParamMode::Mutable),
    ("mutable_on_start_restart", ParamMode::MutableOnStartRestart),
    ("mutable_on_start", ParamMode::MutableOnStart),
    ("immutable", ParamMode::Immutable),
    ("constant", ParamMode::Constant),
];

/// Reads a type.
pub(super) fn kind(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<ParamType> {
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

/// Reads `mode`.
pub(super) fn mode(fields: &Fields<'_>, reader: &mut Reader<'_>) -> ParamMode {
    let names = MODES.map(|(name, _)| name);
    let place = fields.get("mode").and_then(|field| field.choice(&names, &mut reader.problems));
    place.map(|place| MODES[place].1).unwrap_or_default()
}

/// Reports what is not of type `kind` in a value, as far as it is written down.
pub(super) fn check(value: &Field<'_>, kind: &ParamType, reader: &mut Reader<'_>) {
    let mut places = Vec::new();
    if let Err(mistake) = accepts(kind, value.node, &mut places) {
        let mistake = match way(&places) {
            way if way.is_empty() => mistake,
            way => format!("{way} {mistake}"),
        };
        let remedy = format!("give a value of type {kind}, or correct the type");
        value.problem(&mut reader.problems, mistake, remedy);
    }
}

/// Leaves the way to the mistake in `places`.
fn accepts(kind: &ParamType, node: &Node, places: &mut Vec<Place>) -> Result<(), String> {
    match (kind, &node.kind) {
        (ParamType::List(element), Kind::List(nodes)) => nodes
            .iter()
            .enumerate()
            .try_for_each(|(number, node)| inside(Place::Element(number), element, node, places)),
        (ParamType::Map(inner), Kind::Map(entries)) => entries.iter().try_for_each(|entry| {
            inside(Place::Key(entry.key.clone()), inner, &entry.value, places)
        }),
        (ParamType::Json, _) => Ok(()),
        _ if is_expression(node) => Ok(()),
        (_, Kind::List(_)) => kind.accepts(&Value::Array(Vec::new())),
        (_, Kind::Map(_)) => kind.accepts(&Value::Object(serde_json::Map::new())),
        _ => kind.accepts(&node.to_json()),
    }
}

fn inside(
    place: Place,
    kind: &ParamType,
    node: &Node,
    places: &mut Vec<Place>,
) -> Result<(), String> {
    places.push(place);
    accepts(kind, node, places)?;
    places.pop();
    Ok(())
}

/// Whether the value is that of one expression, and so of any type.
fn is_expression(node: &Node) -> bool {
    let Kind::Text(text) = &node.kind else { return false };
    // What is wrong with it is reported where it is compiled.
    text.contains("${")
        && Template::compile(&node.to_json()).map_or(true, |template| template.is_one_expression())
}

/// The type of a value that is given without one; reports it if it shows none.
pub(super) fn inferred(
    value: &Field<'_>,
    param: &Field<'_>,
    reader: &mut Reader<'_>,
) -> Option<ParamType> {
    let remedy = "give it a type, as in { type: string }";
    if let Some(mark) = hidden(value.node) {
        let message = "an expression does not show its type";
        let remedy = "give the parameter a type, as in { type: string, value: \"${…}\" }";
        reader.problems.add(mark, &value.path, message, remedy);
        return None;
    }
    let kind = ParamType::of(&value.node.to_json());
    if kind.is_none() {
        let message = "has neither a type nor a value that shows it";
        param.problem(&mut reader.problems, message, remedy);
    }
    kind
}

/// Where an expression stands that the type would depend on.
fn hidden(node: &Node) -> Option<super::node::Mark> {
    match &node.kind {
        Kind::List(nodes) => nodes.iter().find_map(hidden),
        _ => is_expression(node).then_some(node.mark),
    }
}
