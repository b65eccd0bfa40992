//! Runs that only wait leave memory: what must be known of them is when and for
//! which signals they have to be woken. That is in memory, and in the mark of
//! the open run in the store, so that a restart needs to read no history.

use super::lanes::Place;
use super::live::{Live, LiveState};
use super::signals::Waiter;
use super::{Driver, Due, Error, inspect};
use crate::crash;
use crate::store::{self, Write};
use segno_engine::command::Command;
use segno_engine::event::{Event, Origin, Record};
use segno_engine::id::{RunId, StepIndex, TenantId, Timestamp};
use segno_engine::run::{Run, Surroundings};
use segno_engine::signal::Pattern;
use segno_engine::wait::SignalWait;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;
use tracing::error;

/// What must be known of a run that only waits.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Dormant {
    /// The next of its deadlines.
    pub(super) alarm: Option<Timestamp>,
    /// Signals for everyone that its steps wait for: the step, the wait's place
    /// in its journal, and what it waits for.
    signals: Vec<(StepIndex, u64, SignalWait)>,
    /// Whether its steps started runs that are open: they may have ended when
    /// the host did, and nobody has told it.
    pub(super) has_children: bool,
    /// Its place among the runs of its workflow.
    pub(super) place: Option<Place>,
    /// Permits of its steps.
    pub(super) permits: Vec<(StepIndex, Vec<String>)>,
}

const FORMAT: u8 = 3;

/// A run that goes on so soon stays in memory, unless a guest has made room.
const SOON_MS: u64 = 10_000;

impl Dormant {
    fn of(run: &Run) -> Self {
        let mut signals = Vec::new();
        for step in 0..run.steps().len() as StepIndex {
            if let Some(wait) = run.wait_of(step) {
                let waits = wait.signals.iter().cloned();
                signals.extend(waits.map(|signal| (step, wait.sequence, signal)));
            }
        }
        Self {
            alarm: run.next_deadline(),
            signals,
            has_children: !run.children().is_empty(),
            place: Place::of(run),
            permits: Vec::new(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![FORMAT]).expect("a growing vector takes every record")
    }

    /// What these bytes say; nothing if the run has to be in memory.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&FORMAT, rest) = bytes.split_first()? else { return None };
        postcard::from_bytes(rest).ok()
    }

    /// The conditions of an open run, as the index of signals takes them.
    pub(super) fn waiters_of(run: &Run) -> Vec<(String, Pattern, Waiter)> {
        Self::of(run).waiters(run.id())
    }

    /// The conditions, as the index of signals takes them.
    pub(super) fn waiters(self, run: RunId) -> Vec<(String, Pattern, Waiter)> {
        let waiter = |(step, sequence, wait): (StepIndex, u64, SignalWait)| {
            let SignalWait { index, name, pattern, after } = wait;
            (name, pattern, Waiter { run, step, sequence, index, after })
        };
        self.signals.into_iter().map(waiter).collect()
    }
}

/// What is written when a run is in memory again. An iteration is then found
/// through its parent.
pub(super) fn awake(tenant: &TenantId, run: &Run) -> Write {
    match run.origin().number() {
        Some(_) => Write::open_run(tenant, run.id(), Vec::new()),
        None => Write::open_run_gone(tenant, run.id()),
    }
}

/// Says in the store that a run only waits, if it does; the row to write.
pub(super) fn asleep(live: &Live, state: &LiveState) -> Option<Write> {
    let idle = state.attempts.is_empty() && state.parked.is_empty();
    let dormant = idle && state.run.is_dormant();
    dormant.then(|| {
        let permits = state.permits.iter().map(|(step, names)| (*step, names.clone())).collect();
        let known = Dormant { permits, ..Dormant::of(&state.run) };
        Write::open_run(&live.tenant, live.id, known.encode())
    })
}

