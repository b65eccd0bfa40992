//! An entry of `triggers:` that signals set off:
//! `signal: { name: weather.landed, match: { station: seattle } }` for one,
//! `signals:` for a list of which one of each makes a set.

use super::draft::Use;
use super::field::{Field, Fields, Keys};
use super::node::Kind;
use super::pattern;
use super::reader::Reader;
use super::site::Site;
use crate::expression::Expression;
use crate::signal::{Pattern, check_name};
use crate::template::Template;
use crate::trigger::signal::{JOINED_MAX, PARTS_MAX, Part, SignalTrigger, WhenFalse};

const KEYS: Keys = Keys {
    of: "a trigger with signals",
    known: &["signal", "signals", "id", "when", "when_false", "params", "key"],
    planned: &[],
};

const SINGLE_KEYS: Keys = Keys { of: "signal", known: &["name", "match"], planned: &[] };

const PART_KEYS: Keys =
    Keys { of: "an entry of signals", known: &["name", "match", "join"], planned: &[] };

const PART_REMEDY: &str =
    "name a signal, as in { name: weather.landed, match: { station: seattle } }";

/// Reads an entry whose id is known.
pub(super) fn read(
    fields: &Fields<'_>,
    id: Option<String>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<SignalTrigger> {
    fields.check_keys(&KEYS, &mut reader.problems);
    let is_single = fields.get("signal").is_some();
    let parts = match (fields.get("signal"), fields.get("signals")) {
        (Some(field), _) => part(&field, &SINGLE_KEYS, reader).map(|part| vec![part]),
        (None, Some(field)) => several(&field, reader),
        (None, None) => None,
    };
    let site = if is_single { Site::Signal } else { Site::Signals };
    let when = fields.get("when").map(|field| condition(&field, site, uses, reader));
    let params = fields.get("params").map(|field| params(&field, site, uses, reader));
    let key = fields.get("key").map(|field| key(&field, site, uses, reader));
    let when_false = when_false(fields, is_single, reader);
    Some(SignalTrigger {
        id: id?,
        parts: parts?,
        is_single,
        when: either(when)?,
        when_false,
        params: either(params)?,
        key: either(key)?,
    })
}

/// Nothing if something is there and could not be read.
fn either<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(None) => None,
        Some(some) => Some(some),
        None => Some(None),
    }
}

