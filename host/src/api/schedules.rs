//! Schedules: made, listed, shown, changed, previewed, and what came of their
//! instants.

use super::problem::{Problem, ProblemItem};
use super::runs::run_name;
use super::schedule_view::{
    PreviewView, ScheduleView, TickView, decided_until, preview_view, schedule_view,
};
use super::user::User;
use super::view::PageView;
use super::{PageQuery, Tenant, paging};
use crate::driver::{Driver, NewSchedule, VersionSelector, schedule_identity};
use crate::store::{Paging, ScheduleRecord};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use segno_engine::definition::{self, ScheduleDocument};
use segno_engine::id::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// So many instants are shown of a schedule in a list, and by itself.
const NEXT_IN_LIST: usize = 1;
const NEXT: usize = 5;

/// So many of the last ticks are shown of a schedule.
const LAST: usize = 5;

/// Instants of a preview where the request says nothing, and at most.
const PREVIEW_DEFAULT: usize = 10;
const PREVIEW_MAX: usize = 1_000;

/// What a schedule is called, if its document does not say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NameQuery {
    /// The schedule's name; goes before that of the document.
    name: Option<String>,
}

/// Which schedules are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those of this workflow.
    workflow: Option<String>,
    /// Entries on the page, 100 unless said, at most 1,000. Of one workflow fewer
    /// may come though there are more, where 10,000 others are in between.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Which instants are previewed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    /// From this moment on; now unless said.
    from: Option<String>,
    /// How many; 10 unless said, at most 1,000.
    count: Option<usize>,
}

/// Why a schedule is paused or resumed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseBody {
    /// For whoever wonders why.
    note: Option<String>,
}

/// A run that was started out of turn.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TriggeredView {
    /// The schedule.
    schedule: String,
    /// The run.
    run: String,
    /// The run as people call it, `workflow#number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_name: Option<String>,
}

/// Make a schedule
///
/// The body is YAML or JSON: `workflow`, and the keys of an entry of `triggers:`
/// in a definition. Every problem is named at once. Instants from now on are the
/// schedule's.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/schedules", tag = "schedules",
    params(("tenant" = String, Path), NameQuery, ("x-segno-user" = Option<String>, Header)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 201, body = ScheduleView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn create(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<NameQuery>,
    User(by): User,
    source: String,
) -> Result<(StatusCode, Json<ScheduleView>), Problem> {
    let needed: &[&str] = if query.name.is_some() { &["workflow"] } else { &["name", "workflow"] };
    let document = document(&source, needed)?;
    let name = query.name.or_else(|| document.name.clone());
    let new = new_schedule(document, name.unwrap_or_default())?;
    let record = driver.create_schedule(&tenant, new, &by).await?;
    Ok((StatusCode::CREATED, Json(view(&driver, &tenant, &record))))
}

/// List schedules, by name
#[utoipa::path(get, path = "/v1/tenants/{tenant}/schedules", tag = "schedules",
    params(("tenant" = String, Path), ListQuery),
    responses((status = 200, body = PageView<ScheduleView>)))]
pub(super) async fn list(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageView<ScheduleView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    driver.store().barrier().durable().await?;
    let page = driver.store().schedules(&tenant, query.workflow.as_deref(), &paging)?;
    let now = driver.clock().now();
    let items = page.items.iter();
    let items = items.map(|record| schedule_view(&tenant, record, (now, NEXT_IN_LIST)));
    Ok(Json(PageView { items: items.collect(), next: page.next.map(|next| next.to_string()) }))
}

/// Show a schedule
#[utoipa::path(get, path = "/v1/tenants/{tenant}/schedules/{schedule}", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path, description = "`/` in it is written `%2F`")),
    responses((status = 200, body = ScheduleView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<ScheduleView>, Problem> {
    let record = driver.schedule_named(&tenant, &name).await?;
    let last = driver.store().ticks(&tenant, &name, &Paging::first(LAST))?;
    let last = last.items.into_iter().map(|tick| TickView::of(&driver, &tenant, tick));
    let last = last.collect::<Result<_, _>>()?;
    Ok(Json(view(&driver, &tenant, &record).with_last(last)))
}

/// Change a schedule to what the body says
///
/// It goes on where it was, unless it has other instants now. `paused` pauses or
/// resumes it; without it that stays. Its name stays.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/schedules/{schedule}", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = ScheduleView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn replace(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    source: String,
) -> Result<Json<ScheduleView>, Problem> {
    let wanted = |known: &ScheduleRecord| changed(known, &source);
    let record = driver.change_schedule(&tenant, (&name, wanted), &by).await?;
    Ok(Json(view(&driver, &tenant, &record)))
}

/// Change some of a schedule
///
/// What is absent stays, `null` takes a key away. `paused` pauses or resumes it. Of
/// changes at the same time each sees what the one before came to.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/schedules/{schedule}", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, body = ScheduleView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn change(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    body: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<ScheduleView>, Problem> {
    let Json(wanted) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let wanted =
        |known: &ScheduleRecord| changed(known, &Value::Object(merged(known, wanted)).to_string());
    let record = driver.change_schedule(&tenant, (&name, wanted), &by).await?;
    Ok(Json(view(&driver, &tenant, &record)))
}

