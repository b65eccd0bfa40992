//! The top of a definition.

use super::body;
use super::draft::Draft;
use super::field::{Field, Fields, Keys};
use super::name::Name;
use super::node::Node;
use super::param;
use super::reader::Reader;

/// The longest time-out of a workflow or a step: 120 days.
pub(super) const TIMEOUT_MS_MAX: u64 = 120 * 24 * 60 * 60 * 1_000;

const KEYS: Keys = Keys {
    of: "a workflow",
    known: &["workflow", "description", "owner", "params", "timeout", "steps", "output"],
    planned: &["run_strategy", "triggers", "grants", "tags"],
};

/// Reads a whole definition.
pub(super) fn read(root: &Node, reader: &mut Reader<'_>) -> Draft {
    let root = Field::root(root);
    let remedy = "begin with `workflow: <name>` and `steps:`";
    let Some(fields) = root.fields(remedy, &mut reader.problems) else { return Draft::default() };
    fields.check_keys(&KEYS, &mut reader.problems);
    let mut draft = Draft {
        name: name(&fields, reader),
        description: text(&fields, "description", reader),
        owner: text(&fields, "owner", reader),
        timeout_ms: fields
            .get("timeout")
            .and_then(|field| field.duration_ms(TIMEOUT_MS_MAX, &mut reader.problems)),
        ..Draft::default()
    };
    param::read(&fields, &mut draft, reader);
    draft.body = body::read(&fields, reader);
    draft
}

fn name(fields: &Fields<'_>, reader: &mut Reader<'_>) -> String {
    let Some(field) = fields.get("workflow") else {
        fields.missing(
            "workflow",
            "name the workflow, as in `workflow: seattle-report`",
            &mut reader.problems,
        );
        return String::new();
    };
    let Some(name) =
        field.text("name the workflow, as in \"seattle-report\"", &mut reader.problems)
    else {
        return String::new();
    };
    let value = Field { key_mark: field.node.mark, ..field };
    Name::Workflow.check(name, &value, &mut reader.problems);
    name.to_owned()
}

/// Text that only people read.
pub(super) fn text(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<String> {
    let field = fields.get(key)?;
    field.text("write a sentence, or remove the key", &mut reader.problems).map(str::to_owned)
}
