//! Steps and the edges between them. An edge stands at its start over there, in
//! `transition.successors`, and at its end here, in `needs`.

use super::context::{Context, Facts};
use super::param::{self, Param};
use super::value::Value;
use super::yaml::{Block, Yaml, left_out};
use super::{component, looped, setting, signal, signal_output, subworkflow};

/// A step as it is written over there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'v> {
    /// `step`, `foreach`, `while`, `subworkflow` or `template`.
    pub(super) wrapper: &'v str,
    pub(super) value: &'v Value,
    pub(super) id: &'v str,
}

/// The keys that every kind of step has.
const KEYS: [&str; 12] = [
    "id",
    "name",
    "description",
    "transition",
    "failure_mode",
    "tags",
    "timeout",
    "signal_dependencies",
    "signal_outputs",
    "outputs",
    "params",
    "dependencies",
];

impl<'v> Source<'v> {
    /// The step in an element of `steps`.
    fn of(value: &'v Value) -> Option<Self> {
        const WRAPPERS: [&str; 5] = ["step", "foreach", "while", "subworkflow", "template"];
        let wrapped = value.entries().iter().find(|(key, _)| WRAPPERS.contains(&key.as_str()));
        let (wrapper, value) = match wrapped {
            Some((wrapper, value)) => (wrapper.as_str(), value),
            None => ("step", value),
        };
        let id = value.get("id").and_then(Value::text)?;
        Some(Self { wrapper, value, id })
    }

    /// Whether it runs code of its own.
    pub(super) fn is_component(&self) -> bool {
        let kind = self.value.get("type").and_then(Value::text).unwrap_or_default();
        let is_builtin = ["noop", "sleep"].contains(&kind.to_ascii_lowercase().as_str())
            && self.value.get("sub_type").is_none();
        self.wrapper == "template" || self.wrapper == "step" && !is_builtin
    }

    /// Whether it runs a body again and again.
    fn is_loop(&self) -> bool {
        self.wrapper == "foreach" || self.wrapper == "while"
    }
}

impl Context {
    /// Learns about all steps before any is translated.
    pub(super) fn learn(&mut self, steps: &Value, path: &[String]) {
        for (number, element) in steps.elements().iter().enumerate() {
            let Some(source) = Source::of(element) else {
                let place = format!("steps[{number}]");
                self.notes.needs_you(&place, format!("is no step with an id: {}", element.json()));
                continue;
            };
            let place = format!("steps.{}", source.id);
            let ours = self.ids.of(source.id);
            if ours != source.id {
                self.notes.translated(&place, format!("is called {ours} here"));
            }
            let given = source.value.get("params").unwrap_or(&Value::Null);
            let params: Vec<Param> =
                param::read_all(given, &format!("{place}.params"), &mut self.notes);
            let is_own = |param: &&Param| param.name != looped::LOOP_PARAMS;
            let has_own = params.iter().any(|param| is_own(&param));
            let front =
                (source.is_loop() && has_own).then(|| self.ids.free(&format!("{ours}-params")));
            let gates = signal::dependencies(source.value)
                .iter()
                .map(|dependency| {
                    let gate = self.ids.free(&format!("{ours}-signal"));
                    (signal::name(dependency).unwrap_or_default(), gate)
                })
                .collect();
            let facts = Facts {
                ours,
                is_component: source.is_component(),
                front,
                gates,
                params: params.iter().filter(is_own).cloned().collect(),
                path: path.to_vec(),
            };
            self.steps.insert(source.id.to_owned(), facts);
            if let Some(inner) = source.value.get("steps") {
                let inner_path = [path, &[source.id.to_owned()]].concat();
                self.learn(inner, &inner_path);
            }
        }
    }

    /// The steps of a body.
    pub(super) fn body(&mut self, steps: &Value) -> Vec<Block> {
        let sources: Vec<_> = steps.elements().iter().filter_map(Source::of).collect();
        let mut blocks = Vec::new();
        for source in &sources {
            let needs = self.needs(source, &sources);
            self.step(source, needs, &mut blocks);
        }
        blocks
    }

