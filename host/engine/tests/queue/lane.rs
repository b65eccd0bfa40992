//! What each run strategy does, and that nothing is forgotten.

use crate::config;
use crate::lane_model::{Model, Place, entry};
use proptest::prelude::*;
use segno_engine::id::RunId;
use segno_engine::strategy::RunStrategy::{self, *};
use segno_engine::strategy::lane::{Entry, Lane, Verdict, WaitReason};

#[derive(Clone, Debug)]
enum Move {
    Arrive,
    ArriveTogether(u64),
    Retry(usize),
    End { pick: usize, failed: bool },
    Admit(usize),
    Unblock(usize),
    UnblockAll,
    Become(RunStrategy),
    Pause(bool),
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let strategy = prop::sample::select(vec![
        All,
        Parallel(1),
        Parallel(3),
        Sequential,
        StrictSequential,
        FirstOnly,
        LastOnly,
        SerialLatestOnly,
    ]);
    let pick = || 0..1_000_usize;
    let one = prop_oneof![
        6 => Just(Move::Arrive),
        2 => (0..5_u64).prop_map(Move::ArriveTogether),
        2 => pick().prop_map(Move::Retry),
        6 => (pick(), any::<bool>()).prop_map(|(pick, failed)| Move::End { pick, failed }),
        4 => (0..4_usize).prop_map(Move::Admit),
        1 => pick().prop_map(Move::Unblock),
        1 => Just(Move::UnblockAll),
        3 => strategy.prop_map(Move::Become),
        1 => any::<bool>().prop_map(Move::Pause),
        1 => Just(Move::Restart),
    ];
    prop::collection::vec(one, 0..120)
}

struct Both {
    lane: Lane,
    model: Model,
    number: u64,
}

impl Both {
    fn new() -> Self {
        Self { lane: Lane::default(), model: Model::new(), number: 0 }
    }

    fn next(&mut self) -> Entry {
        self.number += 1;
        entry(self.number)
    }

    fn arrive(&mut self, entry: Entry) {
        let admission = self.lane.arrive(entry, self.model.strategy, self.model.paused);
        assert_eq!(admission, self.model.arrive(entry));
        // A second arrival of an open run changes nothing.
        if self.lane.is_open(entry.run) {
            let again = self.lane.arrive(entry, self.model.strategy, self.model.paused);
            assert_eq!((again.verdict, again.cancel), (admission.verdict, Vec::new()));
        }
    }

    fn arrive_together(&mut self, count: u64) {
        let entries: Vec<Entry> = (0..count).map(|_| self.next()).collect();
        let before = self.model.open();
        let Model { strategy, paused, .. } = self.model;
        let admissions = self.lane.arrive_all(&entries, strategy, paused);
        assert_eq!(admissions.len(), entries.len());
        for (at, entry) in entries.iter().enumerate() {
            // Of `last_only` only the last arrives at all.
            if strategy == LastOnly && at + 1 < entries.len() {
                self.model.record(*entry, Place::Over);
            } else {
                self.model.arrive(*entry);
            }
        }
        for (entry, admission) in entries.iter().zip(&admissions) {
            let place = match admission.verdict {
                Verdict::Begin => Place::Running,
                Verdict::Queue => Place::Queued,
                Verdict::Refuse { by } => {
                    assert_ne!(by, entry.run);
                    Place::Over
                }
            };
            assert!(self.model.at(place).contains(&entry.run), "{entry:?}: {admission:?}");
            assert!(admission.cancel.iter().all(|run| before.contains(run)));
        }
    }

    fn end(&mut self, pick: usize, failed: bool) {
        let open = self.model.open();
        let Some(run) = open.get(pick % open.len().max(1)).copied() else {
            return;
        };
        let known = self.model.runs.iter().find(|(entry, _)| entry.run == run);
        let known = known.expect("it is open").0;
        if failed && self.model.at(Place::Running).contains(&run) {
            self.lane.block(known.number, run);
            self.model.blockers.insert(known.number);
        }
        assert!(self.lane.left(known));
        assert!(!self.lane.left(known));
        self.model.put(run, Place::Over);
    }

