//! Holds what a script expects against what is.

use super::Failure;
use super::compare::{difference, lack, same};
use super::play::{End, Play};
use super::script::{Expectation, Failing, Place, Seen, Suspension, Wanted};
use super::wait::Awaited;
use super::world::World;
use crate::clock::rfc3339;
use segno_engine::id::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

impl Play<'_> {
    /// Checks an expectation.
    ///
    /// # Errors
    /// It is not so.
    pub(super) fn check(&mut self, line: u32, expectation: &Expectation) -> Result<(), Failure> {
        match expectation {
            Expectation::Suspended(wanted) => self.check_suspended(line, wanted),
            Expectation::Output(wanted) => {
                self.is_judged = true;
                self.check_output(line, wanted)
            }
            Expectation::Fails(wanted) => {
                self.is_judged = true;
                match &self.end {
                    Some(End::Failed(is)) if wanted.is_met_by(is) => Ok(()),
                    _ => Err(failure(line, "fails", wanted.to_string(), self.now())),
                }
            }
            Expectation::Seen(seen, wanted) => self.check_seen(line, *seen, wanted),
            Expectation::Values(wanted) => check_values(line, wanted, &self.world.lock()),
        }
    }

    fn check_output(&self, line: u32, wanted: &Value) -> Result<(), Failure> {
        let Some(End::Returned(output)) = &self.end else {
            return Err(failure(line, "output", wanted.to_string(), self.now()));
        };
        let Some(found) = difference(wanted, output.value()) else { return Ok(()) };
        let what = format!("output{}", found.path);
        let is = match found.path.is_empty() {
            true => output.text().to_owned(),
            false => found.is.to_string(),
        };
        Err(failure(line, &what, found.wanted.to_string(), is))
    }

    /// What the step does now, for a person.
    pub(super) fn now(&self) -> String {
        match &self.end {
            Some(end) => end.to_string(),
            None => self.world.lock().waiting(),
        }
    }

    fn check_suspended(&self, line: u32, wanted: &Suspension) -> Result<(), Failure> {
        let is_met = self.end.is_none() && wanted.is_met_by(&self.world.lock());
        match is_met {
            true => Ok(()),
            false => Err(failure(line, "suspended", wanted.to_string(), self.now())),
        }
    }

    fn check_seen(&self, line: u32, seen: Seen, wanted: &[Wanted]) -> Result<(), Failure> {
        let world = self.world.lock();
        let logs;
        let are = match seen {
            Seen::Requests => &world.web.requests,
            Seen::Published => &world.published,
            Seen::Started => &world.started,
            Seen::Logs => {
                let line = |line: &crate::sandbox::LogLine| json!({ "level": line.level.as_str(), "message": line.message });
                logs = world.lines.iter().map(line).collect();
                &logs
            }
        };
        for (place, (wanted, is)) in wanted.iter().zip(are).enumerate() {
            let Some(found) = lack(&wanted.value, is) else { continue };
            let what = format!("{}[{place}]{}", seen.key(), found.path);
            let (expected, actual) = (found.wanted.to_string(), found.is.to_string());
            return Err(failure(wanted.line, &what, expected, actual));
        }
        if wanted.len() != are.len() {
            let list = |all: &mut dyn Iterator<Item = &Value>| {
                let all: Vec<_> = all.map(Value::to_string).collect();
                format!("{} in all: [{}]", all.len(), all.join(", "))
            };
            let expected = list(&mut wanted.iter().map(|wanted| &wanted.value));
            return Err(failure(line, seen.key(), expected, list(&mut are.iter())));
        }
        Ok(())
    }
}

fn failure(line: u32, what: &str, expected: String, actual: String) -> Failure {
    Failure { line, what: what.to_owned(), expected, actual }
}

fn check_values(
    line: u32,
    wanted: &BTreeMap<Place, Option<Value>>,
    world: &World,
) -> Result<(), Failure> {
    for (place, wanted) in wanted {
        let is = world.values.get(place).map(|value| value.value());
        let is_same = match (wanted, is) {
            (Some(wanted), Some(is)) => same(wanted, is),
            (wanted, is) => wanted.is_none() && is.is_none(),
        };
        if !is_same {
            let (namespace, key) = place;
            let what = match namespace.as_str() {
                "" => format!("kv {key}"),
                _ => format!("namespaces {namespace} {key}"),
            };
            let shown = |value: Option<&Value>| {
                value.map_or_else(|| "there is none".to_owned(), Value::to_string)
            };
            return Err(failure(line, &what, shown(wanted.as_ref()), shown(is)));
        }
    }
    Ok(())
}

