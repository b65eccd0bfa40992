//! A step that runs its steps once for each element of a list, or of the
//! product of several lists.

use super::draft::{DraftBody, DraftLoop, DraftRule, Use};
use super::field::{Field, Fields};
use super::loops::{self, Variables};
use super::node::Kind;
use super::reader::Reader;
use super::site::Site;
use crate::template::Template;

/// How many iterations run at once if it is not said.
pub const CONCURRENCY_DEFAULT: u32 = 10;

/// How many iterations may run at once.
const CONCURRENCY_MAX: u64 = 1_000;

/// Reads what a foreach runs over, and its body.
pub(super) fn read(
    step: &Fields<'_>,
    each: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> DraftLoop {
    if loops::is_too_deep(each, reader) {
        let rule = DraftRule::Foreach { concurrency: 1, strict_ordering: false };
        return DraftLoop { variables: Vec::new(), rule, body: DraftBody::default() };
    }
    let (variables, rule) = variables(each, uses, reader);
    let body = loops::body(step, &variables, reader);
    DraftLoop { variables, rule, body }
}

/// The variables with their lists, and how the iterations are run.
fn variables(
    each: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> (Variables, DraftRule) {
    let remedy = "name a variable and its list, as in { year: \"${params.years}\" }";
    let (mut concurrency, mut strict_ordering) = (CONCURRENCY_DEFAULT, false);
    let mut variables = Variables::new();
    if let Some(fields) = each.fields(remedy, &mut reader.problems) {
        for (name, field) in fields.all() {
            match name {
                "concurrency" => {
                    let most = field.whole(1..=CONCURRENCY_MAX, &mut reader.problems);
                    concurrency = most.map_or(concurrency, |most| most as u32);
                }
                "strict_ordering" => {
                    strict_ordering = field.flag(&mut reader.problems).unwrap_or(false);
                }
                name => {
                    loops::check_name(name, &field, reader);
                    variables.push((name.to_owned(), list(&field, uses, reader)));
                }
            }
        }
        loops::check_count(&variables, each, ("there is nothing to loop over", remedy), reader);
    }
    (variables, DraftRule::Foreach { concurrency, strict_ordering })
}

/// The list of one variable: a literal, or an expression.
fn list(field: &Field<'_>, uses: &mut Vec<Use>, reader: &mut Reader<'_>) -> Option<Template> {
    let template = field.template(Site::Plain, uses, &mut reader.problems)?;
    if !matches!(field.node.kind, Kind::List(_)) && !template.is_one_expression() {
        let remedy = "write a list, or one expression, as in \"${params.years}\"";
        field.wrong(&mut reader.problems, "a list", remedy);
    }
    Some(template)
}
