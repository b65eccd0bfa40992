//! Triggers. The language has no key for them yet, so they are written as
//! comments and notes, in the form that they will have: [`read`] gives the
//! entries of the list, and `workflow` says where they stand.

use super::context::{Context, Own};
use super::signal;
use super::value::Value;
use super::yaml::{Block, Yaml};

/// The entries of `triggers`, each on one line.
pub(super) fn read(context: &mut Context, workflow: &Value) -> Vec<String> {
    context.own = Own::default();
    let mut lines = Vec::new();
    let list = |key: &str| workflow.get(key).map(Value::elements).unwrap_or_default();
    for (number, trigger) in list("time_triggers").iter().enumerate() {
        let place = format!("time_triggers[{number}]");
        if let Some(block) = time(context, trigger, &place) {
            lines.push(line(context, block, &place));
        }
    }
    for (number, trigger) in list("signal_triggers").iter().enumerate() {
        let place = format!("signal_triggers[{number}]");
        let block = of_signals(context, trigger, &place);
        lines.push(line(context, block, &place));
    }
    lines
}

/// The zone of the first time trigger, which some builtins read.
pub(super) fn first_zone(workflow: &Value) -> Option<&str> {
    let first = workflow.get("time_triggers")?.elements().first()?;
    first.get("timezone")?.text().filter(|zone| !zone.is_empty())
}

fn line(context: &mut Context, block: Block, place: &str) -> String {
    let line = format!("- {}", Yaml::Map(block).inline().unwrap_or_default());
    context.notes.needs_you(place, format!("schedule this yourself for now: {}", line.trim()));
    line
}

fn time(context: &mut Context, trigger: &Value, place: &str) -> Option<Block> {
    let text = |key: &str| trigger.get(key).and_then(Value::text);
    let kind = text("type").unwrap_or("CRON").to_ascii_uppercase();
    let Some(cron) = text("cron").or_else(|| text("expression")) else {
        context.notes.needs_you(place, format!("{kind} without cron: {}", trigger.json()));
        return None;
    };
    let mut block = Block::default();
    block.text("cron", five_fields(context, cron, place));
    block.text("timezone", text("timezone").unwrap_or("UTC"));
    if let Some(delay) = text("fuzzy_max_delay") {
        block.text("jitter", delay);
    }
    for (key, value) in trigger.entries() {
        if !["type", "cron", "expression", "timezone", "fuzzy_max_delay"].contains(&key.as_str()) {
            context
                .notes
                .dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
        }
    }
    Some(block)
}

/// Quartz has seconds in front and perhaps a year behind, and `?`.
fn five_fields(context: &mut Context, cron: &str, place: &str) -> String {
    let fields: Vec<_> = cron.split_whitespace().collect();
    let is_quartz = matches!(fields.len(), 6 | 7);
    if !is_quartz {
        return cron.to_owned();
    }
    let plain = |field: &str| match field {
        "?" => "*".to_owned(),
        field => field.strip_prefix("1/1").map_or(field, |_| "*").to_owned(),
    };
    let has_more = fields[0] != "0" || fields.get(6).is_some_and(|year| *year != "*");
    let has_signs = fields[3..6].iter().any(|field| field.contains(['L', 'W', '#']));
    let has_days = fields[5].contains(|c: char| c.is_ascii_digit());
    if has_more || has_signs || has_days {
        let text = format!(
            "{cron:?} is Quartz's; its seconds, year, L, W, # and numbers of weekdays (1 is Sunday) \
             are not cron's; write what you mean"
        );
        context.notes.needs_you(place, text);
        return cron.to_owned();
    }
    fields[1..6].iter().map(|field| plain(field)).collect::<Vec<_>>().join(" ")
}

fn of_signals(context: &mut Context, trigger: &Value, place: &str) -> Block {
    let definitions = trigger.get("definitions").map(Value::entries).unwrap_or_default();
    let mut signals = Vec::new();
    for (name, definition) in definitions {
        let place = format!("{place}.definitions.{name}");
        let mut signal = Block::default();
        signal.text("name", name.clone());
        let mut fields = Block::default();
        for (param, operator) in signal::matches(definition, &place, context) {
            let rendered = context.render(&param, &format!("{place}.match_params.{}", param.name));
            let Some(yaml) = rendered.yaml else { continue };
            if operator == "=" {
                fields.put(&param.name, yaml);
            } else {
                let mut range = Block::default();
                range.put(&operator, yaml);
                fields.put(&param.name, Yaml::Map(range));
            }
        }
        if !fields.is_empty() {
            signal.put("match", Yaml::Map(fields));
        }
        let keys = definition.get("join_keys").map(Value::elements).unwrap_or_default();
        if !keys.is_empty() {
            signal.put("join", Yaml::List(keys.iter().map(Yaml::data).collect()));
        }
        signals.push(Yaml::Map(signal));
    }
    let mut block = Block::default();
    match <[Yaml; 1]>::try_from(signals) {
        Ok([only]) => block.put("signal", only),
        Err(several) => block.put("signals", Yaml::List(several)),
    }
    for (key, ours) in [("condition", "when"), ("dedup_expr", "key")] {
        let Some(source) = trigger.get(key).and_then(Value::scalar) else { continue };
        match context.expression(&source, &format!("{place}.{key}")) {
            Ok(term) => block.text(ours, term.text),
            Err(message) => {
                context
                    .notes
                    .needs_you(&format!("{place}.{key}"), format!("{message} (was: {source})"));
            }
        }
    }
    if let Some(given) = trigger.get("params") {
        let place = format!("{place}.params");
        let mut params = Block::default();
        for param in super::param::read_all(given, &place, &mut context.notes) {
            let rendered = context.render(&param, &format!("{place}.{}", param.name));
            params.put(&param.name, rendered.yaml.unwrap_or(Yaml::Plain("null".to_owned())));
        }
        block.put("params", Yaml::Map(params));
    }
    block
}
