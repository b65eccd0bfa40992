//! The task of a trigger: one signal after the other, and what comes of it in one
//! commit.

use super::{AT_HAND_MAX, State, Trigger};
use crate::clock::rfc3339;
use crate::crash;
use crate::driver::{Driver, Due, StartError, StartRun, VersionSelector};
use crate::store::{self, FiringRecord, Outcome, SignalRecord, SignalUse, Write};
use segno_engine::event::Cause;
use segno_engine::id::{RunId, Timestamp};
use segno_engine::trigger::join::{Join, Pending};
use segno_engine::trigger::signal::{Given, SignalTrigger, Verdict, WhenFalse, fits};
use segno_engine::workflow::Workflow;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};
use tracing::{debug, error};

/// A new signal among those that wait.
struct Offered {
    /// The place of the new signal.
    place: u64,
    /// Signals that went, whose rows have to go.
    gone: Vec<u64>,
}

/// Signals that belong together.
struct Set {
    /// Their places.
    places: Vec<u64>,
    /// The signals, in the order of the parts.
    signals: Vec<Arc<SignalRecord>>,
}

/// What comes of a set.
enum Judged {
    Start(Box<StartRun>),
    Nothing(Outcome),
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

    /// Forgets what is in memory of a trigger; the next signal has it begin
    /// again from the store.
    async fn read_again(&self, trigger: &Trigger) {
        if self.0.store.barrier().durable().await.is_err() {
            return;
        }
        let stored = self.0.store.trigger(&trigger.tenant, trigger.key());
        let mut state = trigger.lock();
        if let (Ok(Some(stored)), false) = (stored, state.is_gone) {
            state.record = stored;
            state.join = None;
            state.at_hand.clear();
            let mut queue = trigger.lock_queue();
            queue.is_behind = true;
            queue.is_working = false;
        }
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
            state.move_on(&signal.name, signal.sequence);
            let fits = fits(&trigger.parts, &signal.name, &signal.params);
            if fits.is_empty() {
                return Ok(());
            }
            self.offer(trigger, &mut state, (signal, fits))?
        };
        let set = self.set_with(trigger, &mut offered).await?;
        match set {
            None => self.keep_waiting(trigger, &offered),
            Some(set) => self.fire(trigger, &offered, set).await,
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
        let gone: Vec<_> = dropped.map(|(oldest, _)| oldest).into_iter().collect();
        state.record.dropped += gone.len() as u64;
        Ok(Offered { place, gone })
    }

    /// The set that a new signal makes. Signals that are no longer kept make
    /// none.
    async fn set_with(
        &self,
        trigger: &Trigger,
        offered: &mut Offered,
    ) -> Result<Option<Set>, store::Error> {
        loop {
            let found = {
                let state = trigger.lock();
                let Some(join) = &state.join else { return Ok(None) };
                let Some(places) = join.set_with(offered.place) else { return Ok(None) };
                let one = |place: &u64| {
                    let pending = join.get(*place)?;
                    Some((
                        *place,
                        (pending.name.clone(), pending.sequence),
                        state.at_hand.get(place).cloned(),
                    ))
                };
                places.iter().map(one).collect::<Option<Vec<_>>>().unwrap_or_default()
            };
            let (mut places, mut signals, mut lost) = (Vec::new(), Vec::new(), None);
            for (place, (name, sequence), at_hand) in found {
                let signal = match at_hand {
                    Some(signal) => Some(signal),
                    None => self.kept_signal(trigger, &name, sequence).await?,
                };
                match signal {
                    Some(signal) => signals.push(signal),
                    None => lost = Some(place),
                }
                places.push(place);
            }
            let Some(lost) = lost else { return Ok(Some(Set { places, signals })) };
            let mut state = trigger.lock();
            state.record.dropped += 1;
            state.join.as_mut().and_then(|join| join.remove(lost));
            offered.gone.push(lost);
        }
    }

    /// A signal, unless it is no longer kept.
    async fn kept_signal(
        &self,
        trigger: &Trigger,
        name: &str,
        sequence: u64,
    ) -> Result<Option<Arc<SignalRecord>>, store::Error> {
        let read = || self.0.store.signal(&trigger.tenant, name, sequence);
        let found = match read()? {
            Some(found) => Some(found),
            // Its commit may be on the way.
            None => {
                self.0.store.barrier().durable().await?;
                read()?
            }
        };
        Ok(found.map(Arc::new))
    }

    /// A signal that makes no set waits for others.
    fn keep_waiting(&self, trigger: &Trigger, offered: &Offered) -> Result<(), store::Error> {
        let mut state = trigger.lock();
        if state.is_gone {
            return Ok(());
        }
        let writes = rows(trigger, &mut state, offered, &[])?;
        self.0.store.commit(writes);
        drop(state);
        crash::point("trigger waits");
        Ok(())
    }

