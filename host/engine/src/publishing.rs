//! What a step publishes when its work is done. Its `signals` are evaluated
//! then, once; what they gave is in its history, so that publishing them twice
//! publishes them once.

use crate::event::Event;
use crate::failure::{Failure, FailureKind};
use crate::id::{Attempt, StepIndex, Timestamp};
use crate::payload::Payload;
use crate::run::Run;
use crate::settle::{Within, retry_at};
use crate::signal::{PAYLOAD_BYTES_MAX, Params, check_name};
use crate::usage::Usage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The most signals that a step may publish at its end.
pub const SIGNALS_MAX: usize = 100;

/// What they may say together.
pub const SIGNALS_BYTES_MAX: usize = 1 << 20;

/// A signal that a step publishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalOutput {
    /// Its name.
    pub name: String,
    /// By what it is found.
    pub params: Params,
    /// What it says.
    pub payload: Payload,
}

/// What follows when an attempt, a wait or a subworkflow gave this output: the
/// step has succeeded, or publishes first. A mistake in its `signals` counts
/// like a failed attempt.
pub(crate) fn succeeded(
    run: &Run,
    (step, attempt): (StepIndex, Attempt),
    (output, usage): (Payload, Usage),
    now: Timestamp,
) -> Event {
    let own = run.steps()[step as usize].input.as_ref();
    let own = own.unwrap_or_else(|| Payload::empty_object());
    match signals(run, step, (own, &output)) {
        Ok(signals) if signals.is_empty() => Event::StepSucceeded { step, attempt, output, usage },
        Ok(signals) => {
            let output = Some(output);
            Event::StepPublishing { step, attempt, output, signals, usage }
        }
        Err(failure) => {
            let retry_at = retry_at(run, (step, attempt), &failure, now);
            Event::AttemptFailed { step, attempt, failure, retry_at, usage }
        }
    }
}

/// The same for a loop, whose output follows from its iterations.
pub(crate) fn loop_succeeded(run: &Run, step: StepIndex) -> Event {
    let output = run.output_so_far(step).unwrap_or_else(Payload::null);
    match signals(run, step, (Payload::empty_object(), &output)) {
        Ok(signals) if signals.is_empty() => Event::LoopSucceeded { step },
        Ok(signals) => {
            let (attempt, usage) = (run.steps()[step as usize].attempt, Usage::default());
            Event::StepPublishing { step, attempt, output: None, signals, usage }
        }
        Err(failure) => Event::StepFailed { step, failure },
    }
}

/// What the step publishes that has these params and gave this output.
///
/// # Errors
/// Its `signals` have no value, or one that says no signals.
pub(crate) fn signals(
    run: &Run,
    step: StepIndex,
    (own, output): (&Payload, &Payload),
) -> Result<Vec<SignalOutput>, Failure> {
    let Some(template) = &run.body().steps[step as usize].signals else { return Ok(Vec::new()) };
    let mut own = match own.value() {
        Value::Object(own) => own.clone(),
        _ => Map::new(),
    };
    own.insert("output".to_owned(), output.value().clone());
    let own = Payload::from(Value::Object(own));
    let given = template.render(&Within::step(run, &own));
    let given = given.map_err(|error| wrong("signals", &error.to_string()))?;
    read(given.value()).map_err(|(place, message)| wrong(&place, &message))
}

fn wrong(place: &str, message: &str) -> Failure {
    Failure::new(FailureKind::User, "signals", format!("`{place}`: {message}"))
}

