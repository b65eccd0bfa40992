//! Which runs of a workflow begin: its run strategy, and whether it is paused.
//! What is kept here is known from the store after a restart.

use super::start::Starts;
use super::{Driver, Due};
use crate::crash;
use crate::store::{self, Ticket};
use segno_engine::command::Command;
use segno_engine::id::{RunId, TenantId};
use segno_engine::run::Run;
use segno_engine::strategy::RunStrategy;
use segno_engine::strategy::lane::{Admission, Entry, Lane};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};
use tracing::{debug, error};

/// The most runs that are let begin at a time.
const ADMITTED_AT_ONCE: usize = 50;

/// How many workflows without open runs are remembered.
const TRACKS_MAX: usize = 1_000;

/// The open runs of each workflow that has some.
#[derive(Default)]
pub(super) struct Tracks {
    by_workflow: HashMap<(TenantId, String), Track>,
    /// Ends that the store may not show yet, oldest first.
    ends: VecDeque<End>,
}

/// The end of a run that failed, or that may have failed before.
struct End {
    key: (TenantId, String),
    number: u64,
    run: RunId,
    failed: bool,
    /// When this is durable, the store shows it.
    shown: Ticket,
}

/// The open runs of a workflow, and what is set for them.
struct Track {
    lane: Lane,
    strategy: RunStrategy,
    paused: bool,
}

/// What is set for the runs of a workflow, and the failed ones that hold up
/// others.
struct Known {
    strategy: RunStrategy,
    paused: bool,
    blockers: BTreeSet<(u64, RunId)>,
}

/// The place of an open run among those of its workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The workflow.
    pub(super) workflow: String,
    number: u64,
    retry: u32,
    /// Whether it has not begun.
    is_queued: bool,
}

/// How a new run comes among those of its workflow.
pub(super) enum Entrance {
    /// As its run strategy says.
    InTurn,
    /// It begins whatever the run strategy says, unless the workflow is paused.
    AtOnce,
    /// It takes the place of these, which are being cancelled for it.
    InPlaceOf(Vec<RunId>),
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
    pub(super) fn again(self, generation: Option<u32>) -> Self {
        Self { retry: generation.unwrap_or(self.retry + 1), ..self }
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
    fn new(mut lane: Lane, known: Known) -> Self {
        lane.set_blockers(known.blockers);
        Self { lane, strategy: known.strategy, paused: known.paused }
    }
}

impl Tracks {
    /// Whom a failed run of a workflow holds up, which the store may not show
    /// yet: `stored` is what it shows.
    fn blockers(
        &self,
        key: &(TenantId, String),
        stored: Vec<(u64, RunId)>,
    ) -> BTreeSet<(u64, RunId)> {
        let mut blockers: BTreeSet<_> = stored.into_iter().collect();
        let unseen = |end: &&End| end.key == *key && !end.shown.is_durable();
        for end in self.ends.iter().filter(unseen) {
            match end.failed {
                true => blockers.insert((end.number, end.run)),
                false => blockers.remove(&(end.number, end.run)),
            };
        }
        blockers
    }

