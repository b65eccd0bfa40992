//! The params of a step: `year: ${params.year}`, a value as it is, or
//! `year: { type: int, value: "${params.year}", mode: immutable }`, a
//! declaration. A map is one if `type` and `value` are in it and nothing that a
//! declaration does not have.

use super::circle::{self, Named};
use super::draft::Use;
use super::field::{Field, Fields};
use super::node::{Kind, Node};
use super::reader::Reader;
use super::site::Site;
use super::typed;
use super::workflow::text;
use crate::expression::References;
use crate::template::Template;
use crate::workflow::{ParamMode, StepParam, StepParams};

/// The keys that make a map a declaration, and those that it may have besides.
const KEYS: ([&str; 2], [&str; 2]) = (["type", "value"], ["mode", "description"]);

/// Reads `params`.
pub(super) fn read(
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<StepParams> {
    let compiled = Template::compile_located(&field.node.to_json());
    if let Kind::Map(entries) = &field.node.kind {
        let expressions = match &compiled {
            Ok(template) => template.expressions(),
            Err(broken) => &broken.expressions,
        };
        let is_each = entries.iter().any(|entry| is_declaration(&entry.value))
            || expressions.iter().any(|(_, expression)| reads_own(expression.references()));
        if is_each {
            let fields = field.fields("", &mut reader.problems)?;
            return each(&fields, field, uses, reader).map(StepParams::Each);
        }
    }
    let template = field.compiled(compiled, Site::Plain, uses, &mut reader.problems)?;
    if !matches!(field.node.kind, Kind::Map(_)) && !template.is_one_expression() {
        let remedy = "write names and values, as in { year: 2012 }";
        field.wrong(&mut reader.problems, "a map", remedy);
    }
    Some(StepParams::Whole(template))
}

fn reads_own(references: &References) -> bool {
    references.reads_own || !references.own.is_empty()
}

fn is_declaration(node: &Node) -> bool {
    let Kind::Map(entries) = &node.kind else { return false };
    let (needed, others) = KEYS;
    needed.iter().all(|key| entries.iter().any(|entry| entry.key == *key))
        && entries.iter().all(|entry| needed.iter().chain(&others).any(|key| *key == entry.key))
}

/// Reads the params one by one, into an order in which each can be evaluated.
fn each(
    fields: &Fields<'_>,
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Vec<StepParam>> {
    let names: Vec<&str> = fields.all().map(|(name, _)| name).collect();
    if names.len() > circle::VALUES_MAX {
        let most = circle::VALUES_MAX;
        let message =
            format!("there are {} params, at most {most} with types or `self`", names.len());
        field.problem(&mut reader.problems, message, "put several into one map");
        return None;
    }
    let (mut params, mut named) = (Vec::new(), Vec::new());
    for (name, field) in fields.all() {
        let mut own = Vec::new();
        params.push(param(name, &field, &mut own, reader));
        check_own(&own, &names, reader);
        named.push(Named::of_own((name, field.node.mark, field.path), &own));
        uses.append(&mut own);
    }
    let order = circle::sort(&named, &mut reader.problems);
    order.into_iter().map(|place| params[place].take()).collect()
}

fn param(
    name: &str,
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<StepParam> {
    if name.contains("${") {
        let message = "the name of a param is not evaluated";
        reader.problems.add(field.key_mark, &field.path, message, "write a plain name");
    }
    let made = |kind, value: Option<Template>, mode| {
        Some(StepParam { name: name.to_owned(), kind, value: value?, mode })
    };
    if !is_declaration(field.node) {
        let value = field.template(Site::StepParam, uses, &mut reader.problems);
        return made(None, value, ParamMode::default());
    }
    let fields = field.fields("", &mut reader.problems)?;
    let kind = fields.get("type").and_then(|kind| typed::kind(&kind, reader));
    let value = fields.get("value").and_then(|value| {
        if let Some(kind) = &kind {
            typed::check(&value, kind, reader);
        }
        value.template(Site::StepParam, uses, &mut reader.problems)
    });
    let mode = typed::mode(&fields, reader);
    text(&fields, "description", reader);
    made(kind, value, mode)
}

/// Reports params of the same step that are not there.
fn check_own(uses: &[Use], names: &[&str], reader: &mut Reader<'_>) {
    for used in uses {
        for name in used.references.own.iter().filter(|name| !names.contains(&name.as_str())) {
            let remedy = reader.problems.did_you_mean(name, None, || names.to_vec());
            let message = format!("unknown param self.{name} of this step");
            reader.problems.add(used.mark, &used.path, message, remedy);
        }
    }
}
