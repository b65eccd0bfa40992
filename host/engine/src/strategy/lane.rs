//! The open runs of one workflow in the order in which they may begin, and what
//! its strategy does with them. It knows only that runs come and go: who feeds
//! it performs what it says, and brings it back after a restart from what the
//! store has ([`Lane::restore`]). Every operation costs the logarithm of the
//! number of runs, and what it returns.

use crate::id::RunId;
use crate::strategy::RunStrategy;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The open runs of one workflow. A run is queued until it begins, and running
/// until it has [left](Lane::left).
///
/// The strategy and whether the workflow is paused are said anew with every
/// call, for both may change between two.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    queued: BTreeSet<Entry>,
    running: BTreeSet<Entry>,
    /// Where each open run is.
    entries: BTreeMap<RunId, Entry>,
    /// Failed runs that hold up a strict sequence, by number.
    blockers: BTreeSet<(u64, RunId)>,
    /// The number of each of them.
    blocked_at: BTreeMap<RunId, u64>,
}

/// A run's place: runs begin in the order of their numbers, one that is tried
/// again at the place of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The run.
    pub run: RunId,
    /// Its number in the workflow.
    pub number: u64,
    /// How often it was retried.
    pub retry: u32,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |entry: &Self| (entry.number, entry.retry, entry.run);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What becomes of a run that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It begins, and counts as running.
    Begin,
    /// It is queued: [`Lane::admit`] says when it begins.
    Queue,
    /// It does not begin, ever, and is not in the lane: it is over as cancelled.
    Refuse {
        /// The run on whose account.
        by: RunId,
    },
}

/// What an arrival leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// What becomes of the run that arrived.
    pub verdict: Verdict,
    /// Runs that are stopped on its account, in the order of their numbers. One
    /// that was queued has left the lane already; one that runs leaves when it
    /// is over, and is named again by arrivals before that.
    pub cancel: Vec<RunId>,
}

impl Admission {
    fn alone(verdict: Verdict) -> Self {
        Self { verdict, cancel: Vec::new() }
    }
}

/// Why a queued run does not begin. As text it is the reason of its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// The workflow is paused.
    Paused,
    /// This run failed, and nobody has said yet that others may go on.
    Blocked(RunId),
    /// This run is first.
    Behind(RunId),
    /// As many runs go on as may.
    Concurrency(u32),
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("paused"),
            Self::Blocked(run) => write!(f, "blocked:{run}"),
            Self::Behind(run) => write!(f, "run_strategy:{run}"),
            Self::Concurrency(runs_max) => write!(f, "concurrency:{runs_max}"),
        }
    }
}

impl Lane {
    /// The lane after a restart: the runs that had begun, those that had not,
    /// and the failed ones that hold up a strict sequence. Ask for
    /// [`Lane::surplus`] and [`Lane::admit`] next: what these say may not have
    /// been done before the host stopped.
    pub fn restore(
        running: impl IntoIterator<Item = Entry>,
        queued: impl IntoIterator<Item = Entry>,
        blockers: impl IntoIterator<Item = (u64, RunId)>,
    ) -> Self {
        let mut lane = Self::default();
        for entry in running {
            if lane.entries.insert(entry.run, entry).is_none() {
                lane.running.insert(entry);
            }
        }
        for entry in queued {
            if !lane.is_open(entry.run) {
                lane.queue(entry);
            }
        }
        for (number, run) in blockers {
            lane.block(number, run);
        }
        lane
    }

    /// A run arrives, for the first time or to be tried again; in that case it
    /// no longer holds up others, so ask [`Lane::admit`] next, and takes the
    /// place of the try before, whose end may not have been told yet. A run that
    /// is open already changes nothing.
    ///
    /// Under `last_only` all others are stopped, also while the workflow is
    /// paused; the new run begins when the one that runs has left.
    pub fn arrive(&mut self, entry: Entry, strategy: RunStrategy, paused: bool) -> Admission {
        if let Some(known) = self.entries.get(&entry.run).filter(|it| it.retry >= entry.retry) {
            let runs = self.running.contains(known);
            return Admission::alone(if runs { Verdict::Begin } else { Verdict::Queue });
        }
        let mut others = self.running.iter().chain(&self.queued).filter(|it| it.run != entry.run);
        if let (RunStrategy::FirstOnly, Some(first)) = (strategy, others.next()) {
            return Admission::alone(Verdict::Refuse { by: first.run });
        }
        self.left(entry);
        self.unblock(entry.run);
        let mut stopped: Vec<Entry> = Vec::new();
        if matches!(strategy, RunStrategy::LastOnly | RunStrategy::SerialLatestOnly) {
            for queued in std::mem::take(&mut self.queued) {
                self.entries.remove(&queued.run);
                stopped.push(queued);
            }
        }
        if strategy == RunStrategy::LastOnly {
            stopped.extend(&self.running);
            stopped.sort_unstable();
        }
        self.queue(entry);
        let begins = self.room(strategy, paused) > 0 && self.queued.first() == Some(&entry);
        if begins {
            self.begin(entry);
        }
        Admission {
            verdict: if begins { Verdict::Begin } else { Verdict::Queue },
            cancel: stopped.iter().map(|entry| entry.run).collect(),
        }
    }

