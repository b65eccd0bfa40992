//! A step that runs another workflow: `workflow: other-report`.

use super::draft::{DraftSubworkflow, Use};
use super::field::{Field, Fields};
use super::name::Name;
use super::node::Kind;
use super::reader::Reader;
use super::setting;
use super::site::Site;
use crate::template::Template;
use serde_json::json;

/// The versions that go by a name.
const VERSIONS: [&str; 3] = ["active", "latest", "default"];

/// Reads which workflow it is, and how it is run.
pub(super) fn read(
    step: &Fields<'_>,
    workflow: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> DraftSubworkflow {
    let flag = |key: &str, otherwise: bool, reader: &mut Reader<'_>| {
        step.get(key).and_then(|field| field.flag(&mut reader.problems)).unwrap_or(otherwise)
    };
    let version = match step.get("version") {
        Some(field) => version(&field, uses, reader),
        None => Template::compile(&json!("default")).ok(),
    };
    DraftSubworkflow {
        workflow: name(workflow, uses, reader),
        version,
        sync: flag("sync", true, reader),
        explicit_params: flag("explicit_params", false, reader),
    }
}

fn name(field: &Field<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<Template> {
    let remedy = "name a workflow, as in \"seattle-report\"";
    let text = field.text(remedy, &mut reader.problems)?;
    if !setting::is_computed(field) {
        let value = Field { node: field.node, key_mark: field.node.mark, path: field.path.clone() };
        Name::Workflow.check(text, &value, &mut reader.problems);
    }
    field.template(Site::Work, uses, &mut reader.problems)
}

fn version(field: &Field<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<Template> {
    match field.node.kind {
        Kind::Number(_) => {
            field.whole(1..=u64::MAX, &mut reader.problems)?;
        }
        _ if setting::is_computed(field) => {}
        Kind::Text(ref text) if VERSIONS.contains(&text.as_str()) => {}
        _ => {
            let remedy =
                format!("write a number without quotes, or one of {}", VERSIONS.join(", "));
            field.wrong(&mut reader.problems, "a version", &remedy);
            return None;
        }
    }
    field.template(Site::Work, uses, &mut reader.problems)
}