impl Suspension {
    fn is_met_by(&self, world: &World) -> bool {
        let Some(open) = &world.open else { return false };
        let Self { signal, pattern, run, left_ms, until_ms } = self;
        let any = |is: &dyn Fn(&Awaited) -> bool| open.conditions.iter().any(is);
        let deadline_ms = world.deadline_ms();
        let is_signal = |awaited: &Awaited| {
            let (name, has) = match awaited {
                Awaited::Everyone { name, wanted, .. } => (name, Some(wanted)),
                Awaited::ThisRun(name) => (name, None),
                Awaited::Timer(_) | Awaited::Run(_) => return false,
            };
            signal.as_ref().is_none_or(|signal| signal == name)
                && pattern.as_ref().is_none_or(|pattern| has == Some(pattern))
        };
        let is_run = |awaited: &Awaited| match awaited {
            Awaited::Run(place) => Some(&world.runs[*place].workflow) == run.as_ref(),
            _ => false,
        };
        let wants_signal = signal.is_some() || pattern.is_some();
        let left = deadline_ms.map(|deadline_ms| deadline_ms.saturating_sub(world.now_ms()));
        (!wants_signal || any(&is_signal))
            && (run.is_none() || any(&is_run))
            && (left_ms.is_none() || *left_ms == left)
            && (until_ms.is_none() || *until_ms == deadline_ms)
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, pattern, run, left_ms, until_ms } = self;
        let pattern = pattern.as_ref().map(|pattern| format!(" {pattern}")).unwrap_or_default();
        let signal = match signal {
            Some(signal) => Some(format!("the signal `{signal}`{pattern}")),
            None if !pattern.is_empty() => Some(format!("a signal{pattern}")),
            None => None,
        };
        let run = run.as_ref().map(|run| format!("the end of a run of `{run}`"));
        let left = left_ms.map(time);
        let until = until_ms.map(|until_ms| rfc3339(Timestamp(until_ms)));
        let things: Vec<_> = [signal, run, left, until].into_iter().flatten().collect();
        match things.is_empty() {
            true => f.write_str("it waits"),
            false => write!(f, "it waits for {}", things.join(" or ")),
        }
    }
}

impl World {
    fn waiting(&self) -> String {
        let conditions = self.open.iter().flat_map(|open| &open.conditions);
        let things = conditions.map(|condition| match condition {
            Awaited::Timer(moment_ms) => {
                let left = time(moment_ms.saturating_sub(self.now_ms()));
                format!("{left} (until {})", rfc3339(Timestamp(*moment_ms)))
            }
            Awaited::Everyone { name, wanted, .. } if wanted.is_empty() => {
                format!("the signal `{name}`")
            }
            Awaited::Everyone { name, wanted, .. } => format!("the signal `{name}` {wanted}"),
            Awaited::ThisRun(name) => format!("the signal `{name}` to this run"),
            Awaited::Run(place) => {
                format!("the end of a run of `{}`", self.runs[*place].workflow)
            }
        });
        format!("it waits for {}", things.collect::<Vec<_>>().join(" or "))
    }
}

fn time(millis: u64) -> String {
    humantime::format_duration(Duration::from_millis(millis)).to_string()
}

impl Failing {
    fn is_met_by(&self, failure: &segno_engine::failure::Failure) -> bool {
        let Self { reason, message, contains, details } = self;
        let is = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
        is(reason, &failure.reason)
            && is(message, &failure.message)
            && contains.as_ref().is_none_or(|part| failure.message.contains(part.as_str()))
            && details.as_ref().is_none_or(|wanted| {
                let given = failure.details.as_ref();
                same(wanted, given.map_or(&Value::Null, |details| details.value()))
            })
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, message, contains, details } = self;
        let parts = [
            reason.as_ref().map(|reason| format!("for the reason {reason}")),
            message.as_ref().map(|message| format!("with the message {message:?}")),
            contains.as_ref().map(|part| format!("with {part:?} in its message")),
            details.as_ref().map(|details| format!("with the details {details}")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        f.write_str(["it fails", &parts.join(", ")].join(" ").trim_end())
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(output) => write!(f, "it returned {}", output.text()),
            Self::Failed(failure) => {
                write!(f, "it failed for the reason {}: {}", failure.reason, failure.message)?;
                match &failure.details {
                    Some(details) => write!(f, "; details {}", details.text()),
                    None => Ok(()),
                }
            }
        }
    }
}
