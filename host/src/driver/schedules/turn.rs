//! A turn of a schedule: what is due is decided, a few instants at a time, each
//! in one commit. What a crash leaves of a turn is a prefix of its commits: the
//! watermark of the row says how far it came, and each run follows from its
//! instant, so none is lost and none is there twice.

use super::queue::Id;
use super::{Entry, identity, row, run_of};
use crate::crash;
use crate::driver::lanes::Entrance;
use crate::driver::{Driver, Due, StartError, StartRun};
use crate::store::{self, ScheduleRecord, TickOutcome, TickRecord, Write};
use segno_engine::event::Cause;
use segno_engine::id::{RunId, Timestamp};
use segno_engine::schedule::state::{Decision, Named, Outcome};
use segno_engine::schedule::{Overlap, Schedule};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tracing::error;

/// The most decisions of one turn.
const DECISIONS_A_TURN: usize = 10;

/// So many turns are given out before the disk has to have what they ordered.
const TURNS_AT_ONCE: usize = 32;

/// How long a schedule waits that could not be decided.
const AGAIN_AFTER_MS: u64 = 1_000;

/// How long one waits whose turn panicked.
const AGAIN_AFTER_PANIC_MS: u64 = 60_000;

/// An instant for which a run is to start.
pub(super) struct Wanted<'a> {
    /// The instant.
    pub(super) at: Timestamp,
    /// The run.
    pub(super) run: RunId,
    /// What says which params it gets.
    pub(super) spec: &'a Schedule,
    /// The backfill that asks for it.
    pub(super) backfill: Option<u64>,
    /// The instant whose run is cancelled for it.
    pub(super) cancels: Option<Timestamp>,
}

