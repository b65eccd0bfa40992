//! Which runs of a workflow begin: its run strategy, and whether it is paused.
//! What is kept here is known from the store after a restart.

use super::start::Starts;
use super::{Driver, Due};
use crate::crash;
use crate::store::{self, WorkflowRecord};
use segno_engine::command::Command;
use segno_engine::id::{RunId, TenantId};
use segno_engine::run::Run;
use segno_engine::strategy::RunStrategy;
use segno_engine::strategy::lane::{Admission, Entry, Lane};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};
use tracing::{debug, error};

/// The most runs that are let begin at a time.
const ADMITTED_AT_ONCE: usize = 50;

/// How many workflows without open runs are remembered.
const TRACKS_MAX: usize = 1_000;

/// The open runs of each workflow that has some.
pub(super) type Tracks = HashMap<(TenantId, String), Track>;

/// The open runs of a workflow, and what is set for them.
pub(super) struct Track {
    lane: Lane,
    strategy: RunStrategy,
    paused: bool,
}

/// The place of an open run among those of its workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The workflow.
    workflow: String,
    number: u64,
    retry: u32,
    /// Whether it has not begun.
    is_queued: bool,
}

/// Open runs that a restart has found, by workflow.
#[derive(Default)]
pub(super) struct Found(HashMap<(TenantId, String), (Vec<Entry>, Vec<Entry>)>);

impl Place {
    /// The place of a run, if it has one: iterations have none.
    pub(super) fn of(run: &Run) -> Option<Self> {
        Some(Self {
            workflow: run.workflow().name.clone(),
            number: run.origin().number()?,
            retry: run.generation(),
            is_queued: !run.has_begun(),
        })
    }

    /// The place of the same run when it is taken up once more.
    pub(super) fn again(self) -> Self {
        Self { retry: self.retry + 1, ..self }
    }

    pub(super) fn entry(&self, run: RunId) -> Entry {
        Entry { run, number: self.number, retry: self.retry }
    }
}

impl Found {
    /// Adds an open run.
    pub(super) fn add(&mut self, tenant: &TenantId, run: RunId, place: &Place) {
        let key = (tenant.clone(), place.workflow.clone());
        let (running, queued) = self.0.entry(key).or_default();
        let entry = place.entry(run);
        if place.is_queued { queued.push(entry) } else { running.push(entry) }
    }
}

impl Track {
    fn new(lane: Lane, record: Option<&WorkflowRecord>) -> Self {
        let properties = record.map(|record| &record.properties);
        Self {
            lane,
            strategy: properties.and_then(|known| known.run_strategy).unwrap_or_default(),
            paused: properties.is_some_and(|known| known.paused),
        }
    }
}