impl Driver {
    /// A run that is open, from memory or from the store; what is outstanding
    /// for it is then in flight. The caller holds no lock of a run.
    pub(super) fn open(&self, tenant: &TenantId, run: RunId) -> Result<Option<Arc<Live>>, Error> {
        if let Some(live) = self.live(tenant, run) {
            return Ok(Some(live));
        }
        let mut due = VecDeque::new();
        let live = self.load(tenant, run, &mut due)?;
        self.perform(due);
        Ok(live)
    }

    pub(super) fn load(
        &self,
        tenant: &TenantId,
        run: RunId,
        due: &mut VecDeque<Due>,
    ) -> Result<Option<Arc<Live>>, Error> {
        if self.0.store.open_run(tenant, run)?.is_none() {
            return Ok(None);
        }
        // One at a time: a run must not be in memory twice.
        let _loading = self.0.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = self.live(tenant, run) {
            return Ok(Some(live));
        }
        let history = inspect::history(&self.0.store, tenant, run)?;
        let (workflow, surroundings) = match origin_of(&history) {
            Some(Origin::Iteration { parent, path, .. }) => {
                // Its parent loops, and so is in memory.
                let Some(parent) = self.live(tenant, *parent) else { return Ok(None) };
                let state = parent.lock();
                let step = path.last().copied().unwrap_or_default();
                (Arc::clone(state.run.workflow()), state.run.surroundings_of(step))
            }
            _ => match self.workflow_of(tenant, &history)? {
                Some(workflow) => (workflow, Surroundings::unknown()),
                None => return Ok(None),
            },
        };
        let folded = inspect::fold(run, workflow, surroundings, &history)
            .map_err(|corrupt| store::Error::corrupt(corrupt.to_string()))?;
        if !folded.status().is_open() {
            return Ok(None);
        }
        let (live, effects) = self.adopt(tenant, folded, history.len() as u64, true)?;
        // Runs that its steps started tell it themselves when they are over.
        due.extend(effects.into_iter().filter(|due| !due.is_known_while_dormant()));
        crash::point("run is in memory again");
        Ok(Some(live))
    }

    /// Takes an open run into memory, and says what is outstanding for it.
    /// `is_dormant` says whether the store has it for one that only waits.
    pub(super) fn adopt(
        &self,
        tenant: &TenantId,
        run: Run,
        records: u64,
        is_dormant: bool,
    ) -> Result<(Arc<Live>, Vec<Due>), store::Error> {
        let outstanding = run.outstanding();
        let held = self.is_held_by(tenant, run.origin(), &mut HashMap::new())?;
        let live = Live::new(tenant.clone(), run, records, store::Ticket::done());
        {
            let mut state = live.lock();
            state.inbox.load(&self.0.store, tenant, live.id)?;
            state.subscribed = subscriptions(&state.run);
            let breakpoints = self.breakpoints_of(tenant, &state.run.workflow().name)?;
            state.run.set_breakpoints(breakpoints);
            state.run.set_held(held);
            if is_dormant {
                state.mark_dormant();
            }
            self.set_alarm(&live, &mut state);
        }
        self.lock_live().insert(live.id, Arc::clone(&live));
        // It may have changed before this one was seen.
        self.tell(&live);
        self.hold_suspended(&live);
        let effects = outstanding.into_iter().map(|effect| Due::outstanding(&live, effect));
        // What it was held back from may begin.
        let look = Due::command(&live, Command::CheckDeadlines);
        let effects = effects.chain([look]).collect();
        Ok((live, effects))
    }

    /// Something in a run is over: if it only waits now, and not just for a
    /// moment, it need not be in memory.
    pub(super) fn rest(&self, live: &Arc<Live>) {
        {
            let mut state = live.lock();
            let soon = self.0.clock.now().plus_ms(SOON_MS);
            let wakes_soon = state.run.next_deadline().is_some_and(|at| at <= soon);
            if !state.is_dormant
                && !wakes_soon
                && !self.is_stopping()
                && let Some(write) = asleep(live, &state)
            {
                state.ticket = self.0.store.commit(vec![write]);
                state.mark_dormant();
            }
        }
        self.sleep_soon(live);
    }

