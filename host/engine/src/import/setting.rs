//! Settings: time-outs, retries, tags. Their numbers may read params.

use super::context::Context;
use super::interpolation::{Piece, pieces};
use super::note::Notes;
use super::sel::Term;
use super::value::Value;
use super::yaml::{Block, Yaml};

/// A time: seconds, text like `20 minutes`, or text with params in it.
pub(super) fn timeout(context: &mut Context, value: &Value, place: &str) -> Option<Yaml> {
    if let Some(seconds) = value.whole() {
        return Some(Yaml::Text(shown(seconds.unsigned_abs())));
    }
    let text = value.text()?;
    if let Some(seconds) = seconds(text) {
        return Some(Yaml::Text(shown(seconds)));
    }
    match context.text(text).map(|rendered| rendered.term) {
        Ok(Some(term)) if term.literal.is_none() => Some(Yaml::Text(format!("${{{}}}", term.text))),
        Ok(_) => {
            context.notes.needs_you(place, format!("{text:?} is no time; say it as in 30s or 2h"));
            None
        }
        Err(message) => {
            context.notes.needs_you(place, format!("{message}; it is left out (was: {text})"));
            None
        }
    }
}

/// A time that is written out, in our words.
pub(super) fn fixed(value: &Value) -> Option<String> {
    let whole = value.whole().and_then(|whole| u64::try_from(whole).ok());
    whole.or_else(|| seconds(value.text()?)).map(shown)
}

/// Seconds in a text like `2h` or `20 minutes`.
fn seconds(text: &str) -> Option<u64> {
    let millis = humantime::parse_duration(text).ok()?.as_millis();
    u64::try_from(millis.div_ceil(1_000)).ok()
}

/// Seconds with the largest unit that leaves them whole.
fn shown(seconds: u64) -> String {
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds >= length && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

/// The tags, by name.
pub(super) fn tags(value: Option<&Value>, place: &str, notes: &mut Notes) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in value.map(Value::elements).unwrap_or_default() {
        let name = tag.text().or_else(|| tag.get("name").and_then(Value::text));
        let Some(name) = name else {
            notes.dropped(place, format!("{}: is no tag", tag.json()));
            continue;
        };
        for (key, value) in tag.entries().iter().filter(|(key, _)| key != "name") {
            notes.dropped(place, format!("{key} {} of {name}: a tag is a name here", value.json()));
        }
        if !tags.iter().any(|known| known == name) {
            tags.push(name.to_owned());
        }
    }
    tags
}

/// One number of a retry policy.
fn number(context: &mut Context, value: &Value, place: &str) -> Option<Yaml> {
    if let Some(whole) = value.whole() {
        return Some(Yaml::whole(whole));
    }
    if let Value::Number(number) = value {
        return Some(Yaml::Plain(number.to_string()));
    }
    let text = value.text()?;
    let made = match pieces(text).as_slice() {
        [Piece::Name(name)] => {
            super::sel::Lookup::name(context, name).and_then(|term| term.as_int())
        }
        _ => context.text(text).and_then(|r| r.term.unwrap_or_else(|| Term::text("")).as_int()),
    };
    match made {
        Ok(Term { whole: Some(whole), .. }) => Some(Yaml::whole(whole)),
        Ok(term) => Some(Yaml::Text(format!("${{{}}}", term.text))),
        Err(message) => {
            let text = format!(
                "{message}; it is left out, where over there the whole policy would be the default (was: {text})"
            );
            context.notes.needs_you(place, text);
            None
        }
    }
}

/// A number of seconds as a time.
fn wait(yaml: Yaml) -> Yaml {
    match yaml {
        Yaml::Plain(text) => match text.parse() {
            Ok(0) => Yaml::Text("1ms".to_owned()),
            Ok(seconds) => Yaml::Text(shown(seconds)),
            Err(_) => Yaml::Plain(text),
        },
        yaml => yaml,
    }
}

/// What the other system does without a policy, in seconds.
const DEFAULTS: [(&str, u64); 3] = [("error", 600), ("platform", 3_600), ("timeout", 3_600)];

/// `retry`, from a policy. Without one the waits between tries are theirs.
pub(super) fn retry(context: &mut Context, policy: Option<&Value>, place: &str) -> Option<Yaml> {
    let mut retry = Block::default();
    let policy = policy.unwrap_or(&Value::Null);
    for (theirs, ours) in [("error", "user"), ("platform", "platform"), ("timeout", "timeout")] {
        let key = format!("{theirs}_retry_limit");
        let place = format!("{place}.{key}");
        if let Some(yaml) = policy.get(&key).and_then(|value| number(context, value, &place)) {
            retry.put(ours, yaml);
        }
    }
    let empty = Value::Map(Vec::new());
    let backoff = policy.get("backoff").unwrap_or(&empty);
    let made = waits(context, backoff, &format!("{place}.backoff"));
    retry.put("backoff", Yaml::Map(made));
    for (key, value) in policy.entries() {
        let is_known =
            key == "backoff" || DEFAULTS.iter().any(|(k, _)| *key == format!("{k}_retry_limit"));
        if !is_known {
            context
                .notes
                .dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
        }
    }
    Some(Yaml::Map(retry))
}

/// The waits of user errors, which are the only ones here. Says so where those
/// of other failures differ.
fn waits(context: &mut Context, backoff: &Value, place: &str) -> Block {
    let kind = backoff.get("type").and_then(Value::text).unwrap_or_default().to_ascii_uppercase();
    let is_fixed = kind.starts_with("FIXED");
    let key = |kind: &str, part: &str| format!("{kind}_retry_{part}");
    for (other, _) in &DEFAULTS[1..] {
        for part in ["backoff_in_secs", "exponent", "limit_in_secs"] {
            let (theirs, used) = (backoff.get(&key(other, part)), backoff.get(&key("error", part)));
            if let Some(value) = theirs
                && Some(value) != used
            {
                let place = format!("{place}.{}", key(other, part));
                let text =
                    format!("{}: all failures wait as those of the step itself do", value.json());
                context.notes.dropped(&place, text);
            }
        }
    }
    let mut part = |name: &str| {
        let key = key("error", name);
        backoff.get(&key).and_then(|value| number(context, value, &format!("{place}.{key}")))
    };
    let mut waits = Block::default();
    let initial = wait(part("backoff_in_secs").unwrap_or(Yaml::whole(60)));
    waits.put("initial", initial.clone());
    if is_fixed {
        waits.put("factor", Yaml::whole(1));
        waits.put("max", initial);
        waits.put("jitter", Yaml::bool(false));
    } else {
        waits.put("factor", part("exponent").unwrap_or(Yaml::whole(2)));
        waits.put("max", wait(part("limit_in_secs").unwrap_or(Yaml::whole(DEFAULTS[0].1 as i64))));
    }
    for (key, value) in backoff.entries() {
        let parts = ["backoff_in_secs", "exponent", "limit_in_secs"];
        let is_known = key == "type"
            || DEFAULTS
                .iter()
                .any(|(kind, _)| parts.iter().any(|p| *key == format!("{kind}_retry_{p}")));
        if !is_known {
            context
                .notes
                .dropped(&format!("{place}.{key}"), format!("{}: has no equal", value.json()));
        }
    }
    waits
}
