//! Which runs of a workflow begin: each arrives in its workflow's lane in the
//! commit that makes it, and leaves it as something that has to be done when it
//! is over. What the strategy must not do is looked at from the runs alone.

use crate::errand::Errand;
use crate::plan::Choices;
use crate::shelf::Row;
use crate::world::World;
use segno_engine::command::Command;
use segno_engine::event::{Event, Stop};
use segno_engine::id::RunId;
use segno_engine::run::{Run, RunStatus};
use segno_engine::strategy::RunStrategy;
use segno_engine::strategy::lane::{Admission, Entry, Lane, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// The most runs that are let begin at a time.
const ADMITTED_AT_ONCE: usize = 2;

/// The open runs of a workflow, and what is set for them.
#[derive(Default)]
pub struct Track {
    lane: Lane,
    /// The strategy that it goes by.
    pub strategy: RunStrategy,
    /// Whether it lets none begin.
    pub paused: bool,
    /// Runs that have to make room, and have not heard of it.
    doomed: BTreeSet<RunId>,
    /// Failed runs that nobody has retried or unblocked.
    pub blockers: BTreeSet<(u64, RunId)>,
}

/// The tracks by workflow.
pub type Tracks = BTreeMap<String, Track>;

/// The place of a run in its lane; iterations have none.
pub fn entry_of(run: &Run) -> Option<Entry> {
    let number = run.origin().number()?;
    Some(Entry { run: run.id(), number, retry: run.generation() })
}

impl Track {
    /// Keeps the book of failed runs.
    fn notes(&mut self, place: (u64, RunId), event: &Event) {
        match event {
            Event::RunFailed { .. } => {
                self.blockers.insert(place);
            }
            Event::RunRetried { .. } | Event::RunUnblocked { .. } => {
                self.blockers.remove(&place);
            }
            _ => {}
        }
    }

    /// The failed run because of which none begins.
    fn blocker(&self) -> Option<RunId> {
        let strict = self.strategy == RunStrategy::StrictSequential;
        self.blockers.first().filter(|_| strict).map(|(_, run)| *run)
    }

    /// The failed runs that the lane is to know.
    fn known_blockers(&self) -> BTreeSet<(u64, RunId)> {
        match self.strategy {
            RunStrategy::StrictSequential => self.blockers.clone(),
            _ => BTreeSet::new(),
        }
    }
}

impl World {
    /// What is set before anything happens, and is on the disk.
    pub fn set_up(&mut self) {
        for workflow in [&self.main.workflow.name, &self.child.workflow.name] {
            let other = self.choices.chance(50);
            let strategy = random_strategy(&mut self.choices, self.trouble.unreliable);
            let strategy = if other { strategy } else { RunStrategy::All };
            self.tracks.insert(workflow.clone(), Track { strategy, ..Track::default() });
        }
        let strategies = self.tracks.iter();
        let rows = strategies.map(|(name, it)| Row::Strategy(name.clone(), it.strategy, false));
        self.keep_rows(rows.collect());
        self.log.start_flush();
        self.log.end_flush();
    }

    /// A run arrives, or is taken up again.
    pub fn arrive(&mut self, workflow: &str, entry: Entry) -> Admission {
        let others = self.open_of(workflow).filter(|other| other.id() != entry.run).count();
        let track = self.track(workflow);
        let admission = track.lane.arrive(entry, track.strategy, track.paused);
        if let Verdict::Refuse { .. } = admission.verdict {
            assert_eq!(track.strategy, RunStrategy::FirstOnly, "{} is refused", entry.run);
        } else {
            let is_first = track.strategy != RunStrategy::FirstOnly || others == 0;
            assert!(is_first, "{} is not the only one of {workflow}", entry.run);
            track.doomed.remove(&entry.run);
        }
        self.count_verdict(&admission);
        self.dooms(workflow, &admission.cancel);
        admission
    }

    /// The same for runs that start together.
    pub fn arrive_together(&mut self, workflow: &str, entries: &[Entry]) -> Vec<Admission> {
        let track = self.track(workflow);
        let admissions = track.lane.arrive_all(entries, track.strategy, track.paused);
        let refused = |one: &&Admission| matches!(one.verdict, Verdict::Refuse { .. });
        let (strategy, refused) = (track.strategy, admissions.iter().filter(refused).count());
        let fits = match strategy {
            RunStrategy::FirstOnly => refused + 1 >= entries.len(),
            RunStrategy::LastOnly => refused + 1 == entries.len(),
            RunStrategy::SerialLatestOnly => {
                refused + 2 >= entries.len() && refused < entries.len()
            }
            _ => refused == 0,
        };
        assert!(fits, "{refused} of {} are refused under {strategy}", entries.len());
        for admission in &admissions {
            self.count_verdict(admission);
            self.dooms(workflow, &admission.cancel);
        }
        admissions
    }

    fn count_verdict(&mut self, admission: &Admission) {
        self.witness.count(match admission.verdict {
            Verdict::Begin => "runs that began at once",
            Verdict::Queue => "runs that were queued",
            Verdict::Refuse { .. } => "runs that were refused",
        });
    }

    /// These have to make room.
    fn dooms(&mut self, workflow: &str, runs: &[RunId]) {
        let track = &self.tracks[workflow];
        for run in runs {
            let is_queued = *self.runs[run].status() == RunStatus::Queued;
            let fits = match track.strategy {
                RunStrategy::LastOnly => true,
                RunStrategy::SerialLatestOnly => is_queued || !self.runs[run].status().is_open(),
                _ => false,
            };
            assert!(fits, "{run} has to make room under {}", track.strategy);
        }
        // One that is over, and has not left its lane, has made room already.
        let open = runs.iter().copied().filter(|run| self.runs[run].status().is_open());
        let open: Vec<RunId> = open.collect();
        self.track(workflow).doomed.extend(open);
    }

    /// Those that a run does not leave beside it end soon.
    pub fn replace_soon(&mut self, run: RunId, admission: &Admission) {
        let cancel = admission.cancel.iter();
        self.errands.extend(cancel.map(|other| Errand::Replace(*other, run)));
    }

    /// Runs have arrived and are there: of the others only those are left that
    /// the strategy leaves.
    pub fn sees_arrival(&self, workflow: &str, newest: RunId) {
        let track = &self.tracks[workflow];
        if !self.runs[&newest].status().is_open() {
            return;
        }
        for other in self.open_of(workflow).filter(|other| other.id() != newest) {
            let may_stay = match track.strategy {
                RunStrategy::LastOnly | RunStrategy::FirstOnly => false,
                RunStrategy::SerialLatestOnly => other.has_begun(),
                _ => true,
            };
            assert!(may_stay, "{} stays beside {newest} under {}", other.id(), track.strategy);
        }
    }

    /// A run begins now: the strategy must have room for it, and nobody may be
    /// before it.
    pub fn sees_begin(&self, run: &Run) {
        let Some(entry) = entry_of(run) else { return };
        let track = &self.tracks[&run.workflow().name];
        let (id, strategy) = (run.id(), track.strategy);
        assert!(!track.paused, "{id} begins in a workflow that is paused");
        assert!(!track.doomed.contains(&id), "{id} begins, and has to make room");
        let open = || self.all_open_of(&run.workflow().name).filter(|other| other.id() != id);
        let running = open().filter(|other| other.has_begun()).count();
        assert!(running < strategy.runs_max(), "{id} begins beside {running} under {strategy}");
        let first =
            open().filter(|other| !other.has_begun() && !track.doomed.contains(&other.id()));
        let first = first.filter_map(entry_of).min();
        assert!(first.is_none_or(|first| entry < first), "{id} overtakes {first:?}");
        if strategy == RunStrategy::StrictSequential {
            let blocker = track.blockers.iter().find(|(_, other)| *other != id);
            assert_eq!(blocker, None, "{id} begins behind a failed run");
        }
    }

    /// What follows for lanes from an event that was just applied.
    pub fn track_event(&mut self, id: RunId, event: &Event) {
        let run = &self.runs[&id];
        let Some(entry) = entry_of(run) else { return };
        if let Event::RunStarted = event {
            self.sees_begin(run);
        }
        if let Event::StopRequested { stop: Stop::Strategy { .. } } = event {
            self.witness.count("runs stopped for another");
        }
        let failed = matches!(run.status(), RunStatus::Failed { .. });
        let workflow = run.workflow().name.clone();
        let track = self.tracks.entry(workflow.clone()).or_default();
        track.notes((entry.number, id), event);
        match event {
            Event::RunSucceeded { .. } | Event::RunFailed { .. } | Event::RunStopped => {
                track.doomed.remove(&id);
                self.errands.push_back(Errand::Left(workflow, entry, failed));
            }
            Event::RunUnblocked { .. } => self.errands.push_back(Errand::Lift(workflow, entry)),
            _ => {}
        }
    }

    /// A run is over: others may begin.
    pub fn leave(&mut self, workflow: &str, entry: Entry, failed: bool) {
        let track = self.track(workflow);
        let was_open = track.lane.left(entry);
        if was_open && failed && track.strategy == RunStrategy::StrictSequential {
            track.lane.block(entry.number, entry.run);
        }
        self.forget_root(entry.run);
        self.errands.push_back(Errand::Admit(workflow.to_owned()));
    }

    /// A failed run no longer keeps others from beginning.
    pub fn lift(&mut self, workflow: &str, entry: Entry) {
        let lane = &mut self.track(workflow).lane;
        lane.left(entry);
        lane.unblock(entry.run);
        self.errands.push_back(Errand::Admit(workflow.to_owned()));
    }

    /// A run ends for the sake of another.
    pub fn replace(&mut self, run: RunId, by: RunId) {
        if self.runs[&run].status().is_open() {
            self.submit(run, &Command::Replace { by });
        }
    }

    /// Lets those begin whose turn it is.
    pub fn admit(&mut self, workflow: &str) {
        loop {
            let track = self.track(workflow);
            let admitted = track.lane.admit(track.strategy, track.paused, ADMITTED_AT_ONCE);
            for run in &admitted {
                if self.runs[run].status().is_open() {
                    self.witness.count("runs let begin");
                    self.submit(*run, &Command::Admit);
                }
            }
            if admitted.len() < ADMITTED_AT_ONCE {
                return;
            }
        }
    }

    /// What is set for a workflow has changed, and is on the disk.
    pub fn readmit(&mut self, workflow: &str) {
        let (strategy, paused) = self.shelf.strategies[workflow];
        let track = self.track(workflow);
        (track.strategy, track.paused) = (strategy, paused);
        track.lane.set_blockers(track.known_blockers());
        self.end_surplus(workflow);
        self.errands.push_back(Errand::Admit(workflow.to_owned()));
    }

    fn end_surplus(&mut self, workflow: &str) {
        let track = self.track(workflow);
        let surplus = track.lane.surplus(track.strategy);
        let newest = track.lane.queued().last();
        self.dooms(workflow, &surplus);
        for run in surplus {
            self.witness.count("runs that were too many");
            self.errands.push_back(Errand::Replace(run, newest.unwrap_or(run)));
        }
        let (open, queued) = (
            self.open_of(workflow).count(),
            self.open_of(workflow).filter(|run| !run.has_begun()).count(),
        );
        let fits = match self.tracks[workflow].strategy {
            RunStrategy::LastOnly => queued == 0 || open == 1,
            RunStrategy::SerialLatestOnly => queued <= 1,
            _ => true,
        };
        assert!(fits, "{open} runs of {workflow} are left, {queued} of them queued");
    }

    /// After a crash: the lanes as they were, and what they had not done.
    pub fn restore_lanes(&mut self) {
        let names = self.shelf.strategies.keys();
        self.tracks = names.map(|name| (name.clone(), Track::default())).collect();
        for (id, record) in self.log.read() {
            let run = &self.runs[&id];
            let Some(number) = run.origin().number() else { continue };
            let track = self.tracks.entry(run.workflow().name.clone()).or_default();
            record.events.iter().for_each(|event| track.notes((number, id), event));
        }
        for (workflow, settings) in self.shelf.strategies.clone() {
            let open: Vec<&Run> = self.all_open_of(&workflow).collect();
            let (running, queued): (Vec<_>, Vec<_>) = open.iter().partition(|run| run.has_begun());
            let entries =
                |runs: Vec<&Run>| runs.into_iter().filter_map(entry_of).collect::<Vec<_>>();
            let lane = Lane::restore(entries(running), entries(queued), []);
            let track = self.track(&workflow);
            (track.strategy, track.paused) = settings;
            track.lane = lane;
            track.lane.set_blockers(track.known_blockers());
            self.end_surplus(&workflow);
            self.admit(&workflow);
        }
    }

    /// Somebody wants another run strategy, or a pause, if the runs that are
    /// open go with it.
    pub fn somebody_sets_strategy(&mut self) {
        let names: Vec<String> = self.tracks.keys().cloned().collect();
        let workflow = self.choices.pick(&names).expect("there are some").clone();
        let strategy = random_strategy(&mut self.choices, self.trouble.unreliable);
        let paused = self.choices.chance(20);
        let (before, _) = self.shelf.strategies[&workflow];
        let fits = before == strategy
            || match strategy {
                RunStrategy::FirstOnly | RunStrategy::LastOnly => {
                    self.all_open_of(&workflow).count() < 2
                }
                RunStrategy::StrictSequential => self.tracks[&workflow].blockers.is_empty(),
                _ => true,
            };
        if fits {
            self.witness.count("strategies changed");
            self.keep_rows(vec![Row::Strategy(workflow, strategy, paused)]);
        }
    }

    /// Nothing moves any more: every run that waits for its turn has a reason.
    pub fn check_turns(&self) {
        for (workflow, track) in &self.tracks {
            let lane = &track.lane;
            let mut running = self.all_open_of(workflow).filter(|run| run.has_begun());
            let queued = self.all_open_of(workflow).filter(|run| !run.has_begun());
            assert_eq!(track.doomed, BTreeSet::new(), "these have not made room in {workflow}");
            assert_eq!(lane.open(), self.all_open_of(workflow).count(), "{workflow}");
            let is_full = running.by_ref().count() >= track.strategy.runs_max();
            for run in queued {
                let id = run.id();
                assert!(
                    track.paused || is_full || track.blocker().is_some(),
                    "{id} may begin under {}, and does not",
                    track.strategy
                );
                assert!(lane.is_open(id), "{id} is in no lane");
                let reason = lane.reason(id, track.strategy, track.paused);
                assert!(reason.is_some(), "{id} waits for no reason");
            }
        }
    }

    /// Nothing moves any more: somebody lets runs begin that wait for a person.
    pub fn let_runs_begin(&mut self) -> bool {
        let waits = |(workflow, track): &(&String, &Track)| {
            let is_held = track.paused || track.blocker().is_some();
            is_held && self.all_open_of(workflow).any(|run| !run.has_begun())
        };
        let Some((workflow, track)) = self.tracks.iter().find(waits) else { return false };
        let (workflow, strategy) = (workflow.clone(), track.strategy);
        if track.paused {
            self.witness.count("workflows let go on");
            self.keep_rows(vec![Row::Strategy(workflow, strategy, false)]);
            return true;
        }
        let blocker = track.blocker().expect("it is not paused, so it is blocked");
        self.witness.count("runs unblocked");
        self.submit(blocker, &Command::Unblock { by: "somebody".to_owned() });
        true
    }

    /// Everything is over: nothing is left in a lane.
    pub fn check_lanes_are_empty(&self) {
        for (workflow, track) in &self.tracks {
            assert_eq!(track.lane.open(), 0, "{workflow} has runs in its lane");
        }
    }

    /// The open runs of a workflow that have a number.
    fn all_open_of<'a>(&'a self, workflow: &'a str) -> impl Iterator<Item = &'a Run> {
        let of_it = move |run: &&Run| run.workflow().name == workflow;
        let has_number = |run: &&Run| run.origin().number().is_some();
        self.runs.values().filter(has_number).filter(of_it).filter(|run| run.status().is_open())
    }

    /// The same without those that have to make room.
    fn open_of<'a>(&'a self, workflow: &'a str) -> impl Iterator<Item = &'a Run> {
        let doomed = &self.tracks[workflow].doomed;
        self.all_open_of(workflow).filter(|run| !doomed.contains(&run.id()))
    }

    fn track(&mut self, workflow: &str) -> &mut Track {
        self.tracks.get_mut(workflow).expect("every workflow has a track")
    }
}

/// A run strategy; where nothing is to go wrong, one that ends no runs.
fn random_strategy(choices: &mut Choices, may_end_runs: bool) -> RunStrategy {
    match choices.below(if may_end_runs { 10 } else { 6 }) {
        0 | 1 => RunStrategy::All,
        2 => RunStrategy::Parallel(1 + choices.below(3)),
        3 => RunStrategy::Sequential,
        4 | 5 => RunStrategy::StrictSequential,
        6 => RunStrategy::FirstOnly,
        7 => RunStrategy::LastOnly,
        _ => RunStrategy::SerialLatestOnly,
    }
}
