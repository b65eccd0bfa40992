//! Runs of schedules that are over. Whoever ends one may hold it, and so only
//! says it to the queue; the schedule hears of it in a turn.

use super::queue::{Ended, Id};
use super::{Entry, identity, row, run_of};
use crate::driver::live::{Live, LiveState};
use crate::driver::{Driver, Due};
use crate::store::{self, Write};
use segno_engine::command::Command;
use segno_engine::event::{Cause, Origin};
use segno_engine::id::{RunId, TenantId};
use segno_engine::run::RunStatus;
use segno_engine::schedule::state::Named;
use std::collections::VecDeque;
use tracing::debug;

impl Driver {
    /// A run is over, and that is ordered.
    pub(in crate::driver) fn note_schedule_end(&self, live: &Live, state: &LiveState) {
        let Origin::Start { cause: Cause::Schedule { schedule, backfill, .. }, .. } =
            state.run.origin()
        else {
            return;
        };
        self.0.schedules.queue.end(Ended {
            schedule: (live.tenant.clone(), schedule.clone()),
            run: live.id,
            backfill: backfill.as_ref().and_then(|number| number.parse().ok()),
            succeeded: matches!(state.run.status(), RunStatus::Succeeded { .. }),
        });
    }

    /// Says to the queue which of the runs that a schedule knows as open are over.
    pub(super) fn find_ends(&self, id: &Id, entry: &Entry) -> Result<(), store::Error> {
        let (tenant, name) = id;
        let own = entry.record.state.open.map(|at| run_of(tenant, name, at));
        let own = own.into_iter().chain(entry.record.cancelling.iter().copied());
        let of_backfills = entry.backfills.values();
        let of_backfills =
            of_backfills.flat_map(|it| it.open.iter().map(|run| (*run, Some(it.number))));
        for (run, backfill) in own.map(|run| (run, None)).chain(of_backfills) {
            if let Some(succeeded) = self.end_of_schedule_run(tenant, run)? {
                let schedule = id.clone();
                self.0.schedules.queue.end(Ended { schedule, run, backfill, succeeded });
            }
        }
        Ok(())
    }

    /// Whether a run succeeded, if it is over. One that is not there is over, too:
    /// nobody will say so.
    fn end_of_schedule_run(
        &self,
        tenant: &TenantId,
        run: RunId,
    ) -> Result<Option<bool>, store::Error> {
        if let Some(live) = self.live(tenant, run) {
            return Ok(live
                .is_over()
                .then(|| matches!(live.lock().run.status(), RunStatus::Succeeded { .. })));
        }
        Ok(match self.0.store.run(tenant, run)? {
            Some(record) => record.ended_at.map(|_| record.status == "succeeded"),
            None => Some(false),
        })
    }

    /// A schedule hears that a run of its is over.
    pub(super) fn hear_of_end(&self, ended: &Ended) -> Result<(), store::Error> {
        let Ended { schedule: id, run, backfill, succeeded } = ended;
        let now = self.0.clock.now();
        let mut all = self.0.schedules.lock();
        let Some(entry) = all.get_mut(id) else { return Ok(()) };
        let mut writes = Vec::new();
        match backfill {
            Some(number) => writes.extend(end_in_backfill(id, entry, (*number, *run, *succeeded))?),
            None => {
                if end_in_schedule(id, entry, *run) {
                    writes.push(row(&id.0, &entry.record)?);
                }
            }
        }
        if writes.is_empty() {
            return Ok(());
        }
        self.0.store.commit(writes);
        self.0.schedules.queue.set(id, entry.wake(&id.0, now));
        Ok(())
    }

    /// Cancels runs that make room for later ones of the same schedule.
    pub(super) fn cancel_earlier(&self, id: &Id, runs: &[RunId], due: &mut VecDeque<Due>) {
        for run in runs {
            match self.find(&id.0, *run, due) {
                Ok(Some(live)) => {
                    let by = format!("schedule {}", id.1);
                    let cancelled = self.turn(&live, &Command::Cancel { by }, Vec::new(), due);
                    if let Err(refusal) = cancelled {
                        debug!(%run, %refusal, "it was over already");
                    }
                }
                Ok(None) => {}
                Err(error) => self.cannot_wake(*run, &error),
            }
        }
    }
}

/// Whether it matters to the schedule that this run is over.
fn end_in_schedule(id: &Id, entry: &mut Entry, run: RunId) -> bool {
    let before = entry.record.cancelling.len();
    entry.record.cancelling.retain(|other| *other != run);
    let mut matters = entry.record.cancelling.len() != before;
    if let Some(at) = entry.record.state.open.filter(|at| run_of(&id.0, &id.1, *at) == run) {
        let identity = identity(&id.0, &id.1);
        let named = Named { schedule: &entry.record.spec, identity: &identity };
        // What waited starts in a turn, one commit each.
        entry.record.state.run_ended(named, at, 0);
        matters = true;
    }
    matters
}

/// The row of the backfill, if the run was open in it.
fn end_in_backfill(
    id: &Id,
    entry: &mut Entry,
    (number, run, succeeded): (u64, RunId, bool),
) -> Result<Option<Write>, store::Error> {
    let Some(backfill) = entry.backfills.get_mut(&number) else { return Ok(None) };
    let before = backfill.open.len();
    backfill.open.retain(|open| *open != run);
    if backfill.open.len() == before {
        return Ok(None);
    }
    match succeeded {
        true => backfill.succeeded += 1,
        false => backfill.failed += 1,
    }
    let write = Write::backfill(&id.0, &id.1, backfill)?;
    if !backfill.state.is_open() && backfill.open.is_empty() {
        entry.backfills.remove(&number);
    }
    Ok(Some(write))
}
