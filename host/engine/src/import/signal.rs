//! Signals that a step waits for: each becomes a step in front of it.

use super::body::start;
use super::context::{Context, Own};
use super::param::{self, Param};
use super::value::Value;
use super::yaml::{Block, Yaml};
use crate::signal::OPERATORS;

/// What a step waits for.
pub(super) fn dependencies(step: &Value) -> Vec<Value> {
    let given = step.get("signal_dependencies");
    let given = given.map(|given| given.get("definitions").unwrap_or(given));
    given.map(|given| given.elements().to_vec()).unwrap_or_default()
}

/// The name of the signal, where it is plain text.
pub(super) fn name(dependency: &Value) -> Option<String> {
    let name = dependency.get("name")?;
    name.text().or_else(|| name.get("value")?.text()).map(str::to_owned)
}

/// What a signal's param has to be: the param, and the operator.
pub(super) fn matches(
    definition: &Value,
    place: &str,
    context: &mut Context,
) -> Vec<(Param, String)> {
    let given = definition.get("match_params").map(Value::entries).unwrap_or_default();
    let mut found = Vec::new();
    for (name, value) in given {
        let inner = value.get("param").or_else(|| value.get("parameter")).unwrap_or(value);
        let entries = inner.entries().iter().filter(|(key, _)| key != "operator").cloned();
        let inner = match inner {
            Value::Map(_) => Value::Map(entries.collect()),
            other => other.clone(),
        };
        let param = param::read(name, &inner, &format!("{place}.match_params"), &mut context.notes);
        let operator = value.get("operator").and_then(Value::text).unwrap_or("=").to_owned();
        found.push((param, operator));
    }
    found
}

impl Context {
    /// The step that waits for a signal in front of the step that needs it.
    pub(super) fn gate(
        &mut self,
        dependency: &Value,
        gate: &str,
        needs: &[(String, Option<String>)],
        step: &str,
    ) -> Block {
        let place = format!("steps.{step}.signal_dependencies.{gate}");
        self.own = Own::of(step);
        let mut block = start(gate, needs);
        let mut wait = Block::default();
        let empty = Value::Null;
        let name = dependency.get("name").unwrap_or(&empty);
        let name = param::read("name", name, &place, &mut self.notes);
        let name = self.render(&name, &format!("{place}.name")).yaml;
        wait.put("signal", name.unwrap_or(Yaml::Text(String::new())));
        let mut fields = Block::default();
        for (param, operator) in matches(dependency, &place, self) {
            let place = format!("{place}.match_params.{}", param.name);
            let rendered = self.render(&param, &place);
            let Some(yaml) = rendered.yaml else { continue };
            if operator == "=" {
                fields.put_with(&param.name, yaml, rendered.comments);
                continue;
            }
            if OPERATORS.contains(&operator.as_str()) {
                let mut test = Block::default();
                test.put(&operator, yaml);
                fields.put_with(&param.name, Yaml::Map(test), rendered.comments);
                continue;
            }
            let mut shown = Block::default();
            shown.put(&param.name, yaml);
            let shown = shown.document();
            let text = format!("`{}` {operator} cannot be waited for", shown.trim_end());
            let remedy = "it is left out, so any value opens the gate; use another operator";
            block.comments.push(format!("needs you: {text}"));
            self.notes.needs_you(&place, format!("{text}; {remedy}"));
        }
        if !fields.is_empty() {
            wait.put("match", Yaml::Map(fields));
        }
        block.put("wait", Yaml::Map(wait));
        for (key, value) in dependency.entries() {
            if key != "name" && key != "match_params" {
                self.notes
                    .dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
            }
        }
        self.notes.translated(&place, format!("the step {gate} in front waits for the signal"));
        block
    }
}