    fn retry(&mut self, pick: usize) {
        let over = self.model.at(Place::Over);
        let Some(run) = over.get(pick % over.len().max(1)) else {
            return;
        };
        let known = self.model.runs.iter().find(|(entry, _)| entry.run == *run);
        let known = known.expect("it is over").0;
        self.arrive(Entry { retry: known.retry + 1, ..known });
    }

    fn admit(&mut self, limit: usize) {
        let mut expected = self.model.may_begin();
        expected.truncate(limit);
        let admitted = self.lane.admit(self.model.strategy, self.model.paused, limit);
        assert_eq!(admitted, expected);
        admitted.iter().for_each(|run| self.model.put(*run, Place::Running));
    }

    fn unblock(&mut self, pick: usize) {
        let at = pick % self.model.blockers.len().max(1);
        if let Some(number) = self.model.blockers.iter().nth(at).copied() {
            self.model.blockers.remove(&number);
            assert!(self.lane.unblock(entry(number).run));
            assert!(!self.lane.unblock(entry(number).run));
        }
    }

    fn unblock_all(&mut self) {
        let blockers = std::mem::take(&mut self.model.blockers);
        let expected: Vec<RunId> = blockers.iter().map(|number| entry(*number).run).collect();
        assert_eq!(self.lane.unblock_all(), expected);
    }

    /// What has to be stopped now, and is.
    fn stop_surplus(&mut self) {
        let queued = self.model.at(Place::Queued);
        let surplus = self.lane.surplus(self.model.strategy);
        let expected = match (self.model.strategy, queued.split_last()) {
            (LastOnly, Some((newest, _))) => {
                let mut others = self.model.open();
                others.retain(|run| run != newest);
                others.sort_unstable();
                others
            }
            (SerialLatestOnly, Some((_, older))) => older.to_vec(),
            _ => Vec::new(),
        };
        assert_eq!(surplus, expected);
        for run in surplus.iter().filter(|run| queued.contains(run)) {
            self.model.put(*run, Place::Over);
        }
    }

    fn become_strategy(&mut self, to: RunStrategy) {
        let refused = match to {
            FirstOnly | LastOnly => self.model.open().len() > 1,
            StrictSequential => !self.model.blockers.is_empty(),
            _ => false,
        };
        assert_eq!(self.lane.check_change(to).is_err(), refused);
        if !refused {
            self.model.strategy = to;
            self.stop_surplus();
        }
    }

    fn play(&mut self, one: &Move) {
        match one {
            Move::Arrive => {
                let entry = self.next();
                self.arrive(entry);
            }
            Move::ArriveTogether(count) => self.arrive_together(*count),
            Move::Retry(pick) => self.retry(*pick),
            Move::End { pick, failed } => self.end(*pick, *failed),
            Move::Admit(limit) => self.admit(*limit),
            Move::Unblock(pick) => self.unblock(*pick),
            Move::UnblockAll => self.unblock_all(),
            Move::Become(to) => self.become_strategy(*to),
            Move::Pause(paused) => self.model.paused = *paused,
            Move::Restart => {
                self.lane = self.model.restored();
                self.stop_surplus();
            }
        }
    }

