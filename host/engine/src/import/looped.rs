//! Loops: `foreach` over the product of lists, the first of which varies
//! fastest in both systems, and `while`.

use super::body::Source;
use super::context::{Context, Facts, Own, read};
use super::param::{self, Param, Source as From};
use super::value::Value;
use super::yaml::{Block, Yaml};
use std::collections::BTreeMap;

/// The param that has the loop variables.
pub(super) const LOOP_PARAMS: &str = "loop_params";

/// The most iterations over there.
const ITERATIONS_MAX: i64 = 25_000;

/// Writes a `foreach`.
pub(super) fn foreach(
    context: &mut Context,
    source: &Source<'_>,
    facts: &Facts,
    block: &mut Block,
) {
    let variables = variables(context, source);
    let mut map = Block::default();
    first_values(context, source, &variables, &mut map);
    let concurrency = source.value.get("concurrency").and_then(Value::whole);
    map.put("concurrency", Yaml::whole(concurrency.unwrap_or(context.concurrency)));
    if source.value.get("strict_ordering") == Some(&Value::Bool(true)) {
        map.put("strict_ordering", Yaml::bool(true));
    }
    block.put("foreach", Yaml::Map(map));
    enter(context, source, facts, &variables);
    let steps = context.body(source.value.get("steps").unwrap_or(&Value::Null));
    block.put("steps", Yaml::Steps(steps));
    if let Some(output) = iteration_output(context, source) {
        block.put("output", Yaml::Map(output));
    }
    leave(context);
}

/// Writes a `while`.
pub(super) fn while_loop(
    context: &mut Context,
    source: &Source<'_>,
    facts: &Facts,
    block: &mut Block,
) {
    let variables = variables(context, source);
    let mut values = Block::default();
    first_values(context, source, &variables, &mut values);
    enter(context, source, facts, &variables);
    let place = format!("steps.{}.condition", source.id);
    context.own = Own::of(source.id);
    let condition = source.value.get("condition").and_then(Value::scalar).unwrap_or_default();
    let condition = context.condition(&condition, &place, &format!("{}_goes_on", source.id));
    let mut map = Block::default();
    map.text("condition", condition.unwrap_or_else(|| "true".to_owned()));
    map.put("max_iterations", Yaml::whole(ITERATIONS_MAX));
    map.put_all(values);
    block.put("while", Yaml::Map(map));
    let inner = source.value.get("steps").unwrap_or(&Value::Null);
    let steps = context.body(inner);
    block.put("steps", Yaml::Steps(steps));
    let output = next_values(context, source, &variables);
    if !output.is_empty() {
        block.put("output", Yaml::Map(output));
    }
    leave(context);
}

/// The loop variables as they are written.
fn variables(context: &mut Context, source: &Source<'_>) -> Vec<Param> {
    let place = format!("steps.{}.params", source.id);
    let given = source.value.get("params").and_then(|params| params.get(LOOP_PARAMS));
    let Some(given) = given else {
        context.notes.needs_you(&place, "has no loop_params; say what it loops over");
        return Vec::new();
    };
    let mut notes = std::mem::take(&mut context.notes);
    let read = param::read(LOOP_PARAMS, given, &place, &mut notes);
    context.notes = notes;
    match read.source {
        From::Nested(variables) => variables,
        _ => {
            let text =
                format!("loop_params is computed; write its lists one by one: {}", given.json());
            context.notes.needs_you(&place, text);
            Vec::new()
        }
    }
}

/// Writes the lists, or first values, of the loop variables.
fn first_values(context: &mut Context, source: &Source<'_>, variables: &[Param], map: &mut Block) {
    context.read_own_from(source.id);
    for variable in variables {
        let place = format!("steps.{}.params.{LOOP_PARAMS}.{}", source.id, variable.name);
        let ours = context.variable(&variable.name, &place);
        let rendered = context.render(variable, &place);
        if variable.mode.is_some() {
            context.notes.dropped(&place, "mode: a loop variable is not given from outside");
        }
        map.put_with(&ours, rendered.yaml.unwrap_or(Yaml::List(Vec::new())), rendered.comments);
    }
}