    /// A run is over. A failed one holds up others, unless it goes on already.
    fn left(&mut self, key: (TenantId, String), end: (Entry, bool), shown: Ticket) {
        let (Entry { run, number, retry }, failed) = end;
        let Some(track) = self.by_workflow.get_mut(&key) else { return };
        let was_open = track.lane.left(end.0);
        if failed && was_open && track.strategy == RunStrategy::StrictSequential {
            track.lane.block(number, run);
        }
        while self.ends.front().is_some_and(|oldest| oldest.shown.is_durable()) {
            self.ends.pop_front();
        }
        if was_open && (failed || retry > 0) {
            self.ends.push_back(End { key, number, run, failed, shown });
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
        if !starts.tracks.by_workflow.contains_key(&key) {
            let known = self.known_of(&starts.tracks, &key)?;
            starts.tracks.by_workflow.insert(key.clone(), Track::new(Lane::default(), known));
        }
        Ok(starts.tracks.by_workflow.get_mut(&key).expect("it was just put there"))
    }

    /// What is set for the runs of a workflow. Who failed counts in a strict
    /// sequence only, and need not be known elsewhere.
    fn known_of(&self, tracks: &Tracks, key: &(TenantId, String)) -> Result<Known, store::Error> {
        let (tenant, workflow) = key;
        let properties = self.0.store.workflow(tenant, workflow)?.map(|record| record.properties);
        let properties = properties.unwrap_or_default();
        let (strategy, paused) = (properties.run_strategy.unwrap_or_default(), properties.paused);
        let blockers = match strategy {
            RunStrategy::StrictSequential => {
                tracks.blockers(key, self.0.store.blockers(tenant, workflow)?)
            }
            _ => BTreeSet::new(),
        };
        Ok(Known { strategy, paused, blockers })
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

    /// What becomes of a new run that does not just arrive.
    pub(super) fn enter_lane(
        &self,
        starts: &mut Starts,
        tenant: &TenantId,
        (entrance, workflow): (&Entrance, &str),
        (run, number): (RunId, u64),
    ) -> Result<Option<Admission>, store::Error> {
        let entry = Entry { run, number, retry: 0 };
        Ok(match entrance {
            Entrance::InTurn => None,
            Entrance::AtOnce => {
                let track = self.track(starts, tenant, workflow)?;
                Some(track.lane.enter(entry, track.paused))
            }
            Entrance::InPlaceOf(runs) => {
                let track = self.track(starts, tenant, workflow)?;
                Some(track.lane.take_over(entry, runs, (track.strategy, track.paused)))
            }
        })
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
            // Its end was ordered before this, so what stands for everything
            // that was ordered stands for it, too.
            let shown = self.0.store.barrier();
            let key = (tenant.clone(), place.workflow.clone());
            starts.tracks.left(key, (place.entry(run), failed), shown);
        }
        self.forget_root(tenant, run, due);
        self.0.families.forget(run);
        self.admit(tenant, &place.workflow, due);
    }

    /// Lets those begin whose turn it is.
    pub(super) fn admit(&self, tenant: &TenantId, workflow: &str, due: &mut VecDeque<Due>) {
        loop {
            let admitted = {
                let mut starts = self.lock_starts();
                let key = (tenant.clone(), workflow.to_owned());
                let tracks = &mut starts.tracks.by_workflow;
                let Some(track) = tracks.get_mut(&key) else { return };
                let admitted = track.lane.admit(track.strategy, track.paused, ADMITTED_AT_ONCE);
                if track.lane.is_empty() && tracks.len() > TRACKS_MAX {
                    tracks.remove(&key);
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
            let key = (tenant.clone(), workflow.to_owned());
            let known = match self.known_of(&starts.tracks, &key) {
                Ok(known) => known,
                Err(error) => return error!(workflow, %error, "a workflow cannot be read"),
            };
            let Some(track) = starts.tracks.by_workflow.get_mut(&key) else { return };
            *track = Track::new(std::mem::take(&mut track.lane), known);
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
        for (key, (running, queued)) in found.0 {
            let surplus = {
                let mut starts = self.lock_starts();
                let lane = Lane::restore(running, queued, []);
                let mut track = Track::new(lane, self.known_of(&starts.tracks, &key)?);
                let surplus = surplus_of(&mut track);
                starts.tracks.by_workflow.insert(key.clone(), track);
                surplus
            };
            let (tenant, workflow) = key;
            self.end_surplus(&tenant, surplus, due);
            self.admit(&tenant, &workflow, due);
        }
        Ok(())
    }

    /// Why a queued run of a workflow has not begun, as users see it.
    pub fn queue_reason(
        &self,
        tenant: &TenantId,
        (workflow, run): (&str, RunId),
    ) -> Option<String> {
        let mut starts = self.lock_starts();
        let track = self.track(&mut starts, tenant, workflow).ok()?;
        let reason = track.lane.reason(run, track.strategy, track.paused);
        reason.map(|reason| reason.to_string())
    }

    /// The first of these runs behind which one that arrives would wait until
    /// they are over: they are all that run, and there is room for no more.
    pub(super) fn all_that_run(
        &self,
        tenant: &TenantId,
        (workflow, runs): (&str, &[RunId]),
    ) -> Result<Option<RunId>, store::Error> {
        let mut starts = self.lock_starts();
        let track = self.track(&mut starts, tenant, workflow)?;
        // These two let none wait: the new run or the old one ends.
        if matches!(track.strategy, RunStrategy::FirstOnly | RunStrategy::LastOnly) {
            return Ok(None);
        }
        let mut running = track.lane.running();
        let is_full = running.len() >= track.strategy.runs_max();
        Ok(running.next().filter(|_| is_full && track.lane.running().all(|it| runs.contains(&it))))
    }

    /// A failed run no longer keeps others from beginning.
    pub(super) fn lift(&self, tenant: &TenantId, (run, place): (RunId, &Place)) {
        {
            let mut starts = self.lock_starts();
            if let Ok(track) = self.track(&mut starts, tenant, &place.workflow) {
                // Its end may not have been told yet, and changes nothing then.
                track.lane.left(place.entry(run));
                track.lane.unblock(run);
            }
        }
        let mut due = VecDeque::new();
        self.admit(tenant, &place.workflow, &mut due);
        self.perform(due);
    }
}

impl Driver {
    /// A workflow is gone: what is known of its lane is not that of one that
    /// gets its name.
    pub(super) fn forget_track(&self, tenant: &TenantId, workflow: &str) {
        let key = (tenant.clone(), workflow.to_owned());
        self.lock_starts().tracks.by_workflow.remove(&key);
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
