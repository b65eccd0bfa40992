//! What a schedule says, as it is stored and shown, and whether it can be meant.

use super::Schedule;
use super::rule::Rule;
use crate::definition::Problem;
use crate::id::Timestamp;
use crate::payload::Payload;
use crate::suggestion::closest;
use crate::template::Template;
use crate::trigger::signal::SignalTrigger;
use chrono::{DateTime, SecondsFormat};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;

/// The longest jitter: a day.
pub const JITTER_MS_MAX: u64 = 86_400_000;

/// The shortest catch-up window: 10 seconds, so that a busy host misses nothing.
pub const CATCH_UP_MS_MIN: u64 = 10_000;

/// The longest catch-up window: 366 days.
pub const CATCH_UP_MS_MAX: u64 = 366 * 86_400_000;

/// The catch-up window of a schedule that does not say: a day.
pub const CATCH_UP_MS_DEFAULT: u64 = 86_400_000;

/// What a schedule says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// When it fires.
    pub rule: Rule,
    /// The name of the time zone whose clocks a cron rule means.
    pub timezone: String,
    /// No instant is before this moment, and `every` counts from it.
    pub start: Option<Timestamp>,
    /// No instant is at this moment or after it.
    pub end: Option<Timestamp>,
    /// By how much an instant may fire later.
    pub jitter_ms: u64,
    /// What happens if the run before has not ended.
    pub overlap: Overlap,
    /// How old an instant may be that was not decided in time.
    pub catch_up_ms: u64,
    /// Whether a time that the clocks show twice fires twice.
    pub ambiguous: Ambiguous,
    /// The params of its runs: a JSON object with expressions over `schedule`.
    pub params: Payload,
}

/// What happens at an instant while the run of an earlier one has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// A run starts; the workflow's run strategy says when it begins.
    #[default]
    Strategy,
    /// The instant is skipped.
    Skip,
    /// One instant waits until the run has ended; while one waits, others are
    /// skipped.
    BufferOne,
    /// All wait, a thousand at most; then they are skipped.
    BufferAll,
    /// The run is cancelled, and the next starts.
    CancelOther,
    /// A run starts and begins at once, whatever the run strategy.
    AllowAll,
}

impl Overlap {
    /// Every policy, by its name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("strategy", Self::Strategy),
        ("skip", Self::Skip),
        ("buffer_one", Self::BufferOne),
        ("buffer_all", Self::BufferAll),
        ("cancel_other", Self::CancelOther),
        ("allow_all", Self::AllowAll),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, known)| *known == self).map_or("strategy", |(name, _)| name)
    }
}

/// Whether a time that the clocks show twice fires twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguous {
    /// The first time only.
    #[default]
    Once,
    /// Both times.
    Twice,
}

impl Ambiguous {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Twice => "twice",
        }
    }
}

/// What starts runs of a workflow by itself.
#[derive(Debug)]
pub enum Trigger {
    /// Time.
    Schedule(ScheduleTrigger),
    /// Signals.
    Signal(Box<SignalTrigger>),
}

impl Trigger {
    /// Its id, unique within the workflow.
    pub fn id(&self) -> &str {
        match self {
            Self::Schedule(trigger) => &trigger.id,
            Self::Signal(trigger) => &trigger.id,
        }
    }
}

/// A schedule that belongs to a definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleTrigger {
    /// Its id, unique within the workflow.
    pub id: String,
    /// What it says.
    pub schedule: Schedule,
    /// Whether it begins paused.
    pub paused: bool,
}

/// One thing that is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecProblem {
    /// The key, as in `timezone`.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// Everything that is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SpecProblems(pub Vec<SpecProblem>);

impl fmt::Display for SpecProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, SpecProblem { key, message, remedy }) in self.0.iter().enumerate() {
            let comma = if number > 0 { "\n" } else { "" };
            write!(f, "{comma}{key}: {message}; {remedy}")?;
        }
        Ok(())
    }
}

impl Spec {
    /// A spec with nothing but a rule.
    pub fn of(rule: Rule) -> Self {
        Self {
            rule,
            timezone: "UTC".to_owned(),
            start: None,
            end: None,
            jitter_ms: 0,
            overlap: Overlap::default(),
            catch_up_ms: CATCH_UP_MS_DEFAULT,
            ambiguous: Ambiguous::default(),
            params: Payload::empty_object().clone(),
        }
    }

