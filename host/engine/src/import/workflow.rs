//! A workflow as a whole: its properties, params, triggers and steps.

use super::body::description;
use super::builtin;
use super::context::{Context, Wanted, declaration};
use super::name::Rule;
use super::note::Note;
use super::triggers::{self, Triggers};
use super::value::Value;
use super::yaml::{Block, Yaml};
use super::{param, setting};

/// The most passes until no step reads anything new of others.
const PASSES_MAX: usize = 5;

/// The workflow in `request`, as our text, with its name and the notes.
pub(super) fn translate(request: &Value) -> (String, String, Vec<Note>) {
    let mut wanted = Wanted::default();
    for _ in 1..PASSES_MAX {
        let mut context = Context::new(wanted.clone());
        write(&mut context, request);
        if context.wanted == wanted {
            break;
        }
        wanted = context.wanted;
    }
    let mut context = Context::new(wanted);
    let (name, text) = write(&mut context, request);
    (name, text, context.notes.finish())
}

fn write(context: &mut Context, request: &Value) -> (String, String) {
    let none = Value::Null;
    let properties = request.get("properties").unwrap_or(&none);
    let workflow = request.get("workflow").unwrap_or(request);
    let id = workflow.get("id").and_then(Value::text).unwrap_or_default();
    let name = Rule::Workflow.fitted(id);
    if name != id {
        context.notes.translated("workflow.id", format!("the workflow {id} is called {name} here"));
    }
    let mut block = Block::default();
    block.comments.push(format!("imported from the Maestro workflow {id}"));
    block.text("workflow", name.clone());
    head(context, [properties, workflow], &mut block);
    let given = workflow.get("params").unwrap_or(&none);
    let params = param::read_all(given, "params", &mut context.notes);
    for param in &params {
        let ours = context.variables.of(&param.name);
        context.params.insert(param.name.clone(), (ours, param.kind.clone()));
    }
    let steps = workflow.get("steps").unwrap_or(&none);
    context.learn(steps, &[]);
    if let Some(timeout) = workflow.get("timeout")
        && let Some(yaml) = setting::timeout(context, timeout, "timeout")
    {
        block.put("timeout", yaml);
    }
    let mut written = context.workflow_params(&params);
    let disabled = ["time_trigger_disabled", "signal_trigger_disabled"].map(|key| {
        let found = [request, workflow, properties].map(|map| map.get(key));
        found.into_iter().flatten().any(|it| matches!(it, Value::Bool(true)))
    });
    let Triggers { entries, comments: off } = triggers::read(context, workflow, disabled);
    let steps = context.body(steps);
    add_found(context, &mut written);
    if !written.is_empty() {
        block.put("params", Yaml::Block(written));
    }
    if !entries.is_empty() {
        block.put("triggers", Yaml::Steps(entries));
    }
    let mut comments = Vec::new();
    if !off.is_empty() {
        comments.push("triggers: (needs you: these are left out)".to_owned());
        comments.extend(off.iter().map(|line| format!("  {line}")));
    }
    block.put_with("steps", Yaml::Steps(steps), comments);
    note_rest(context, request, workflow);
    (name, block.document())
}

/// What stands above the params.
fn head(context: &mut Context, [properties, workflow]: [&Value; 2], block: &mut Block) {
    let about = description(workflow);
    let about = about.or_else(|| description(properties));
    if let Some(text) = about {
        block.text("description", text);
    }
    let owner = properties.get("owner");
    let owner = owner.and_then(|owner| owner.text().or_else(|| owner.get("name")?.text()));
    if let Some(owner) = owner {
        block.text("owner", owner);
        context.owner = Some(owner.to_owned());
    }
    let mut tags = setting::tags(properties.get("tags"), "properties.tags", &mut context.notes);
    for tag in setting::tags(workflow.get("tags"), "tags", &mut context.notes) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if !tags.is_empty() {
        block.put("tags", Yaml::List(tags.into_iter().map(Yaml::Text).collect()));
    }
    strategy(context, properties.get("run_strategy"), block);
    if let Some(limit) = properties.get("step_concurrency").and_then(Value::whole) {
        block.put("step_concurrency", Yaml::whole(limit));
    }
    if let Some(limit) = workflow.get("instance_step_concurrency").and_then(Value::whole) {
        block.put("run_step_concurrency", Yaml::whole(limit));
        context.concurrency = limit;
    }
    if let Some(zone) = triggers::first_zone(workflow) {
        context.zone = zone.to_owned();
    }
}

