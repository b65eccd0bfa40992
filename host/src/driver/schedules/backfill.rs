//! Backfills: runs for the instants of a range, a few at once. A backfill keeps
//! the schedule as it was when it was made, and its runs have nothing to do with
//! the overlap policy.

use super::queue::Id;
use super::turn::Wanted;
use super::{Entry, ScheduleError, identity, row, run_of_backfill};
use crate::crash;
use crate::driver::catalog::check_note;
use crate::driver::{Driver, Due, StartError};
use crate::store::{
    self, BackfillRecord, BackfillState, Page, Paging, ScheduleRecord, TickOutcome, Write,
};
use segno_engine::id::{TenantId, Timestamp};
use std::collections::VecDeque;

/// The most instants of a backfill.
pub const BACKFILL_INSTANTS_MAX: u64 = 100_000;

/// The most runs of a backfill that are open at once.
const CONCURRENCY_MAX: u32 = 100;

/// The most runs that a backfill starts in one turn of its schedule.
const STARTS_A_TURN: usize = 10;

/// Backfills among which one with an idempotency key is looked for, the newest.
const KEYS_KEPT: usize = 100;

/// A backfill that somebody wants.
#[derive(Debug, Clone)]
pub struct NewBackfill {
    /// The first moment of the range.
    pub from: Timestamp,
    /// Behind the last moment of the range.
    pub until: Timestamp,
    /// How many of its runs are open at once.
    pub concurrency: u32,
    /// Asking twice with the same makes one.
    pub key: Option<String>,
}

/// What may be done with a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillAction {
    /// It starts no run until it is resumed.
    Pause,
    /// It goes on.
    Resume,
    /// It starts no run any more.
    Cancel,
}

/// Whether a backfill has something to do now.
pub(super) fn wants_more(backfill: &BackfillRecord, schedule: &ScheduleRecord) -> bool {
    let has_room = backfill.open.len() < backfill.concurrency as usize;
    let is_done = backfill.left() == 0 && backfill.open.is_empty();
    backfill.state == BackfillState::Running
        && !schedule.state.inactive
        && ((has_room && backfill.left() > 0) || is_done)
}

impl Driver {
    /// Makes a backfill. Says whether it was there already, made with the same
    /// key: one of the last 100 of the schedule.
    ///
    /// # Errors
    /// There is no such schedule, the range has no or too many instants, the key
    /// belongs to another backfill, or the store fails.
    pub async fn create_backfill(
        &self,
        tenant: &TenantId,
        (schedule, wanted): (&str, NewBackfill),
        by: &str,
    ) -> Result<(BackfillRecord, bool), ScheduleError> {
        let now = self.0.clock.now();
        let id = (tenant.clone(), schedule.to_owned());
        let (backfill, repeated, ticket) = {
            let mut all = self.0.schedules.lock();
            let entry = found(all.get_mut(&id), schedule)?;
            if let Some(known) = self.made_before(&id, entry, &wanted)? {
                (known, true, self.0.store.barrier())
            } else {
                let instants = instants_of(&entry.record, &wanted, now)?;
                let backfill = begun(&entry.record, (wanted, instants), (now, by));
                entry.record.next_backfill += 1;
                let writes = vec![
                    Write::backfill(tenant, schedule, &backfill)?,
                    row(tenant, &entry.record)?,
                ];
                let ticket = self.0.store.commit(writes);
                entry.backfills.insert(backfill.number, backfill.clone());
                self.0.schedules.queue.set(&id, Some(now));
                (backfill, false, ticket)
            }
        };
        ticket.durable().await?;
        Ok((backfill, repeated))
    }

    /// The backfill that was made with the key of the one that is wanted.
    fn made_before(
        &self,
        (tenant, schedule): &Id,
        entry: &Entry,
        wanted: &NewBackfill,
    ) -> Result<Option<BackfillRecord>, ScheduleError> {
        let Some(key) = &wanted.key else { return Ok(None) };
        let has_key = |known: &&BackfillRecord| known.key.as_ref() == Some(key);
        let known = match entry.backfills.values().find(has_key) {
            Some(known) => Some(known.clone()),
            None => {
                let last = self.0.store.backfills(tenant, schedule, &Paging::first(KEYS_KEPT))?;
                last.items.iter().find(has_key).cloned()
            }
        };
        let is_it = |known: &BackfillRecord| {
            let NewBackfill { from, until, concurrency, .. } = wanted;
            (known.from, known.until, known.concurrency) == (*from, *until, *concurrency)
        };
        match known {
            Some(known) if !is_it(&known) => Err(ScheduleError::KeyReused(key.clone())),
            known => Ok(known),
        }
    }

