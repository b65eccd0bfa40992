//! One step: what all steps have. What they do is `kind`'s.

use super::draft::{DraftNeed, DraftStep};
use super::field::{Field, Fields, Keys};
use super::kind::StepKeys;
use super::name::{NAME_BYTES_MAX, Name};
use super::node::{Kind, shown};
use super::reader::Reader;
use super::workflow::text;
use super::{outputs, retry, setting, signals, step_param, tags};
use crate::workflow::FailureMode;
use std::collections::BTreeSet;

const KEYS: Keys = Keys {
    of: "a step",
    known: &[
        "id",
        "description",
        "component",
        "foreach",
        "while",
        "workflow",
        "sleep",
        "wait",
        "noop",
        "needs",
        "when",
        "params",
        "outputs",
        "signals",
        "retry",
        "timeout",
        "heartbeat_timeout",
        "failure_mode",
        "tags",
        "limits",
        "grants",
        "version",
        "sync",
        "explicit_params",
        "steps",
        "output",
    ],
    planned: &[],
};

/// What a failure means for the run, as authors write it.
const FAILURE_MODES: [(&str, FailureMode); 3] = [
    ("fail_after_running", FailureMode::FailAfterRunning),
    ("fail_immediately", FailureMode::FailImmediately),
    ("ignore_failure", FailureMode::IgnoreFailure),
];

/// Reads one step.
pub(super) fn read(element: &Field<'_>, reader: &mut Reader<'_>) -> Option<DraftStep> {
    let remedy = "write a step as in `- { id: load, component: weather/load@1 }`";
    let mut fields = element.fields(remedy, &mut reader.problems)?;
    let mark = fields.get("id").map_or(fields.mark, |field| field.node.mark);
    let id = id(&mut fields, reader);
    fields.check_keys(&KEYS, &mut reader.problems);
    let keys = StepKeys::of(&fields, reader);
    let mut uses = Vec::new();
    let when = fields.get("when").and_then(|field| {
        let when = field.expression(&mut reader.problems)?;
        uses.push(field.used_by(&when));
        Some(when)
    });
    let needs = needs(&fields, reader);
    let timeout = fields.get("timeout");
    let timeout = timeout.and_then(|field| setting::timeout(&field, &mut uses, reader));
    let heartbeat_timeout = keys.get("heartbeat_timeout");
    let heartbeat_timeout =
        heartbeat_timeout.and_then(|field| setting::timeout(&field, &mut uses, reader));
    let retry = keys.get("retry").and_then(|field| retry::read(&field, &mut uses, reader));
    let params = keys.get("params").and_then(|field| step_param::read(&field, &mut uses, reader));
    let outputs =
        keys.get("outputs").and_then(|field| outputs::read(&field, params.as_ref(), reader));
    let signals = fields.get("signals");
    let signals = signals.and_then(|field| signals::read(&field, &mut uses, reader));
    let tags = keys.get("tags").map(|field| tags::read(&field, reader));
    let kind = keys.read(&mut uses, reader);
    Some(DraftStep {
        id,
        mark,
        needs,
        when,
        kind,
        params,
        outputs,
        signals,
        retry: retry.unwrap_or_default(),
        timeout,
        heartbeat_timeout,
        failure_mode: failure_mode(&fields, reader),
        tags: tags.unwrap_or_default(),
        description: text(&fields, "description", reader),
        uses,
        path: fields.path,
    })
}

fn failure_mode(fields: &Fields<'_>, reader: &mut Reader<'_>) -> FailureMode {
    let names = FAILURE_MODES.map(|(name, _)| name);
    let field = fields.get("failure_mode");
    let place = field.and_then(|field| field.choice(&names, &mut reader.problems));
    place.map(|place| FAILURE_MODES[place].1).unwrap_or_default()
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
