//! A schedule by itself, as somebody writes it down: the keys of an entry of
//! `triggers:`, and which workflow it starts.

use super::field::{Field, Fields, Keys};
use super::problem::{Problem, Problems};
use super::{source, triggers};
use crate::id::Timestamp;
use crate::schedule::Schedule;
use chrono::DateTime;
use serde_json::Value;

const KEYS: Keys = Keys {
    of: "a schedule",
    known: &[
        "name",
        "workflow",
        "version",
        "paused",
        "note",
        "cron",
        "every",
        "timezone",
        "start",
        "end",
        "jitter",
        "overlap",
        "catch_up",
        "ambiguous",
        "params",
    ],
    planned: &[],
};

/// A schedule by itself.
#[derive(Clone, Debug)]
pub struct ScheduleDocument {
    /// Its name.
    pub name: Option<String>,
    /// The workflow whose runs it starts.
    pub workflow: Option<String>,
    /// Which version of it: a number or a word.
    pub version: Option<String>,
    /// Whether it is paused, if that is said.
    pub paused: Option<bool>,
    /// What it is for.
    pub note: Option<String>,
    /// When it fires, and what follows.
    pub schedule: Schedule,
}

/// The schedule that `text` says, in YAML or JSON. It has to have the keys that
/// are `needed`.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn read(text: &str, needed: &[&str]) -> Result<ScheduleDocument, Vec<Problem>> {
    let mut problems = Problems::default();
    let Some(root) = source::read(text, &mut problems) else { return Err(problems.finish()) };
    let root = Field::root(&root);
    let remedy = "write a map, as in { cron: \"0 6 * * *\" }";
    let Some(fields) = root.fields(remedy, &mut problems) else { return Err(problems.finish()) };
    fields.check_keys(&KEYS, &mut problems);
    for key in needed.iter().filter(|key| fields.get(key).is_none()) {
        fields.missing(key, &format!("add `{key}: …`"), &mut problems);
    }
    let mut text = |key: &str| {
        let field = fields.get(key)?;
        field.text("write a text, or remove the key", &mut problems).map(str::to_owned)
    };
    let (name, workflow, note) = (text("name"), text("workflow"), text("note"));
    let version = version(&fields, &mut problems);
    let paused = fields.get("paused").and_then(|field| field.flag(&mut problems));
    let schedule = triggers::alone(&fields, &mut problems);
    match schedule {
        Some(schedule) if problems.is_empty() => {
            Ok(ScheduleDocument { name, workflow, version, paused, note, schedule })
        }
        _ => Err(problems.finish()),
    }
}

/// The moment that a text in RFC 3339 says, with any offset.
pub fn read_moment(text: &str) -> Option<Timestamp> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(moment.timestamp_millis()).ok().map(Timestamp)
}

fn version(fields: &Fields<'_>, problems: &mut Problems) -> Option<String> {
    let field = fields.get("version")?;
    match field.node.to_json() {
        Value::Number(number) if number.as_u64().is_some_and(|number| number > 0) => {
            Some(number.to_string())
        }
        Value::String(word) if ["latest", "active", "default"].contains(&word.as_str()) => {
            Some(word)
        }
        _ => {
            field.wrong(problems, "a version", "write a number, latest, active or default");
            None
        }
    }
}
