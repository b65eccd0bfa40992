//! What a step does: the kinds of steps, each with the key that says so, and the
//! keys that only some of them have. A new kind is one more word in [`KINDS`],
//! a mention in [`OWNED`] of what it has, and one more arm in [`read`].

use super::draft::{DraftKind, Use};
use super::field::{Field, Fields};
use super::reader::Reader;
use super::{foreach, grants, limits, subworkflow, wait, while_loop};

/// The keys that say what a step does, of which it has one.
const KINDS: [&str; 7] = ["component", "foreach", "while", "workflow", "sleep", "wait", "noop"];

/// The keys that only steps of some kinds have.
const OWNED: [(&str, &[&str]); 12] = [
    ("params", &["component", "workflow", "sleep", "wait", "noop"]),
    ("outputs", &["component", "workflow"]),
    ("retry", &["component", "workflow", "sleep", "wait", "noop"]),
    ("limits", &["component"]),
    ("grants", &["component"]),
    ("heartbeat_timeout", &["component"]),
    ("tags", &["component"]),
    ("version", &["workflow"]),
    ("sync", &["workflow"]),
    ("explicit_params", &["workflow"]),
    ("steps", &["foreach", "while"]),
    ("output", &["foreach", "while"]),
];

/// The kind of a step, and the keys that it may have.
pub(super) struct StepKeys<'f, 'n> {
    fields: &'f Fields<'n>,
    kind: Option<&'static str>,
}

impl<'f, 'n> StepKeys<'f, 'n> {
    /// Finds the one key that says what the step does; reports others, and
    /// those that do not belong to it.
    pub(super) fn of(fields: &'f Fields<'n>, reader: &mut Reader<'_>) -> Self {
        let said = fields.all().filter_map(|(key, field)| {
            KINDS.iter().find(|kind| **kind == key).map(|kind| (*kind, field))
        });
        let said: Vec<(&'static str, Field<'_>)> = said.collect();
        let Some((kind, _)) = said.first() else {
            let message =
                format!("it is not said what the step does: none of {}", KINDS.join(", "));
            let remedy = "give it a component, as in `component: weather/load@1`";
            reader.problems.add(fields.mark, &fields.path, message, remedy);
            return Self { fields, kind: None };
        };
        for (_, other) in said.iter().skip(1) {
            let message = format!("a step does one thing, and this one has `{kind}` already");
            let remedy = "make two steps of it";
            reader.problems.add(other.key_mark, &other.path, message, remedy);
        }
        for (key, kinds) in OWNED {
            let is_owned = said.iter().any(|(kind, _)| kinds.contains(kind));
            if let Some(field) = fields.get(key).filter(|_| !is_owned) {
                let message = format!("belongs to a step with {}", alternatives(kinds));
                let remedy = "move it there, or remove it";
                reader.problems.add(field.key_mark, &field.path, message, remedy);
            }
        }
        Self { fields, kind: Some(kind) }
    }

    /// The value at a key that steps of this kind have.
    pub(super) fn get(&self, key: &str) -> Option<Field<'n>> {
        let (_, kinds) = OWNED.iter().find(|(owned, _)| *owned == key)?;
        self.kind.filter(|kind| kinds.contains(kind)).and_then(|_| self.fields.get(key))
    }

    /// Reads what the step does.
    pub(super) fn read(&self, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<DraftKind> {
        let kind = self.kind?;
        let field = self.fields.get(kind)?;
        Some(match kind {
            "component" => self.call(&field, reader),
            "foreach" => {
                DraftKind::Loop(Box::new(foreach::read(self.fields, &field, uses, reader)))
            }
            "while" => {
                DraftKind::Loop(Box::new(while_loop::read(self.fields, &field, uses, reader)))
            }
            "workflow" => {
                DraftKind::Subworkflow(subworkflow::read(self.fields, &field, uses, reader))
            }
            "sleep" => DraftKind::Sleep(wait::sleep(&field, uses, reader)),
            "wait" => wait::signal(&field, uses, reader),
            _ => {
                if field.flag(&mut reader.problems) == Some(false) {
                    let message = "a step that does not do nothing does something else";
                    field.problem(&mut reader.problems, message, "write `noop: true`");
                }
                DraftKind::Noop
            }
        })
    }

    fn call(&self, component: &Field<'_>, reader: &mut Reader<'_>) -> DraftKind {
        let component = reader.component(component);
        let limits = self.get("limits").map(|field| limits::read(&field, reader));
        let grants = self.get("grants").map(|field| Box::new(grants::read(&field, reader)));
        DraftKind::Call {
            component,
            limits: limits.unwrap_or_default(),
            grants: grants.unwrap_or_default(),
        }
    }
}

/// The kinds as in "`a`, `b` or `c`".
fn alternatives(kinds: &[&str]) -> String {
    let quoted: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
