//! What `run` has, in an expression.

use super::meter::Halt;
use super::value::{Text, Value};
use crate::id::Timestamp;
use crate::scope::RunFacts;
use crate::suggestion::closest;
use chrono::DateTime;

/// One field of `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Id,
    Number,
    Workflow,
    Version,
    CreatedAt,
    Retries,
}

/// Every field by name.
const FACTS: [(&str, Fact); 6] = [
    ("id", Fact::Id),
    ("number", Fact::Number),
    ("workflow", Fact::Workflow),
    ("version", Fact::Version),
    ("created_at", Fact::CreatedAt),
    ("retries", Fact::Retries),
];

impl Fact {
    /// The field with this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        if let Some((_, fact)) = FACTS.iter().find(|(known, _)| *known == name) {
            return Ok(*fact);
        }
        let names = FACTS.map(|(known, _)| known);
        Err(match closest(name, names) {
            Some(similar) => format!("unknown name run.{name}; did you mean run.{similar}?"),
            None => format!("unknown name run.{name}; a run has {}", names.join(", ")),
        })
    }

    /// Its value for a run.
    ///
    /// # Errors
    /// It is not known.
    pub(crate) fn value<'a>(self, run: RunFacts<'a>) -> Result<Value<'a>, Halt> {
        match self {
            Self::Id => Ok(Value::Text(Text::from(run.id.to_string()))),
            Self::Number => match run.number {
                Some(number) => Ok(whole(number)),
                None => Err(Halt::Missing(
                    "run.number is not known here; use run.id, or default(run.number, 0)"
                        .to_owned(),
                )),
            },
            Self::Workflow => Ok(Value::Text(Text::Borrowed(run.workflow))),
            Self::Version => Ok(whole(run.version)),
            Self::CreatedAt => instant(run.created_at),
            Self::Retries => Ok(Value::Int(run.retries.into())),
        }
    }
}

fn whole<'a>(number: u64) -> Value<'a> {
    match i64::try_from(number) {
        Ok(number) => Value::Int(number),
        Err(_) => Value::Other(cel::Value::UInt(number)),
    }
}

fn instant<'a>(moment: Timestamp) -> Result<Value<'a>, Halt> {
    let instant = i64::try_from(moment.0).ok().and_then(DateTime::from_timestamp_millis);
    match instant {
        Some(instant) => Ok(Value::Other(cel::Value::Timestamp(instant.fixed_offset()))),
        None => Err(Halt::Missing("run.created_at is outside of the calendar".to_owned())),
    }
}
