//! What somebody does with a schedule: made, changed, paused, resumed, asked for
//! a run, deleted.

use super::queue::Id;
use super::turn::params_at;
use super::{Entry, ScheduleError, identity, row};
use crate::driver::catalog::check_note;
use crate::driver::{Driver, StartError, StartRun, Started, VersionSelector, WorkflowError};
use crate::store::{self, PauseOver, ScheduleRecord, TickOutcome, TickRecord, Ticket, Write};
use segno_engine::event::Cause;
use segno_engine::id::{RunId, TenantId, Timestamp};
use segno_engine::params::ParamSource;
use segno_engine::schedule::state::{Decision, Named, Outcome, ScheduleState};
use segno_engine::schedule::{Schedule, Spec};
use std::collections::VecDeque;

/// How a schedule may be called.
pub const SCHEDULE_NAME_RULE: &str =
    "use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit";

/// The longest name that somebody gives.
const NAME_BYTES_MAX: usize = 63;

/// So many turns come before a change, so that what was due before it is decided.
const TURNS_BEFORE_CHANGE: usize = 100;

/// A schedule that somebody wants.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// Its name.
    pub name: String,
    /// The workflow whose runs it starts.
    pub workflow: String,
    /// Which version of it.
    pub version: VersionSelector,
    /// When it fires, and what follows.
    pub spec: Schedule,
    /// Whether it is paused. Nothing: a new one is not, another stays as it is.
    pub paused: Option<bool>,
    /// What it is for.
    pub note: Option<String>,
}

impl Driver {
    /// Makes a schedule; instants from now on are its.
    ///
    /// # Errors
    /// There is one of this name, the name is none, there is no such workflow, or
    /// its params do not fit.
    pub async fn create_schedule(
        &self,
        tenant: &TenantId,
        new: NewSchedule,
        by: &str,
    ) -> Result<ScheduleRecord, ScheduleError> {
        check_name(&new.name)?;
        let _workflows = self.hold_workflows().await;
        let inactive = self.check_new(tenant, &new)?;
        let now = self.0.clock.now();
        let id = (tenant.clone(), new.name.clone());
        let mut state = ScheduleState::new(now);
        state.inactive = inactive;
        if new.paused == Some(true) {
            state.pause(now, by.to_owned(), None);
        }
        let record = made(new, state, (now, by));
        let ticket = {
            let mut all = self.0.schedules.lock();
            if all.contains_key(&id) {
                return Err(ScheduleError::Exists(id.1));
            }
            let ticket = self.0.store.commit(vec![row(tenant, &record)?]);
            let entry = Entry::new(record.clone());
            self.0.schedules.queue.set(&id, entry.wake(tenant, now));
            all.insert(id, entry);
            ticket
        };
        ticket.durable().await?;
        Ok(record)
    }

    /// Changes a schedule to what `wanted` makes of how it stands. It goes on where
    /// it was, unless it fires at other instants now: then those from now on are
    /// its. Changes at the same time come one after the other.
    ///
    /// # Errors
    /// As for `create_schedule`; there is none, it belongs to a definition, or it
    /// would get another name.
    pub async fn change_schedule<E: From<ScheduleError>>(
        &self,
        tenant: &TenantId,
        (name, wanted): (&str, impl FnOnce(&ScheduleRecord) -> Result<NewSchedule, E>),
        by: &str,
    ) -> Result<ScheduleRecord, E> {
        // Nobody else changes what a schedule says while these are held.
        let _workflows = self.hold_workflows().await;
        let id = (tenant.clone(), name.to_owned());
        let known = self.0.schedules.lock().get(&id).map(|entry| entry.record.clone());
        let known = known.ok_or_else(|| ScheduleError::Unknown(name.to_owned()))?;
        of_nobody(&known)?;
        let new = wanted(&known)?;
        if new.name != name {
            let schedule = name.to_owned();
            return Err(ScheduleError::Renamed { schedule, name: new.name }.into());
        }
        let inactive = self.check_new(tenant, &new)?;
        self.decide_before_change(&id);
        let (record, ticket) = self.alter(&id, by, |driver, entry, now| {
            let mut writes = driver.change_spec(&id, entry, (new.spec, now))?;
            let record = &mut entry.record;
            record.workflow = new.workflow;
            record.version = new.version.to_string();
            record.note = new.note;
            writes.extend(driver.set_inactive(&id, entry, (inactive, now))?);
            match (new.paused, entry.record.state.paused.is_some()) {
                (Some(true), false) => entry.record.state.pause(now, by.to_owned(), None),
                (Some(false), true) => {
                    writes.extend(driver.end_pause(&id, entry, (now, by, None))?);
                }
                _ => {}
            }
            Ok(writes)
        })?;
        ticket.durable().await.map_err(ScheduleError::from)?;
        Ok(record)
    }