impl Driver {
    /// Gives a turn to every schedule that is due, round robin.
    pub(super) async fn give_turns(&self) -> Result<(), store::Error> {
        let queue = &self.0.schedules.queue;
        let mut turns = 0;
        while !self.is_stopping() {
            while let Some(ended) = queue.pop_ended() {
                guarded(&ended.schedule, || self.hear_of_end(&ended)).unwrap_or(Ok(()))?;
            }
            let Some(id) = queue.pop_due(self.0.clock.now()) else { return Ok(()) };
            self.take_turn(&id);
            turns += 1;
            if turns % TURNS_AT_ONCE == 0 {
                self.0.store.barrier().durable().await?;
            }
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    /// Decides a few things that are due for a schedule. Whether another turn may
    /// decide more now.
    pub(super) fn take_turn(&self, id: &Id) -> bool {
        let (mut due, mut cancelled) = (VecDeque::new(), Vec::new());
        let now = self.0.clock.now();
        let goes_on = {
            let mut all = self.0.schedules.lock();
            let Some(entry) = all.get_mut(id) else { return false };
            let turn: Option<Result<_, store::Error>> = guarded(id, || {
                self.decide_few(id, entry, (&mut cancelled, &mut due))?;
                self.fill_backfills(id, entry, &mut due)?;
                Ok(entry.wake(&id.0, now))
            });
            let wake = match turn {
                Some(Ok(wake)) => wake,
                Some(Err(error)) => {
                    error!(schedule = id.1, %error, "a schedule cannot be decided");
                    Some(now.plus_ms(AGAIN_AFTER_MS))
                }
                None => Some(now.plus_ms(AGAIN_AFTER_PANIC_MS)),
            };
            self.0.schedules.queue.set(id, wake);
            wake.is_some_and(|at| at <= now)
        };
        crash::point("schedule decided");
        self.cancel_earlier(id, &cancelled, &mut due);
        self.perform(due);
        goes_on
    }

    fn decide_few(
        &self,
        id: &Id,
        entry: &mut Entry,
        (cancelled, due): (&mut Vec<RunId>, &mut VecDeque<Due>),
    ) -> Result<(), store::Error> {
        let now = self.0.clock.now();
        for _ in 0..DECISIONS_A_TURN {
            // What goes wrong half-way must leave no trace.
            let mut decided = entry.clone();
            let identity = identity(&id.0, &id.1);
            let ScheduleRecord { spec, state, .. } = &mut decided.record;
            let named = Named { schedule: spec, identity: &identity };
            let Some(decision) = state.due(named, now, 1).pop() else { return Ok(()) };
            cancelled.extend(self.order_decision(id, &mut decided, (decision, due))?);
            *entry = decided;
            crash::point("instant ordered");
        }
        Ok(())
    }

    /// Orders what was decided: the schedule's row has been moved on. Gives the
    /// run that is to be cancelled.
    fn order_decision(
        &self,
        id: &Id,
        entry: &mut Entry,
        (decision, due): (Decision, &mut VecDeque<Due>),
    ) -> Result<Option<RunId>, store::Error> {
        let Decision { first, last, count, outcome } = decision;
        match outcome {
            Outcome::Start { cancels } => {
                let run = run_of(&id.0, &id.1, first);
                let spec = entry.record.spec.clone();
                let wanted = Wanted { at: first, run, spec: &spec, backfill: None, cancels };
                let cancels = cancels.map(|at| run_of(&id.0, &id.1, at));
                entry.record.cancelling.extend(cancels);
                let started = self.order_instant(id, entry, &wanted, due)?;
                Ok(cancels.filter(|_| started))
            }
            Outcome::Wait => {
                self.0.store.commit(vec![row(&id.0, &entry.record)?]);
                Ok(None)
            }
            Outcome::Skip(reason) | Outcome::Miss(reason) => {
                let why = reason.code().to_owned();
                let outcome = match outcome {
                    Outcome::Miss(_) => TickOutcome::Missed(why),
                    _ => TickOutcome::Skipped(why),
                };
                let mut writes = self.span(id, entry, ((first, last, count), outcome))?;
                writes.push(row(&id.0, &entry.record)?);
                self.0.store.commit(writes);
                Ok(None)
            }
        }
    }

    /// Orders the run of an instant of the rule, or that there is none. Whether
    /// there is one.
    fn order_instant(
        &self,
        id: &Id,
        entry: &mut Entry,
        wanted: &Wanted<'_>,
        due: &mut VecDeque<Due>,
    ) -> Result<bool, store::Error> {
        let before = entry.record.ticks;
        let mut writes = self.tick(id, entry, (wanted, TickOutcome::Run(wanted.run)))?;
        writes.push(row(&id.0, &entry.record)?);
        let why = match self.order_scheduled(id, entry, (wanted, writes), due) {
            Ok(repeated) => {
                if repeated {
                    self.find_ends(id, entry)?;
                }
                return Ok(true);
            }
            Err(StartError::Store(error)) => return Err(error),
            Err(other) => other.to_string(),
        };
        entry.record.ticks = before;
        let identity = identity(&id.0, &id.1);
        let ScheduleRecord { spec, state, .. } = &mut entry.record;
        // There is no run whose end others would have to wait for.
        state.run_ended(Named { schedule: spec, identity: &identity }, wanted.at, 0);
        if let Some(other) = wanted.cancels {
            // Nor does the other make room for it.
            state.open = Some(other);
            let other = run_of(&id.0, &id.1, other);
            entry.record.cancelling.retain(|run| *run != other);
        }
        let mut writes = self.tick(id, entry, (wanted, TickOutcome::Failed(why)))?;
        writes.push(row(&id.0, &entry.record)?);
        self.0.store.commit(writes);
        Ok(false)
    }

    /// Orders a run of a schedule with these writes. Whether it was there before.
    pub(super) fn order_scheduled(
        &self,
        id: &Id,
        entry: &Entry,
        (wanted, writes): (&Wanted<'_>, Vec<Write>),
        due: &mut VecDeque<Due>,
    ) -> Result<bool, StartError> {
        let Wanted { at, run, spec, backfill, .. } = wanted;
        let start = StartRun {
            version: entry.selector(),
            cause: Cause::Schedule {
                schedule: id.1.clone(),
                at: *at,
                backfill: backfill.map(|number| number.to_string()),
                by: None,
            },
            id: Some(*run),
            ..StartRun::new(&entry.record.workflow, params_at(spec, entry.local_name(), *at)?)
        };
        let entrance = match (backfill, spec.spec().overlap) {
            (None, Overlap::AllowAll) => Entrance::AtOnce,
            (None, Overlap::CancelOther) => Entrance::InPlaceOf(entry.record.cancelling.clone()),
            _ => Entrance::InTurn,
        };
        let (started, _) =
            self.order_start_then(&id.0, (start, entrance), |_, _| Ok(writes), due)?;
        Ok(started.repeated)
    }

    /// The rows of a tick, which is the next one.
    pub(super) fn tick(
        &self,
        id: &Id,
        entry: &mut Entry,
        (wanted, outcome): (&Wanted<'_>, TickOutcome),
    ) -> Result<Vec<Write>, store::Error> {
        let now = self.0.clock.now();
        self.next_tick(
            id,
            entry,
            TickRecord {
                sequence: 0,
                at: wanted.at,
                last: wanted.at,
                count: 1,
                outcome,
                decided_at: now,
                backfill: wanted.backfill,
                by: None,
            },
        )
    }

    /// The rows of a tick that is given all but its place.
    pub(super) fn next_tick(
        &self,
        id: &Id,
        entry: &mut Entry,
        tick: TickRecord,
    ) -> Result<Vec<Write>, store::Error> {
        let sequence = entry.record.ticks.1;
        entry.record.ticks.1 += 1;
        let tick = TickRecord { sequence, ..tick };
        let mut writes = vec![Write::tick(&id.0, &id.1, &tick)?];
        writes.extend(self.0.store.ticks_expired(&id.0, &mut entry.record, tick.decided_at)?);
        entry.last = Some(tick);
        Ok(writes)
    }

    /// The rows of instants without a run: those that go on where the last tick
    /// ended are added to it.
    pub(super) fn span(
        &self,
        id: &Id,
        entry: &mut Entry,
        ((first, last, count), outcome): ((Timestamp, Timestamp, u64), TickOutcome),
    ) -> Result<Vec<Write>, store::Error> {
        let decided_at = self.0.clock.now();
        if let Some(before) = &mut entry.last
            && before.outcome == outcome
            && before.backfill.is_none()
        {
            before.last = last;
            before.count += count;
            before.decided_at = decided_at;
            return Ok(vec![Write::tick(&id.0, &id.1, before)?]);
        }
        let tick = TickRecord {
            sequence: 0,
            at: first,
            last,
            count,
            outcome,
            decided_at,
            backfill: None,
            by: None,
        };
        self.next_tick(id, entry, tick)
    }
}

/// Does something for a schedule. A panic ends that alone, and not the turns of
/// all others: `None`.
fn guarded<T>(id: &Id, what: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(what)).ok();
    if done.is_none() {
        let (tenant, schedule) = id;
        error!(%tenant, schedule, "a turn of the schedule panicked; the next is in a minute");
    }
    done
}

/// The params of a run for an instant.
pub(super) fn params_at(
    spec: &Schedule,
    schedule: &str,
    at: Timestamp,
) -> Result<Map<String, Value>, StartError> {
    let params = spec.params_at(schedule, at);
    let params = params.map_err(|why| StartError::BadParams(vec![format!("params: {why}")]))?;
    match params.value() {
        Value::Object(params) => Ok(params.clone()),
        _ => Ok(Map::new()),
    }
}