    /// The spec as an author would write it, with every key that is not as it
    /// is without a word.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut keys = Map::new();
        let mut put = |key: &str, value: Value| keys.insert(key.to_owned(), value);
        match &self.rule {
            Rule::Cron(text) => put("cron", json!(text)),
            Rule::Every(millis) => put("every", json!(crate::definition::show_ms(*millis))),
        };
        put("timezone", json!(self.timezone));
        for (key, moment) in [("start", self.start), ("end", self.end)] {
            if let Some(moment) = moment {
                put(key, json!(rfc3339(moment)));
            }
        }
        if self.jitter_ms > 0 {
            put("jitter", json!(crate::definition::show_ms(self.jitter_ms)));
        }
        put("overlap", json!(self.overlap.name()));
        put("catch_up", json!(crate::definition::show_ms(self.catch_up_ms)));
        put("ambiguous", json!(self.ambiguous.name()));
        put("params", self.params.value().clone());
        keys
    }
}

fn rfc3339(moment: Timestamp) -> String {
    let found = i64::try_from(moment.0).ok().and_then(DateTime::from_timestamp_millis);
    found.map(|moment| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}

impl Schedule {
    /// The schedule that a JSON object says, with the keys of an entry of
    /// `triggers:` but `id` and `paused`.
    ///
    /// # Errors
    /// Everything that is wrong, keys included that there are not.
    pub fn from_json(json: &Value) -> Result<Self, Vec<Problem>> {
        crate::definition::check_schedule(&json.to_string())
    }
}

/// The schedule that `spec` says.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn check(spec: Spec) -> Result<Schedule, SpecProblems> {
    let mut problems = Problems(Vec::new());
    let key = match spec.rule {
        Rule::Cron(_) => "cron",
        Rule::Every(_) => "every",
    };
    let rule = spec.rule.check().map_err(|text| problems.add_text(key, &text)).ok();
    let zone = zone(&spec.timezone).map_err(|text| problems.add_text("timezone", &text)).ok();
    if let (Some(start), Some(end)) = (spec.start, spec.end)
        && end <= start
    {
        problems.add("end", "is not after the start", "use a later moment, or leave it out");
    }
    if spec.jitter_ms > JITTER_MS_MAX {
        problems.add("jitter", "is too long", "use at most \"1d\"");
    }
    if !(CATCH_UP_MS_MIN..=CATCH_UP_MS_MAX).contains(&spec.catch_up_ms) {
        problems.add("catch_up", "is too short or too long", "use \"10s\" to \"366d\"");
    }
    let params = params(&spec.params, &mut problems);
    match (rule, zone) {
        (Some(rule), Some(zone)) if problems.0.is_empty() => {
            Ok(Schedule { spec, rule, zone, params })
        }
        _ => Err(SpecProblems(problems.0)),
    }
}

/// What is wrong with the name of a time zone, and after a `;` the remedy.
///
/// # Errors
/// There is something.
pub(crate) fn check_zone(name: &str) -> Result<(), String> {
    zone(name).map(drop)
}

fn zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        let shown: String = name.chars().take(60).collect();
        let remedy = match closest(name, TZ_VARIANTS.iter().map(|zone| zone.name())) {
            Some(similar) => format!("did you mean {similar:?}?"),
            None => "write its name, as in \"Europe/Berlin\"".to_owned(),
        };
        format!("unknown time zone {shown:?}; {remedy}")
    })
}

fn params(given: &Payload, problems: &mut Problems) -> Option<Arc<Template>> {
    if !matches!(given.value(), Value::Object(_)) {
        problems.add("params", "are no map", "write names and values, as in { day: monday }");
        return None;
    }
    if given.text() == Payload::empty_object().text() {
        return None;
    }
    match Template::compile(given.value()) {
        Ok(template) => Some(Arc::new(template)),
        Err(mistakes) => {
            for (place, mistake) in mistakes {
                problems.add_text("params", &format!("{place} {mistake}"));
            }
            None
        }
    }
}

struct Problems(Vec<SpecProblem>);

impl Problems {
    fn add(&mut self, key: &'static str, message: &str, remedy: &str) {
        self.0.push(SpecProblem { key, message: message.to_owned(), remedy: remedy.to_owned() });
    }

    /// Adds a problem whose text ends in the remedy, after a `;`.
    fn add_text(&mut self, key: &'static str, text: &str) {
        let (message, remedy) = text.rsplit_once("; ").unwrap_or((text, "correct it"));
        self.add(key, message, remedy);
    }
}