/// The signals in a list, or what is wrong where.
pub(crate) fn read(given: &Value) -> Result<Vec<SignalOutput>, (String, String)> {
    let Value::Array(given) = given else {
        let text: String = given.to_string().chars().take(60).collect();
        let message = format!("gave {text}, expected a list of {{ name, params, payload }}");
        return Err(("signals".to_owned(), message));
    };
    if given.len() > SIGNALS_MAX {
        let message = format!(
            "gave {} signals, more than the {SIGNALS_MAX} allowed; put more into each",
            given.len()
        );
        return Err(("signals".to_owned(), message));
    }
    let mut signals = Vec::with_capacity(given.len());
    let mut bytes = 0;
    for (index, one) in given.iter().enumerate() {
        let place = format!("signals[{index}]");
        let signal = read_one(one).map_err(|(key, message)| (format!("{place}{key}"), message))?;
        bytes += signal.payload.text().len();
        signals.push(signal);
    }
    if bytes > SIGNALS_BYTES_MAX {
        let message = format!(
            "the payloads have {bytes} bytes together, more than the {} KiB allowed; keep the rest \
             elsewhere, and send where it is",
            SIGNALS_BYTES_MAX >> 10
        );
        return Err(("signals".to_owned(), message));
    }
    Ok(signals)
}

fn read_one(given: &Value) -> Result<SignalOutput, (&'static str, String)> {
    let Value::Object(fields) = given else {
        let text: String = given.to_string().chars().take(60).collect();
        return Err(("", format!("gave {text}, expected an object with a name")));
    };
    if let Some(key) = fields.keys().find(|key| !["name", "params", "payload"].contains(&&***key)) {
        return Err((
            "",
            format!("has the unknown key {key:?}; a signal has name, params, payload"),
        ));
    }
    let name = match fields.get("name") {
        Some(Value::String(name)) => name.clone(),
        Some(other) => return Err((".name", format!("gave {other}, expected text"))),
        None => return Err(("", "has no `name`; add one".to_owned())),
    };
    check_name("a signal's name", &name).map_err(|error| (".name", error.to_string()))?;
    let none = json!({});
    let params = fields.get("params").unwrap_or(&none);
    let params = Params::of(params).map_err(|error| (".params", error.to_string()))?;
    let payload = Payload::from(fields.get("payload").cloned().unwrap_or_default());
    let bytes = payload.text().len();
    if bytes > PAYLOAD_BYTES_MAX {
        let message = format!(
            "has {bytes} bytes, more than the {} KiB allowed; keep the rest elsewhere, and send \
             where it is",
            PAYLOAD_BYTES_MAX >> 10
        );
        return Err((".payload", message));
    }
    Ok(SignalOutput { name, params, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_what_is_published() {
        let given =
            json!([{ "name": "a/b", "params": { "n": 2.0 }, "payload": [1] }, { "name": "c" }]);
        let signals = read(&given).unwrap();
        assert_eq!(signals.len(), 2);
        assert_eq!(signals[0].params, Params::of(&json!({ "n": 2 })).unwrap());
        assert_eq!(signals[1].payload, Payload::null());
        assert_eq!(read(&json!([])), Ok(Vec::new()));
    }

    #[test]
    fn a_mistake_names_its_place() {
        let long = "x".repeat(PAYLOAD_BYTES_MAX);
        let half: Vec<_> = (0..5).map(|_| json!({ "name": "a", "payload": long[3..] })).collect();
        for (given, place, said) in [
            (json!({ "name": "a" }), "signals", "expected a list"),
            (json!(["a"]), "signals[0]", "expected an object"),
            (json!([{ "name": "a" }, { "params": {} }]), "signals[1]", "has no `name`"),
            (json!([{ "name": "" }]), "signals[0].name", "1 to 128 bytes"),
            (json!([{ "name": 1 }]), "signals[0].name", "expected text"),
            (json!([{ "name": "a", "to": 1 }]), "signals[0]", "unknown key \"to\""),
            (json!([{ "name": "a", "params": { "x": [] } }]), "signals[0].params", "param `x`"),
            (json!([{ "name": "a", "payload": long }]), "signals[0].payload", "256 KiB"),
            (Value::from(half), "signals", "1024 KiB"),
            (Value::from(vec![json!({ "name": "a" }); 101]), "signals", "101 signals"),
        ] {
            let (at, message) = read(&given).unwrap_err();
            assert_eq!(at, place, "{message}");
            assert!(message.contains(said), "{message}");
        }
    }
}
