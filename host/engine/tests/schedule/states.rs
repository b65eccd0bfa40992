//! What becomes of each instant, case by case.

use crate::schedule;
use segno_engine::id::Timestamp;
use segno_engine::schedule::state::{Decision, Named, Outcome, Reason, ScheduleState, WAITING_MAX};
use segno_engine::schedule::{Overlap, Rule, Schedule, Spec};

const MINUTE: u64 = 60_000;

/// A schedule for every minute.
fn minutely(overlap: Overlap) -> Schedule {
    let spec = Spec::of(Rule::Cron("* * * * *".to_owned()));
    schedule(Spec { overlap, catch_up_ms: 10 * MINUTE, ..spec })
}

fn named(schedule: &Schedule) -> Named<'_> {
    Named { schedule, identity: "s" }
}

fn at(minute: u64) -> Timestamp {
    Timestamp(minute * MINUTE)
}

/// Decisions as text: the minutes, and what becomes of them.
fn shown(decisions: &[Decision]) -> Vec<String> {
    let show = |it: &Decision| {
        let (first, last) = (it.first.0 / MINUTE, it.last.0 / MINUTE);
        let span = if it.count == 1 { first.to_string() } else { format!("{first}-{last}") };
        match it.outcome {
            Outcome::Start { cancels: None } => format!("start {span}"),
            Outcome::Start { cancels: Some(other) } => {
                format!("start {span} cancels {}", other.0 / MINUTE)
            }
            Outcome::Wait => format!("wait {span}"),
            Outcome::Skip(reason) => format!("skip {span} {}", reason.code()),
            Outcome::Miss(reason) => format!("miss {span} {}", reason.code()),
        }
    };
    decisions.iter().map(show).collect()
}

#[test]
fn downtime_is_caught_up_within_the_window_and_the_rest_is_missed() {
    let schedule = minutely(Overlap::Strategy);
    let mut state = ScheduleState::new(at(0));
    let found = state.due(named(&schedule), at(15), 100);
    assert_eq!(shown(&found)[..2], ["miss 1-4 too_late", "start 5"]);
    assert_eq!((found.len(), found[0].count, state.watermark), (12, 4, at(15)));
    assert_eq!(state.due(named(&schedule), at(15), 100), []);
}

#[test]
fn a_call_decides_no_more_than_it_may() {
    let schedule = minutely(Overlap::Strategy);
    let mut state = ScheduleState::new(at(0));
    assert_eq!(shown(&state.due(named(&schedule), at(9), 2)), ["start 1", "start 2"]);
    assert_eq!(state.next_wake(named(&schedule), at(9)), Some(at(3)));
    assert_eq!(shown(&state.due(named(&schedule), at(9), 2)), ["start 3", "start 4"]);
}

#[test]
fn an_instant_that_waits_behind_its_elder_is_not_late_by_that() {
    let spec = Spec::of(Rule::Every(MINUTE));
    let (jitter_ms, catch_up_ms) = (10 * MINUTE, MINUTE);
    let schedule = schedule(Spec { jitter_ms, catch_up_ms, ..spec });
    let named = named(&schedule);
    let mut state = ScheduleState::new(at(0));
    let mut shown = schedule.in_turn("s", at(0), at(0));
    let mut now = at(0);
    while now < at(1_000) {
        now = state.next_wake(named, now).expect("it goes on");
        for decision in state.due(named, now, 100) {
            assert_eq!(decision.outcome, Outcome::Start { cancels: None }, "{decision:?}");
            let shown = shown.next().expect("it goes on");
            assert_eq!((shown.at, shown.fires_at), (decision.first, now));
        }
    }
    // The same from the middle: those before it that are not decided count.
    let decided = at(500);
    let all: Vec<_> = schedule.in_turn("s", decided, decided).take(40).collect();
    for (index, first) in all.iter().enumerate() {
        let rest: Vec<_> = schedule.in_turn("s", first.at, decided).take(39 - index).collect();
        assert_eq!(rest, all[index + 1..]);
    }
    // A host that was down misses what is older than the window either way.
    let late = now.plus_ms(60 * MINUTE);
    let missed = state.due(named, late, 1);
    let last = Timestamp(late.0 - jitter_ms - catch_up_ms - 1);
    assert_eq!(missed[0].outcome, Outcome::Miss(Reason::TooLate));
    assert_eq!(missed[0].last.0, last.0 / MINUTE * MINUTE);
}

#[test]
fn a_clock_that_goes_back_doubles_nothing() {
    let schedule = minutely(Overlap::Strategy);
    let mut state = ScheduleState::new(at(5));
    assert_eq!(state.due(named(&schedule), at(7), 9).len(), 2);
    assert_eq!(state.due(named(&schedule), at(3), 9), []);
    state.pause(at(3), "ada".to_owned(), None);
    assert_eq!(state.resume(named(&schedule), at(4)), []);
    assert_eq!(state.watermark, at(7));
    assert_eq!(shown(&state.due(named(&schedule), at(8), 9)), ["start 8"]);
}

