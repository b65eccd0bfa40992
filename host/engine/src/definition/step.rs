//! One step: what all steps have, and the kinds of them. A new kind of step is
//! one more key in [`KINDS`] and [`KEYS`], and one more arm in [`kind`].

use super::draft::{DraftKind, DraftNeed, DraftStep, Use};
use super::field::{Field, Fields, Keys};
use super::name::{NAME_BYTES_MAX, Name};
use super::node::{Kind, shown};
use super::reader::Reader;
use super::workflow::TIMEOUT_MS_MAX;
use super::{foreach, grants, limits, retry};
use std::collections::BTreeSet;

/// The keys that say what a step does, of which it has one.
const KINDS: [&str; 2] = ["component", "foreach"];

const KEYS: Keys = Keys {
    of: "a step",
    known: &[
        "id",
        "component",
        "needs",
        "when",
        "params",
        "retry",
        "timeout",
        "limits",
        "grants",
        "foreach",
        "steps",
        "output",
    ],
    planned: &["tags", "signals", "description"],
};

/// The keys that only steps with a component have.
const ONLY_CALL: [&str; 4] = ["params", "retry", "limits", "grants"];

/// The keys that only steps with a foreach have.
const ONLY_FOREACH: [&str; 2] = ["steps", "output"];

/// Reads one step.
pub(super) fn read(element: &Field<'_>, reader: &mut Reader<'_>) -> Option<DraftStep> {
    let remedy = "write a step as in `- { id: load, component: weather/load@1 }`";
    let mut fields = element.fields(remedy, &mut reader.problems)?;
    let mark = fields.get("id").map_or(fields.mark, |field| field.node.mark);
    let id = id(&mut fields, reader);
    fields.check_keys(&KEYS, &mut reader.problems);
    let mut uses = Vec::new();
    let when = fields.get("when").and_then(|field| {
        let when = field.expression(&mut reader.problems)?;
        uses.push(field.used_by(&when));
        Some(when)
    });
    let needs = needs(&fields, reader);
    let timeout_ms = fields
        .get("timeout")
        .and_then(|field| field.duration_ms(TIMEOUT_MS_MAX, &mut reader.problems));
    let retry =
        fields.get("retry").and_then(|field| retry::read(&field, reader)).unwrap_or_default();
    let kind = kind(&fields, &mut uses, reader);
    Some(DraftStep { id, mark, path: fields.path, needs, when, kind, retry, timeout_ms, uses })
}

/// Reads the id, which from then on names the step in paths.
fn id(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<String> {
    let Some(field) = fields.get("id") else {
        fields.missing("id", "name the step, as in `id: load`", &mut reader.problems);
        return None;
    };
    let id = field.text("name the step, as in \"load\"", &mut reader.problems)?;
    let value = Field { key_mark: field.node.mark, ..field };
    let is_name = Name::Step.check(id, &value, &mut reader.problems);
    if let (true, Some((list, _))) = (is_name, fields.path.rsplit_once('[')) {
        fields.path = format!("{list}.{id}");
    }
    // Others may mean it even if it is no good, unless it is no name at all.
    (id.len() <= NAME_BYTES_MAX).then(|| id.to_owned())
}

/// Reads `needs`: a list of ids, or a map from ids to conditions.
fn needs(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<DraftNeed> {
    let Some(field) = fields.get("needs") else { return Vec::new() };
    if let Kind::Map(_) = field.node.kind {
        let Some(entries) = field.fields("", &mut reader.problems) else { return Vec::new() };
        return entries.all().map(|(id, condition)| need(id, &condition, reader)).collect();
    }
    let remedy = "list the ids of steps, as in [load, clean]";
    let Some(elements) = field.list(remedy, &mut reader.problems) else { return Vec::new() };
    let (mut needs, mut seen) = (Vec::new(), BTreeSet::new());
    for element in elements {
        let Some(id) = element.text("name a step by its id", &mut reader.problems) else {
            continue;
        };
        if !seen.insert(id) {
            let message = format!("{} is there twice", shown(id));
            element.problem(&mut reader.problems, message, "name each step once");
            continue;
        }
        let (mark, path) = (element.node.mark, element.path);
        needs.push(DraftNeed { id: id.to_owned(), mark, path, condition: None });
    }
    needs
}

/// A need with its condition, or with null for none.
fn need(id: &str, field: &Field<'_>, reader: &mut Reader<'_>) -> DraftNeed {
    let condition = match field.node.kind {
        Kind::Null => None,
        _ => field.expression(&mut reader.problems).map(|condition| {
            let used = field.used_by(&condition);
            (condition, used)
        }),
    };
    DraftNeed { id: id.to_owned(), mark: field.key_mark, path: field.path.clone(), condition }
}

fn kind(fields: &Fields<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<DraftKind> {
    let (component, each) = (fields.get("component"), fields.get("foreach"));
    match (component, each) {
        (Some(component), None) => {
            refuse(fields, &ONLY_FOREACH, "belongs to a step with `foreach`", reader);
            Some(call(fields, &component, uses, reader))
        }
        (None, Some(each)) => {
            refuse(fields, &ONLY_CALL, "belongs to the steps inside the foreach", reader);
            Some(foreach::read(fields, &each, uses, reader))
        }
        (Some(_), Some(each)) => {
            let message = "a step has a component or a foreach, not both";
            reader.problems.add(
                each.key_mark,
                &each.path,
                message,
                "put the component into the steps of the foreach",
            );
            None
        }
        (None, None) => {
            let message =
                format!("it is not said what the step does: none of {}", KINDS.join(", "));
            let remedy = "give it a component, as in `component: weather/load@1`";
            reader.problems.add(fields.mark, &fields.path, message, remedy);
            None
        }
    }
}

/// Reports keys that do not belong to this kind of step.
fn refuse(fields: &Fields<'_>, keys: &[&str], message: &str, reader: &mut Reader<'_>) {
    for field in keys.iter().filter_map(|key| fields.get(key)) {
        reader.problems.add(field.key_mark, &field.path, message, "move it there, or remove it");
    }
}

fn call(
    fields: &Fields<'_>,
    component: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> DraftKind {
    let component = reader.component(component);
    let params = fields.get("params").and_then(|field| {
        let template = field.template(uses, &mut reader.problems)?;
        if !matches!(field.node.kind, Kind::Map(_)) && !template.is_one_expression() {
            let message = format!("is {}, expected a map", field.node.described());
            field.problem(
                &mut reader.problems,
                message,
                "write names and values, as in { year: 2012 }",
            );
        }
        Some(template)
    });
    let limits = fields.get("limits").map(|field| limits::read(&field, reader)).unwrap_or_default();
    let grants = fields.get("grants").map(|field| Box::new(grants::read(&field, reader)));
    DraftKind::Call { component, params, limits, grants: grants.unwrap_or_default() }
}
