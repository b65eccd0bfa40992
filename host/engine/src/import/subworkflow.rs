//! Steps that run another workflow.

use super::body::Source;
use super::context::{Context, Facts};
use super::name::Rule;
use super::param::Param;
use super::value::Value;
use super::yaml::{Block, Yaml};

const ID: &str = "subworkflow_id";
const VERSION: &str = "subworkflow_version";

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
    let is_handed_on = |param: &&Param| param.name != ID && param.name != VERSION;
    let params: Vec<_> = facts.params.iter().filter(is_handed_on).cloned().collect();
    let params = context.own_params(source.id, &params);
    if !params.is_empty() {
        block.put("params", Yaml::Map(params));
    }
}