    /// Lets no run start by a schedule until it is resumed.
    ///
    /// # Errors
    /// There is none, the note is no good, or the store fails.
    pub async fn pause_schedule(
        &self,
        tenant: &TenantId,
        (name, note): (&str, Option<String>),
        by: &str,
    ) -> Result<ScheduleRecord, ScheduleError> {
        check_note(note.as_deref())?;
        let id = (tenant.clone(), name.to_owned());
        self.decide_before_change(&id);
        let (record, ticket) = self.alter(&id, by, |_, entry, now| {
            entry.record.state.pause(now, by.to_owned(), note);
            Ok(Vec::new())
        })?;
        ticket.durable().await?;
        Ok(record)
    }

    /// Lets a schedule go on from now. Instants of the pause are skipped. The pause
    /// stays known, with the note on its end.
    ///
    /// # Errors
    /// There is none, the note is no good, or the store fails.
    pub async fn resume_schedule(
        &self,
        tenant: &TenantId,
        (name, note): (&str, Option<String>),
        by: &str,
    ) -> Result<ScheduleRecord, ScheduleError> {
        check_note(note.as_deref())?;
        let id = (tenant.clone(), name.to_owned());
        let (record, ticket) = self.alter(&id, by, |driver, entry, now| {
            Ok(driver.end_pause(&id, entry, (now, by, note))?)
        })?;
        ticket.durable().await?;
        Ok(record)
    }

    /// Starts one run of a schedule now, whether or not it is paused.
    ///
    /// # Errors
    /// There is none, or its run cannot be started.
    pub async fn trigger_schedule(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &str,
    ) -> Result<Started, ScheduleError> {
        let id = (tenant.clone(), name.to_owned());
        let mut due = VecDeque::new();
        let (started, ticket) = {
            let mut all = self.0.schedules.lock();
            let entry = all.get_mut(&id).ok_or_else(|| ScheduleError::Unknown(name.to_owned()))?;
            // What goes wrong half-way must leave no trace.
            let mut triggered = entry.clone();
            let ordered = self.order_trigger(&id, &mut triggered, (by, &mut due))?;
            *entry = triggered;
            ordered
        };
        self.perform(due);
        ticket.durable().await?;
        Ok(started)
    }

    /// Deletes a schedule, with what is kept of its instants; its runs stay.
    /// Returns what it was.
    ///
    /// # Errors
    /// There is none, it belongs to a definition, or the store fails.
    pub async fn delete_schedule(
        &self,
        tenant: &TenantId,
        name: &str,
    ) -> Result<ScheduleRecord, ScheduleError> {
        let id = (tenant.clone(), name.to_owned());
        let (record, ticket) = {
            let mut all = self.0.schedules.lock();
            let entry = all.get(&id).ok_or_else(|| ScheduleError::Unknown(name.to_owned()))?;
            of_nobody(&entry.record)?;
            let ticket = self.0.store.commit(Write::schedule_gone(tenant, &entry.record)?);
            self.0.schedules.queue.set(&id, None);
            let record = entry.record.clone();
            all.remove(&id);
            (record, ticket)
        };
        ticket.durable().await?;
        Ok(record)
    }