    fn agree(&self) {
        let (queued, running) = (self.model.at(Place::Queued), self.model.at(Place::Running));
        assert_eq!(self.lane.queued().collect::<Vec<_>>(), queued);
        assert_eq!(self.lane.running().collect::<Vec<_>>(), running);
        assert_eq!(self.lane.open(), queued.len() + running.len());
        assert_eq!(self.lane.blockers().count(), self.model.blockers.len());
        let may_begin = self.model.may_begin();
        for (known, place) in &self.model.runs {
            let reason = self.lane.reason(known.run, self.model.strategy, self.model.paused);
            // Whoever is queued and may not begin is told why.
            let waits = *place == Place::Queued && !may_begin.contains(&known.run);
            assert_eq!(reason.is_some(), waits, "{known:?} {place:?} {reason:?}");
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_lane_does_what_a_list_of_all_runs_would(moves in moves()) {
        let mut both = Both::new();
        for one in &moves {
            let before = both.model.at(Place::Running);
            both.play(one);
            both.agree();
            let running = both.model.at(Place::Running);
            // Where a run began, no more run than may.
            if running.iter().any(|run| !before.contains(run)) {
                prop_assert!(running.len() <= both.model.strategy.runs_max());
                prop_assert!(!both.model.paused);
            }
        }
    }

    #[test]
    fn every_arrival_begins_or_is_refused_or_stopped(moves in moves()) {
        let mut both = Both::new();
        for one in &moves {
            both.play(one);
        }
        both.model.paused = false;
        both.unblock_all();
        for _ in 0..=both.number {
            both.admit(usize::MAX);
            while let Some(run) = both.model.at(Place::Running).first().copied() {
                both.lane.left(Entry { retry: u32::MAX, ..entry(run_number(&both, run)) });
                both.model.put(run, Place::Over);
            }
        }
        prop_assert!(both.model.open().is_empty() && both.lane.is_empty());
    }
}

fn run_number(both: &Both, run: RunId) -> u64 {
    let known = both.model.runs.iter().find(|(entry, _)| entry.run == run);
    known.expect("it was there").0.number
}

fn run(number: u64) -> RunId {
    entry(number).run
}

/// A lane to which runs with these numbers came one after the other.
fn lane(strategy: RunStrategy, numbers: impl IntoIterator<Item = u64>) -> Lane {
    let mut lane = Lane::default();
    for number in numbers {
        lane.arrive(entry(number), strategy, false);
    }
    lane
}

fn refused_by(number: u64) -> Verdict {
    Verdict::Refuse { by: run(number) }
}

#[test]
fn sequential_runs_one_after_the_other() {
    let mut lane = lane(Sequential, 1..=3);
    assert!(lane.running().eq([run(1)]) && lane.queued().eq([run(2), run(3)]));
    let behind = Some(WaitReason::Behind(run(1)));
    assert_eq!(lane.reason(run(3), Sequential, false), behind);
    assert!(lane.admit(Sequential, false, 50).is_empty());
    lane.left(entry(1));
    assert_eq!(lane.reason(run(2), Sequential, false), None);
    assert_eq!(lane.reason(run(3), Sequential, false), Some(WaitReason::Behind(run(2))));
    assert_eq!(lane.admit(Sequential, false, 50), [run(2)]);
}

#[test]
fn a_failed_run_blocks_a_strict_sequence_until_it_is_retried_or_unblocked() {
    let mut lane = lane(StrictSequential, 1..=3);
    lane.block(1, run(1));
    lane.left(entry(1));
    assert!(lane.admit(StrictSequential, false, 50).is_empty());
    let blocked = lane.reason(run(2), StrictSequential, false).expect("it waits");
    assert_eq!(blocked, WaitReason::Blocked(run(1)));
    assert_eq!(blocked.to_string(), format!("blocked:{}", run(1)));

    let mut retried = lane.clone();
    let again = Entry { retry: 1, ..entry(1) };
    assert_eq!(retried.arrive(again, StrictSequential, false).verdict, Verdict::Begin);
    assert_eq!(retried.blockers().len(), 0);
    assert!(retried.queued().eq([run(2), run(3)]));

    assert!(lane.unblock(run(1)));
    assert_eq!(lane.admit(StrictSequential, false, 50), [run(2)]);
}

#[test]
fn a_retried_run_takes_the_place_of_its_number() {
    let mut lane = lane(Sequential, [1, 2, 4]);
    let again = Entry { retry: 2, ..entry(3) };
    assert_eq!(lane.arrive(again, Sequential, false).verdict, Verdict::Queue);
    assert!(lane.queued().eq([run(2), run(3), run(4)]));
}

#[test]
fn a_run_that_arrives_again_before_its_end_is_told_keeps_its_new_place() {
    let mut lane = lane(StrictSequential, 1..=2);
    let again = Entry { retry: 1, ..entry(1) };
    assert_eq!(lane.arrive(again, StrictSequential, false).verdict, Verdict::Begin);
    assert!(!lane.left(entry(1)), "the end of the try before comes late");
    assert!(lane.running().eq([run(1)]) && lane.queued().eq([run(2)]));
    assert!(lane.admit(StrictSequential, false, 50).is_empty());
    assert!(lane.left(again));
    assert_eq!(lane.admit(StrictSequential, false, 50), [run(2)]);
}

#[test]
fn a_run_that_arrives_again_does_not_keep_itself_out() {
    let mut lane = lane(FirstOnly, [1]);
    let again = Entry { retry: 1, ..entry(1) };
    assert_eq!(lane.arrive(again, FirstOnly, false).verdict, Verdict::Begin);
    assert_eq!(lane.open(), 1);
}

#[test]
fn first_only_refuses_while_another_is_open_also_when_paused() {
    let mut lane = Lane::default();
    assert_eq!(lane.arrive(entry(1), FirstOnly, true).verdict, Verdict::Queue);
    assert_eq!(lane.arrive(entry(2), FirstOnly, true).verdict, refused_by(1));
    assert_eq!(lane.admit(FirstOnly, false, 50), [run(1)]);
    assert_eq!(lane.arrive(entry(3), FirstOnly, false).verdict, refused_by(1));
    lane.left(entry(1));
    assert_eq!(lane.arrive(entry(4), FirstOnly, false).verdict, Verdict::Begin);
}

#[test]
fn first_only_queues_whoever_takes_the_place_of_one_that_leaves() {
    let mut lane = lane(FirstOnly, [1]);
    let begins = (FirstOnly, false);
    assert_eq!(lane.take_over(entry(2), &[run(9)], begins).verdict, refused_by(1));
    assert_eq!(lane.take_over(entry(3), &[run(1)], begins).verdict, Verdict::Queue);
    assert!(lane.admit(FirstOnly, false, 50).is_empty());
    assert_eq!(lane.reason(run(3), FirstOnly, false), Some(WaitReason::Behind(run(1))));
    assert_eq!(lane.arrive(entry(4), FirstOnly, false).verdict, refused_by(1));
    lane.left(entry(1));
    assert_eq!(lane.admit(FirstOnly, false, 50), [run(3)]);
    let other = lane.take_over(entry(5), &[run(3)], (LastOnly, false));
    assert_eq!((other.verdict, other.cancel), (Verdict::Queue, vec![run(3)]));
}

#[test]
fn last_only_stops_all_and_begins_when_the_running_one_has_left() {
    let mut lane = lane(LastOnly, [1]);
    let second = lane.arrive(entry(2), LastOnly, false);
    assert_eq!((second.verdict, second.cancel), (Verdict::Queue, vec![run(1)]));
    let third = lane.arrive(entry(3), LastOnly, false);
    assert_eq!((third.verdict, third.cancel), (Verdict::Queue, vec![run(1), run(2)]));
    assert!(lane.admit(LastOnly, false, 50).is_empty(), "the first is not over yet");
    assert_eq!(lane.reason(run(3), LastOnly, false), Some(WaitReason::Behind(run(1))));
    lane.left(entry(1));
    assert_eq!(lane.admit(LastOnly, false, 50), [run(3)]);
}

#[test]
fn after_a_restart_last_only_still_wants_the_running_one_stopped() {
    let mut lane = Lane::restore([entry(1)], [entry(2)], []);
    assert_eq!(lane.surplus(LastOnly), [run(1)]);
    assert!(lane.queued().eq([run(2)]));
    lane.left(entry(1));
    assert_eq!(lane.admit(LastOnly, false, 50), [run(2)]);
    assert!(lane.surplus(LastOnly).is_empty());
}

#[test]
fn serial_latest_only_never_stops_the_running_one() {
    let mut lane = lane(SerialLatestOnly, [1, 2]);
    let third = lane.arrive(entry(3), SerialLatestOnly, false);
    assert_eq!((third.verdict, third.cancel), (Verdict::Queue, vec![run(2)]));
    assert!(lane.running().eq([run(1)]) && lane.queued().eq([run(3)]));
}

#[test]
fn runs_that_arrive_together_obey_like_one() {
    let together = |strategy, numbers: &[u64]| {
        let mut lane = Lane::default();
        let entries: Vec<Entry> = numbers.iter().map(|number| entry(*number)).collect();
        let admissions = lane.arrive_all(&entries, strategy, false);
        assert!(admissions.iter().all(|admission| admission.cancel.is_empty()));
        admissions.into_iter().map(|admission| admission.verdict).collect::<Vec<_>>()
    };
    use Verdict::{Begin, Queue};
    assert_eq!(together(Parallel(2), &[1, 2, 3]), [Begin, Begin, Queue]);
    assert_eq!(together(FirstOnly, &[1, 2, 3]), [Begin, refused_by(1), refused_by(1)]);
    assert_eq!(together(LastOnly, &[1, 2, 3]), [refused_by(3), refused_by(3), Begin]);
    let latest = [Begin, refused_by(3), refused_by(4), Queue];
    assert_eq!(together(SerialLatestOnly, &[1, 2, 3, 4]), latest);
}

#[test]
fn parallel_fills_up_and_follows_its_number() {
    let mut lane = lane(Parallel(2), 1..=6);
    assert_eq!(lane.running().len(), 2);
    let full = WaitReason::Concurrency(2);
    assert_eq!(lane.reason(run(3), Parallel(2), false), Some(full));
    assert_eq!(full.to_string(), "concurrency:2");
    assert_eq!(lane.admit(Parallel(4), false, 1), [run(3)]);
    assert_eq!(lane.admit(Parallel(4), false, 50), [run(4)]);
    // Fewer: those that run go on, and none begins before there is room.
    lane.left(entry(1));
    assert!(lane.admit(Parallel(3), false, 50).is_empty());
    assert_eq!(lane.admit(All, false, 50), [run(5), run(6)]);
}

#[test]
fn a_paused_workflow_begins_nothing() {
    let mut lane = Lane::default();
    assert_eq!(lane.arrive(entry(1), All, true).verdict, Verdict::Queue);
    assert!(lane.admit(All, true, 50).is_empty());
    assert_eq!(lane.reason(run(1), All, true), Some(WaitReason::Paused));
    assert_eq!(lane.admit(All, false, 50), [run(1)]);
}

#[test]
fn a_change_that_the_open_runs_forbid_says_what_to_do() {
    let mut lane = lane(All, 1..=2);
    let refused = "the run strategy cannot become last_only while 2 runs are open; \
                   cancel all but one, or wait for them";
    assert_eq!(lane.check_change(LastOnly), Err(refused.to_owned()));
    lane.block(1, run(1));
    lane.left(entry(1));
    assert_eq!(lane.check_change(LastOnly), Ok(()));
    let refused = "the run strategy cannot become strict_sequential while failed runs would \
                   block it (1, the first is number 1); retry or unblock them";
    assert_eq!(lane.check_change(StrictSequential), Err(refused.to_owned()));
}

#[test]
fn a_hundred_thousand_queued_runs_go_through_in_order() {
    const MANY: u64 = 100_000;
    let mut lane = lane(Parallel(3), 1..=MANY);
    let mut begun = Vec::from_iter(lane.running());
    for number in 1..=MANY {
        let last = run(MANY);
        let waits = lane.reason(last, Parallel(3), false).is_some();
        assert_eq!(waits, number + 3 <= MANY);
        lane.left(entry(number));
        begun.extend(lane.admit(Parallel(3), false, 50));
    }
    assert!(begun.into_iter().eq((1..=MANY).map(run)));
    assert!(lane.is_empty());
}