/// `run_strategy` in all its forms: a word, a number, a rule with a number.
fn strategy(context: &mut Context, value: Option<&Value>, block: &mut Block) {
    const RULES: [&str; 5] =
        ["sequential", "strict_sequential", "first_only", "last_only", "serial_latest_only"];
    const PARALLEL: i64 = 20;
    let place = "properties.run_strategy";
    let word = |value: &Value| value.text().map(str::to_ascii_lowercase);
    let (rule, most) = match value {
        None | Some(Value::Null) => (None, None),
        Some(Value::Map(_)) => {
            let rule = value.and_then(|value| value.get("rule"));
            let most = value.and_then(|value| value.get("workflow_concurrency"));
            (rule.and_then(word), most.and_then(Value::whole))
        }
        Some(value) => match value.whole() {
            Some(most) => (Some("parallel".to_owned()), Some(most)),
            None => (word(value), None),
        },
    };
    let text = match rule.as_deref() {
        None => {
            let comments = vec!["theirs without a word; ours would be parallel".to_owned()];
            block.put_with("run_strategy", Yaml::Text("sequential".to_owned()), comments);
            return;
        }
        Some("parallel") => format!("parallel({})", most.unwrap_or(PARALLEL)),
        Some(rule) if RULES.contains(&rule) => rule.to_owned(),
        Some(rule) => {
            context
                .notes
                .needs_you(place, format!("there is no strategy {rule}; it is sequential now"));
            "sequential".to_owned()
        }
    };
    if let Some(most) = most.filter(|most| *most != 1 && rule.as_deref() != Some("parallel")) {
        let text = format!("workflow_concurrency {most}: only parallel has one");
        context.notes.dropped(place, text);
    }
    block.put("run_strategy", Yaml::Text(text));
}

/// Adds the builtins that were read, what triggers give of their signals, and
/// what a start has to give.
fn add_found(context: &mut Context, params: &mut Block) {
    for name in context.builtins.clone() {
        let Some(builtin) = builtin::find(&name, &context.zone) else { continue };
        let value = Yaml::Text(format!("${{{}}}", builtin.value));
        let value = if name == "DSL_DEFAULT_TZ" { Yaml::Text(context.zone.clone()) } else { value };
        let block = declaration(&builtin.kind, Some(value), Some("mutable_on_start"));
        params.put_with(&name, Yaml::Map(block), Vec::new());
        let text = "is there without being written over there; it is a param here";
        context.notes.translated(&format!("params.{name}"), text);
    }
    context.declare_given(params);
    for asked in &context.asked {
        let mut block = declaration(&asked.kind, None, None);
        block.text("description", asked.about.clone());
        let comments = vec!["needs you: a start must give this".to_owned()];
        params.put_with(&asked.name, Yaml::Map(block), comments);
    }
}

/// Notes every key that nothing was made of.
fn note_rest(context: &mut Context, request: &Value, workflow: &Value) {
    const WORKFLOW: [&str; 11] = [
        "id",
        "name",
        "description",
        "tags",
        "timeout",
        "time_triggers",
        "signal_triggers",
        "instance_step_concurrency",
        "params",
        "steps",
        "properties",
    ];
    const PROPERTIES: [&str; 6] =
        ["owner", "run_strategy", "step_concurrency", "description", "tags", "name"];
    let properties = request.get("properties").unwrap_or(&Value::Null);
    let is_wrapped = request.get("workflow").is_some();
    let groups: [(&str, &Value, &[&str]); 3] = [
        ("", if is_wrapped { request } else { &Value::Null }, &["properties", "workflow"]),
        ("properties.", properties, &PROPERTIES),
        ("", workflow, &WORKFLOW),
    ];
    for (prefix, map, known) in groups {
        for (key, value) in map.entries().iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let place = format!("{prefix}{key}");
            match (key.as_str(), value) {
                ("is_active", Value::Bool(true)) => {}
                ("is_active", _) => {
                    let text = "was pushed without being made active; do so here, too";
                    context.notes.needs_you(&place, text);
                }
                ("time_trigger_disabled" | "signal_trigger_disabled", Value::Bool(_)) => {}
                (_, value) => {
                    context.notes.dropped(&place, format!("{}: has no equal", value.json()));
                }
            }
        }
    }
}
