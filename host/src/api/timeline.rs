//! The story of a run: one entry for each change and each action, from its
//! events, in words.

use super::Tenant;
use super::around::decoded;
use super::problem::Problem;
use super::runs::{bad_cursor, find, snapshot};
use super::sentence::{Said, said};
use super::view::PageView;
use crate::clock::rfc3339;
use crate::driver::Driver;
use axum::Json;
use axum::extract::{Path, Query, State};
use segno_engine::event::Record;
use segno_engine::id::{RunId, TenantId};
use segno_engine::workflow::Body;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Records that are read at a time.
const RECORDS_PER_READ: usize = 100;

/// Which entries are listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TimelineQuery {
    /// Only those of this step.
    step: Option<String>,
    /// Entries on the page, 100 unless said, at most 1,000.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Something that happened to a run or to one of its steps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryView {
    /// When.
    at: String,
    /// What, as a sentence about the step, or about the run if there is none.
    #[schema(example = "attempt 2 started")]
    what: String,
    /// The step that it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// The attempt that it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// Who wanted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// How often it happened in a row, if more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    /// When it happened last, if more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// Tell what happened to a run
///
/// Oldest first. What happened inside an iteration or a subworkflow is told by
/// the run that it is.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/runs/{run}/timeline", tag = "runs",
    params(("tenant" = String, Path), ("run" = String, Path), TimelineQuery),
    responses((status = 200, body = PageView<EntryView>), (status = 404, body = Problem)))]
pub(super) async fn timeline(
    State(driver): State<Driver>,
    Tenant(tenant): Tenant,
    Path((_, run)): Path<(String, String)>,
    Query(query): Query<TimelineQuery>,
) -> Result<Json<PageView<EntryView>>, Problem> {
    let run = find(&driver, &tenant, &run)?;
    let snapshot = snapshot(&driver, &tenant, run).await?;
    let from = match &query.cursor {
        Some(cursor) => place_of(cursor).ok_or_else(bad_cursor)?,
        None => (0, 0),
    };
    let mut page = Page {
        step: query.step,
        limit: super::limit(query.limit),
        entries: Vec::new(),
        next: None,
    };
    page.fill(&driver, (&tenant, run, snapshot.run.body()), from)?;
    driver.store().barrier().durable().await?;
    Ok(Json(PageView { items: page.entries, next: page.next }))
}

/// One page, as it is filled.
struct Page {
    step: Option<String>,
    limit: usize,
    entries: Vec<EntryView>,
    /// The event that is too much.
    next: Option<String>,
}

impl Page {
    fn fill(
        &mut self,
        driver: &Driver,
        (tenant, run, body): (&TenantId, RunId, &Body),
        (mut record, mut skip): (u64, usize),
    ) -> Result<(), Problem> {
        loop {
            let read = driver.store().events(tenant, run, record, RECORDS_PER_READ)?;
            if read.is_empty() {
                return Ok(());
            }
            for (number, bytes) in read {
                let decoded = decoded(run, (number, &bytes))?;
                if let Some(place) = self.take(&decoded, body, skip) {
                    self.next = Some(format!("{number}.{place}"));
                    return Ok(());
                }
                skip = 0;
                record = number + 1;
            }
        }
    }

    /// Takes in the events of a record. Returns the place of the first that is
    /// too much.
    fn take(&mut self, record: &Record, body: &Body, skip: usize) -> Option<usize> {
        let at = rfc3339(record.at);
        for (place, event) in record.events.iter().enumerate().skip(skip) {
            let step = event.step().map(|step| body.steps[step as usize].id.clone());
            let Some(said) = said(event).filter(|_| self.wants(step.as_deref())) else { continue };
            if !self.add(&at, step, said) {
                return Some(place);
            }
        }
        None
    }

    fn wants(&self, step: Option<&str>) -> bool {
        self.step.is_none() || self.step.as_deref() == step
    }

    /// Adds an entry, or counts it with the one before; `false` if the page is
    /// full.
    fn add(&mut self, at: &str, step: Option<String>, said: Said) -> bool {
        let Said { what, attempt, by } = said;
        if let Some(last) = self.entries.last_mut() {
            let before = (&last.what, &last.step, last.attempt, &last.by);
            if before == (&what, &step, attempt, &by) {
                last.times = Some(last.times.unwrap_or(1) + 1);
                last.until = Some(at.to_owned());
                return true;
            }
        }
        if self.entries.len() == self.limit {
            return false;
        }
        let at = at.to_owned();
        self.entries.push(EntryView { at, what, step, attempt, by, times: None, until: None });
        true
    }
}

/// The record and the event in it that a cursor names.
fn place_of(cursor: &str) -> Option<(u64, usize)> {
    let (record, event) = cursor.split_once('.')?;
    Some((record.parse().ok()?, event.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(what: &str) -> Said {
        Said { what: what.to_owned(), attempt: None, by: None }
    }

    #[test]
    fn what_happens_twice_in_a_row_is_one_entry() {
        let mut page = Page { step: None, limit: 2, entries: Vec::new(), next: None };
        assert!(page.add("1", None, said("a")) && page.add("2", None, said("b")));
        assert!(page.add("3", None, said("b")), "a full page counts on");
        assert!(!page.add("4", Some("load".to_owned()), said("b")));
        let last = &page.entries[1];
        assert_eq!(
            (last.at.as_str(), last.times, last.until.as_deref()),
            ("2", Some(2), Some("3"))
        );
    }

    #[test]
    fn a_cursor_names_an_event() {
        assert_eq!(place_of("12.3"), Some((12, 3)));
        assert!(place_of("12").is_none() && place_of("x.1").is_none());
    }
}
