//! A trigger that signals set off: which of them it takes, and what comes of a
//! set. Which ones belong together is `join`'s to say.

use super::join::JoinValues;
use crate::expression::Expression;
use crate::payload::Payload;
use crate::scope::Occasion;
use crate::signal::{Params, Pattern};
use crate::template::Template;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The most parts of a trigger.
pub const PARTS_MAX: usize = 8;

/// The most params that join.
pub const JOINED_MAX: usize = 8;

/// The longest key, as it was evaluated.
pub const KEY_BYTES_MAX: usize = 128;

/// A trigger that signals set off.
#[derive(Debug)]
pub struct SignalTrigger {
    /// Its id, unique within the workflow.
    pub id: String,
    /// The signals that make a set, one of each.
    pub parts: Vec<Part>,
    /// Whether there is one part, and expressions read `signal`; otherwise they
    /// read `signals`.
    pub is_single: bool,
    /// A set starts a run only if this holds.
    pub when: Option<Expression>,
    /// What becomes of a set for which it does not hold.
    pub when_false: WhenFalse,
    /// The params of the run.
    pub params: Option<Template>,
    /// Two sets with the same key start one run.
    pub key: Option<Template>,
}

/// One of the signals that make a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The signal's name.
    pub name: String,
    /// What its params must be.
    pub pattern: Pattern,
    /// The params whose values are equal in a set, place by place.
    pub join: Vec<String>,
}

/// What becomes of a set for which the condition does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFalse {
    /// Its signals are used.
    #[default]
    Consume,
    /// They wait for others still.
    Keep,
}

/// A signal of a set, as expressions see it.
#[derive(Clone, Debug)]
pub struct Given {
    /// `name`
    pub name: String,
    /// `sequence`
    pub sequence: u64,
    /// `id`
    pub id: String,
    /// `params`
    pub params: Params,
    /// `payload`
    pub payload: Payload,
    /// `published_at`: text, RFC 3339.
    pub published_at: String,
}

/// What comes of a set.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A run with these params.
    Start {
        /// The params.
        params: Map<String, Value>,
        /// What names the run, so that another set with it starts none.
        key: Option<String>,
    },
    /// Nothing: the condition does not hold.
    No,
}

impl Part {
    /// The values that join, if a signal with this name and these params fits.
    pub fn fits(&self, name: &str, params: &Params) -> Option<JoinValues> {
        if self.name != name || !self.pattern.fits(params) {
            return None;
        }
        self.join.iter().map(|param| params.get(param).cloned()).collect()
    }
}

/// The parts that a signal fits, in their order, each with the values that join.
pub fn fits(parts: &[Part], name: &str, params: &Params) -> Vec<(usize, JoinValues)> {
    let fit = |(number, part): (usize, &Part)| Some((number, part.fits(name, params)?));
    parts.iter().enumerate().filter_map(fit).collect()
}

impl SignalTrigger {
    /// All that it says, as text: equal for two triggers that do the same.
    pub fn says(&self) -> String {
        let text = |template: &Option<Template>| template.as_ref().map(Template::to_string);
        let part = |Part { name, pattern, join }: &Part| json!({ "name": name, "match": pattern.to_value(), "join": join });
        json!({
            "signals": self.parts.iter().map(part).collect::<Vec<_>>(),
            "single": self.is_single,
            "when": self.when.as_ref().map(Expression::source),
            "keep": self.when_false == WhenFalse::Keep,
            "params": text(&self.params),
            "key": text(&self.key),
        })
        .to_string()
    }

    /// What comes of a set, which has a signal for each part in their order.
    ///
    /// # Errors
    /// An expression has no value, or one that is no good; with its place.
    pub fn judge(&self, trigger: &str, set: &[Given]) -> Result<Verdict, String> {
        let facts = facts(self.is_single, trigger, set);
        let scope = Occasion::Signals(&facts);
        if let Some(when) = &self.when
            && !when.holds(&scope).map_err(|error| format!("when: {} {error}", when.source()))?
        {
            return Ok(Verdict::No);
        }
        let params = match &self.params {
            Some(params) => {
                let rendered = params.render(&scope);
                rendered.map_err(|error| format!("params: {error}"))?.value().clone()
            }
            None => Value::Object(Map::new()),
        };
        let Value::Object(params) = params else {
            return Err("params: give names and values, as in { file: a.csv }".to_owned());
        };
        let key = match &self.key {
            Some(key) => Some(key_of(key, &scope)?),
            None => None,
        };
        Ok(Verdict::Start { params, key })
    }
}

fn key_of(key: &Template, scope: &Occasion<'_>) -> Result<String, String> {
    let rendered = key.render(scope).map_err(|error| format!("key: {error}"))?;
    let text = match rendered.value() {
        Value::String(text) => text.clone(),
        scalar @ (Value::Number(_) | Value::Bool(_)) => scalar.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err("key: it is no text, number or flag; use string(…) or one field".to_owned());
        }
    };
    if !(1..=KEY_BYTES_MAX).contains(&text.len()) || text.contains(char::is_control) {
        return Err(format!(
            "key: it has 1 to {KEY_BYTES_MAX} bytes and no control characters, not {text:?}"
        ));
    }
    Ok(text)
}

/// What the expressions of a trigger read.
fn facts(is_single: bool, trigger: &str, set: &[Given]) -> Payload {
    let signals: Vec<_> = set.iter().map(Given::document).collect();
    let signals = match (is_single, signals.as_slice()) {
        (true, [only]) => ("signal", only.clone()),
        _ => ("signals", Payload::from_elements(signals.iter())),
    };
    let trigger = Payload::from(json!({ "id": trigger }));
    Payload::from_fields([signals, ("trigger", trigger)].into_iter())
}

impl Given {
    fn document(&self) -> Payload {
        let fields = [
            ("name", Payload::from(Value::from(self.name.as_str()))),
            ("sequence", Payload::from(Value::from(self.sequence))),
            ("id", Payload::from(Value::from(self.id.as_str()))),
            ("params", Payload::from(self.params.to_value())),
            ("payload", self.payload.clone()),
            ("published_at", Payload::from(Value::from(self.published_at.as_str()))),
        ];
        Payload::from_fields(fields.into_iter())
    }
}

#[cfg(test)]
mod tests;
