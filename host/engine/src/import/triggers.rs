//! Triggers. Those by time become entries of `triggers:`. Those by signals are
//! written as comments and notes, in the form that they will have: [`read`] gives
//! both, and `workflow` says where they stand.

use super::context::{Context, Own};
use super::signal;
use super::value::Value;
use super::yaml::{Block, Yaml};
use crate::schedule::Schedule;
use serde_json::json;

/// What starts runs.
pub(super) struct Triggers {
    /// The entries of `triggers`.
    pub(super) entries: Vec<Block>,
    /// Those that the language has no form for yet, each on one line.
    pub(super) comments: Vec<String>,
}

/// The triggers of a workflow; `is_paused` if those by time are disabled.
pub(super) fn read(context: &mut Context, workflow: &Value, is_paused: bool) -> Triggers {
    context.own = Own::default();
    let mut triggers = Triggers { entries: Vec::new(), comments: Vec::new() };
    let list = |key: &str| workflow.get(key).map(Value::elements).unwrap_or_default();
    for (number, trigger) in list("time_triggers").iter().enumerate() {
        let place = format!("time_triggers[{number}]");
        let Some(mut block) = time(context, trigger, &place) else { continue };
        if is_paused {
            block.put("paused", Yaml::Plain("true".to_owned()));
        }
        triggers.entries.push(block);
    }
    for (number, trigger) in list("signal_triggers").iter().enumerate() {
        let place = format!("signal_triggers[{number}]");
        let block = of_signals(context, trigger, &place);
        triggers.comments.push(line(context, block, &place));
    }
    triggers
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
    let (rule, zone) = (ours(cron), text("timezone").unwrap_or("UTC"));
    let mut spec = json!({ "cron": rule, "timezone": zone });
    let mut block = Block::default();
    block.text("cron", rule);
    block.text("timezone", zone);
    if let Some(delay) = text("fuzzy_max_delay") {
        spec["jitter"] = json!(delay);
        block.text("jitter", delay);
    }
    for (key, value) in trigger.entries() {
        if !["type", "cron", "expression", "timezone", "fuzzy_max_delay"].contains(&key.as_str()) {
            context
                .notes
                .dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
        }
    }
    if let Err(problems) = Schedule::from_json(&spec) {
        let wrong: Vec<_> = problems
            .iter()
            .map(|it| format!("{}: {}; {}", it.path, it.message, it.remedy))
            .collect();
        let text = format!("is left out (was: {}): {}", trigger.json(), wrong.join("; "));
        context.notes.needs_you(place, text);
        return None;
    }
    Some(block)
}

/// The rule as we write it. With a second in front, it is Quartz's, which counts
/// the days of the week from 1 for Sunday.
fn ours(cron: &str) -> String {
    let mut fields: Vec<_> = cron.split_whitespace().map(str::to_owned).collect();
    if !matches!(fields.len(), 6 | 7) {
        return cron.to_owned();
    }
    let days: Vec<_> = fields[5].split(',').map(weekdays).collect();
    fields[5] = days.join(",");
    let year = fields.get(6).map_or("*", String::as_str);
    if fields[0] == "0" && year == "*" {
        // It says no more than five fields do.
        let plain = |field: &String| match field.as_str() {
            "?" | "1/1" => "*".to_owned(),
            other => other.to_owned(),
        };
        return fields[1..6].iter().map(plain).collect::<Vec<_>>().join(" ");
    }
    fields.join(" ")
}

/// One item of Quartz's field for the days of the week. What follows `#` and `/`
/// is no day.
fn weekdays(item: &str) -> String {
    if item.eq_ignore_ascii_case("L") {
        return "6".to_owned();
    }
    let end = item.find(['#', '/']).unwrap_or(item.len());
    let (days, rest) = item.split_at(end);
    let (days, last) = match days.strip_suffix(['L', 'l']) {
        Some(days) => (days, "L"),
        None => (days, ""),
    };
    let day = |day: &str| match day.parse::<u32>() {
        Ok(number @ 1..=7) => (number - 1).to_string(),
        _ => day.to_owned(),
    };
    let days: Vec<_> = days.split('-').map(day).collect();
    format!("{}{last}{rest}", days.join("-"))
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
