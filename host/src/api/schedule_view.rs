//! From a schedule to what the API shows of it: how it stands, why it does not
//! fire, and what comes next.

use super::runs::run_name;
use crate::clock::rfc3339;
use crate::driver::{Driver, run_of_schedule, schedule_identity};
use crate::store::{self, BackfillRecord, PauseOver, ScheduleRecord, TickOutcome, TickRecord};
use segno_engine::id::{TenantId, Timestamp};
use segno_engine::schedule::{Instant, Note, Rule, Schedule};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScheduleView {
    /// Its name; one of a definition is `<workflow>/<trigger>`.
    #[schema(example = "nightly")]
    schedule: String,
    /// The workflow whose runs it starts.
    workflow: String,
    /// Which version of it: a number, `latest`, `active` or `default`.
    #[schema(value_type = Object, example = "active")]
    version: Value,
    /// When it fires, for people.
    #[schema(example = "0 6 * * *")]
    rule: String,
    /// The zone of its cron rule.
    timezone: String,
    /// What it says, as it would be written.
    #[schema(value_type = Object)]
    spec: Map<String, Value>,
    /// The trigger of the workflow's definition that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
    /// `active`, `paused`, `inactive` (its workflow has no active version) or
    /// `over` (there is no instant to come).
    #[schema(value_type = String)]
    status: &'static str,
    /// Why it does not fire, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The last pause that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_pause: Option<PauseView>,
    /// The next instants.
    next: Vec<InstantView>,
    /// Every instant up to this moment is decided.
    decided_until: String,
    /// The run that the overlap policy waits for, and those that are being
    /// cancelled for later ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    open: Vec<String>,
    /// How many instants wait for a run to end.
    waiting: usize,
    /// What came of the last instants, newest first; only where one schedule is
    /// shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    last: Vec<TickView>,
    /// When it was made.
    created_at: String,
    /// Who made it.
    created_by: String,
    /// When it was changed last.
    changed_at: String,
    /// Who changed it last.
    changed_by: String,
}

/// A pause of a schedule that is over.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PauseView {
    /// Since when it was paused.
    since: String,
    /// Who paused it.
    by: String,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// When it was resumed.
    resumed_at: String,
    /// Who resumed it.
    resumed_by: String,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_note: Option<String>,
}

/// A moment at which a schedule fires.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InstantView {
    /// The instant, in UTC.
    at: String,
    /// The same on the clocks of the schedule's zone.
    local: String,
    /// When its run starts: later by the jitter, its own or that of an instant
    /// before it.
    starts_at: String,
    /// What is special about it: `gap` (it stands for times that the clocks skip)
    /// or `repeated` (the clocks show its time twice).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    note: Option<&'static str>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    remark: Option<&'static str>,
}

/// The next instants of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewView {
    /// When it fires, for people.
    rule: String,
    /// The zone of its cron rule.
    timezone: String,
    /// The instants.
    instants: Vec<InstantView>,
}

/// What became of an instant, or of several in a row.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TickView {
    /// Its place among the decisions of the schedule.
    sequence: u64,
    /// The instant, or the first of them.
    at: String,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    /// How many they are.
    count: u64,
    /// `run`, `skipped`, `missed` or `failed` (no run could be started).
    #[schema(value_type = String)]
    outcome: &'static str,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The run as people call it, `workflow#number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_name: Option<String>,
    /// Why there is none: `paused`, `inactive`, `overlap`, `buffer_full`,
    /// `too_late`, `changed`, or what was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When that was decided.
    decided_at: String,
    /// The backfill that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<u64>,
    /// Who asked for it beside the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// A range of instants for which runs are started afterwards.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BackfillView {
    /// Its number among those of the schedule.
    backfill: u64,
    /// The schedule.
    schedule: String,
    /// The first moment of the range.
    from: String,
    /// The moment behind it.
    until: String,
    /// How many of its runs are open at once.
    concurrency: u32,
    /// `running`, `paused`, `cancelled` or `done`.
    #[schema(value_type = String)]
    status: &'static str,
    /// How many instants there are.
    instants: u64,
    /// How many runs were started.
    started: u64,
    /// How many of them succeeded.
    succeeded: u64,
    /// How many ended otherwise or could not be started.
    failed: u64,
    /// The runs that are open.
    open: Vec<String>,
    /// How many instants are to come.
    left: u64,
    /// Why it is paused or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// When it was made.
    created_at: String,
    /// Who made it.
    created_by: String,
    /// When it was changed last.
    changed_at: String,
    /// Who changed it last.
    changed_by: String,
}

impl ScheduleView {
    /// The same with what came of its last instants.
    pub(super) fn with_last(self, last: Vec<TickView>) -> Self {
        Self { last, ..self }
    }
}