impl Driver {
    pub(super) fn lock_starts(&self) -> MutexGuard<'_, Starts> {
        self.0.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open runs of a workflow. What is set for it is read under the lock,
    /// so that a change of it is either seen here or finds the track.
    fn track<'a>(
        &self,
        starts: &'a mut Starts,
        tenant: &TenantId,
        workflow: &str,
    ) -> Result<&'a mut Track, store::Error> {
        let key = (tenant.clone(), workflow.to_owned());
        if !starts.tracks.contains_key(&key) {
            let blockers = self.0.store.blockers(tenant, workflow)?;
            let lane = Lane::restore([], [], blockers);
            let record = self.0.store.workflow(tenant, workflow)?;
            starts.tracks.insert(key.clone(), Track::new(lane, record.as_ref()));
        }
        Ok(starts.tracks.get_mut(&key).expect("it was just put there"))
    }

    /// What becomes of a run that starts, or is taken up again.
    pub(super) fn arrive(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        (run, place): (RunId, &Place),
    ) -> Result<Admission, store::Error> {
        let track = self.track(starts, tenant, &place.workflow)?;
        Ok(track.lane.arrive(place.entry(run), track.strategy, track.paused))
    }

    /// The same for runs that start together.
    pub(super) fn arrive_together(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        (workflow, entries): (&str, &[Entry]),
    ) -> Result<Vec<Admission>, store::Error> {
        let track = self.track(starts, tenant, workflow)?;
        Ok(track.lane.arrive_all(entries, track.strategy, track.paused))
    }

    /// A run of a workflow is over: others may begin.
    pub(super) fn leave(
        &self,
        (tenant, run): (&TenantId, RunId),
        (place, failed): (&Place, bool),
        due: &mut VecDeque<Due>,
    ) {
        {
            let mut starts = self.lock_starts();
            match self.track(&mut starts, tenant, &place.workflow) {
                Ok(track) => {
                    if failed {
                        track.lane.block(place.number, run);
                    }
                    track.lane.left(run);
                }
                Err(error) => error!(%run, %error, "the runs of a workflow cannot be read"),
            }
        }
        self.forget_root(tenant, run);
        self.0.families.forget(run);
        self.admit(tenant, &place.workflow, due);
    }

    /// Lets those begin whose turn it is.
    pub(super) fn admit(&self, tenant: &TenantId, workflow: &str, due: &mut VecDeque<Due>) {
        loop {
            let admitted = {
                let mut starts = self.lock_starts();
                let key = (tenant.clone(), workflow.to_owned());
                let Some(track) = starts.tracks.get_mut(&key) else { return };
                let admitted = track.lane.admit(track.strategy, track.paused, ADMITTED_AT_ONCE);
                if track.lane.is_empty() && starts.tracks.len() > TRACKS_MAX {
                    starts.tracks.remove(&key);
                }
                admitted
            };
            for run in &admitted {
                self.let_begin(tenant, *run, due);
            }
            if admitted.len() < ADMITTED_AT_ONCE {
                return;
            }
        }
    }

    fn let_begin(&self, tenant: &TenantId, run: RunId, due: &mut VecDeque<Due>) {
        crash::point("run is let begin");
        match self.find(tenant, run, due) {
            Ok(Some(live)) => {
                if let Err(refusal) = self.turn(&live, &Command::Admit, Vec::new(), due) {
                    debug!(%run, %refusal, "it was over before it began");
                }
            }
            // Its end is on the way, and takes it out of the lane.
            Ok(None) => {}
            Err(error) => self.cannot_wake(run, &error),
        }
    }

    /// Ends a run for the sake of another of the same workflow.
    pub(super) fn replace(
        &self,
        tenant: &TenantId,
        (run, by): (RunId, RunId),
        due: &mut VecDeque<Due>,
    ) {
        match self.find(tenant, run, due) {
            Ok(Some(live)) => {
                let stopped = self.turn(&live, &Command::Replace { by }, Vec::new(), due);
                if let Err(refusal) = stopped {
                    debug!(%run, %refusal, "it was over already");
                }
            }
            Ok(None) => {}
            Err(error) => self.cannot_wake(run, &error),
        }
    }

    /// What is set for a workflow has changed: some runs may have to end, and
    /// others may begin.
    pub(super) fn readmit(&self, tenant: &TenantId, workflow: &str) {
        let mut due = VecDeque::new();
        let surplus = {
            let mut starts = self.lock_starts();
            let record = match self.0.store.workflow(tenant, workflow) {
                Ok(record) => record,
                Err(error) => return error!(workflow, %error, "a workflow cannot be read"),
            };
            let key = (tenant.clone(), workflow.to_owned());
            let Some(track) = starts.tracks.get_mut(&key) else { return };
            let lane = std::mem::take(&mut track.lane);
            *track = Track::new(lane, record.as_ref());
            surplus_of(track)
        };
        self.end_surplus(tenant, surplus, &mut due);
        self.admit(tenant, workflow, &mut due);
        self.perform(due);
    }

    fn end_surplus(
        &self,
        tenant: &TenantId,
        surplus: Vec<(RunId, RunId)>,
        due: &mut VecDeque<Due>,
    ) {
        for pair in surplus {
            self.replace(tenant, pair, due);
        }
    }

    /// After a restart: the lanes as they were, and what they had not done.
    pub(super) fn restore_lanes(
        &self,
        found: Found,
        due: &mut VecDeque<Due>,
    ) -> Result<(), store::Error> {
        for ((tenant, workflow), (running, queued)) in found.0 {
            let blockers = self.0.store.blockers(&tenant, &workflow)?;
            let record = self.0.store.workflow(&tenant, &workflow)?;
            let mut track = Track::new(Lane::restore(running, queued, blockers), record.as_ref());
            let surplus = surplus_of(&mut track);
            self.lock_starts().tracks.insert((tenant.clone(), workflow.clone()), track);
            self.end_surplus(&tenant, surplus, due);
            self.admit(&tenant, &workflow, due);
        }
        Ok(())
    }

    /// Why a queued run has not begun, as users see it.
    ///
    /// # Errors
    /// The store cannot answer.
    pub fn queue_reason(&self, tenant: &TenantId, run: &Run) -> Option<String> {
        let place = Place::of(run)?;
        let mut starts = self.lock_starts();
        let track = self.track(&mut starts, tenant, &place.workflow).ok()?;
        let reason = track.lane.reason(run.id(), track.strategy, track.paused);
        reason.map(|reason| reason.to_string())
    }

    /// A failed run no longer keeps others from beginning.
    pub(super) fn lift(&self, tenant: &TenantId, (run, place): (RunId, &Place)) {
        {
            let mut starts = self.lock_starts();
            if let Ok(track) = self.track(&mut starts, tenant, &place.workflow) {
                track.lane.unblock(run);
            }
        }
        let mut due = VecDeque::new();
        self.admit(tenant, &place.workflow, &mut due);
        self.perform(due);
    }
}

/// Runs that the strategy does not allow, each with the one that it makes room
/// for.
fn surplus_of(track: &mut Track) -> Vec<(RunId, RunId)> {
    let surplus = track.lane.surplus(track.strategy);
    let newest = track.lane.queued().last().or_else(|| track.lane.running().last());
    let by = |run: RunId| (run, newest.unwrap_or(run));
    surplus.into_iter().map(by).collect()
}