/// Pause a schedule
///
/// No run starts by it until it is resumed. The body may be empty.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/schedules/{schedule}/pause", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = Option<PauseBody>,
    responses((status = 200, body = ScheduleView), (status = 404, body = Problem)))]
pub(super) async fn pause(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    body: Result<Option<Json<PauseBody>>, JsonRejection>,
) -> Result<Json<ScheduleView>, Problem> {
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let note = body.and_then(|Json(body)| body.note);
    let record = driver.pause_schedule(&tenant, (&name, note), &by).await?;
    Ok(Json(view(&driver, &tenant, &record)))
}

/// Resume a schedule
///
/// It goes on from now: instants of the pause are recorded as skipped. The pause is
/// shown as `last_pause`, with the note. The body may be empty.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/schedules/{schedule}/resume", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("x-segno-user" = Option<String>, Header)),
    request_body = Option<PauseBody>,
    responses((status = 200, body = ScheduleView), (status = 404, body = Problem)))]
pub(super) async fn resume(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
    body: Result<Option<Json<PauseBody>>, JsonRejection>,
) -> Result<Json<ScheduleView>, Problem> {
    let body = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    let note = body.and_then(|Json(body)| body.note);
    let record = driver.resume_schedule(&tenant, (&name, note), &by).await?;
    Ok(Json(view(&driver, &tenant, &record)))
}

/// Start one run of a schedule now
///
/// Also while it is paused, and beside its overlap policy.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/schedules/{schedule}/trigger", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), ("x-segno-user" = Option<String>, Header)),
    responses((status = 201, body = TriggeredView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn trigger(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    User(by): User,
) -> Result<(StatusCode, Json<TriggeredView>), Problem> {
    let started = driver.trigger_schedule(&tenant, &name, &by).await?;
    let run_name = run_name(&driver, &tenant, started.run)?;
    let triggered = TriggeredView { schedule: name, run: started.run.to_string(), run_name };
    Ok((StatusCode::CREATED, Json(triggered)))
}

/// Show the next instants of a schedule
#[utoipa::path(get, path = "/v1/tenants/{tenant}/schedules/{schedule}/preview", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), PreviewQuery),
    responses((status = 200, body = PreviewView), (status = 404, body = Problem)))]
pub(super) async fn preview(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PreviewQuery>,
) -> Result<Json<PreviewView>, Problem> {
    let record = driver.schedule_named(&tenant, &name).await?;
    let now = driver.clock().now();
    let which = which(&query, (now, decided_until(&record, now)))?;
    Ok(Json(preview_view(&record.spec, &schedule_identity(&tenant, &name), which)))
}

/// Show the next instants of a schedule that is not made yet
///
/// The body is as for making it; `name` and `workflow` may be left out.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/schedule-previews", tag = "schedules",
    params(("tenant" = String, Path), PreviewQuery),
    request_body(content = String, content_type = "application/yaml"),
    responses((status = 200, body = PreviewView), (status = 422, body = Problem)))]
pub(super) async fn preview_of(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Query(query): Query<PreviewQuery>,
    source: String,
) -> Result<Json<PreviewView>, Problem> {
    let document = document(&source, &[])?;
    let now = driver.clock().now();
    let which = which(&query, (now, now))?;
    let identity = schedule_identity(&tenant, document.name.as_deref().unwrap_or_default());
    Ok(Json(preview_view(&document.schedule, &identity, which)))
}

