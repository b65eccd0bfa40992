//! A graph of steps: that of a workflow, or of a loop.

use super::draft::{DraftBody, DraftStep};
use super::field::Fields;
use super::reader::Reader;
use super::site::Site;
use super::step;

/// The most steps in a definition, in all its bodies together.
const STEPS_MAX: usize = 1_000;

/// Reads `steps` and `output`.
pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> DraftBody {
    let steps = steps(fields, reader);
    let mut uses = Vec::new();
    let output = fields
        .get("output")
        .and_then(|field| field.template(Site::Plain, &mut uses, &mut reader.problems));
    DraftBody { steps, output, uses }
}

fn steps(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<DraftStep> {
    let remedy = "list at least one step, as in `- { id: load, component: weather/load@1 }`";
    let Some(field) = fields.get("steps") else {
        fields.missing("steps", remedy, &mut reader.problems);
        return Vec::new();
    };
    let Some(elements) = field.list(remedy, &mut reader.problems) else { return Vec::new() };
    if elements.is_empty() {
        field.problem(&mut reader.problems, "there are no steps", remedy);
    }
    let mut steps = Vec::new();
    for element in &elements {
        reader.steps += 1;
        if reader.steps == STEPS_MAX + 1 {
            let message = format!("there are more than {STEPS_MAX} steps");
            element.problem(&mut reader.problems, message, "use a foreach, or several workflows");
        }
        if reader.steps > STEPS_MAX {
            break;
        }
        steps.extend(step::read(element, reader));
    }
    steps
}
