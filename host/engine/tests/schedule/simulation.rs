//! Ten thousand schedules over a month of virtual time: hosts die and come back
//! with what was persisted, schedules are paused, changed and made inactive,
//! clocks jump. At the end every instant that a naive list has was decided
//! exactly once, and each miss and skip was true when it was said.

use crate::{moment, schedule};
use fastrand::Rng;
use segno_engine::id::Timestamp;
use segno_engine::schedule::state::{Decision, Named, Outcome, Reason, ScheduleState};
use segno_engine::schedule::{Overlap, Rule, Schedule, Spec};
use std::collections::BTreeSet;

const SCHEDULES: u64 = 10_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const MONTH: u64 = 30 * 24 * HOUR;

/// Decisions of one call.
const LIMIT: usize = 5;

/// A rule in a zone whose clocks do not change, and when it fires.
struct Sort {
    rule: Rule,
    zone: &'static str,
    instants: Vec<Timestamp>,
}

/// The rules, each with its instants found minute by minute.
fn sorts(begin: Timestamp) -> Vec<Sort> {
    let cron = |rule: &str, zone, offset: i64, fits: fn(u64, u64) -> bool| {
        // Hours and minutes of the day that the clocks show.
        let is_due = |minute: &u64| {
            let shown = (*minute as i64 + offset) as u64;
            fits(shown / 60 % 24, shown % 60)
        };
        let minutes = begin.0 / MINUTE..(begin.0 + 2 * MONTH) / MINUTE;
        let instants = minutes.filter(is_due).map(|minute| Timestamp(minute * MINUTE)).collect();
        Sort { rule: Rule::Cron(rule.to_owned()), zone, instants }
    };
    let every = |every: u64| {
        let instants = (begin.0..begin.0 + 2 * MONTH).step_by(1_000);
        let instants = instants.filter(|at| at % every == 0).map(Timestamp).collect();
        Sort { rule: Rule::Every(every), zone: "UTC", instants }
    };
    vec![
        cron("0 6 * * *", "UTC", 0, |hour, minute| (hour, minute) == (6, 0)),
        cron("30 18 * * *", "Asia/Kolkata", 330, |hour, minute| (hour, minute) == (18, 30)),
        cron("15 */8 * * *", "Asia/Tokyo", 540, |hour, minute| hour % 8 == 0 && minute == 15),
        cron("0 1,2,13 * * *", "Asia/Kathmandu", 345, |hour, minute| {
            [1, 2, 13].contains(&hour) && minute == 0
        }),
        cron("*/30 9-10 * * *", "UTC", 0, |hour, minute| {
            [9, 10].contains(&hour) && minute % 30 == 0
        }),
        cron("@daily", "America/Phoenix", -420, |hour, minute| (hour, minute) == (0, 0)),
        every(5 * HOUR),
        every(10 * HOUR + 7_000),
    ]
}

/// One schedule, and what is known to be true of it.
struct World<'w> {
    random: Rng,
    now: Timestamp,
    sort: &'w Sort,
    schedule: Schedule,
    identity: String,
    state: ScheduleState,
    /// The state as it was written last; what was decided since is lost with it.
    persisted: ScheduleState,
    /// The instants that have to be decided once.
    left: BTreeSet<Timestamp>,
    /// Those that wait.
    waiting: BTreeSet<Timestamp>,
    /// Those whose runs have not ended and are not cancelled, as far as a policy asks.
    open: BTreeSet<Timestamp>,
    /// How many instants were started, waited, were missed, and skipped by reason.
    counts: Vec<usize>,
}

impl<'w> World<'w> {
    fn new(number: u64, sorts: &'w [Sort], begin: Timestamp) -> Self {
        let mut random = Rng::with_seed(number);
        let now = begin.plus_ms(random.u64(..24 * HOUR));
        let state = ScheduleState::new(now);
        let mut world = Self {
            sort: &sorts[0],
            schedule: schedule(Spec::of(sorts[0].rule.clone())),
            identity: format!("schedule {number}"),
            persisted: state.clone(),
            state,
            now,
            left: BTreeSet::new(),
            waiting: BTreeSet::new(),
            open: BTreeSet::new(),
            counts: vec![0; 7],
            random,
        };
        world.say(sorts);
        world
    }