/// List what became of a schedule's instants, newest first
///
/// The last 10,000 decisions are kept, and for 90 days.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/schedules/{schedule}/ticks", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path), PageQuery),
    responses((status = 200, body = PageView<TickView>), (status = 404, body = Problem)))]
pub(super) async fn ticks(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PageView<TickView>>, Problem> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    driver.schedule_named(&tenant, &name).await?;
    let page = driver.store().ticks(&tenant, &name, &paging)?;
    let items = page.items.into_iter().map(|tick| TickView::of(&driver, &tenant, tick));
    let items = items.collect::<Result<_, _>>()?;
    Ok(Json(PageView { items, next: page.next.map(|next| next.to_string()) }))
}

/// Delete a schedule
///
/// With what is kept of its instants. Its runs stay. One that belongs to a
/// definition goes with it.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/schedules/{schedule}", tag = "schedules",
    params(("tenant" = String, Path), ("schedule" = String, Path)),
    responses((status = 200, body = ScheduleView, description = "what was deleted"),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn delete(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<ScheduleView>, Problem> {
    let record = driver.delete_schedule(&tenant, &name).await?;
    Ok(Json(view(&driver, &tenant, &record)))
}

fn view(driver: &Driver, tenant: &TenantId, record: &ScheduleRecord) -> ScheduleView {
    schedule_view(tenant, record, (driver.clock().now(), NEXT))
}

fn document(source: &str, needed: &[&str]) -> Result<ScheduleDocument, Problem> {
    definition::read_schedule(source, needed).map_err(|all| {
        let detail = match all.len() {
            1 => "the schedule has a problem".to_owned(),
            count => format!("the schedule has {count} problems"),
        };
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_schedule", detail);
        Problem { problems: all.into_iter().map(ProblemItem::from).collect(), ..problem }
    })
}

/// What becomes of a schedule that is to be as this document says.
fn changed(known: &ScheduleRecord, source: &str) -> Result<NewSchedule, Problem> {
    let document = document(source, &["workflow"])?;
    let name = document.name.clone().unwrap_or_else(|| known.name.clone());
    new_schedule(document, name)
}

fn new_schedule(document: ScheduleDocument, name: String) -> Result<NewSchedule, Problem> {
    let ScheduleDocument { name: _, workflow, version, paused, note, schedule } = document;
    let version = version.map(|version| version.parse()).transpose()?;
    Ok(NewSchedule {
        name,
        workflow: workflow.unwrap_or_default(),
        version: version.unwrap_or(VersionSelector::Active),
        spec: schedule,
        paused,
        note,
    })
}

/// A schedule as it would be written, with these keys in their place.
fn merged(record: &ScheduleRecord, wanted: Map<String, Value>) -> Map<String, Value> {
    let mut all = record.spec.spec().to_json();
    all.insert("workflow".to_owned(), json!(record.workflow));
    all.insert(
        "version".to_owned(),
        match record.version.parse::<u64>() {
            Ok(number) => json!(number),
            Err(_) => json!(record.version),
        },
    );
    if let Some(note) = &record.note {
        all.insert("note".to_owned(), json!(note));
    }
    // A schedule has one rule.
    for (one, other) in [("cron", "every"), ("every", "cron")] {
        if wanted.get(one).is_some_and(|value| !value.is_null()) && !wanted.contains_key(other) {
            all.remove(other);
        }
    }
    for (key, value) in wanted {
        match value {
            Value::Null => all.remove(&key),
            value => all.insert(key, value),
        };
    }
    all
}

/// From which moment on, up to which moment all is decided, and how many.
fn which(
    query: &PreviewQuery,
    (now, decided): (Timestamp, Timestamp),
) -> Result<((Timestamp, Timestamp), usize), Problem> {
    let from = match &query.from {
        // The instant at this very moment is one of them.
        Some(text) => Timestamp(moment("from", text)?.0.saturating_sub(1)),
        None => now,
    };
    // Of the past it is shown as if nothing were decided.
    let decided = if from < decided { Timestamp(0) } else { decided };
    Ok(((from, decided), query.count.unwrap_or(PREVIEW_DEFAULT).clamp(1, PREVIEW_MAX)))
}

/// A moment as clients write it.
pub(super) fn moment(key: &str, text: &str) -> Result<Timestamp, Problem> {
    definition::read_moment(text).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        let detail = format!("{key}: {shown:?} is no moment; write it as in 2027-01-01T00:00:00Z");
        Problem::bad_request(detail)
    })
}