    /// Judges a set, and orders what comes of it.
    async fn fire(
        &self,
        trigger: &Arc<Trigger>,
        offered: &Offered,
        set: Set,
    ) -> Result<(), store::Error> {
        let version = trigger.lock().record.version;
        let workflow = self.workflow(&trigger.tenant, &trigger.workflow, version)?;
        let workflow = workflow.ok_or_else(|| {
            store::Error::corrupt(format!("version {version} of {} is gone", trigger.workflow))
        })?;
        let mut judged = judge(trigger, (&workflow, version), &set)?;
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
        let ordered = self.order_start_then(&trigger.tenant, (start.clone(), false), extra, due);
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
        state.record.firings += 1;
        let number = state.record.firings;
        let is_kept = matches!(outcome, Outcome::False { kept: true });
        let uses = self.uses(trigger, set, &outcome)?;
        let firing = FiringRecord { number, at: self.0.clock.now(), signals: named(set), outcome };
        let taken = if is_kept { [].as_slice() } else { &set.places };
        let mut writes = rows(trigger, state, offered, taken)?;
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

/// What is written of a trigger that has looked at a signal and used the set of
/// these places, if any.
fn rows(
    trigger: &Trigger,
    state: &mut State,
    offered: &Offered,
    taken: &[u64],
) -> Result<Vec<Write>, store::Error> {
    let (tenant, key) = (&trigger.tenant, trigger.key());
    let mut writes = Vec::new();
    for place in offered.gone.iter().chain(taken.iter().filter(|place| **place != offered.place)) {
        writes.push(Write::trigger_pending_gone(tenant, key, *place)?);
    }
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
    writes.push(Write::trigger(tenant, record)?);
    Ok(writes)
}

/// Name and sequence of each signal.
fn named(set: &Set) -> Vec<(String, u64)> {
    set.signals.iter().map(|signal| (signal.name.clone(), signal.sequence)).collect()
}

/// What comes of a set.
fn judge(
    trigger: &Trigger,
    (workflow, version): (&Workflow, u64),
    set: &Set,
) -> Result<Judged, store::Error> {
    let says = says(workflow, &trigger.id).ok_or_else(|| {
        store::Error::corrupt(format!("trigger {} is in no definition", trigger.name()))
    })?;
    let given: Vec<_> = set.signals.iter().map(|signal| given(signal)).collect();
    Ok(match says.judge(&trigger.id, &given) {
        Ok(Verdict::Start { params, key }) => {
            let name = trigger.name();
            let cause = Cause::Signal { trigger: name.clone(), signals: named(set) };
            let mut start = StartRun::new(&trigger.workflow, params);
            start.version = VersionSelector::Number(version);
            start.id = Some(identity(trigger, set));
            start.cause = cause;
            start.idempotency_key = key.map(|key| request_key(&name, &key));
            Judged::Start(Box::new(start))
        }
        Ok(Verdict::No) => {
            let kept = says.when_false == WhenFalse::Keep;
            Judged::Nothing(Outcome::False { kept })
        }
        Err(message) => Judged::Nothing(Outcome::Failed { message }),
    })
}

/// What a version of the workflow says of a trigger.
fn says<'w>(workflow: &'w Workflow, id: &str) -> Option<&'w SignalTrigger> {
    workflow.signal_triggers().find(|trigger| trigger.id == id)
}

fn given(signal: &SignalRecord) -> Given {
    Given {
        name: signal.name.clone(),
        sequence: signal.sequence,
        id: signal.id.clone(),
        params: signal.params.clone(),
        payload: signal.payload.clone(),
        published_at: rfc3339(signal.published_at),
    }
}

/// The run that a set starts: the same signals never start two.
fn identity(trigger: &Trigger, set: &Set) -> RunId {
    let last = set.signals.iter().map(|signal| signal.published_at).max();
    let signals = named(set).into_iter().map(|(name, sequence)| format!("{sequence} {name}"));
    let signals: Vec<_> = signals.collect();
    let mut facts: Vec<&[u8]> =
        vec![b"signals", trigger.tenant.as_str().as_bytes(), trigger.workflow.as_bytes()];
    facts.push(trigger.id.as_bytes());
    facts.extend(signals.iter().map(|signal| signal.as_bytes()));
    RunId::derived(last.unwrap_or(Timestamp(0)), &facts)
}

/// The idempotency key that a trigger's key stands for: no other trigger has it.
fn request_key(trigger: &str, key: &str) -> String {
    let digest = Sha256::digest(trigger);
    let digest: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("trigger {digest} {key}")
}