    /// Lets a run leave memory that is marked as one that only waits, apart from
    /// the caller.
    pub(super) fn sleep_soon(&self, live: &Arc<Live>) {
        if !live.lock().is_dormant {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (driver, live) = (self.clone(), Arc::clone(live));
            runtime.spawn(async move { driver.let_sleep(live).await });
        }
    }

    /// Lets a run that only waits leave memory, once everything that is known
    /// of it is on stable storage. Whoever holds it keeps it here.
    pub(super) async fn let_sleep(&self, live: Arc<Live>) {
        let ticket = {
            let state = live.lock();
            if !state.is_dormant {
                return;
            }
            state.ticket.clone()
        };
        if ticket.durable().await.is_err() || self.is_stopping() {
            return;
        }
        let mut awake = self.falls_asleep(live);
        // Somebody may just be looking at it.
        for pause_ms in [1, 10, 100] {
            let Some(known) = awake else { return };
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let Some(live) = known.upgrade() else { return };
            awake = self.falls_asleep(live);
        }
    }

    /// Takes a run out of memory if it only waits. If somebody else has it, it
    /// stays, and comes back.
    fn falls_asleep(&self, live: Arc<Live>) -> Option<Weak<Live>> {
        let state = live.lock();
        if !(state.is_dormant && state.ticket.is_durable()) {
            return None;
        }
        crash::point("run leaves memory");
        let mut open = self.lock_live();
        // The map has one, and the caller the other; no further one can appear
        // while the map is locked.
        let others = Arc::strong_count(&live) > 2;
        // A wake may have put another in its place, if somebody who looked at
        // this one was slow.
        let is_ours = open.get(&live.id).is_some_and(|known| Arc::ptr_eq(known, &live));
        if !others && is_ours {
            open.remove(&live.id);
        }
        let known = others.then(|| Arc::downgrade(&live));
        // Given back before the map is: of two that come here at once, the
        // second one is the last.
        drop(state);
        drop(live);
        known
    }

    /// The waits that an event ends: no signal is for them any more.
    pub(super) fn end_waits(
        &self,
        live: &Arc<Live>,
        state: &mut LiveState,
        event: &Event,
        due: &mut VecDeque<Due>,
    ) {
        if state.subscribed.is_empty() {
            return;
        }
        let ended: Vec<_> = match event {
            Event::AttemptResumed { step, .. }
            | Event::AttemptFailed { step, .. }
            | Event::StepSucceeded { step, .. }
            | Event::StepPublishing { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepCancelled { step, .. }
            | Event::StepKilled { step, .. }
            | Event::WaitBypassed { step, .. } => {
                state.subscribed.remove_entry(step).into_iter().collect()
            }
            Event::StopRequested { .. } => state.subscribed.drain().collect(),
            _ => return,
        };
        let ended = ended.into_iter();
        due.extend(ended.map(|(step, patterns)| Due::unsubscribe(live, step, patterns)));
    }

    /// Reports a run that could not be woken: it stays as it is.
    pub(super) fn cannot_wake(&self, run: RunId, error: &Error) {
        error!(%run, %error, "a run that waits cannot be woken");
    }
}

pub(super) fn origin_of(history: &[Record]) -> Option<&Origin> {
    match history.first()?.events.first()? {
        Event::RunCreated { origin, .. } => Some(origin),
        _ => None,
    }
}

/// The signals that the steps of a run wait for.
fn subscriptions(run: &Run) -> HashMap<StepIndex, Vec<(String, Pattern)>> {
    let steps = 0..run.steps().len() as StepIndex;
    let waits = steps.filter_map(|step| Some((step, run.wait_of(step)?)));
    waits
        .filter(|(_, wait)| !wait.signals.is_empty())
        .map(|(step, wait)| {
            let patterns = wait.signals.iter();
            (step, patterns.map(|wait| (wait.name.clone(), wait.pattern.clone())).collect())
        })
        .collect()
}
