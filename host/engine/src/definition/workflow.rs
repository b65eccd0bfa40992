//! The top of a definition.

use super::body;
use super::draft::Draft;
use super::field::{Field, Fields, Keys};
use super::name::Name;
use super::node::Node;
use super::reader::Reader;
use super::{param, setting, strategy, tags, triggers};

/// The most steps that may run code at once.
const CONCURRENCY_MAX: u64 = 10_000;

const KEYS: Keys = Keys {
    of: "a workflow",
    known: &[
        "workflow",
        "description",
        "owner",
        "tags",
        "run_strategy",
        "step_concurrency",
        "run_step_concurrency",
        "timeout",
        "params",
        "triggers",
        "steps",
        "output",
    ],
    planned: &["grants"],
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
        step_concurrency: concurrency(&fields, "step_concurrency", reader),
        run_step_concurrency: concurrency(&fields, "run_step_concurrency", reader),
        ..Draft::default()
    };
    if let Some(field) = fields.get("tags") {
        draft.tags = Some(tags::read(&field, reader));
    }
    if let Some(field) = fields.get("run_strategy") {
        draft.run_strategy = strategy::read(&field, reader);
    }
    if let Some(field) = fields.get("timeout") {
        draft.timeout = setting::timeout(&field, &mut draft.uses, reader);
    }
    param::read(&fields, &mut draft, reader);
    if let Some(field) = fields.get("triggers") {
        draft.triggers = triggers::read(&field, &mut draft.uses, reader);
    }
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

fn concurrency(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<u32> {
    let most = fields.get(key)?.whole(1..=CONCURRENCY_MAX, &mut reader.problems)?;
    u32::try_from(most).ok()
}

/// Text that only people read.
pub(super) fn text(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<String> {
    let field = fields.get(key)?;
    field.text("write a sentence, or remove the key", &mut reader.problems).map(str::to_owned)
}
