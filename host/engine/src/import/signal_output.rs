//! What a step announces when it is done becomes `signals` of the step. A signal
//! that could not be published as it is written is left out, with a note.

use super::body::Source;
use super::context::{Context, has_value};
use super::note::Notes;
use super::param::{self, Kind, Param, Source as From};
use super::signal::name;
use super::value::Value;
use super::yaml::{Block, Yaml};
use crate::publishing::SIGNALS_MAX;
use crate::signal::{PARAMS_MAX, TEXT_BYTES_MAX, check_name};

/// The key that has the name among the params over there.
const NAME: &str = "name";

/// A signal as it is written over there, with its place.
struct Announced {
    place: String,
    value: Value,
}

/// A signal that can be published.
struct Output {
    name: Param,
    params: Vec<Param>,
    payload: Vec<Param>,
}

/// Writes the `signals` of a step.
pub(super) fn write(context: &mut Context, source: &Source<'_>, block: &mut Block) {
    let announced = announced(source);
    if announced.is_empty() {
        return;
    }
    let mut signals = Vec::new();
    for (number, given) in announced.iter().enumerate() {
        let read = match number < SIGNALS_MAX {
            true => read(given, &mut context.notes),
            false => Err(format!("a step publishes at most {SIGNALS_MAX}; use a second step")),
        };
        match read {
            Ok(output) => {
                context.read_own_when_done(source.id);
                signals.push(Yaml::Map(context.signal_output(&output, &given.place)));
            }
            Err(message) => {
                let name = name(&given.value).filter(|name| !name.is_empty());
                let name = name.map(|name| format!(" {name}")).unwrap_or_default();
                let text = format!("the signal{name} is left out: {message}");
                block.comments.push(format!("needs you: {text}"));
                let text = format!("{text} (was: {})", given.value.json());
                context.notes.needs_you(&given.place, text);
            }
        }
    }
    context.own = super::context::Own::default();
    if !signals.is_empty() {
        block.put("signals", Yaml::List(signals));
    }
}

/// What the step announces. In `outputs`, as it was called at first, the name
/// stands among the params.
fn announced(source: &Source<'_>) -> Vec<Announced> {
    let mut found = Vec::new();
    let mut add = |place: String, given: &Value| {
        let list = given.get("definitions").unwrap_or(given);
        for (number, element) in list.elements().iter().enumerate() {
            let place = format!("{place}[{number}]");
            found.push(Announced { place, value: apart(element) });
        }
    };
    let place = format!("steps.{}", source.id);
    if let Some(given) = source.value.get("signal_outputs") {
        add(format!("{place}.signal_outputs"), given);
    }
    for (kind, given) in source.value.get("outputs").map(Value::entries).unwrap_or_default() {
        add(format!("{place}.outputs.{kind}"), given);
    }
    found
}

/// The signal with its name apart from its params.
fn apart(element: &Value) -> Value {
    let Some(Value::Map(entries)) = element.get("value") else { return element.clone() };
    let (names, params) = entries.iter().cloned().partition(|(key, _)| key == NAME);
    let mut apart: Vec<(String, Value)> = names;
    apart.push(("params".to_owned(), Value::Map(params)));
    Value::Map(apart)
}

/// Reads a signal.
///
/// # Errors
/// It could not be published: why, with a remedy after a `;`.
fn read(given: &Announced, notes: &mut Notes) -> Result<Output, String> {
    let Announced { place, value } = given;
    let known = |key: &str| [NAME, "params", "payload"].contains(&key);
    for (key, value) in value.entries().iter().filter(|(key, _)| !known(key)) {
        notes.dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
    }
    let written = value.get(NAME).ok_or("it has no name; name it")?;
    let mut name = param::read(NAME, written, place, notes);
    name.kind = Kind::Text;
    let plain = plain_text(&name);
    if !has_value(&name) || plain == Some("") {
        return Err("it has no name; name it".to_owned());
    }
    if let Some(plain) = plain {
        check_name("a signal's name", plain).map_err(|error| format!("{error}; use another"))?;
    }
    let none = Value::Null;
    let list = |key: &str, notes: &mut Notes| {
        let given = value.get(key).unwrap_or(&none);
        param::read_all(given, &format!("{place}.{key}"), notes)
    };
    let (mut params, mut payload) = (list("params", notes), list("payload", notes));
    for (key, list) in [("params", &mut params), ("payload", &mut payload)] {
        if list.iter().any(|param| param.name == NAME) {
            let text = "is never sent over there: the signal's own name takes its place";
            notes.dropped(&format!("{place}.{key}.{NAME}"), text);
            list.retain(|param| param.name != NAME);
        }
    }
    for param in payload.iter().filter(|it| params.iter().any(|param| param.name == it.name)) {
        let text = "is never sent over there: the param of that name takes its place";
        notes.dropped(&format!("{place}.payload.{}", param.name), text);
    }
    payload.retain(|it| params.iter().all(|param| param.name != it.name));
    check(&params, &payload)?;
    if !payload.is_empty() {
        let text = "is published, too; over there it got lost on the way";
        notes.translated(&format!("{place}.payload"), text);
    }
    Ok(Output { name, params, payload })
}

/// The text of a param in which nothing is computed.
fn plain_text(param: &Param) -> Option<&str> {
    match &param.source {
        From::Literal(Value::Text(text)) if !text.contains('$') => Some(text),
        _ => None,
    }
}

fn check(params: &[Param], payload: &[Param]) -> Result<(), String> {
    if params.len() > PARAMS_MAX {
        let count = params.len();
        return Err(format!(
            "it has {count} params, and at most {PARAMS_MAX} are allowed; put the rest into the \
             payload"
        ));
    }
    for param in params {
        let Param { name, kind, .. } = param;
        check_name("a param's name", name).map_err(|error| format!("{error}; use another"))?;
        if matches!(kind, Kind::List(_) | Kind::TextMap | Kind::Json) {
            return Err(format!(
                "its param {name} is a {}, and signals are found by text, numbers and flags; put \
                 it into the payload",
                kind.ours()
            ));
        }
        if plain_text(param).is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(format!(
                "the text of its param {name} is longer than {TEXT_BYTES_MAX} bytes; put it into \
                 the payload"
            ));
        }
    }
    let is_empty = |it: &&Param| !has_value(it) || matches!(it.source, From::Literal(Value::Null));
    match params.iter().chain(payload).find(is_empty) {
        Some(param) => Err(format!("its param {} has no value; give it one", param.name)),
        None => Ok(()),
    }
}

impl Context {
    /// A signal as an entry of `signals`.
    fn signal_output(&mut self, output: &Output, place: &str) -> Block {
        let mut block = Block::default();
        let rendered = self.render(&output.name, &format!("{place}.{NAME}"));
        let name = rendered.yaml.unwrap_or(Yaml::Text(String::new()));
        block.put_with(NAME, name, rendered.comments);
        for (key, params) in [("params", &output.params), ("payload", &output.payload)] {
            let mut fields = Block::default();
            for param in params {
                let rendered = self.render(param, &format!("{place}.{key}.{}", param.name));
                let yaml = rendered.yaml.unwrap_or(Yaml::Plain("null".to_owned()));
                fields.put_with(&param.name, yaml, rendered.comments);
            }
            if !fields.is_empty() {
                block.put(key, Yaml::Map(fields));
            }
        }
        block
    }
}
