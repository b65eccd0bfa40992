//! What starts runs of a workflow by itself: the list `triggers:`. An entry with
//! `cron` or `every` is a schedule, one with `signal` or `signals` waits for those.

use super::draft::Use;
use super::field::{Field, Fields, Keys};
use super::name::Name;
use super::node::Kind;
use super::problem::{Problem, Problems};
use super::reader::Reader;
use super::site::Site;
use super::{quantity, schedule_document, signal_trigger, source};
use crate::id::Timestamp;
use crate::payload::Payload;
use crate::schedule::{
    Ambiguous, CATCH_UP_MS_MAX, EVERY_MS_MAX, JITTER_MS_MAX, Overlap, Rule, Schedule,
    ScheduleTrigger, Spec, Trigger, check_zone,
};
use crate::template::Template;
use std::collections::BTreeMap;

/// The most triggers of a workflow.
const TRIGGERS_MAX: usize = 100;

/// What a schedule may be, each by its key.
const KINDS: [&str; 2] = ["cron", "every"];

/// What an entry may be.
const ENTRY_KINDS: [&str; 4] = ["cron", "every", "signal", "signals"];

const SCHEDULE_KEYS: Keys = Keys {
    of: "a schedule",
    known: &[
        "cron",
        "every",
        "id",
        "timezone",
        "start",
        "end",
        "jitter",
        "overlap",
        "catch_up",
        "ambiguous",
        "paused",
        "params",
    ],
    planned: &[],
};

const ALONE_KEYS: Keys = Keys {
    of: "a schedule",
    known: &[
        "cron",
        "every",
        "timezone",
        "start",
        "end",
        "jitter",
        "overlap",
        "catch_up",
        "ambiguous",
        "params",
    ],
    planned: &[],
};

/// Reads `triggers`.
pub(super) fn read(
    field: &Field<'_>,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Vec<Trigger> {
    let remedy = "list them, as in [{ cron: \"0 6 * * *\" }]";
    let Some(elements) = field.list(remedy, &mut reader.problems) else { return Vec::new() };
    if elements.len() > TRIGGERS_MAX {
        let message = format!("there are {} triggers", elements.len());
        let remedy = format!("write at most {TRIGGERS_MAX}");
        field.problem(&mut reader.problems, message, remedy);
        return Vec::new();
    }
    let mut ids = Ids::default();
    let entries = elements.iter().map(|element| entry(element, &mut ids, uses, reader));
    let read: Vec<_> = entries.collect();
    read.into_iter().flatten().collect()
}

fn entry(
    element: &Field<'_>,
    ids: &mut Ids,
    uses: &mut Vec<Use>,
    reader: &mut Reader<'_>,
) -> Option<Trigger> {
    let problems = &mut reader.problems;
    let fields = element.fields("write a map, as in { cron: \"0 6 * * *\" }", problems)?;
    let kind = kind(&fields, &ENTRY_KINDS, problems);
    // The id is looked at even if nothing else can be.
    let id = ids.take(&fields, kind, problems);
    if let Some("signal" | "signals") = kind {
        let read = signal_trigger::read(&fields, id, uses, reader);
        return read.map(|trigger| Trigger::Signal(Box::new(trigger)));
    }
    fields.check_keys(&SCHEDULE_KEYS, problems);
    let paused = fields.get("paused").and_then(|field| field.flag(problems)).unwrap_or(false);
    let schedule = schedule(&fields, kind, uses, problems)?;
    Some(Trigger::Schedule(ScheduleTrigger { id: id?, schedule, paused }))
}

/// The schedule that `source` says by itself.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn schedule_alone(text: &str) -> Result<Schedule, Vec<Problem>> {
    let mut problems = Problems::default();
    let Some(root) = source::read(text, &mut problems) else { return Err(problems.finish()) };
    let read = |problems: &mut Problems| {
        let root = Field::root(&root);
        let fields = root.fields("write a map, as in { cron: \"0 6 * * *\" }", problems)?;
        fields.check_keys(&ALONE_KEYS, problems);
        alone(&fields, problems)
    };
    match read(&mut problems) {
        Some(schedule) if problems.is_empty() => Ok(schedule),
        _ => Err(problems.finish()),
    }
}

/// The schedule that these keys say, outside of a definition.
pub(super) fn alone(fields: &Fields<'_>, problems: &mut Problems) -> Option<Schedule> {
    let kind = kind(fields, &KINDS, problems);
    let mut uses = Vec::new();
    let schedule = schedule(fields, kind, &mut uses, problems);
    for used in &uses {
        for (message, remedy) in used.site.refused(&used.references) {
            problems.add(used.mark, &used.path, message, remedy);
        }
    }
    schedule
}

/// The ids of the triggers so far.
#[derive(Default)]
struct Ids {
    /// Each with the line of its trigger.
    taken: BTreeMap<String, u32>,
    /// How many of each kind there are.
    counts: BTreeMap<&'static str, u32>,
}

