//! What `run`, `schedule`, `signal` and `trigger` have, in an expression.

use super::meter::Halt;
use super::value::{Text, Value};
use crate::id::Timestamp;
use crate::scope::{RunFacts, ScheduleFacts, Scope};
use crate::suggestion::closest;
use chrono::{DateTime, NaiveDate};

/// One field of `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Id,
    Number,
    Workflow,
    Version,
    CreatedAt,
    ScheduledAt,
    Retries,
}

/// Every field by name.
const FACTS: [(&str, Fact); 7] = [
    ("id", Fact::Id),
    ("number", Fact::Number),
    ("workflow", Fact::Workflow),
    ("version", Fact::Version),
    ("created_at", Fact::CreatedAt),
    ("scheduled_at", Fact::ScheduledAt),
    ("retries", Fact::Retries),
];

/// One field of `schedule`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScheduleFact {
    Id,
    At,
    Local,
    LocalDate,
    Timezone,
}

/// Every field of `schedule` by name.
const SCHEDULE_FACTS: [(&str, ScheduleFact); 5] = [
    ("at", ScheduleFact::At),
    ("local", ScheduleFact::Local),
    ("local_date", ScheduleFact::LocalDate),
    ("timezone", ScheduleFact::Timezone),
    ("id", ScheduleFact::Id),
];

impl Fact {
    /// The field with this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        among(&FACTS, ("run", name))
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
            Self::CreatedAt => instant("run.created_at", run.created_at),
            Self::ScheduledAt => instant("run.scheduled_at", run.scheduled_at),
            Self::Retries => Ok(Value::Int(run.retries.into())),
        }
    }
}

impl ScheduleFact {
    /// The field with this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        among(&SCHEDULE_FACTS, ("schedule", name))
    }

    /// Its value at an instant.
    ///
    /// # Errors
    /// There is none here.
    pub(crate) fn value(self, facts: Option<ScheduleFacts<'_>>) -> Result<Value<'_>, Halt> {
        let Some(facts) = facts else {
            let text = "schedule is not known here; only the params of a schedule read it, others \
                        read run.scheduled_at";
            return Err(Halt::Missing(text.to_owned()));
        };
        match self {
            Self::Id => Ok(Value::Text(Text::Borrowed(facts.id))),
            Self::At => instant("schedule.at", facts.at),
            Self::Local => Ok(Value::Text(Text::Borrowed(facts.local))),
            Self::LocalDate => {
                let day = facts.local.split('T').next().unwrap_or_default();
                day.parse::<NaiveDate>().map(Value::Date).map_err(|_| {
                    Halt::Missing("schedule.local_date is outside of the calendar".to_owned())
                })
            }
            Self::Timezone => Ok(Value::Text(Text::Borrowed(facts.timezone))),
        }
    }
}

/// What the expressions of a trigger read that signals set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OfTrigger {
    /// `signal`: the signal of a trigger with one.
    Signal,
    /// `signals`: those of a trigger with several, in the order of its list.
    Signals,
    /// `trigger`: the trigger itself.
    Trigger,
}

impl OfTrigger {
    /// What this root is.
    pub(crate) fn named(root: &str) -> Self {
        match root {
            "signal" => Self::Signal,
            "signals" => Self::Signals,
            _ => Self::Trigger,
        }
    }

    /// The root.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Signals => "signals",
            Self::Trigger => "trigger",
        }
    }

    /// Checks that it has a field with this name.
    ///
    /// # Errors
    /// It has not.
    pub(crate) fn check(self, field: &str) -> Result<(), String> {
        let known =
            ["name", "sequence", "id", "params", "payload", "published_at"].map(|name| (name, ()));
        match self {
            Self::Signal => among(&known, ("signal", field)),
            Self::Trigger => among(&[("id", ())], ("trigger", field)),
            Self::Signals => Ok(()),
        }
    }

    /// Its value when signals set a trigger off.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn value(self, scope: &dyn Scope) -> Result<&serde_json::Value, Halt> {
        scope.of_trigger().and_then(|facts| facts.value().get(self.as_str())).ok_or_else(|| {
            let root = self.as_str();
            Halt::Missing(format!("{root} is not known here; only triggers with signals read it"))
        })
    }
}

/// The field of `root` with this name.
fn among<T: Copy, const N: usize>(
    known: &[(&'static str, T); N],
    (root, name): (&str, &str),
) -> Result<T, String> {
    if let Some((_, fact)) = known.iter().find(|(known, _)| *known == name) {
        return Ok(*fact);
    }
    let names = known.each_ref().map(|(known, _)| *known);
    Err(match closest(name, names) {
        Some(similar) => format!("unknown name {root}.{name}; did you mean {root}.{similar}?"),
        None => format!("unknown name {root}.{name}; a {root} has {}", names.join(", ")),
    })
}

fn whole<'a>(number: u64) -> Value<'a> {
    match i64::try_from(number) {
        Ok(number) => Value::Int(number),
        Err(_) => Value::Other(cel::Value::UInt(number)),
    }
}

fn instant<'a>(name: &str, moment: Timestamp) -> Result<Value<'a>, Halt> {
    let instant = i64::try_from(moment.0).ok().and_then(DateTime::from_timestamp_millis);
    match instant {
        Some(instant) => Ok(Value::Other(cel::Value::Timestamp(instant.fixed_offset()))),
        None => Err(Halt::Missing(format!("{name} is outside of the calendar"))),
    }
}