/// Reads the list of a trigger with several signals.
fn several(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<Vec<Part>> {
    let remedy = "list them, as in [{ name: a.done, join: [day] }, { name: b.done, join: [day] }]";
    let elements = field.list(remedy, &mut reader.problems)?;
    if !(1..=PARTS_MAX).contains(&elements.len()) {
        let message = format!("there are {} signals in it", elements.len());
        field.problem(&mut reader.problems, message, format!("list 1 to {PARTS_MAX}"));
        return None;
    }
    let parts: Vec<_> = elements.iter().map(|element| part(element, &PART_KEYS, reader)).collect();
    let lengths: Vec<_> = parts.iter().flatten().map(|part| part.join.len()).collect();
    for (element, part) in elements.iter().zip(&parts) {
        let Some(part) = part else { continue };
        if lengths.first().is_some_and(|first| *first != part.join.len()) {
            let message = format!(
                "joins {} param(s), and the first of the list joins {}",
                part.join.len(),
                lengths[0]
            );
            let remedy = "name as many in each: their values are compared place by place";
            element.problem(&mut reader.problems, message, remedy);
            return None;
        }
    }
    parts.into_iter().collect()
}

/// Reads one signal.
fn part(field: &Field<'_>, keys: &Keys, reader: &mut Reader<'_>) -> Option<Part> {
    let fields = field.fields(PART_REMEDY, &mut reader.problems)?;
    fields.check_keys(keys, &mut reader.problems);
    let name = match fields.get("name") {
        Some(field) => name(&field, reader),
        None => {
            fields.missing("name", PART_REMEDY, &mut reader.problems);
            None
        }
    };
    let pattern = match fields.get("match") {
        Some(field) => literal(&field, reader),
        None => Some(Pattern::default()),
    };
    let join = match fields.get("join") {
        Some(field) => join(&field, reader),
        None => Some(Vec::new()),
    };
    Some(Part { name: name?, pattern: pattern?, join: join? })
}

fn name(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<String> {
    let text = field.text("name a signal, as in \"weather.landed\"", &mut reader.problems)?;
    if text.contains("${") {
        let remedy = "write a plain name: a trigger waits before there is any run";
        field.problem(&mut reader.problems, "the name is not evaluated here", remedy);
        return None;
    }
    if let Err(error) = check_name("a signal's name", text) {
        field.problem(&mut reader.problems, error.to_string(), "name it as in \"weather.landed\"");
        return None;
    }
    Some(text.to_owned())
}

/// What the params of a signal must be, without expressions.
fn literal(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<Pattern> {
    let mut uses = Vec::new();
    let template = pattern::read(field, Site::Plain, &mut uses, reader)?;
    let Some(constant) = template.constant() else {
        for used in uses {
            let message = "an expression has no value here: a trigger waits before there is a run";
            let remedy = "write a value, and test the rest in `when`";
            reader.problems.add(used.mark, &used.path, message, remedy);
        }
        return None;
    };
    match Pattern::of(constant.value()) {
        Ok(pattern) => Some(pattern),
        // What can be said of a single value was said where it stands.
        Err(_) if !reader.problems.is_empty() => None,
        Err(error) => {
            field.problem(&mut reader.problems, error.to_string(), "correct the `match`");
            None
        }
    }
}

fn join(field: &Field<'_>, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let remedy = "list params of the signal, as in [day, region]";
    let elements = field.list(remedy, &mut reader.problems)?;
    if elements.len() > JOINED_MAX {
        let message = format!("there are {} params in it", elements.len());
        field.problem(&mut reader.problems, message, format!("join by {JOINED_MAX} at most"));
        return None;
    }
    let param = |element: &Field<'_>| {
        let text = element.text(remedy, &mut reader.problems)?;
        if let Err(error) = check_name("a param's name", text) {
            element.problem(&mut reader.problems, error.to_string(), "use another name");
            return None;
        }
        Some(text.to_owned())
    };
    let params: Vec<_> = elements.iter().map(param).collect();
    params.into_iter().collect()
}

fn condition(
    field: &Field<'_>,
    site: Site,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Expression> {
    let expression = field.expression(&mut reader.problems)?;
    uses.push(Use { site, ..field.used_by(&expression) });
    Some(expression)
}

/// What its runs are given: a map with expressions.
fn params(
    field: &Field<'_>,
    site: Site,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
    let template = field.template(site, uses, &mut reader.problems)?;
    if !matches!(field.node.kind, Kind::Map(_)) && !template.is_one_expression() {
        let remedy = "write names and values, as in { file: \"${signal.payload.file}\" }";
        field.wrong(&mut reader.problems, "a map", remedy);
        return None;
    }
    Some(template)
}

/// What names the run of a set.
fn key(
    field: &Field<'_>,
    site: Site,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Template> {
    if let Kind::Null | Kind::List(_) | Kind::Map(_) = field.node.kind {
        field.wrong(&mut reader.problems, "text", "write it as in \"${signal.params.day}\"");
        return None;
    }
    field.template(site, uses, &mut reader.problems)
}

fn when_false(fields: &Fields<'_>, is_single: bool, reader: &mut Reader<'_>) -> WhenFalse {
    let Some(field) = fields.get("when_false") else { return WhenFalse::default() };
    let keeps = field.choice(&["consume", "keep"], &mut reader.problems) == Some(1);
    if keeps && is_single {
        let message = "one signal by itself is never tried again";
        let remedy = "remove it, or list several under `signals`";
        field.problem(&mut reader.problems, message, remedy);
    }
    if fields.get("when").is_none() {
        let message = "there is no `when` that could be false";
        field.problem(&mut reader.problems, message, "remove it, or add `when`");
    }
    if keeps { WhenFalse::Keep } else { WhenFalse::Consume }
}