    /// Decides what is due, so that a change finds nothing that was due before it;
    /// what is far behind then counts as changed.
    pub(super) fn decide_before_change(&self, id: &Id) {
        for _ in 0..TURNS_BEFORE_CHANGE {
            let now = self.0.clock.now();
            let is_due = {
                let all = self.0.schedules.lock();
                let wake = all.get(id).and_then(|entry| entry.wake(&id.0, now));
                wake.is_some_and(|at| at <= now)
            };
            if !is_due || !self.take_turn(id) {
                return;
            }
        }
    }

    /// Changes a schedule in one commit with the rows that the change gives.
    fn alter(
        &self,
        id: &Id,
        by: &str,
        alter: impl FnOnce(&Self, &mut Entry, Timestamp) -> Result<Vec<Write>, ScheduleError>,
    ) -> Result<(ScheduleRecord, Ticket), ScheduleError> {
        let now = self.0.clock.now();
        let mut all = self.0.schedules.lock();
        let known = all.get_mut(id).ok_or_else(|| ScheduleError::Unknown(id.1.clone()))?;
        // What goes wrong half-way must leave no trace.
        let mut entry = known.clone();
        let mut writes = alter(self, &mut entry, now)?;
        entry.record.changed_at = now;
        by.clone_into(&mut entry.record.changed_by);
        writes.push(row(&id.0, &entry.record)?);
        let ticket = self.0.store.commit(writes);
        self.0.schedules.queue.set(id, entry.wake(&id.0, now));
        *known = entry;
        Ok((known.record.clone(), ticket))
    }

    /// Ends the pause of a schedule, if there is one.
    fn end_pause(
        &self,
        id: &Id,
        entry: &mut Entry,
        (now, by, note): (Timestamp, &str, Option<String>),
    ) -> Result<Vec<Write>, store::Error> {
        let identity = identity(&id.0, &id.1);
        let ScheduleRecord { spec, state, last_pause, .. } = &mut entry.record;
        let paused = state.paused.clone();
        let skipped = state.resume(Named { schedule: spec, identity: &identity }, now);
        if let Some(paused) = paused {
            let (ended_by, end_note) = (by.to_owned(), note);
            *last_pause = Some(PauseOver { paused, ended_at: now, ended_by, end_note });
        }
        self.spans(id, entry, skipped)
    }

    /// Gives a schedule another spec.
    pub(super) fn change_spec(
        &self,
        id: &Id,
        entry: &mut Entry,
        (spec, now): (Schedule, Timestamp),
    ) -> Result<Vec<Write>, store::Error> {
        let mut writes = Vec::new();
        if !fires_alike(entry.record.spec.spec(), spec.spec()) {
            let identity = identity(&id.0, &id.1);
            let ScheduleRecord { spec: before, state, .. } = &mut entry.record;
            let skipped = state.change(Named { schedule: before, identity: &identity }, now);
            writes = self.spans(id, entry, skipped)?;
        }
        entry.record.spec = spec;
        Ok(writes)
    }

    /// Its workflow is active or not from now on.
    pub(super) fn set_inactive(
        &self,
        id: &Id,
        entry: &mut Entry,
        (inactive, now): (bool, Timestamp),
    ) -> Result<Vec<Write>, store::Error> {
        let identity = identity(&id.0, &id.1);
        let ScheduleRecord { spec, state, .. } = &mut entry.record;
        let named = Named { schedule: spec, identity: &identity };
        let skipped = match (state.inactive, inactive) {
            (false, true) => state.deactivate(),
            (true, false) => state.activate(named, now),
            _ => Vec::new(),
        };
        self.spans(id, entry, skipped)
    }

    /// The rows of instants that are skipped.
    fn spans(
        &self,
        id: &Id,
        entry: &mut Entry,
        decisions: Vec<Decision>,
    ) -> Result<Vec<Write>, store::Error> {
        let mut writes = Vec::new();
        for Decision { first, last, count, outcome } in decisions {
            let outcome = match outcome {
                Outcome::Skip(reason) => TickOutcome::Skipped(reason.code().to_owned()),
                Outcome::Miss(reason) => TickOutcome::Missed(reason.code().to_owned()),
                // Neither follows from a change.
                Outcome::Start { .. } | Outcome::Wait => continue,
            };
            writes.extend(self.span(id, entry, ((first, last, count), outcome))?);
        }
        Ok(writes)
    }

