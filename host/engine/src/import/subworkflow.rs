//! Steps that run another workflow.

use super::body::Source;
use super::context::{Context, Facts};
use super::name::Rule;
use super::param::Param;
use super::value::Value;
use super::yaml::{Block, Yaml};
use std::collections::BTreeMap;

const ID: &str = "subworkflow_id";
const VERSION: &str = "subworkflow_version";

/// Whether the param says which workflow runs, and so is no param here.
pub(super) fn is_target(param: &str) -> bool {
    param == ID || param == VERSION
}

/// Writes the kind of such a step, and its params.
pub(super) fn write(context: &mut Context, source: &Source<'_>, facts: &Facts, block: &mut Block) {
    let place = format!("steps.{}", source.id);
    let rendered = context.inline_param(source.id, &facts.params, ID);
    let literal = rendered.as_ref().and_then(|r| r.term.as_ref()?.literal.clone());
    let name = match (literal, rendered.and_then(|rendered| rendered.yaml)) {
        (Some(name), _) => {
            let ours = Rule::Workflow.fitted(&name);
            if ours != name {
                context
                    .notes
                    .translated(&place, format!("the workflow {name} is called {ours} here"));
            }
            Yaml::Text(ours)
        }
        (None, Some(yaml)) => {
            let text =
                "the name of the workflow is computed; see that it gives names as they are here";
            context.notes.needs_you(&format!("{place}.params.{ID}"), text);
            yaml
        }
        (None, None) => {
            let text = "says no workflow; name one";
            context.notes.needs_you(&format!("{place}.params.{ID}"), text);
            Yaml::Text("unknown".to_owned())
        }
    };
    block.put("workflow", name);
    let version = facts.params.iter().any(|param| param.name == VERSION);
    let version =
        version.then(|| context.inline_param(source.id, &facts.params, VERSION)).flatten();
    let version = version.and_then(|rendered| rendered.yaml);
    block.put(
        "version",
        match version {
            Some(Yaml::Text(text)) => match text.parse() {
                Ok(number) => Yaml::whole(number),
                Err(_) if text.contains("${") => Yaml::Text(text),
                Err(_) => Yaml::Text(text.to_ascii_lowercase()),
            },
            Some(other) => other,
            None => Yaml::Text("active".to_owned()),
        },
    );
    for key in ["sync", "explicit_params"] {
        let default = key == "sync";
        if let Some(value) = source.value.get(key)
            && *value != Value::Bool(default)
        {
            block.put(key, Yaml::data(value));
        }
    }
    let is_handed_on = |param: &&Param| !is_target(&param.name);
    let params: Vec<_> = facts.params.iter().filter(is_handed_on).cloned().collect();
    let mut written = context.own_params(source.id, &params);
    if source.value.get("explicit_params") != Some(&Value::Bool(true)) {
        hand_on(context, (source, &params), &mut written);
    }
    if written.is_empty() {
        return;
    }
    let names: Vec<_> = written.keys().collect();
    let text = format!(
        "the workflow must declare {}: a param of the step that it does not declare fails the step",
        names.join(", ")
    );
    context.notes.needs_you(&format!("{place}.params"), text);
    block.put("params", Yaml::Map(written));
}

/// Writes the variables of the loops around, which went on by themselves over
/// there. A param of the step hides one of the same name, and so does an inner
/// loop.
fn hand_on(context: &mut Context, (source, params): (&Source<'_>, &[Param]), block: &mut Block) {
    let mut around = BTreeMap::new();
    for layer in &context.layers {
        around.extend(layer.iter().map(|(name, term)| (name.clone(), term.text.clone())));
    }
    around.retain(|name, text| {
        let is_variable = text.trim_start_matches("double(").starts_with("loop.");
        is_variable && params.iter().all(|param| param.name != *name)
    });
    for (name, text) in around {
        let ours = context.variables.of(&name);
        let place = format!("steps.{}.params.{name}", source.id);
        let note = "the loop variable goes on by itself over there; here it is a param of the step";
        context.notes.translated(&place, note);
        block.put(&ours, Yaml::Text(format!("${{{text}}}")));
    }
}
