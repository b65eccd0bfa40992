//! The task of a trigger: one signal after the other, and what comes of it in one
//! commit.

use super::judge::{Judged, Set};
use super::{AT_HAND_MAX, State, Trigger};
use crate::crash;
use crate::driver::lanes::Entrance;
use crate::driver::{Driver, Due, StartError, StartRun};
use crate::store::{self, FiringRecord, Outcome, SignalRecord, SignalUse, Write};
use segno_engine::id::RunId;
use segno_engine::trigger::join::{Join, Pending};
use segno_engine::trigger::signal::fits;
use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};
use tracing::{debug, error};

/// A new signal among those that wait.
pub(super) struct Offered {
    /// The place of the new signal.
    pub(super) place: u64,
    /// Its name and sequence.
    seen: (String, u64),
    /// Signals that went, whose rows have to go.
    pub(super) gone: Vec<u64>,
}

impl Driver {
    /// Begins the task of a trigger that has work.
    pub(in crate::driver) fn begin_work(&self, trigger: Arc<Trigger>) {
        let Some(runtime) = self.0.triggers.runtime.get() else { return };
        let driver = self.clone();
        runtime.spawn(async move {
            if let Err(error) = driver.work(&trigger).await {
                error!(trigger = trigger.name(), %error, "a trigger stops until the next signal");
                driver.read_again(&trigger).await;
            }
        });
    }

    /// Forgets which signals wait; the next signal has the trigger begin again
    /// from the store.
    async fn read_again(&self, trigger: &Trigger) {
        // If the store has failed, there is nothing to read.
        let _ = self.0.store.barrier().durable().await;
        let mut state = trigger.lock();
        state.join = None;
        state.at_hand.clear();
        let mut queue = trigger.lock_queue();
        queue.is_behind = true;
        queue.signals.clear();
        queue.is_working = false;
    }