    fn order_trigger(
        &self,
        id: &Id,
        entry: &mut Entry,
        (by, due): (&str, &mut VecDeque<crate::driver::Due>),
    ) -> Result<(Started, Ticket), ScheduleError> {
        let now = self.0.clock.now();
        let run = self.0.clock.new_run_id();
        let tick = TickRecord {
            sequence: 0,
            at: now,
            last: now,
            count: 1,
            outcome: TickOutcome::Run(run),
            decided_at: now,
            backfill: None,
            by: Some(by.to_owned()),
        };
        let mut writes = self.next_tick(id, entry, tick)?;
        writes.push(row(&id.0, &entry.record)?);
        let params = params_at(&entry.record.spec, entry.local_name(), now)?;
        let start = StartRun {
            version: entry.selector(),
            cause: Cause::Schedule {
                schedule: id.1.clone(),
                at: now,
                backfill: None,
                by: Some(by.to_owned()),
            },
            id: Some(run),
            ..StartRun::new(&entry.record.workflow, params)
        };
        Ok(self.order_start_with(&id.0, start, writes, due)?)
    }

    /// Whether a schedule can be meant: there is such a workflow, and the params
    /// fit it. Says whether the workflow is inactive, where that matters.
    fn check_new(&self, tenant: &TenantId, new: &NewSchedule) -> Result<bool, ScheduleError> {
        check_note(new.note.as_deref())?;
        let selected = match self.workflow_selected(tenant, &new.workflow, new.version) {
            Ok(selected) => selected,
            Err(WorkflowError::Inactive(_)) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let now = self.0.clock.now();
        let identity = identity(tenant, &new.name);
        let at = new.spec.next_after(&identity, now).map_or(now, |next| next.at);
        let params = params_at(&new.spec, &new.name, at)?;
        let id = RunId::new(now, 0);
        let facts = crate::driver::start::facts(id, &selected.workflow, selected.version, now);
        let bound = selected.workflow.bind(&params, ParamSource::Schedule, facts);
        bound.map_err(StartError::BadParams)?;
        Ok(false)
    }
}

/// Whether two specs have the same instants.
pub(super) fn fires_alike(one: &Spec, other: &Spec) -> bool {
    let timing = |spec: &Spec| {
        let Spec { rule, timezone, start, end, ambiguous, .. } = spec.clone();
        (rule, timezone, start, end, ambiguous)
    };
    timing(one) == timing(other)
}

/// A new schedule.
pub(super) fn made(
    new: NewSchedule,
    state: ScheduleState,
    (now, by): (Timestamp, &str),
) -> ScheduleRecord {
    let NewSchedule { name, workflow, version, spec, paused: _, note } = new;
    ScheduleRecord {
        name,
        workflow,
        version: version.to_string(),
        spec,
        state,
        last_pause: None,
        trigger: None,
        cancelling: Vec::new(),
        note,
        created_at: now,
        created_by: by.to_owned(),
        changed_at: now,
        changed_by: by.to_owned(),
        ticks: (1, 1),
        next_backfill: 1,
    }
}

fn of_nobody(record: &ScheduleRecord) -> Result<(), ScheduleError> {
    match record.trigger {
        None => Ok(()),
        Some(_) => Err(ScheduleError::OfDefinition {
            schedule: record.name.clone(),
            workflow: record.workflow.clone(),
        }),
    }
}

fn check_name(name: &str) -> Result<(), ScheduleError> {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
        && lower(name.as_bytes()[0])
        && name.bytes().all(|byte| lower(byte) || b"-_".contains(&byte));
    match fits {
        true => Ok(()),
        false => Err(ScheduleError::BadName(name.chars().take(80).collect())),
    }
}