/// A schedule, with its next instants.
pub(super) fn schedule_view(
    tenant: &TenantId,
    record: &ScheduleRecord,
    (now, instants): (Timestamp, usize),
) -> ScheduleView {
    let ScheduleRecord { spec, state, .. } = record;
    let identity = schedule_identity(tenant, &record.name);
    let next = instants_after(spec, &identity, (upcoming(record, &identity, now), instants));
    let (status, reason) = standing(record, (now, next.is_empty()));
    let open = run_that_is_open(tenant, record);
    let open = open.into_iter().chain(record.cancelling.iter().map(ToString::to_string));
    ScheduleView {
        schedule: record.name.clone(),
        workflow: record.workflow.clone(),
        version: version(&record.version),
        rule: rule(spec),
        timezone: spec.spec().timezone.clone(),
        spec: spec.spec().to_json(),
        trigger: record.trigger.clone(),
        status,
        reason,
        note: record.note.clone(),
        last_pause: record.last_pause.clone().map(PauseView::from),
        next,
        decided_until: rfc3339(state.watermark),
        open: open.collect(),
        waiting: state.waiting.len(),
        last: Vec::new(),
        created_at: rfc3339(record.created_at),
        created_by: record.created_by.clone(),
        changed_at: rfc3339(record.changed_at),
        changed_by: record.changed_by.clone(),
    }
}

/// What a schedule that is made like this will do.
pub(super) fn preview_view(
    spec: &Schedule,
    identity: &str,
    (after, instants): ((Timestamp, Timestamp), usize),
) -> PreviewView {
    PreviewView {
        rule: rule(spec),
        timezone: spec.spec().timezone.clone(),
        instants: instants_after(spec, identity, (after, instants)),
    }
}

/// The instants after a moment, where all up to another are decided.
fn instants_after(
    spec: &Schedule,
    identity: &str,
    ((after, decided), count): ((Timestamp, Timestamp), usize),
) -> Vec<InstantView> {
    spec.in_turn(identity, after, decided).take(count).map(InstantView::from).collect()
}

/// Up to which moment every instant is decided, or will be skipped.
pub(super) fn decided_until(record: &ScheduleRecord, now: Timestamp) -> Timestamp {
    let watermark = record.state.watermark;
    if record.state.is_held() { watermark.max(now) } else { watermark }
}

/// After which moment the next instants come, and up to which all is decided. One
/// whose moment has come and that a jitter holds back is among the next.
fn upcoming(record: &ScheduleRecord, identity: &str, now: Timestamp) -> (Timestamp, Timestamp) {
    let decided = decided_until(record, now);
    let first = record.spec.next_after(identity, decided);
    let is_behind = first.is_none_or(|first| first.fires_at <= now);
    (if is_behind { decided.max(now) } else { decided }, decided)
}

/// How a schedule stands, and why it does not fire.
fn standing(
    record: &ScheduleRecord,
    (now, is_over): (Timestamp, bool),
) -> (&'static str, Option<String>) {
    let ScheduleRecord { state, workflow, .. } = record;
    if let Some(paused) = &state.paused {
        let since = rfc3339(paused.since);
        let note = paused.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        return ("paused", Some(format!("paused by {} since {since}{note}", paused.by)));
    }
    if state.inactive {
        let remedy = format!("activate one with `segno workflow activate {workflow}`");
        return ("inactive", Some(format!("workflow {workflow} has no active version; {remedy}")));
    }
    let ahead = decided_ahead(record, now);
    if is_over {
        let over = || "its rule has no instant to come".to_owned();
        return ("over", Some(ahead.unwrap_or_else(over)));
    }
    let waiting = state.waiting.len();
    let waits = (waiting > 0).then(|| format!("{waiting} instants wait for a run to end"));
    ("active", ahead.or(waits))
}

/// Why instants to come have no run, if they were decided while the clock was
/// ahead: none is decided twice.
fn decided_ahead(record: &ScheduleRecord, now: Timestamp) -> Option<String> {
    let watermark = record.state.watermark;
    record.spec.next_after("", now).filter(|next| next.at <= watermark)?;
    let remedy = "to start runs before that, make a schedule of another name";
    let until = rfc3339(watermark);
    Some(format!(
        "waits: it is decided until {until}, for the clock of the host was ahead; {remedy}"
    ))
}

fn run_that_is_open(tenant: &TenantId, record: &ScheduleRecord) -> Option<String> {
    let at = record.state.open?;
    Some(run_of_schedule(tenant, &record.name, at).to_string())
}

/// A number as a number.
fn version(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
}

fn rule(spec: &Schedule) -> String {
    match &spec.spec().rule {
        Rule::Cron(text) => text.clone(),
        Rule::Every(_) => {
            let every = spec.spec().to_json().get("every").cloned();
            let every = every.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("every {every}")
        }
    }
}

impl From<PauseOver> for PauseView {
    fn from(pause: PauseOver) -> Self {
        let PauseOver { paused, ended_at, ended_by, end_note } = pause;
        Self {
            since: rfc3339(paused.since),
            by: paused.by,
            note: paused.note,
            resumed_at: rfc3339(ended_at),
            resumed_by: ended_by,
            resume_note: end_note,
        }
    }
}

