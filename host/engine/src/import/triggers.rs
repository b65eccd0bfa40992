//! Triggers, by time and by signals: [`read`] gives the entries of `triggers:`,
//! and those that are switched off or not whole, which become comments;
//! `workflow` says where they stand.

use super::context::{Context, Own};
use super::value::Value;
use super::yaml::{Block, Yaml};
use super::{render, setting, signal};
use crate::definition::{self, Catalog};
use crate::schedule::Schedule;
use crate::workflow::{Limits, Pin};
use serde_json::json;

/// What starts runs.
pub(super) struct Triggers {
    /// The entries of `triggers`.
    pub(super) entries: Vec<Block>,
    /// Those that are switched off over there, or that nobody could translate as
    /// a whole, each on one line.
    pub(super) comments: Vec<String>,
}

/// The triggers of a workflow; says whether those by time, and those by signals,
/// are disabled.
pub(super) fn read(
    context: &mut Context,
    workflow: &Value,
    [is_paused, is_off]: [bool; 2],
) -> Triggers {
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
        context.asks = false;
        let (block, is_whole) = of_signals(context, trigger, &place);
        context.asks = true;
        let line = format!("- {}", Yaml::Map(block.clone()).inline().unwrap_or_default());
        if let Some(wrong) = refused(&line) {
            let text = format!("is left out (was: {}): {wrong}", trigger.json());
            context.notes.needs_you(&place, text);
        } else if is_off {
            context.notes.needs_you(&place, "is switched off; it is written as a comment");
            triggers.comments.push(line);
        } else if !is_whole {
            let text =
                "would fire for more than it says, so it is written as a comment; complete it";
            context.notes.needs_you(&place, text);
            triggers.comments.push(line);
        } else {
            triggers.entries.push(block);
        }
    }
    triggers
}

/// The zone of the first time trigger, which some builtins read.
pub(super) fn first_zone(workflow: &Value) -> Option<&str> {
    let first = workflow.get("time_triggers")?.elements().first()?;
    first.get("timezone")?.text().filter(|zone| !zone.is_empty())
}

/// What is wrong with an entry of `triggers:`, if anything is.
fn refused(line: &str) -> Option<String> {
    let source = format!("workflow: w\nsteps: [{{ id: a, noop: true }}]\ntriggers:\n  {line}\n");
    let problems = definition::check(&source, &Nothing).err()?;
    let one = |it: definition::Problem| format!("{}: {}; {}", it.path, it.message, it.remedy);
    Some(problems.into_iter().map(one).collect::<Vec<_>>().join("; "))
}

/// No components, and no limits.
struct Nothing;

impl Catalog for Nothing {
    fn component(&self, name: &str, _: Option<&str>) -> Result<Pin, String> {
        Err(format!("there is no component {name:?}"))
    }

    fn ceiling(&self) -> Limits {
        Limits::default()
    }
}

fn time(context: &mut Context, trigger: &Value, place: &str) -> Option<Block> {
    let text = |key: &str| trigger.get(key).and_then(Value::text);
    let kind = text("type").unwrap_or("CRON").to_ascii_uppercase();
    if kind == "INTERVAL" {
        return interval(context, trigger, place);
    }
    let Some(cron) = text("cron").or_else(|| text("expression")) else {
        context.notes.needs_you(place, format!("{kind} without cron: {}", trigger.json()));
        return None;
    };
    let (rule, zone) = (ours(cron), text("timezone").unwrap_or("UTC"));
    let spec = json!({ "cron": rule, "timezone": zone });
    let mut block = Block::default();
    block.text("cron", rule);
    block.text("timezone", zone);
    finish(context, (trigger, place), (block, spec))
}