    /// What leads to a step: our ids, each with its condition.
    fn needs(
        &mut self,
        target: &Source<'_>,
        sources: &[Source<'_>],
    ) -> Vec<(String, Option<String>)> {
        let mut needs = Vec::new();
        for source in sources {
            let successors = source.value.get("transition").and_then(|t| t.get("successors"));
            let edges = successors.map(Value::entries).unwrap_or_default();
            for (_, condition) in edges.iter().filter(|(id, _)| id == target.id) {
                let place = format!("steps.{}.transition.successors.{}", source.id, target.id);
                let ours = self.ids.of(source.id);
                let condition = condition.scalar().unwrap_or_else(|| "true".to_owned());
                self.read_own_from(source.id);
                let asked = format!("{}_to_{}", source.id, target.id);
                needs.push((ours, self.condition(&condition, &place, &asked)));
            }
        }
        needs
    }

    /// Translates a step, with the steps that have to stand in front of it.
    fn step(
        &mut self,
        source: &Source<'_>,
        needs: Vec<(String, Option<String>)>,
        out: &mut Vec<Block>,
    ) {
        let Some(facts) = self.steps.get(source.id).cloned() else { return };
        let place = format!("steps.{}", source.id);
        let mut needs = needs;
        for (number, dependency) in signal::dependencies(source.value).iter().enumerate() {
            let Some((_, gate)) = facts.gates.get(number) else { continue };
            out.push(self.gate(dependency, gate, &needs, source.id));
            needs = vec![(gate.clone(), None)];
        }
        if let Some(front) = &facts.front {
            let mut block = start(front, &needs);
            block.put("noop", Yaml::bool(true));
            block
                .comments
                .push(format!("the params of {}, which it cannot have itself", facts.ours));
            block.put("params", Yaml::Block(self.own_params(source.id, &facts.params)));
            self.notes.translated(
                &format!("{place}.params"),
                format!("a loop has no params; the step {front} in front of it has them"),
            );
            out.push(block);
            needs = vec![(front.clone(), None)];
        }
        let mut block = start(&facts.ours, &needs);
        if let Some(text) = description(source.value) {
            block.text("description", text);
        }
        self.kind(source, &facts, &mut block);
        self.common(source, &mut block);
        self.note_rest(source, &place);
        out.push(block);
    }

    fn kind(&mut self, source: &Source<'_>, facts: &Facts, block: &mut Block) {
        match source.wrapper {
            "foreach" => looped::foreach(self, source, facts, block),
            "while" => looped::while_loop(self, source, facts, block),
            "subworkflow" => subworkflow::write(self, source, facts, block),
            _ => component::write(self, source, facts, block),
        }
    }

    /// What follows the kind: failure mode, time-out, tags and signals.
    fn common(&mut self, source: &Source<'_>, block: &mut Block) {
        self.own = super::context::Own::default();
        let place = format!("steps.{}", source.id);
        if let Some(timeout) = source.value.get("timeout")
            && let Some(yaml) = setting::timeout(self, timeout, &format!("{place}.timeout"))
        {
            block.put("timeout", yaml);
        }
        let retry = source.value.get("retry_policy");
        if source.is_loop() && retry.is_some() {
            let text = "a loop is not tried again; its steps are";
            self.notes.dropped(&format!("{place}.retry_policy"), text);
        } else if (source.is_component() || retry.is_some())
            && let Some(retry) = setting::retry(self, retry, &format!("{place}.retry_policy"))
        {
            block.put("retry", retry);
        }
        if let Some(mode) = source.value.get("failure_mode").and_then(Value::text) {
            let mode = mode.to_ascii_lowercase();
            if mode != "fail_after_running" {
                block.text("failure_mode", mode.clone());
            }
            if mode == "ignore_failure" && source.wrapper == "foreach" {
                let text = "the other iterations run here after one has failed; over there they \
                            do not start";
                self.notes.needs_you(&format!("{place}.failure_mode"), text);
            }
        }
        let tags =
            setting::tags(source.value.get("tags"), &format!("{place}.tags"), &mut self.notes);
        if !tags.is_empty() && source.is_component() {
            block.put("tags", Yaml::List(tags.into_iter().map(Yaml::Text).collect()));
        } else if !tags.is_empty() {
            let text = format!("{}: only a step that runs a component has tags", tags.join(", "));
            self.notes.dropped(&format!("{place}.tags"), text);
        }
        signal_output::write(self, source, block);
    }

    fn note_rest(&mut self, source: &Source<'_>, place: &str) {
        let own: &[&str] = match source.wrapper {
            "foreach" => &["concurrency", "strict_ordering", "steps"],
            "while" => &["condition", "steps"],
            "subworkflow" => &["sync", "explicit_params"],
            _ => &["type", "sub_type", "sub_type_version", "retry_policy"],
        };
        for (key, value) in source.value.entries() {
            if !KEYS.contains(&key.as_str())
                && !own.contains(&key.as_str())
                && key != "retry_policy"
            {
                self.notes
                    .dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
            }
        }
        let transition = source.value.get("transition").map(Value::entries).unwrap_or_default();
        for (key, value) in
            transition.iter().filter(|(key, _)| key != "successors" && key != "predecessors")
        {
            let place = format!("{place}.transition.{key}");
            self.notes.dropped(&place, format!("{}: has no equal", value.json()));
        }
        if let Some(old) = source.value.get("dependencies") {
            let text =
                format!("write a wait step in front for what this waits for: {}", old.json());
            self.notes.needs_you(&format!("{place}.dependencies"), text);
        }
    }
}

/// A step with its id and needs.
pub(super) fn start(id: &str, needs: &[(String, Option<String>)]) -> Block {
    let mut block = Block::default();
    block.text("id", id);
    if needs.iter().any(|(_, condition)| condition.is_some()) {
        let mut map = Block::default();
        for (id, condition) in needs {
            map.put(id, condition.clone().map_or_else(left_out, Yaml::Text));
        }
        block.put("needs", Yaml::Map(map));
    } else if !needs.is_empty() {
        let ids = needs.iter().map(|(id, _)| Yaml::Text(id.clone())).collect();
        block.put("needs", Yaml::List(ids));
    }
    block
}

/// Name and description in one.
pub(super) fn description(value: &Value) -> Option<String> {
    let text = |key| value.get(key).and_then(Value::text).map(str::trim).filter(|t| !t.is_empty());
    match (text("name"), text("description")) {
        (Some(name), Some(description)) => Some(format!("{name}: {description}")),
        (name, description) => name.or(description).map(str::to_owned),
    }
}
