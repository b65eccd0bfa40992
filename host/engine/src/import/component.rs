//! Steps that do something: `NoOp` and `Sleep` are here as they are there, all
//! others become components that somebody has to write.

use super::body::Source;
use super::context::{Context, Facts, has_value};
use super::name::Rule;
use super::value::Value;
use super::yaml::{Block, Yaml};

/// The param of a `Sleep` step.
const SLEEP_SECONDS: &str = "sleep_seconds";

/// Writes the kind of a typed step, and its params.
pub(super) fn write(context: &mut Context, source: &Source<'_>, facts: &Facts, block: &mut Block) {
    let text = |key| source.value.get(key).and_then(Value::text);
    let kind = text("type").unwrap_or(source.wrapper).to_ascii_lowercase();
    match (kind.as_str(), text("sub_type")) {
        ("noop", None) => {
            block.put("noop", Yaml::bool(true));
            params(context, source, facts, block);
        }
        ("sleep", None) => sleep(context, source, facts, block),
        (kind, sub_type) => {
            let name = sub_type.unwrap_or(kind);
            let name = Rule::Workflow.fitted(name);
            let comments = vec!["needs you: this component has to be written".to_owned()];
            block.put_with("component", Yaml::Text(format!("{name}@1")), comments);
            let place = format!("steps.{}", source.id);
            let version =
                text("sub_type_version").map(|v| format!(" version {v}")).unwrap_or_default();
            let over = if kind == "template" { String::new() } else { format!(" over {kind}") };
            let text = match sub_type {
                Some(template) => format!(
                    "write the component {name}@1: what the job template {template}{version}{over} \
                     does, with the template's own params and defaults in it"
                ),
                None => format!("write the component {name}@1: {}", duty(kind)),
            };
            context.notes.needs_you(&place, text);
            params(context, source, facts, block);
        }
    }
}

/// What a component has to do to stand for a kind of step.
fn duty(kind: &str) -> &'static str {
    match kind {
        "http" => {
            "send the request in its param http (url, method, headers, body), with a grant for \
             that host, fail where state_expr says so, and give back status and body"
        }
        "kubernetes" => {
            "do what the container in its param kubernetes does, inside of the component or \
             through an API that starts it, and give back what it printed as output params, and as \
             `signals` what it announced, with `signals: \"${default(self.output.signals, [])}\"` on the step"
        }
        "notebook" => "run the notebook in its params through an API that can, or do its work",
        "titus" => "start the container in its params through an API that can, or do its work",
        "template" => "templates of steps were never carried out over there; do what it says",
        _ => "do what this type of step did, with these params, and give back its output params",
    }
}

fn params(context: &mut Context, source: &Source<'_>, facts: &Facts, block: &mut Block) {
    let params = context.own_params(source.id, &facts.params);
    if !params.is_empty() {
        block.put("params", Yaml::Map(params));
    }
}

/// `sleep: 30`, and its params if others read them.
fn sleep(context: &mut Context, source: &Source<'_>, facts: &Facts, block: &mut Block) {
    let place = format!("steps.{}.params.{SLEEP_SECONDS}", source.id);
    let is_there = facts.params.iter().any(|param| param.name == SLEEP_SECONDS && has_value(param));
    let rendered = match is_there {
        true => context.inline_param(source.id, &facts.params, SLEEP_SECONDS).and_then(|r| r.yaml),
        false => None,
    };
    let yaml = rendered.unwrap_or_else(|| {
        if !is_there {
            context.notes.needs_you(&place, "says no time, so it sleeps for none; say one");
        }
        Yaml::whole(0)
    });
    block.put("sleep", yaml);
    let others = facts.params.iter().any(|param| param.name != SLEEP_SECONDS);
    let key = (source.id.to_owned(), SLEEP_SECONDS.to_owned());
    if others || context.known.params.contains(&key) {
        params(context, source, facts, block);
    }
}