    async fn work(&self, trigger: &Arc<Trigger>) -> Result<(), store::Error> {
        let shown = trigger.lock().shown.clone();
        shown.durable().await?;
        while !self.is_stopping() {
            let (is_behind, next) = {
                let mut queue = trigger.lock_queue();
                let next = queue.signals.pop_front();
                queue.is_working = queue.is_behind || next.is_some();
                (queue.is_behind, next)
            };
            match next {
                _ if is_behind => self.catch_up_trigger(trigger).await?,
                Some(signal) => self.take_signal(trigger, &signal).await?,
                None => return Ok(()),
            }
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    /// What comes of one signal that the trigger has not looked at.
    pub(super) async fn take_signal(
        &self,
        trigger: &Arc<Trigger>,
        signal: &Arc<SignalRecord>,
    ) -> Result<(), store::Error> {
        let mut offered = {
            let mut state = trigger.lock();
            if state.is_gone || signal.sequence <= state.place(&signal.name) {
                return Ok(());
            }
            let fits = fits(&trigger.parts, &signal.name, &signal.params);
            if fits.is_empty() {
                state.move_on((&signal.name, signal.sequence));
                return Ok(());
            }
            self.offer(trigger, &mut state, (signal, fits))?
        };
        crash::point("trigger looks");
        match self.judge_sets(trigger, &mut offered).await? {
            None => self.keep_waiting(trigger, &offered),
            Some(found) => self.fire(trigger, &offered, found).await,
        }
    }

    /// Adds a signal to those that wait.
    fn offer(
        &self,
        trigger: &Trigger,
        state: &mut State,
        (signal, fits): (&Arc<SignalRecord>, Vec<(usize, Vec<segno_engine::signal::Scalar>)>),
    ) -> Result<Offered, store::Error> {
        let join = match &mut state.join {
            Some(join) => join,
            unknown => {
                let mut join = Join::new(trigger.parts.len());
                for (place, pending) in
                    self.0.store.trigger_pending(&trigger.tenant, trigger.key())?
                {
                    join.restore(place, pending);
                }
                unknown.insert(join)
            }
        };
        let pending = Pending { name: signal.name.clone(), sequence: signal.sequence, fits };
        let (place, dropped) = join.add(pending);
        state.at_hand.insert(place, Arc::clone(signal));
        if state.at_hand.len() > AT_HAND_MAX {
            state.at_hand.pop_first();
        }
        let gone = dropped.map(|(oldest, _)| oldest).into_iter().collect();
        Ok(Offered { place, seen: (signal.name.clone(), signal.sequence), gone })
    }

    /// A signal that makes no set waits for others.
    fn keep_waiting(&self, trigger: &Trigger, offered: &Offered) -> Result<(), store::Error> {
        let mut state = trigger.lock();
        if state.is_gone {
            return Ok(());
        }
        let writes = rows(trigger, &mut state, offered, (&[], false))?;
        self.0.store.commit(writes);
        drop(state);
        crash::point("trigger waits");
        Ok(())
    }

    /// Orders what comes of a set.
    async fn fire(
        &self,
        trigger: &Arc<Trigger>,
        offered: &Offered,
        (set, mut judged): (Set, Judged),
    ) -> Result<(), store::Error> {
        loop {
            let mut due = VecDeque::new();
            let refused = {
                let mut state = trigger.lock();
                if state.is_gone {
                    return Ok(());
                }
                match &judged {
                    Judged::Nothing(outcome) => {
                        let writes =
                            self.used(trigger, (&mut state, offered), &set, outcome.clone())?;
                        self.0.store.commit(writes);
                        None
                    }
                    Judged::Start(start) => {
                        self.start_by(trigger, (&mut state, offered, &set), start, &mut due)?
                    }
                }
            };
            crash::point("trigger fired");
            self.perform(due);
            judged = match refused {
                None => return Ok(()),
                Some(StartError::Store(error)) => return Err(error),
                Some(StartError::Busy) => {
                    self.0.store.barrier().durable().await?;
                    judged
                }
                Some(error) => Judged::Nothing(Outcome::Failed { message: error.to_string() }),
            };
        }
    }

    /// Starts the run of a set; says why not, if it is not.
    fn start_by(
        &self,
        trigger: &Trigger,
        (state, offered, set): (&mut MutexGuard<'_, State>, &Offered, &Set),
        start: &StartRun,
        due: &mut VecDeque<Due>,
    ) -> Result<Option<StartError>, store::Error> {
        let before = state.record.clone();
        let extra = |run: RunId, repeated: bool| {
            self.used(trigger, (state, offered), set, Outcome::Run { run, repeated })
        };
        let ordered =
            self.order_start_then(&trigger.tenant, (start.clone(), Entrance::InTurn), extra, due);
        match ordered {
            Ok((started, _)) => {
                debug!(trigger = trigger.name(), run = %started.run, "a trigger starts a run");
                Ok(None)
            }
            Err(refused) => {
                state.record = before;
                Ok(Some(refused))
            }
        }
    }

    /// What is written when a set is used, or looked at in vain.
    fn used(
        &self,
        trigger: &Trigger,
        (state, offered): (&mut MutexGuard<'_, State>, &Offered),
        set: &Set,
        outcome: Outcome,
    ) -> Result<Vec<Write>, store::Error> {
        let (tenant, key) = (&trigger.tenant, trigger.key());
        let number = state.record.firings + 1;
        let is_kept = matches!(outcome, Outcome::False { kept: true });
        let uses = self.uses(trigger, set, &outcome)?;
        let firing = FiringRecord { number, at: self.0.clock.now(), signals: set.named(), outcome };
        let taken = if is_kept { [].as_slice() } else { &set.places };
        let mut writes = rows(trigger, state, offered, (taken, true))?;
        writes.extend(Write::firing(tenant, key, &firing)?);
        writes.extend(uses);
        Ok(writes)
    }

    /// For lineage: the signals of the set have led to the run.
    fn uses(
        &self,
        trigger: &Trigger,
        set: &Set,
        outcome: &Outcome,
    ) -> Result<Vec<Write>, store::Error> {
        let Outcome::Run { run, .. } = outcome else { return Ok(Vec::new()) };
        let (trigger, tenant) = (trigger.name(), &trigger.tenant);
        let at = self.0.clock.now();
        let used = SignalUse { run: *run, step: None, trigger: Some(trigger), at };
        let signals = set.signals.iter();
        signals
            .map(|signal| Write::signal_use(tenant, (&signal.name, signal.sequence), &used))
            .collect()
    }
}

/// What is written of a trigger that has looked at a signal and, if it fired,
/// used the set of these places.
fn rows(
    trigger: &Trigger,
    state: &mut State,
    offered: &Offered,
    (taken, has_fired): (&[u64], bool),
) -> Result<Vec<Write>, store::Error> {
    let (tenant, key) = (&trigger.tenant, trigger.key());
    let mut writes = Vec::new();
    for place in offered.gone.iter().chain(taken.iter().filter(|place| **place != offered.place)) {
        writes.push(Write::trigger_pending_gone(tenant, key, *place)?);
    }
    let (name, sequence) = &offered.seen;
    state.move_on((name, *sequence));
    let State { record, join, at_hand, .. } = state;
    if let Some(join) = join {
        for place in taken {
            join.remove(*place);
        }
        if let Some(pending) = join.get(offered.place) {
            writes.push(Write::trigger_pending(tenant, key, (offered.place, pending))?);
        }
        record.pending = join.len() as u64;
    }
    for place in taken.iter().chain(&offered.gone) {
        at_hand.remove(place);
    }
    record.dropped += offered.gone.len() as u64;
    record.firings += u64::from(has_fired);
    writes.push(Write::trigger(tenant, record)?);
    Ok(writes)
}