    /// What it says from now on.
    fn say(&mut self, sorts: &'w [Sort]) {
        self.sort = &sorts[self.random.usize(..sorts.len())];
        let (_, overlap) = Overlap::ALL[self.random.usize(..Overlap::ALL.len())];
        self.schedule = schedule(Spec {
            timezone: self.sort.zone.to_owned(),
            overlap,
            // The last is more than there is between two instants.
            jitter_ms: [0, 0, 45_000, 20 * MINUTE, 11 * HOUR][self.random.usize(..5)],
            catch_up_ms: [10_000, HOUR, 24 * HOUR][self.random.usize(..3)],
            ..Spec::of(self.sort.rule.clone())
        });
        let from = self.state.watermark;
        self.left = self.sort.instants.iter().copied().filter(|at| *at > from).collect();
    }

    /// Asks and writes, or dies before it is written.
    fn decide(&mut self, ask: impl FnOnce(&mut ScheduleState, Named<'_>) -> Vec<Decision>) -> bool {
        let named = Named { schedule: &self.schedule, identity: &self.identity };
        let decided = ask(&mut self.state, named);
        if self.random.u8(..20) == 0 {
            self.state = self.persisted.clone();
            return false;
        }
        assert!(self.state.watermark >= self.persisted.watermark, "it went back");
        let before = std::mem::replace(&mut self.persisted, self.state.clone());
        for decision in &decided {
            self.check(decision, &before);
        }
        true
    }

    /// That a decision is about instants that were not decided, and is true.
    fn check(&mut self, decision: &Decision, before: &ScheduleState) {
        let Decision { first, last, count, outcome } = *decision;
        let mut taken: Vec<_> = self.waiting.range(first..=last).copied().collect();
        if matches!(outcome, Outcome::Miss(_) | Outcome::Wait) {
            taken.clear();
        }
        let waited = taken.len();
        taken.extend(self.left.range(first..=last).filter(|at| **at > before.watermark));
        assert_eq!((taken.len() as u64, taken.contains(&first)), (count, true), "{decision:?}");
        assert!(taken.contains(&last), "{decision:?}");
        for at in &taken {
            assert!(self.waiting.remove(at) || self.left.remove(at), "{at:?} is decided twice");
        }
        let overlap = self.schedule.spec().overlap;
        let may_be_blocked =
            matches!(overlap, Overlap::Skip | Overlap::BufferOne | Overlap::BufferAll);
        let Spec { catch_up_ms: catch_up, jitter_ms: jitter, .. } = *self.schedule.spec();
        let late = |at: Timestamp| self.now.since(at.plus_ms(jitter));
        // Nobody is late who waited behind its elders.
        let late_in_turn = |at: Timestamp| {
            let elders = self.sort.instants.partition_point(|elder| *elder <= at);
            let elders = self.sort.instants[..elders].iter().rev();
            let elders = elders.take_while(|elder| at.since(**elder) <= jitter);
            let turn = elders.map(|elder| self.schedule.fires_at(&self.identity, *elder)).max();
            self.now.since(turn.unwrap_or(at))
        };
        let kind = match outcome {
            Outcome::Start { cancels } => {
                assert!(!before.is_held() && count == 1, "{decision:?}");
                assert!(self.schedule.fires_at(&self.identity, first) <= self.now || waited > 0);
                assert!(waited > 0 || late(first) <= catch_up, "{decision:?}");
                assert!(!may_be_blocked || self.open.is_empty(), "{decision:?} beside another");
                if let Some(other) = cancels {
                    self.open.remove(&other);
                }
                if !matches!(overlap, Overlap::Strategy | Overlap::AllowAll) {
                    self.open.insert(first);
                }
                0
            }
            Outcome::Wait => {
                assert!(may_be_blocked && !before.is_held(), "{decision:?}");
                self.waiting.insert(first);
                1
            }
            Outcome::Miss(reason) => {
                assert!(reason == Reason::TooLate);
                assert!(taken.iter().all(|at| late_in_turn(*at) > catch_up), "{decision:?}");
                2
            }
            Outcome::Skip(Reason::Paused) => {
                assert!(before.paused.is_some() && last <= self.now, "{decision:?}");
                3
            }
            Outcome::Skip(Reason::Inactive) => {
                assert!(self.state.inactive || before.inactive, "{decision:?}");
                4
            }
            Outcome::Skip(Reason::Overlap) => {
                assert!(may_be_blocked && !(self.open.is_empty() && self.waiting.is_empty()));
                assert!(taken.iter().all(|at| late(*at) <= catch_up), "{decision:?}");
                5
            }
            Outcome::Skip(Reason::Changed) => 6,
            Outcome::Skip(reason) => panic!("{reason:?} cannot be"),
        };
        self.counts[kind] += taken.len();
    }

    /// Asks until nothing more is due.
    fn catch_up(&mut self) {
        let now = self.now;
        loop {
            let before = self.state.clone();
            let is_written = self.decide(|state, named| state.due(named, now, LIMIT));
            if is_written && self.state == before {
                return;
            }
        }
    }

    /// Ends some of the open runs.
    fn end_runs(&mut self) {
        for at in self.open.clone() {
            if self.random.u8(..3) > 0 {
                self.open.remove(&at);
                // Whoever dies here is told again after the restart.
                while !self.decide(|state, named| state.run_ended(named, at, LIMIT)) {}
            }
        }
    }

    /// Something happens.
    fn step(&mut self, sorts: &'w [Sort]) {
        let now = self.now;
        match self.random.u8(..40) {
            0 => {
                while !self.decide(|state, _| {
                    state.pause(now, "ada".to_owned(), None);
                    Vec::new()
                }) {}
            }
            1..=3 => while !self.decide(|state, named| state.resume(named, now)) {},
            4 => while !self.decide(|state, _| state.deactivate()) {},
            5..=7 => while !self.decide(|state, named| state.activate(named, now)) {},
            8 => {
                while !self.decide(|state, named| state.change(named, now)) {}
                self.say(sorts);
            }
            9 => self.now = self.now.plus_ms(self.random.u64(..72 * HOUR)),
            10 => self.now = Timestamp(self.now.0 - self.random.u64(..3 * HOUR)),
            11..=18 => self.end_runs(),
            19..=24 => self.now = self.now.plus_ms(self.random.u64(..10 * HOUR)),
            _ => {
                let named = Named { schedule: &self.schedule, identity: &self.identity };
                let wake = self.state.next_wake(named, now);
                let later = self.random.u64(..24 * HOUR);
                self.now = wake.map_or(now.plus_ms(later), |wake| wake.max(now));
                self.catch_up();
            }
        }
    }

    /// Everything is let go on, and nothing may be left behind.
    fn finish(&mut self) {
        let now = self.now;
        while !self.decide(|state, named| state.resume(named, now)) {}
        while !self.decide(|state, named| state.activate(named, now)) {}
        self.catch_up();
        while !self.open.is_empty() {
            self.end_runs();
            self.catch_up();
        }
        // Those behind the first wait for their turns.
        let fired = |at: &&Timestamp| self.schedule.fires_at(&self.identity, **at) <= self.now;
        let lost = |at: &&Timestamp| **at <= self.state.watermark || fired(at);
        assert_eq!(self.left.first().filter(lost), None, "{} lost it", self.identity);
        assert!(self.waiting.is_empty(), "{} left something waiting", self.identity);
    }
}

#[test]
fn no_instant_is_lost_or_doubled_whatever_happens() {
    let begin = moment("2026-05-01T00:00:00Z");
    let sorts = sorts(begin);
    let mut counts = vec![0; 7];
    for number in 0..SCHEDULES {
        let mut world = World::new(number, &sorts, begin);
        while world.now < begin.plus_ms(MONTH) {
            world.step(&sorts);
        }
        world.finish();
        counts.iter_mut().zip(&world.counts).for_each(|(all, own)| *all += own);
    }
    // Starts, waits, misses, and skips for each reason: all have to occur.
    assert!(counts.iter().all(|count| *count > 1_000), "{counts:?}");
}
