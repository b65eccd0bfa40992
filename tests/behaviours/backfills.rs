//! Backfills: every instant of a range gets one run, a few at once, whatever
//! happens meanwhile.

use crate::schedule_stage::{QUICK, SLOW, clock};
use crate::stage::Stage;
use segno_host::driver::{BackfillAction, RunAction};
use segno_host::store::BackfillState;

/// Noon of the day on which everything happens.
const NOON: &str = "2020-01-01T12:00:00Z";

#[test]
fn a_backfill_gives_every_instant_one_run_whatever_happens() {
    let mut stage = Stage::new();
    stage.apply(SLOW);
    stage.schedule("name: hourly\nworkflow: slow\ncron: \"@hourly\"\noverlap: skip\n");
    let range = ("2020-01-01T00:00:00Z", "2020-01-01T10:00:00Z");
    let made = stage.new_backfill("hourly", range, 3).expect("it can be made");
    assert_eq!((made.number, made.instants), (1, 10));
    let open = |stage: &Stage| stage.backfill("hourly", 1).open;
    stage.comes_to(3, || open(&stage).len());
    for run in open(&stage) {
        let cause = format!("{:?}", stage.run(run).origin());
        assert!(cause.contains("backfill: Some(\"1\")"), "{cause}");
    }
    stage.restart();
    assert_eq!(open(&stage).len(), 3);
    let let_go = |stage: &Stage, count: usize| {
        for run in open(stage).into_iter().take(count) {
            stage.act(run, RunAction::Cancel);
        }
    };
    let_go(&stage, 2);
    stage.restart();
    stage.comes_to(5, || stage.backfill("hourly", 1).started);
    stage.act_on_backfill("hourly", 1, BackfillAction::Pause);
    let_go(&stage, 3);
    stage.comes_to(0, || open(&stage).len());
    let paused = stage.backfill("hourly", 1);
    assert_eq!((paused.state, paused.started, paused.left()), (BackfillState::Paused, 5, 5));
    stage.act_on_backfill("hourly", 1, BackfillAction::Resume);
    for done in [8, 10] {
        stage.comes_to(done, || stage.backfill("hourly", 1).started);
        let_go(&stage, 3);
    }
    stage.comes_to(BackfillState::Done, || stage.backfill("hourly", 1).state);
    let done = stage.backfill("hourly", 1);
    assert_eq!((done.started, done.failed, done.left()), (10, 10, 0));
    let instants: Vec<_> = stage.run_instants("hourly").into_iter().map(clock).collect();
    let expected: Vec<_> = (0..10).map(|hour| format!("{hour:02}:00:00")).collect();
    assert_eq!(instants, expected);
    // The schedule itself has not moved, and a second backfill has runs of its own.
    stage.new_backfill("hourly", (range.0, "2020-01-01T05:00:00Z"), 1).expect("it can be made");
    stage.comes_to(1, || stage.backfill("hourly", 2).started);
    stage.act_on_backfill("hourly", 2, BackfillAction::Cancel);
    stage.act(stage.backfill("hourly", 2).open[0], RunAction::Cancel);
    stage.comes_to(0, || stage.backfill("hourly", 2).open.len());
    let cancelled = stage.backfill("hourly", 2);
    let facts = (cancelled.state, cancelled.started, cancelled.left());
    assert_eq!(facts, (BackfillState::Cancelled, 1, 4));
    assert_eq!(stage.runs_of("hourly").len(), 11);
}

#[test]
fn a_range_without_sense_is_no_backfill() {
    let stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: hourly\nworkflow: quick\ncron: \"@hourly\"\n");
    let cases = [
        (("2020-01-01T01:00:00Z", "2020-01-01T01:00:00Z"), 1, "not after"),
        (("2020-01-01T01:10:00Z", "2020-01-01T01:50:00Z"), 1, "no instant"),
        ((NOON, "2020-01-01T13:00:00Z"), 1, "still to come"),
        (("1990-01-01T00:00:00Z", NOON), 1, "at most 100000"),
        (("2020-01-01T00:00:00Z", NOON), 0, "1 to 100"),
    ];
    for (range, concurrency, part) in cases {
        let refused = stage.new_backfill("hourly", range, concurrency).expect_err("it is none");
        assert!(refused.to_string().contains(part), "{part}: {refused}");
    }
}

#[test]
fn a_backfill_that_is_asked_for_twice_with_a_key_is_made_once() {
    let mut stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: hourly\nworkflow: quick\ncron: \"@hourly\"\n");
    let range = ("2020-01-01T00:00:00Z", "2020-01-01T02:00:00Z");
    let ask = |stage: &Stage, concurrency: u32| {
        let made = stage.keyed_backfill("hourly", (range, concurrency), Some("k"));
        made.map(|(made, repeated)| (made.number, repeated))
    };
    assert!(matches!(ask(&stage, 2), Ok((1, false))));
    assert!(matches!(ask(&stage, 2), Ok((1, true))), "while it goes on");
    stage.comes_to(BackfillState::Done, || stage.backfill("hourly", 1).state);
    stage.restart();
    assert!(matches!(ask(&stage, 2), Ok((1, true))), "when it is done");
    let other = ask(&stage, 1).expect_err("it is another").to_string();
    assert!(other.contains("use a new key"), "{other}");
    assert_eq!(stage.new_backfill("hourly", range, 2).expect("it can be made").number, 2);
}