/// Goes into a body: the loop's params and variables can be read there.
fn enter(context: &mut Context, source: &Source<'_>, facts: &Facts, variables: &[Param]) {
    context.read_own_from(source.id);
    let mut layer: BTreeMap<_, _> = std::mem::take(&mut context.own.done);
    layer.retain(|name, _| facts.params.iter().any(|param| param.name == *name));
    for variable in variables {
        let ours = context.variables.of(&variable.name);
        let kind = match source.wrapper {
            "foreach" => variable.kind.element(),
            _ => variable.kind.clone(),
        };
        layer.insert(variable.name.clone(), read(format!("loop.{ours}"), &kind));
    }
    context.layers.push(layer);
    context.path.push(source.id.to_owned());
}

fn leave(context: &mut Context) {
    context.layers.pop();
    context.path.pop();
    context.own = Own::default();
}

/// What others read of each iteration.
fn iteration_output(context: &mut Context, source: &Source<'_>) -> Option<Block> {
    let wanted: Vec<_> =
        context.known.iterations.iter().filter(|(id, ..)| id == source.id).cloned().collect();
    let mut output = Block::default();
    for (_, inner, name) in &wanted {
        let Some(facts) = context.steps.get(inner).cloned() else { continue };
        let Some(param) = facts.params.iter().find(|param| param.name == *name) else { continue };
        let ours = context.variables.of(name);
        let field = context.iteration_field(inner, name);
        let value = facts.read(&ours, param).text;
        output.put(&field, Yaml::Text(format!("${{default({value}, null)}}")));
    }
    (!wanted.is_empty()).then_some(output)
}

/// The next values of the variables of a `while`: the params of the same name
/// of a step inside.
fn next_values(context: &mut Context, source: &Source<'_>, variables: &[Param]) -> Block {
    let mut output = Block::default();
    let path = [context.path.as_slice(), &[]].concat();
    let inner = source.value.get("steps").map(Value::elements).unwrap_or_default();
    for variable in variables {
        let place = format!("steps.{}.params.{LOOP_PARAMS}.{}", source.id, variable.name);
        let mut givers: Vec<_> = context
            .steps
            .iter()
            .filter(|(_, facts)| facts.path == path)
            .filter_map(|(id, facts)| {
                let param = facts.params.iter().find(|param| param.name == variable.name)?;
                Some((id.clone(), facts.clone(), param.clone()))
            })
            .collect();
        let order = |id: &str| {
            inner.iter().position(|step| {
                step.entries()
                    .iter()
                    .any(|(_, step)| step.get("id").and_then(Value::text) == Some(id))
            })
        };
        givers.sort_by_key(|(id, ..)| order(id));
        if givers.len() > 1 {
            let ids: Vec<_> = givers.iter().map(|(id, ..)| id.as_str()).collect();
            let text = format!(
                "several steps give its next value ({}); the last counts here",
                ids.join(", ")
            );
            context.notes.needs_you(&place, text);
        }
        let Some((id, facts, param)) = givers.pop() else {
            context
                .notes
                .needs_you(&place, "no step inside gives its next value, so it stays as it is");
            continue;
        };
        context.wanted.params.insert((id, param.name.clone()));
        let ours = context.variables.of(&param.name);
        let value = facts.read(&ours, &param).text;
        let has_conditions = inner.iter().any(has_condition);
        let value = match has_conditions {
            true => format!("default({value}, loop.{ours})"),
            false => value,
        };
        output.put(&ours, Yaml::Text(format!("${{{value}}}")));
    }
    output
}

/// Whether a step is followed by another only on a condition.
fn has_condition(element: &Value) -> bool {
    let successors = |step: &Value| {
        let successors = step.get("transition")?.get("successors")?.entries();
        Some(successors.iter().any(|(_, condition)| condition.text().is_some_and(|c| c != "true")))
    };
    element.entries().iter().any(|(_, step)| successors(step).unwrap_or(false))
}
