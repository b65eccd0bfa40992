//! Types and modes of params, and whether a value that is written down is of its
//! type. What an expression gives is known only in a run.

use super::field::{Field, Fields};
use super::node::{Kind, Mark, Node, shown};
use super::reader::Reader;
use crate::params::TYPE_NAMES;
use crate::template::Template;
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
    let mut place = String::new();
    if let Err(mistake) = accepts(kind, value.node, &mut place) {
        let mistake = if place.is_empty() { mistake } else { format!("{place} {mistake}") };
        let remedy = format!("give a value of type {kind}, or correct the type");
        value.problem(&mut reader.problems, mistake, remedy);
    }
}

/// Leaves the way to the mistake in `place`.
fn accepts(kind: &ParamType, node: &Node, place: &mut String) -> Result<(), String> {
    match (kind, &node.kind) {
        (ParamType::List(element), Kind::List(nodes)) => {
            let mut nodes = nodes.iter().enumerate();
            nodes
                .try_for_each(|(number, node)| inside(&format!("[{number}]"), element, node, place))
        }
        (ParamType::Map(inner), Kind::Map(entries)) => entries.iter().try_for_each(|entry| {
            inside(&format!("[{:?}]", entry.key), inner, &entry.value, place)
        }),
        (ParamType::Json, _) => Ok(()),
        _ if is_expression(node, true) => Ok(()),
        (_, Kind::List(_)) => kind.accepts(&Value::Array(Vec::new())),
        (_, Kind::Map(_)) => kind.accepts(&Value::Object(serde_json::Map::new())),
        _ => kind.accepts(&node.to_json()),
    }
}

fn inside(way: &str, kind: &ParamType, node: &Node, place: &mut String) -> Result<(), String> {
    let before = place.len();
    place.push_str(way);
    accepts(kind, node, place)?;
    place.truncate(before);
    Ok(())
}

/// Whether the value is that of one expression, and so of any type; `or_broken`
/// if it is none because something is wrong with it, which is reported where it
/// is compiled.
fn is_expression(node: &Node, or_broken: bool) -> bool {
    let Kind::Text(text) = &node.kind else { return false };
    text.contains("${")
        && Template::compile(&node.to_json())
            .map_or(or_broken, |template| template.is_one_expression())
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
fn hidden(node: &Node) -> Option<Mark> {
    match &node.kind {
        Kind::List(nodes) => nodes.iter().find_map(hidden),
        _ => is_expression(node, false).then_some(node.mark),
    }
}
