//! A step that runs its steps once for each element of a list, or of the
//! product of several lists.

use super::body;
use super::draft::{DraftBody, DraftKind, Use};
use super::field::{Field, Fields};
use super::name::Name;
use super::node::{Kind, shown};
use super::reader::Reader;
use crate::template::Template;

/// How many iterations run at once if it is not said.
pub const CONCURRENCY_DEFAULT: u32 = 10;

/// How many iterations may run at once.
const CONCURRENCY_MAX: u64 = 1_000;

/// How deep loops may be nested.
const NESTING_MAX: usize = 8;

/// The most variables of a loop.
const VARIABLES_MAX: usize = 8;

/// Reads what a foreach runs over, and its body.
pub(super) fn read(
    step: &Fields<'_>,
    each: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> DraftKind {
    if reader.loops == NESTING_MAX {
        let message = format!("loops are nested deeper than {NESTING_MAX}");
        each.problem(&mut reader.problems, message, "use one loop over several lists");
        let body = DraftBody::default();
        return DraftKind::Foreach { variables: Vec::new(), concurrency: 1, body };
    }
    let (variables, concurrency) = variables(each, uses, reader);
    let outer = reader.loop_variables.len();
    reader.loop_variables.extend(variables.iter().map(|(name, _)| name.clone()));
    reader.loops += 1;
    let body = body::read(step, reader);
    reader.loops -= 1;
    reader.loop_variables.truncate(outer);
    DraftKind::Foreach { variables, concurrency, body }
}

/// The variables with their lists, and how many iterations run at once.
fn variables(
    each: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> (Vec<(String, Option<Template>)>, u32) {
    let remedy = "name a variable and its list, as in { year: \"${params.years}\" }";
    let mut variables = Vec::new();
    let mut concurrency = CONCURRENCY_DEFAULT;
    let Some(fields) = each.fields(remedy, &mut reader.problems) else {
        return (variables, concurrency);
    };
    for (name, field) in fields.all() {
        if name == "concurrency" {
            let most = field.whole(1..=CONCURRENCY_MAX, &mut reader.problems);
            concurrency = most.map_or(concurrency, |most| most as u32);
            continue;
        }
        Name::Variable.check(name, &field, &mut reader.problems);
        if reader.loop_variables.iter().any(|outer| outer == name) {
            let message = format!("a loop around this one has a variable {} already", shown(name));
            reader.problems.add(field.key_mark, &field.path, message, "give this one another name");
        }
        variables.push((name.to_owned(), list(&field, uses, reader)));
    }
    if variables.is_empty() {
        each.problem(&mut reader.problems, "there is nothing to loop over", remedy);
    }
    if variables.len() > VARIABLES_MAX {
        let message = format!("there are more than {VARIABLES_MAX} variables");
        each.problem(&mut reader.problems, message, "loop over a list of maps");
    }
    (variables, concurrency)
}

/// The list of one variable: a literal, or an expression.
fn list(field: &Field<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<Template> {
    let template = field.template(uses, &mut reader.problems)?;
    if !matches!(field.node.kind, Kind::List(_)) && !template.is_one_expression() {
        let message = format!("is {}, expected a list", field.node.described());
        let remedy = "write a list, or one expression, as in \"${params.years}\"";
        field.problem(&mut reader.problems, message, remedy);
    }
    Some(template)
}
