//! Which of the sets that a new signal makes its trigger takes, and what comes of
//! it.

use super::Trigger;
use super::work::Offered;
use crate::clock::rfc3339;
use crate::driver::{Driver, StartRun, VersionSelector};
use crate::store::{self, Outcome, SignalRecord};
use segno_engine::event::Cause;
use segno_engine::id::{RunId, Timestamp};
use segno_engine::trigger::signal::{Given, SignalTrigger, Verdict, WhenFalse};
use segno_engine::workflow::Workflow;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::sync::Arc;

/// The most sets of a new signal that are tried, if its trigger keeps those
/// whose condition is false.
const SETS_MAX: usize = 100;

/// Signals that belong together.
pub(super) struct Set {
    /// Their places.
    pub(super) places: Vec<u64>,
    /// The signals, in the order of the parts.
    pub(super) signals: Vec<Arc<SignalRecord>>,
}

/// What comes of a set.
pub(super) enum Judged {
    Start(Box<StartRun>),
    Nothing(Outcome),
}

/// What reading the signals of a set gives.
enum Loaded {
    Set(Set),
    /// The signal at this place is no longer kept.
    Lost(u64),
}

impl Set {
    /// Name and sequence of each signal.
    pub(super) fn named(&self) -> Vec<(String, u64)> {
        self.signals.iter().map(|signal| (signal.name.clone(), signal.sequence)).collect()
    }
}

impl Driver {
    /// The first set of a new signal of which something comes, with that; if the
    /// trigger keeps all that it makes, the first of them. Signals that are no
    /// longer kept make none.
    pub(super) async fn judge_sets(
        &self,
        trigger: &Trigger,
        offered: &mut Offered,
    ) -> Result<Option<(Set, Judged)>, store::Error> {
        let (version, shown) = {
            let state = trigger.lock();
            (state.record.version, state.shown.clone())
        };
        shown.durable().await?;
        let workflow = self.workflow(&trigger.tenant, &trigger.workflow, version)?;
        let workflow = workflow.ok_or_else(|| {
            store::Error::corrupt(format!("version {version} of {} is gone", trigger.workflow))
        })?;
        let says = says(&workflow, &trigger.id).ok_or_else(|| {
            store::Error::corrupt(format!("trigger {} is in no definition", trigger.name()))
        })?;
        let limit = match says.when_false {
            WhenFalse::Keep => SETS_MAX,
            WhenFalse::Consume => 1,
        };
        let mut sets = trigger.sets_with(offered.place, limit);
        let mut kept = None;
        while let Some(places) = sets.pop_front() {
            let set = match self.load_set(trigger, places).await? {
                Loaded::Set(set) => set,
                Loaded::Lost(place) => {
                    trigger.lock().join.as_mut().and_then(|join| join.remove(place));
                    offered.gone.push(place);
                    (sets, kept) = (trigger.sets_with(offered.place, limit), None);
                    continue;
                }
            };
            let judged = judge(trigger, (says, version), &set);
            if !matches!(judged, Judged::Nothing(Outcome::False { kept: true })) {
                return Ok(Some((set, judged)));
            }
            kept.get_or_insert((set, judged));
            tokio::task::consume_budget().await;
        }
        Ok(kept)
    }

    /// Reads the signals at these places.
    async fn load_set(&self, trigger: &Trigger, places: Vec<u64>) -> Result<Loaded, store::Error> {
        let mut signals = Vec::with_capacity(places.len());
        for place in &places {
            let (name, sequence) = {
                let state = trigger.lock();
                if let Some(signal) = state.at_hand.get(place) {
                    signals.push(Arc::clone(signal));
                    continue;
                }
                let pending = state.join.as_ref().and_then(|join| join.get(*place));
                let Some(pending) = pending else { return Ok(Loaded::Lost(*place)) };
                (pending.name.clone(), pending.sequence)
            };
            match self.kept_signal(trigger, &name, sequence).await? {
                Some(signal) => signals.push(signal),
                None => return Ok(Loaded::Lost(*place)),
            }
        }
        Ok(Loaded::Set(Set { places, signals }))
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
}

impl Trigger {
    /// The sets of the signal at this place; none if the trigger is gone.
    fn sets_with(&self, place: u64, limit: usize) -> VecDeque<Vec<u64>> {
        let state = self.lock();
        let sets = state.join.as_ref().map(|join| join.sets_with(place, limit));
        sets.unwrap_or_default().into()
    }
}

/// What comes of a set.
fn judge(trigger: &Trigger, (says, version): (&SignalTrigger, u64), set: &Set) -> Judged {
    let given: Vec<_> = set.signals.iter().map(|signal| given(signal)).collect();
    match says.judge(&trigger.id, &given) {
        Ok(Verdict::Start { params, key }) => {
            let name = trigger.name();
            let cause = Cause::Signal { trigger: name.clone(), signals: set.named() };
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
    }
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
    let signals = set.named().into_iter().map(|(name, sequence)| format!("{sequence} {name}"));
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