    /// A new run begins whatever the strategy says; while the workflow is paused,
    /// it is queued as any other. It counts as running for those that come later.
    pub fn enter(&mut self, entry: Entry, paused: bool) -> Admission {
        self.queue(entry);
        if paused {
            return Admission::alone(Verdict::Queue);
        }
        self.begin(entry);
        Admission::alone(Verdict::Begin)
    }

    /// A new run arrives that takes the place of these, which are being stopped.
    /// While one of them is open, `first_only` does not refuse it: it is queued,
    /// and begins when the lane is free.
    pub fn take_over(
        &mut self,
        entry: Entry,
        from: &[RunId],
        (strategy, paused): (RunStrategy, bool),
    ) -> Admission {
        if strategy == RunStrategy::FirstOnly && from.iter().any(|run| self.is_open(*run)) {
            self.queue(entry);
            return Admission::alone(Verdict::Queue);
        }
        self.arrive(entry, strategy, paused)
    }

    /// Runs arrive together, none of them open yet; what becomes of each, in the
    /// order in which they are given. Of these `first_only` keeps the first and `last_only` the
    /// last, and what `serial_latest_only` would stop again is refused: none is
    /// both taken and stopped by one of the others.
    pub fn arrive_all(
        &mut self,
        entries: &[Entry],
        strategy: RunStrategy,
        paused: bool,
    ) -> Vec<Admission> {
        let Some(last) = entries.last() else {
            return Vec::new();
        };
        let mut admissions: Vec<Admission> = Vec::with_capacity(entries.len());
        // The one of these that is queued, where only the newest may be.
        let mut newest: Option<usize> = None;
        for entry in entries {
            if strategy == RunStrategy::LastOnly && entry.run != last.run {
                let refused = Verdict::Refuse { by: last.run };
                admissions.push(Admission::alone(refused));
                continue;
            }
            let mut admission = self.arrive(*entry, strategy, paused);
            if strategy == RunStrategy::SerialLatestOnly && admission.verdict == Verdict::Queue {
                if let Some(before) = newest.filter(|at| entries[*at].run != entry.run) {
                    admission.cancel.retain(|run| *run != entries[before].run);
                    admissions[before].verdict = Verdict::Refuse { by: entry.run };
                }
                newest = Some(admissions.len());
            }
            admissions.push(admission);
        }
        admissions
    }

    /// A run is over, or was stopped while it was queued; whether it was in the
    /// lane. One that is not changes nothing, nor does the end of a try after
    /// which the run has arrived again. Ask [`Lane::admit`] next; and where the
    /// run was in the lane and failed, say so first ([`Lane::block`]).
    pub fn left(&mut self, entry: Entry) -> bool {
        let known = self.entries.get(&entry.run).filter(|it| it.retry <= entry.retry).copied();
        if let Some(known) = known {
            self.entries.remove(&known.run);
            self.queued.remove(&known);
            self.running.remove(&known);
        }
        known.is_some()
    }

    /// Forgets which failed runs hold up others, and takes these for them; one
    /// that is open does not, its end says what it does.
    pub fn set_blockers(&mut self, blockers: impl IntoIterator<Item = (u64, RunId)>) {
        self.unblock_all();
        for (number, run) in blockers {
            if !self.is_open(run) {
                self.block(number, run);
            }
        }
    }

    /// The runs that may begin now, at most `limit`; they count as running from
    /// here on.
    pub fn admit(&mut self, strategy: RunStrategy, paused: bool, limit: usize) -> Vec<RunId> {
        let count = self.room(strategy, paused).min(limit).min(self.queued.len());
        let mut runs = Vec::with_capacity(count);
        while runs.len() < count
            && let Some(first) = self.queued.first().copied()
        {
            self.begin(first);
            runs.push(first.run);
        }
        runs
    }

    /// Open runs that the strategy does not allow, in the order of their
    /// numbers: they are to be stopped, and the queued among them have left the
    /// lane already. Arrivals leave none; there may be some after a restart or
    /// a change of the strategy.
    pub fn surplus(&mut self, strategy: RunStrategy) -> Vec<RunId> {
        if !matches!(strategy, RunStrategy::LastOnly | RunStrategy::SerialLatestOnly) {
            return Vec::new();
        }
        let Some(newest) = self.queued.pop_last() else {
            return Vec::new();
        };
        let mut surplus: Vec<Entry> = Vec::new();
        for entry in std::mem::replace(&mut self.queued, BTreeSet::from([newest])) {
            self.entries.remove(&entry.run);
            surplus.push(entry);
        }
        if strategy == RunStrategy::LastOnly {
            surplus.extend(&self.running);
            surplus.sort_unstable();
        }
        surplus.iter().map(|entry| entry.run).collect()
    }

