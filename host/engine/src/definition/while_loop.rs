//! A step that runs its steps again and again while a condition holds.

use super::draft::{DraftBody, DraftLoop, DraftRule, Use};
use super::field::{Field, Fields};
use super::loops::{self, Variables};
use super::reader::Reader;
use super::site::Site;
use crate::settle::ITERATIONS_MAX;

/// The most iterations if it is not said.
pub const MAX_ITERATIONS_DEFAULT: u32 = 1_000;

/// Reads the condition of a while, its variables, and its body.
pub(super) fn read(
    step: &Fields<'_>,
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> DraftLoop {
    if loops::is_too_deep(field, reader) {
        let rule = DraftRule::While { condition: None, max_iterations: 1 };
        return DraftLoop { variables: Vec::new(), rule, body: DraftBody::default() };
    }
    let (variables, rule) = variables(field, uses, reader);
    let body = loops::body(step, &variables, reader);
    DraftLoop { variables, rule, body }
}

/// The variables with their first values, and how long the loop goes on.
fn variables(
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> (Variables, DraftRule) {
    let remedy = "write a condition and what changes, as in { condition: \"loop.n < 3\", n: 0 }";
    let (mut condition, mut max_iterations) = (None, MAX_ITERATIONS_DEFAULT);
    let mut variables = Variables::new();
    if let Some(fields) = field.fields(remedy, &mut reader.problems) {
        if fields.get("condition").is_none() {
            fields.missing("condition", remedy, &mut reader.problems);
        }
        for (name, field) in fields.all() {
            match name {
                "condition" => {
                    condition = field.expression(&mut reader.problems).map(|condition| {
                        let used = field.used_by(&condition);
                        Box::new((condition, used))
                    });
                }
                "max_iterations" => {
                    let most = field.whole(1..=ITERATIONS_MAX as u64, &mut reader.problems);
                    max_iterations = most.map_or(max_iterations, |most| most as u32);
                }
                name => {
                    loops::check_name(name, &field, reader);
                    let first = field.template(Site::Plain, uses, &mut reader.problems);
                    variables.push((name.to_owned(), first));
                }
            }
        }
        let missing = "there is no loop variable, so the condition never changes";
        loops::check_count(&variables, field, (missing, remedy), reader);
    }
    (variables, DraftRule::While { condition, max_iterations })
}