/// Adds what all triggers by time have, and checks the whole.
fn finish(
    context: &mut Context,
    (trigger, place): (&Value, &str),
    (mut block, mut spec): (Block, serde_json::Value),
) -> Option<Block> {
    const KNOWN: [&str; 6] =
        ["type", "cron", "expression", "interval", "timezone", "fuzzy_max_delay"];
    if let Some(delay) = trigger.get("fuzzy_max_delay").and_then(Value::text) {
        spec["jitter"] = json!(delay);
        block.text("jitter", delay);
    }
    for (key, value) in trigger.entries().iter().filter(|(key, _)| !KNOWN.contains(&&**key)) {
        context.notes.dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
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

/// A trigger by the time between two instants.
fn interval(context: &mut Context, trigger: &Value, place: &str) -> Option<Block> {
    let every = trigger.get("interval").and_then(setting::fixed);
    let (Some(every), None) = (every, trigger.get("start")) else {
        let text = format!(
            "is left out (was: {}); write it as in {{ every: 15m, start: 2026-01-31T06:00:00Z }}",
            trigger.json()
        );
        context.notes.needs_you(place, text);
        return None;
    };
    let mut block = Block::default();
    block.text("every", every.clone());
    finish(context, (trigger, place), (block, json!({ "every": every })))
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

/// A trigger by signals, and whether all that decides when it fires, and with
/// what, is there.
fn of_signals(context: &mut Context, trigger: &Value, place: &str) -> (Block, bool) {
    let mut is_whole = true;
    let definitions = trigger.get("definitions").map(Value::entries).unwrap_or_default();
    let mut signals = Vec::new();
    for (name, definition) in definitions {
        let place = format!("{place}.definitions.{name}");
        signals.push(Yaml::Map(part(context, (name, definition), &place, &mut is_whole)));
    }
    let mut block = Block::default();
    match <[Yaml; 1]>::try_from(signals) {
        Ok([only]) => block.put("signal", only),
        Err(several) => block.put("signals", Yaml::List(several)),
    }
    let none = Value::Null;
    let given = trigger.get("params").unwrap_or(&none);
    let inner = format!("{place}.params");
    let given = super::param::read_all(given, &inner, &mut context.notes);
    let mut params = Block::default();
    for param in &given {
        let rendered = context.render(param, &format!("{inner}.{}", param.name));
        is_whole &= rendered.yaml.is_some();
        let ours = context.variables.of(&param.name);
        params.put(&ours, rendered.yaml.unwrap_or(Yaml::Plain("null".to_owned())));
    }
    given.iter().for_each(|param| context.know_given(param));
    context.read_trigger_params(&inner, &given);
    for (key, ours) in [("condition", "when"), ("dedup_expr", "key")] {
        let Some(source) = trigger.get(key).and_then(Value::scalar) else { continue };
        match context.expression(&source, &format!("{place}.{key}")) {
            Ok(term) if ours == "key" => block.put(ours, render::yaml(&term)),
            Ok(term) => block.text(ours, term.text),
            Err(_) if ours == "key" && source.contains("UUID.randomUUID()") => {
                let text = "a key that is always new: each set starts a run, as without a key here";
                context.notes.translated(&format!("{place}.{key}"), text);
            }
            Err(message) => {
                is_whole = false;
                context
                    .notes
                    .needs_you(&format!("{place}.{key}"), format!("{message} (was: {source})"));
            }
        }
    }
    context.own = Own::default();
    let names: Vec<_> = definitions.iter().map(|(name, _)| name.clone()).collect();
    context.give_started(&names, &mut params);
    if !params.is_empty() {
        block.put("params", Yaml::Map(params));
    }
    (block, is_whole)
}

/// One signal of a trigger.
fn part(
    context: &mut Context,
    (name, definition): (&str, &Value),
    place: &str,
    is_whole: &mut bool,
) -> Block {
    let mut signal = Block::default();
    signal.text("name", name);
    let mut fields = Block::default();
    for (param, operator) in signal::matches(definition, place, context) {
        let rendered = context.render(&param, &format!("{place}.match_params.{}", param.name));
        let Some(yaml) = rendered.yaml else {
            *is_whole = false;
            continue;
        };
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
    signal
}