#[test]
fn pauses_and_inactive_times_are_skipped_and_not_caught_up() {
    let schedule = minutely(Overlap::Strategy);
    let mut state = ScheduleState::new(at(0));
    state.pause(at(1), "ada".to_owned(), Some("holidays".to_owned()));
    assert_eq!(state.next_wake(named(&schedule), at(2)), None);
    assert_eq!(shown(&state.due(named(&schedule), at(2), 9)), ["skip 1-2 paused"]);
    assert_eq!(shown(&state.resume(named(&schedule), at(5))), ["skip 3-5 paused"]);
    assert_eq!(shown(&state.due(named(&schedule), at(6), 9)), ["start 6"]);
    assert_eq!(state.deactivate(), []);
    assert_eq!(shown(&state.activate(named(&schedule), at(8))), ["skip 7-8 inactive"]);
    assert_eq!(state.resume(named(&schedule), at(9)), [], "it was not paused");
    assert_eq!(shown(&state.due(named(&schedule), at(9), 9)), ["start 9"]);
}

#[test]
fn overlap_skips_what_comes_while_a_run_is_open() {
    let schedule = minutely(Overlap::Skip);
    let mut state = ScheduleState::new(at(0));
    let found = state.due(named(&schedule), at(4), 9);
    assert_eq!(shown(&found), ["start 1", "skip 2-4 overlap"]);
    assert_eq!(state.run_ended(named(&schedule), at(1), 9), []);
    assert_eq!(shown(&state.due(named(&schedule), at(5), 9)), ["start 5"]);
    state.run_ended(named(&schedule), at(1), 9);
    assert_eq!(state.open, Some(at(5)), "the end of another run changes nothing");
}

#[test]
fn one_waits_and_the_later_ones_are_skipped() {
    let schedule = minutely(Overlap::BufferOne);
    let mut state = ScheduleState::new(at(0));
    let found = state.due(named(&schedule), at(4), 9);
    assert_eq!(shown(&found), ["start 1", "wait 2", "skip 3-4 overlap"]);
    assert_eq!(shown(&state.run_ended(named(&schedule), at(1), 9)), ["start 2"]);
    assert_eq!(shown(&state.due(named(&schedule), at(5), 9)), ["wait 5"]);
    state.pause(at(5), "ada".to_owned(), None);
    assert_eq!(state.run_ended(named(&schedule), at(2), 9), [], "nothing starts in a pause");
    assert_eq!(state.resume(named(&schedule), at(5)), []);
    assert_eq!(state.next_wake(named(&schedule), at(5)), Some(at(5)));
    assert_eq!(shown(&state.due(named(&schedule), at(5), 9)), ["start 5"]);
    state.due(named(&schedule), at(6), 9);
    assert_eq!(shown(&state.deactivate()), ["skip 6 inactive"]);
}

#[test]
fn all_wait_up_to_a_bound() {
    let spec = Spec::of(Rule::Cron("* * * * *".to_owned()));
    let schedule = schedule(Spec { overlap: Overlap::BufferAll, ..spec });
    let mut state = ScheduleState::new(at(0));
    let found = state.due(named(&schedule), at(1_100), 10_000);
    assert_eq!(found.len(), 1 + WAITING_MAX + 1);
    let full = Outcome::Skip(Reason::BufferFull);
    assert_eq!(found.last().map(|it| (it.outcome, it.count)), Some((full, 99)));
    assert_eq!(shown(&state.run_ended(named(&schedule), at(1), 9)), ["start 2"]);
}

#[test]
fn the_other_is_cancelled_and_all_are_allowed() {
    let cancelling = minutely(Overlap::CancelOther);
    let mut state = ScheduleState::new(at(0));
    let found = state.due(named(&cancelling), at(2), 9);
    assert_eq!(shown(&found), ["start 1", "start 2 cancels 1"]);
    state.run_ended(named(&cancelling), at(1), 9);
    assert_eq!(shown(&state.due(named(&cancelling), at(3), 9)), ["start 3 cancels 2"]);
    let all = minutely(Overlap::AllowAll);
    assert_eq!(shown(&state.due(named(&all), at(5), 9)), ["start 4", "start 5"]);
    assert_eq!(state.open, Some(at(3)), "who does not ask leaves it as it is");
}

#[test]
fn a_change_skips_what_the_old_rule_left() {
    let schedule = minutely(Overlap::BufferOne);
    let mut state = ScheduleState::new(at(0));
    state.due(named(&schedule), at(2), 9);
    let found = state.change(named(&schedule), at(4));
    assert_eq!(shown(&found), ["skip 2-4 changed"]);
    assert_eq!(state.watermark, at(4));
}

#[test]
fn years_of_downtime_are_one_row_at_once() {
    let spec = Spec::of(Rule::Cron("* * * * * *".to_owned()));
    let schedule =
        schedule(Spec { timezone: "Europe/Berlin".to_owned(), catch_up_ms: 10_000, ..spec });
    let mut state = ScheduleState::new(at(0));
    let found = state.due(named(&schedule), at(50 * 366 * 1_440), 1);
    let expected = 50 * 366 * 86_400 - 11;
    assert_eq!((found.len(), found[0].count), (1, expected));
}