    /// Does something with a backfill. What it has already come to is fine.
    ///
    /// # Errors
    /// There is none, it is over, the note is no good, or the store fails.
    pub async fn act_on_backfill(
        &self,
        tenant: &TenantId,
        (schedule, number): (&str, u64),
        (action, note): (BackfillAction, Option<String>),
        by: &str,
    ) -> Result<BackfillRecord, ScheduleError> {
        check_note(note.as_deref())?;
        self.schedule_named(tenant, schedule).await?;
        let stored = self.0.store.backfill(tenant, schedule, number)?;
        let now = self.0.clock.now();
        let id = (tenant.clone(), schedule.to_owned());
        let (backfill, ticket) = {
            let mut all = self.0.schedules.lock();
            let entry = found(all.get_mut(&id), schedule)?;
            let Some(backfill) = entry.backfills.get_mut(&number) else {
                return over(stored, (schedule, number), action);
            };
            let to = match action {
                BackfillAction::Pause => BackfillState::Paused,
                BackfillAction::Resume => BackfillState::Running,
                BackfillAction::Cancel => BackfillState::Cancelled,
            };
            if !backfill.state.is_open() {
                return over(Some(backfill.clone()), (schedule, number), action);
            }
            backfill.state = to;
            backfill.note = note;
            backfill.changed_at = now;
            by.clone_into(&mut backfill.changed_by);
            let backfill = backfill.clone();
            let ticket = self.0.store.commit(vec![Write::backfill(tenant, schedule, &backfill)?]);
            if !to.is_open() && backfill.open.is_empty() {
                entry.backfills.remove(&number);
            }
            self.0.schedules.queue.set(&id, entry.wake(tenant, now));
            (backfill, ticket)
        };
        ticket.durable().await?;
        Ok(backfill)
    }

    /// A backfill as it stands, all of it on stable storage.
    ///
    /// # Errors
    /// There is none, or the store fails.
    pub async fn backfill(
        &self,
        tenant: &TenantId,
        schedule: &str,
        number: u64,
    ) -> Result<BackfillRecord, ScheduleError> {
        self.schedule_named(tenant, schedule).await?;
        let found = self.0.store.backfill(tenant, schedule, number)?;
        let schedule = schedule.to_owned();
        found.ok_or(ScheduleError::NoBackfill { schedule, number })
    }

    /// The backfills of a schedule, newest first.
    ///
    /// # Errors
    /// There is no such schedule, or the store fails.
    pub async fn backfills(
        &self,
        tenant: &TenantId,
        schedule: &str,
        paging: &Paging,
    ) -> Result<Page<BackfillRecord>, ScheduleError> {
        self.schedule_named(tenant, schedule).await?;
        Ok(self.0.store.backfills(tenant, schedule, paging)?)
    }

