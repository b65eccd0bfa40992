//! What both kinds of loops have: variables, and steps that run in each
//! iteration.

use super::body;
use super::draft::DraftBody;
use super::field::{Field, Fields};
use super::name::Name;
use super::node::shown;
use super::reader::Reader;
use crate::template::Template;

/// How deep loops may be nested.
const NESTING_MAX: usize = 10;

/// The most variables of a loop.
const VARIABLES_MAX: usize = 8;

/// The variables of a loop, each with its list or its first value.
pub(super) type Variables = Vec<(String, Option<Template>)>;

/// Whether there are as many loops around `field` as may be; reports it if so.
pub(super) fn is_too_deep(field: &Field<'_>, reader: &mut Reader<'_>) -> bool {
    let is_too_deep = reader.loops == NESTING_MAX;
    if is_too_deep {
        let message = format!("loops are nested deeper than {NESTING_MAX}");
        field.problem(&mut reader.problems, message, "use one loop over several lists");
    }
    is_too_deep
}

/// Checks the name of a variable.
pub(super) fn check_name(name: &str, field: &Field<'_>, reader: &mut Reader<'_>) {
    Name::Variable.check(name, field, &mut reader.problems);
    if reader.loop_variables.iter().any(|outer| outer == name) {
        let message = format!("a loop around this one has a variable {} already", shown(name));
        reader.problems.add(field.key_mark, &field.path, message, "give this one another name");
    }
}

/// Checks how many variables there are; `missing` says what is wrong with none.
pub(super) fn check_count(
    variables: &Variables,
    field: &Field<'_>,
    missing: (&str, &str),
    reader: &mut Reader<'_>,
) {
    if variables.is_empty() {
        field.problem(&mut reader.problems, missing.0, missing.1);
    }
    if variables.len() > VARIABLES_MAX {
        let message = format!("there are more than {VARIABLES_MAX} variables");
        field.problem(&mut reader.problems, message, "use one variable that holds a map");
    }
}

/// Reads what runs in each iteration of a loop with these variables.
pub(super) fn body(step: &Fields<'_>, variables: &Variables, reader: &mut Reader<'_>) -> DraftBody {
    let outer = reader.loop_variables.len();
    reader.loop_variables.extend(variables.iter().map(|(name, _)| name.clone()));
    reader.loops += 1;
    let body = body::read(step, reader);
    reader.loops -= 1;
    reader.loop_variables.truncate(outer);
    body
}