impl From<Instant> for InstantView {
    fn from(instant: Instant) -> Self {
        let Instant { at, fires_at, local, note } = instant;
        let (note, remark) = match note {
            Some(Note::Gap) => (Some("gap"), Some("stands for times that the clocks skip")),
            Some(Note::Repeated) => (Some("repeated"), Some("the clocks show this time twice")),
            None => (None, None),
        };
        Self { at: rfc3339(at), local, starts_at: rfc3339(fires_at), note, remark }
    }
}

impl TickView {
    /// What is shown of a decision.
    pub(super) fn of(
        driver: &Driver,
        tenant: &TenantId,
        tick: TickRecord,
    ) -> Result<Self, store::Error> {
        let run_name = match &tick.outcome {
            TickOutcome::Run(run) => run_name(driver, tenant, *run)?,
            _ => None,
        };
        Ok(Self { run_name, ..Self::from(tick) })
    }
}

impl From<TickRecord> for TickView {
    fn from(tick: TickRecord) -> Self {
        let TickRecord { sequence, at, last, count, outcome, decided_at, backfill, by } = tick;
        let (outcome, run, reason) = match outcome {
            TickOutcome::Run(run) => ("run", Some(run.to_string()), None),
            TickOutcome::Skipped(why) => ("skipped", None, Some(why)),
            TickOutcome::Missed(why) => ("missed", None, Some(why)),
            TickOutcome::Failed(why) => ("failed", None, Some(why)),
        };
        Self {
            sequence,
            at: rfc3339(at),
            last: (count > 1).then(|| rfc3339(last)),
            count,
            outcome,
            run,
            run_name: None,
            reason,
            decided_at: rfc3339(decided_at),
            backfill,
            by,
        }
    }
}

/// A backfill of a schedule.
pub(super) fn backfill_view(schedule: &str, record: &BackfillRecord) -> BackfillView {
    BackfillView {
        backfill: record.number,
        schedule: schedule.to_owned(),
        from: rfc3339(record.from),
        until: rfc3339(record.until),
        concurrency: record.concurrency,
        status: record.state.as_str(),
        instants: record.instants,
        started: record.started,
        succeeded: record.succeeded,
        failed: record.failed,
        open: record.open.iter().map(ToString::to_string).collect(),
        left: record.left(),
        note: record.note.clone(),
        created_at: rfc3339(record.created_at),
        created_by: record.created_by.clone(),
        changed_at: rfc3339(record.changed_at),
        changed_by: record.changed_by.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segno_engine::schedule::Spec;
    use segno_engine::schedule::state::ScheduleState;

    const MINUTE: u64 = 60_000;

    fn at(minute: u64) -> Timestamp {
        Timestamp(minute * MINUTE)
    }

    /// A schedule for every minute.
    fn minutely(watermark: Timestamp, jitter_ms: u64) -> ScheduleRecord {
        let spec = Spec { jitter_ms, end: Some(at(100)), ..Spec::of(Rule::Every(MINUTE)) };
        ScheduleRecord {
            name: "often".to_owned(),
            workflow: "quick".to_owned(),
            version: "active".to_owned(),
            spec: Schedule::new(spec).unwrap(),
            state: ScheduleState::new(watermark),
            last_pause: None,
            trigger: None,
            cancelling: Vec::new(),
            note: None,
            created_at: at(0),
            created_by: "ada".to_owned(),
            changed_at: at(0),
            changed_by: "ada".to_owned(),
            ticks: (1, 1),
            next_backfill: 1,
        }
    }

    fn view(record: &ScheduleRecord, now: Timestamp) -> ScheduleView {
        schedule_view(&"t".parse().unwrap(), record, (now, 5))
    }

    #[test]
    fn a_clock_that_was_ahead_is_why_nothing_starts() {
        let ahead = minutely(at(50), 0);
        let shown = view(&ahead, at(10));
        let reason = shown.reason.unwrap();
        assert_eq!((shown.status, &shown.next[0].at), ("active", &rfc3339(at(51))));
        assert!(reason.contains("until 1970-01-01T00:50:00.000Z"), "{reason}");
        assert_eq!(view(&ahead, at(50)).reason, None);
        let over = view(&minutely(at(200), 0), at(10));
        assert_eq!((over.status, over.reason.unwrap().contains("was ahead")), ("over", true));
    }

    #[test]
    fn what_a_jitter_holds_back_is_among_the_next() {
        let identity = schedule_identity(&"t".parse().unwrap(), "often");
        let record = minutely(at(10), 30 * MINUTE);
        let first = record.spec.next_after(&identity, at(10)).unwrap();
        let shown = view(&record, Timestamp(first.fires_at.0 - 1));
        assert_eq!(shown.next[0].at, rfc3339(at(11)));
        assert!(shown.next.is_sorted_by_key(|next| next.starts_at.clone()));
        // One that is late and one that is paused begin with what is to come.
        assert_eq!(view(&record, at(60)).next[0].at, rfc3339(at(61)));
        let mut paused = record;
        paused.state.pause(at(10), "ada".to_owned(), None);
        assert_eq!(view(&paused, at(10).plus_ms(90_000)).next[0].at, rfc3339(at(12)));
    }
}