    /// Starts what the backfills of a schedule may start now.
    pub(super) fn fill_backfills(
        &self,
        id: &Id,
        entry: &mut Entry,
        due: &mut VecDeque<Due>,
    ) -> Result<(), store::Error> {
        let numbers: Vec<u64> = entry.backfills.keys().copied().collect();
        for number in numbers {
            for _ in 0..STARTS_A_TURN {
                let backfill = &entry.backfills[&number];
                if !wants_more(backfill, &entry.record) {
                    break;
                }
                // What goes wrong half-way must leave no trace.
                let mut filled = entry.clone();
                self.fill_one(id, &mut filled, (number, due))?;
                *entry = filled;
                crash::point("backfill goes on");
                if !entry.backfills.contains_key(&number) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Orders the next instant of a backfill, or its end.
    fn fill_one(
        &self,
        id: &Id,
        entry: &mut Entry,
        (number, due): (u64, &mut VecDeque<Due>),
    ) -> Result<(), store::Error> {
        let Some(backfill) = entry.backfills.get_mut(&number) else { return Ok(()) };
        let after = backfill.done_until.unwrap_or(Timestamp(backfill.from.0.saturating_sub(1)));
        let next = backfill.spec.next_after(&identity(&id.0, &id.1), after);
        let next = next.filter(|it| it.at < backfill.until && backfill.left() > 0);
        let Some(instant) = next else {
            backfill.decided = backfill.instants;
            if backfill.open.is_empty() {
                backfill.state = BackfillState::Done;
                self.0.store.commit(vec![Write::backfill(&id.0, &id.1, backfill)?]);
                entry.backfills.remove(&number);
            }
            return Ok(());
        };
        backfill.done_until = Some(instant.at);
        backfill.decided += 1;
        backfill.started += 1;
        let run = run_of_backfill(&id.0, &id.1, backfill, instant.at);
        backfill.open.push(run);
        let backfill = backfill.clone();
        let ticks = entry.record.ticks;
        let wanted = Wanted {
            at: instant.at,
            run,
            spec: &backfill.spec,
            backfill: Some(number),
            cancels: None,
        };
        let mut writes = self.tick(id, entry, (&wanted, TickOutcome::Run(run)))?;
        writes.push(Write::backfill(&id.0, &id.1, &backfill)?);
        writes.push(row(&id.0, &entry.record)?);
        let why = match self.order_scheduled(id, entry, (&wanted, writes), due) {
            Ok(false) => return Ok(()),
            Ok(true) => return self.find_ends(id, entry),
            Err(StartError::Store(error)) => return Err(error),
            Err(other) => other.to_string(),
        };
        entry.record.ticks = ticks;
        let failed = BackfillRecord {
            started: backfill.started - 1,
            failed: backfill.failed + 1,
            open: backfill.open.iter().copied().filter(|open| *open != run).collect(),
            ..backfill.clone()
        };
        let mut writes = self.tick(id, entry, (&wanted, TickOutcome::Failed(why)))?;
        writes.push(Write::backfill(&id.0, &id.1, &failed)?);
        writes.push(row(&id.0, &entry.record)?);
        self.0.store.commit(writes);
        entry.backfills.insert(number, failed);
        Ok(())
    }
}

/// A backfill of which nothing is done.
fn begun(
    schedule: &ScheduleRecord,
    (wanted, instants): (NewBackfill, u64),
    (now, by): (Timestamp, &str),
) -> BackfillRecord {
    BackfillRecord {
        number: schedule.next_backfill,
        from: wanted.from,
        until: wanted.until,
        concurrency: wanted.concurrency,
        state: BackfillState::Running,
        spec: schedule.spec.clone(),
        instants,
        done_until: None,
        decided: 0,
        started: 0,
        succeeded: 0,
        failed: 0,
        open: Vec::new(),
        note: None,
        key: wanted.key,
        created_at: now,
        created_by: by.to_owned(),
        changed_at: now,
        changed_by: by.to_owned(),
    }
}

/// How many instants a backfill would have.
fn instants_of(
    schedule: &ScheduleRecord,
    wanted: &NewBackfill,
    now: Timestamp,
) -> Result<u64, ScheduleError> {
    let NewBackfill { from, until, concurrency, .. } = *wanted;
    let bad = |why: String| Err(ScheduleError::BadBackfill(why));
    if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
        return bad(format!("concurrency is 1 to {CONCURRENCY_MAX}, not {concurrency}"));
    }
    if until <= from {
        return bad("`until` is not after `from`; give the moment behind the range".to_owned());
    }
    if until > now {
        return bad(
            "`until` is still to come; end the range now at the latest, the schedule does the rest"
                .to_owned(),
        );
    }
    let (after, last) = (Timestamp(from.0.saturating_sub(1)), Timestamp(until.0 - 1));
    match schedule.spec.count(after, last) {
        0 => {
            bad("the schedule has no instant in this range; see `segno schedule preview`"
                .to_owned())
        }
        many if many > BACKFILL_INSTANTS_MAX => bad(format!(
            "the range has {many} instants, and a backfill at most {BACKFILL_INSTANTS_MAX}; make several"
        )),
        instants => Ok(instants),
    }
}

/// A backfill that is over: fine if that was wanted.
fn over(
    stored: Option<BackfillRecord>,
    (schedule, number): (&str, u64),
    action: BackfillAction,
) -> Result<BackfillRecord, ScheduleError> {
    let schedule = schedule.to_owned();
    match stored {
        None => Err(ScheduleError::NoBackfill { schedule, number }),
        Some(record)
            if record.state == BackfillState::Cancelled && action == BackfillAction::Cancel =>
        {
            Ok(record)
        }
        Some(record) => {
            Err(ScheduleError::BackfillOver { schedule, number, state: record.state.as_str() })
        }
    }
}

fn found<'e>(entry: Option<&'e mut Entry>, name: &str) -> Result<&'e mut Entry, ScheduleError> {
    entry.ok_or_else(|| ScheduleError::Unknown(name.to_owned()))
}
