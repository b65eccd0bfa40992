//! What guests log: kept in one row for each attempt, under the run that
//! somebody started, so that the log of a run and all its iterations is one
//! scan. What is under way comes from memory.

use super::{Driver, Error};
use crate::sandbox;
use crate::store::{AttemptLog, LogLine, Write};
use segno_engine::event::Origin;
use segno_engine::id::{RunId, TenantId, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};

/// One page of a run's log.
pub struct LogPage {
    /// Attempts that have ended, in that order.
    pub attempts: Vec<AttemptLog>,
    /// Attempts that are under way; only on the last page.
    pub live: Vec<AttemptLog>,
    /// Where the next page begins.
    pub next: Option<u64>,
}

impl Driver {
    /// The log of a run and of all its iterations, behind `after`.
    ///
    /// # Errors
    /// There is no such run, or the store cannot answer.
    pub async fn logs(
        &self,
        tenant: &TenantId,
        run: RunId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<LogPage, Error> {
        let snapshot = self.snapshot(tenant, run).await?.ok_or(Error::NoSuchRun(run))?;
        let (root, _) = root_of(run, snapshot.run.origin());
        let from = after.map_or(0, |after| after.saturating_add(1));
        let page = self.0.store.logs(tenant, root, from, limit)?;
        self.0.store.barrier().durable().await?;
        let next = (page.len() >= limit).then(|| page.last().map(|(place, _)| *place)).flatten();
        let wanted = |log: &AttemptLog| run == root || log.run == run;
        let live = match next {
            Some(_) => Vec::new(),
            None => self.live_logs(tenant, root),
        };
        Ok(LogPage {
            attempts: page.into_iter().map(|(_, log)| log).filter(wanted).collect(),
            live: live.into_iter().filter(wanted).collect(),
            next,
        })
    }

    fn live_logs(&self, tenant: &TenantId, root: RunId) -> Vec<AttemptLog> {
        let open: Vec<_> = self.lock_live().values().cloned().collect();
        let mut logs = Vec::new();
        for live in open.into_iter().filter(|live| live.tenant == *tenant) {
            let state = live.lock();
            let (its_root, iteration) = root_of(live.id, state.run.origin());
            if its_root != root {
                continue;
            }
            for (step, running) in &state.attempts {
                logs.push(AttemptLog {
                    run: live.id,
                    iteration,
                    step: state.run.body().steps[*step as usize].id.clone(),
                    attempt: running.attempt,
                    dropped: 0,
                    lines: running.watch.log(0).iter().map(stored).collect(),
                });
            }
        }
        logs.sort_by(|a, b| (a.run, &a.step).cmp(&(b.run, &b.step)));
        logs
    }
}

/// The run under which a run's log is kept, and which iteration of it it is.
pub(super) fn root_of(run: RunId, origin: &Origin) -> (RunId, Option<u32>) {
    match origin {
        Origin::Start { .. } | Origin::Child { .. } => (run, None),
        Origin::Iteration { root, index, .. } => (*root, Some(*index)),
    }
}

/// A line as it is kept.
pub(super) fn stored(line: &sandbox::LogLine) -> LogLine {
    LogLine {
        at: Timestamp(line.at_ms),
        level: line.level.as_str().to_owned(),
        message: line.message.to_string(),
    }
}

/// The row for the log of an attempt that ended at `at`. Its place in the log
/// of the root run is the time, and a counter for those of one millisecond.
pub(super) fn write(tenant: &TenantId, root: RunId, at: Timestamp, log: &AttemptLog) -> Write {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed) & 0xf_ffff;
    Write::log(tenant, root, (at.0 << 20) | counter, log)
}