impl Ids {
    /// The id of an entry: its own, or its kind and its number among those of
    /// the kind, so that it stays while no other of the kind comes before it.
    fn take(
        &mut self,
        fields: &Fields<'_>,
        kind: Option<&'static str>,
        problems: &mut Problems,
    ) -> Option<String> {
        let count = self.counts.entry(kind.unwrap_or_default()).or_default();
        *count += 1;
        let (id, mark, path) = match fields.get("id") {
            Some(field) => {
                let id = field.text("name it, as in \"morning\"", problems)?;
                Name::Step.check(id, &field, problems);
                (id.to_owned(), field.node.mark, field.path)
            }
            None => (format!("{}-{count}", kind?), fields.mark, fields.path.clone()),
        };
        if let Some(line) = self.taken.get(&id) {
            let message = format!("the id {id:?} is taken by the trigger on line {line}");
            problems.add(mark, &path, message, "give this one another id");
            return None;
        }
        self.taken.insert(id.clone(), fields.mark.line);
        Some(id)
    }
}

/// Which of `kinds` an entry is.
fn kind(
    fields: &Fields<'_>,
    kinds: &[&'static str],
    problems: &mut Problems,
) -> Option<&'static str> {
    let found: Vec<_> = kinds.iter().filter(|kind| fields.get(kind).is_some()).collect();
    match found.as_slice() {
        [kind] => Some(kind),
        [] => {
            let message = "does not say what it waits for";
            let remedy = format!("write one of {}", kinds.join(", "));
            problems.add(fields.mark, &fields.path, message, remedy);
            None
        }
        [first, second, ..] => {
            let message = format!("has both `{first}` and `{second}`");
            problems.add(fields.mark, &fields.path, message, "make two triggers of it");
            None
        }
    }
}

fn schedule(
    fields: &Fields<'_>,
    kind: Option<&'static str>,
    uses: &mut Vec<Use>,
    problems: &mut Problems,
) -> Option<Schedule> {
    let mut rules: Vec<_> = KINDS.iter().filter_map(|kind| rule(fields, kind, problems)).collect();
    let rule = rules.pop().filter(|_| kind.is_some()).unwrap_or(Rule::Every(EVERY_MS_MAX));
    let mut spec = Spec::of(rule);
    if let Some(zone) = fields.get("timezone").and_then(|field| zone(&field, problems)) {
        spec.timezone = zone;
    }
    spec.start = fields.get("start").and_then(|field| moment(&field, problems));
    spec.end = fields.get("end").and_then(|field| moment(&field, problems));
    if let Some(field) = fields.get("jitter") {
        spec.jitter_ms = field.duration_ms(JITTER_MS_MAX, problems).unwrap_or_default();
    }
    if let Some(field) = fields.get("catch_up") {
        spec.catch_up_ms = catch_up(&field, problems).unwrap_or(spec.catch_up_ms);
    }
    if let Some(field) = fields.get("overlap") {
        let names = Overlap::ALL.map(|(name, _)| name);
        let place = field.choice(&names, problems);
        spec.overlap = place.map_or(spec.overlap, |place| Overlap::ALL[place].1);
    }
    if let Some(field) = fields.get("ambiguous") {
        let place = field.choice(&["once", "twice"], problems);
        spec.ambiguous = if place == Some(1) { Ambiguous::Twice } else { Ambiguous::Once };
    }
    if let Some(field) = fields.get("params") {
        spec.params = params(&field, uses, problems)?;
    }
    match Schedule::new(spec) {
        Ok(schedule) => Some(schedule),
        Err(wrong) => {
            for problem in wrong.0 {
                let (mark, path) = match fields.get(problem.key) {
                    Some(field) => (field.node.mark, field.path),
                    None => (fields.mark, fields.path.clone()),
                };
                problems.add(mark, &path, problem.message, problem.remedy);
            }
            None
        }
    }
}

/// The rule at the key `kind`; reports what is wrong with it.
fn rule(fields: &Fields<'_>, kind: &str, problems: &mut Problems) -> Option<Rule> {
    let field = fields.get(kind)?;
    if kind == "every" {
        let millis = field.duration_ms(EVERY_MS_MAX, problems)?;
        return Some(Rule::Every(millis));
    }
    let text = field.text("write a rule, as in \"0 6 * * *\"", problems)?;
    field.or_report(Rule::check_cron(text), problems)?;
    Some(Rule::Cron(text.to_owned()))
}

fn zone(field: &Field<'_>, problems: &mut Problems) -> Option<String> {
    let name = field.text("name one, as in \"Europe/Berlin\"", problems)?;
    field.or_report(check_zone(name), problems)?;
    Some(name.to_owned())
}

fn moment(field: &Field<'_>, problems: &mut Problems) -> Option<Timestamp> {
    let remedy = "write it as in \"2027-01-01T00:00:00Z\"";
    let text = field.text(remedy, problems)?;
    let found = schedule_document::read_moment(text);
    if found.is_none() {
        field.problem(problems, format!("{} is no moment", super::node::shown(text)), remedy);
    }
    found
}

fn catch_up(field: &Field<'_>, problems: &mut Problems) -> Option<u64> {
    let millis = field.duration_ms(CATCH_UP_MS_MAX, problems)?;
    if millis < crate::schedule::CATCH_UP_MS_MIN {
        let message = format!("{} is too short", quantity::show_ms(millis));
        field.problem(problems, message, "use at least \"10s\"");
        return None;
    }
    Some(millis)
}

/// What its runs are given: a map with expressions over `schedule`.
fn params(field: &Field<'_>, uses: &mut Vec<Use>, problems: &mut Problems) -> Option<Payload> {
    if !matches!(field.node.kind, Kind::Map(_)) {
        field.wrong(problems, "a map", "write names and values, as in { day: monday }");
        return None;
    }
    let _: Template = field.template(Site::Schedule, uses, problems)?;
    Some(Payload::from(field.node.to_json()))
}