    /// A failed run holds up a strict sequence from now on.
    pub fn block(&mut self, number: u64, run: RunId) {
        self.unblock(run);
        self.blocked_at.insert(run, number);
        self.blockers.insert((number, run));
    }

    /// A failed run no longer holds up others; whether it did.
    pub fn unblock(&mut self, run: RunId) -> bool {
        let number = self.blocked_at.remove(&run);
        number.is_some_and(|number| self.blockers.remove(&(number, run)))
    }

    /// No failed run holds up others any more; those that did, by number.
    pub fn unblock_all(&mut self) -> Vec<RunId> {
        self.blocked_at.clear();
        std::mem::take(&mut self.blockers).into_iter().map(|(_, run)| run).collect()
    }

    /// Why a queued run does not begin; what needs a person comes first.
    /// Nothing, if it is not queued or the next [`Lane::admit`] has it.
    pub fn reason(&self, run: RunId, strategy: RunStrategy, paused: bool) -> Option<WaitReason> {
        let entry = self.entries.get(&run).filter(|entry| self.queued.contains(entry))?;
        if paused {
            return Some(WaitReason::Paused);
        }
        if let Some(blocker) = self.blocker(strategy) {
            return Some(WaitReason::Blocked(blocker));
        }
        // The whole lane has room for it, or it is one of the few for whom
        // there is some.
        let room = self.room(strategy, paused);
        if room >= self.queued.len() || self.queued.iter().take(room).any(|first| first == entry) {
            return None;
        }
        match strategy {
            RunStrategy::All => None,
            RunStrategy::Parallel(runs_max) => Some(WaitReason::Concurrency(runs_max)),
            RunStrategy::Sequential
            | RunStrategy::StrictSequential
            | RunStrategy::FirstOnly
            | RunStrategy::LastOnly
            | RunStrategy::SerialLatestOnly => {
                self.foremost().map(|first| WaitReason::Behind(first.run))
            }
        }
    }

    /// Whether the strategy may become this one now. Ask only where it becomes
    /// another: a strict sequence that is held up stays one.
    ///
    /// # Errors
    /// Why it may not, and what to do.
    pub fn check_change(&self, to: RunStrategy) -> Result<(), String> {
        match to {
            RunStrategy::FirstOnly | RunStrategy::LastOnly if self.open() > 1 => Err(format!(
                "the run strategy cannot become {to} while {} runs are open; \
                 cancel all but one, or wait for them",
                self.open()
            )),
            RunStrategy::StrictSequential => match self.blockers.first() {
                Some((number, _)) => Err(format!(
                    "the run strategy cannot become {to} while failed runs would block it \
                     ({}, the first is number {number}); retry or unblock them",
                    self.blockers.len()
                )),
                None => Ok(()),
            },
            RunStrategy::FirstOnly
            | RunStrategy::LastOnly
            | RunStrategy::All
            | RunStrategy::Parallel(_)
            | RunStrategy::Sequential
            | RunStrategy::SerialLatestOnly => Ok(()),
        }
    }

    /// How many runs are open.
    pub fn open(&self) -> usize {
        self.entries.len()
    }

    /// Whether the run is queued or running.
    pub fn is_open(&self, run: RunId) -> bool {
        self.entries.contains_key(&run)
    }

    /// Whether there is nothing to remember: no open run, and none that blocks.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.blockers.is_empty()
    }

    /// The runs that have begun and are not over, in order.
    pub fn running(&self) -> impl ExactSizeIterator<Item = RunId> + '_ {
        self.running.iter().map(|entry| entry.run)
    }

    /// The runs that have not begun, in the order in which they will.
    pub fn queued(&self) -> impl ExactSizeIterator<Item = RunId> + '_ {
        self.queued.iter().map(|entry| entry.run)
    }

    /// The failed runs that hold up a strict sequence, by number.
    pub fn blockers(&self) -> impl ExactSizeIterator<Item = RunId> + '_ {
        self.blockers.iter().map(|(_, run)| *run)
    }

    /// How many more runs may begin.
    fn room(&self, strategy: RunStrategy, paused: bool) -> usize {
        if paused || self.blocker(strategy).is_some() {
            return 0;
        }
        strategy.runs_max().saturating_sub(self.running.len())
    }

    /// The failed run because of which none begins.
    fn blocker(&self, strategy: RunStrategy) -> Option<RunId> {
        let strict = strategy == RunStrategy::StrictSequential;
        self.blockers.first().filter(|_| strict).map(|(_, run)| *run)
    }

    /// The run that all others are behind.
    fn foremost(&self) -> Option<&Entry> {
        self.running.first().or(self.queued.first())
    }

    fn queue(&mut self, entry: Entry) {
        self.entries.insert(entry.run, entry);
        self.queued.insert(entry);
    }

    fn begin(&mut self, entry: Entry) {
        self.queued.remove(&entry);
        self.running.insert(entry);
    }
}
