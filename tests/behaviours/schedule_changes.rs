//! What somebody does with a schedule: what a change keeps, what it pauses, and
//! changes at the same time.

use crate::schedule_stage::{QUICK, new_schedule};
use crate::stage::{BY, Stage};
use segno_host::driver::{NewSchedule, ScheduleError};
use segno_host::store::ScheduleRecord;
use std::task::{Context, Waker};

#[test]
fn a_change_keeps_what_was_unless_the_instants_are_others() {
    let stage = Stage::new();
    stage.apply(QUICK);
    let often = "name: often\nworkflow: quick\nevery: 1m\n";
    stage.schedule(often);
    stage.advance(60.0);
    stage.comes_to_be_told("often", &["12:01:00 run"]);
    let before = stage.shown("often").state.watermark;
    let changed = stage.change(&format!("{often}params: {{ day: friday }}\n")).expect("it fits");
    assert_eq!(changed.state.watermark, before);
    stage.advance(30.0);
    stage.change("name: often\nworkflow: quick\nevery: 1h\n").expect("it fits");
    stage.change(often).expect("it fits");
    stage.advance(30.0);
    stage.comes_to_be_told("often", &["12:01:00 run", "12:02:00 run"]);
    stage.block(stage.driver().delete_schedule(&stage.tenant, "often")).expect("there is one");
    stage.advance(600.0);
    let gone = stage.block(stage.driver().schedule_named(&stage.tenant, "often"));
    assert!(matches!(gone, Err(ScheduleError::Unknown(_))));
    assert_eq!(stage.runs_of("often").len(), 2);
}

#[test]
fn a_change_pauses_and_resumes_and_gives_no_other_name() {
    let stage = Stage::new();
    stage.apply(QUICK);
    let often = "name: often\nworkflow: quick\nevery: 1m\n";
    stage.schedule(often);
    let paused = stage.change(&format!("{often}paused: true\n")).expect("it fits");
    assert_eq!(paused.state.paused.map(|paused| paused.by).as_deref(), Some(BY));
    stage.advance(60.0);
    // Who does not say it leaves it, and so does who says the same again.
    let pause = stage.driver().pause_schedule(&stage.tenant, ("often", Some("why".into())), "eve");
    stage.block(pause).expect("there is one");
    for paused in ["", "paused: true\n"] {
        let changed = stage.change(&format!("{often}note: more\n{paused}")).expect("it fits");
        assert_eq!(changed.state.paused.map(|paused| paused.by).as_deref(), Some("eve"));
    }
    let resumed = stage.change(&format!("{often}paused: false\n")).expect("it fits");
    assert_eq!(resumed.state.paused, None);
    stage.advance(60.0);
    stage.comes_to_be_told("often", &["12:01:00 paused", "12:02:00 run"]);
    let wanted = |_: &_| Ok(new_schedule("name: seldom\nworkflow: quick\nevery: 1m\n"));
    let renamed = stage.driver().change_schedule(&stage.tenant, ("often", wanted), BY);
    let refused: ScheduleError = stage.block(renamed).expect_err("it has a name");
    assert!(refused.to_string().contains("cannot become \"seldom\""), "{refused}");
}

#[test]
fn changes_at_the_same_time_come_one_after_the_other() {
    let stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: often\nworkflow: quick\nevery: 1m\n");
    let with_note = |known: &ScheduleRecord, more: &str| {
        let note = known.note.clone().unwrap_or_default() + more;
        Ok::<_, ScheduleError>(NewSchedule {
            note: Some(note),
            ..new_schedule("name: often\nworkflow: quick\nevery: 1m\n")
        })
    };
    let second = stage.driver().change_schedule(
        &stage.tenant,
        ("often", |known: &ScheduleRecord| with_note(known, " second")),
        BY,
    );
    let mut second = Box::pin(second);
    // The second begins while the first has seen how it stands.
    let first = stage.driver().change_schedule(
        &stage.tenant,
        ("often", |known: &ScheduleRecord| {
            let begun = second.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(begun.is_pending());
            with_note(known, "first")
        }),
        BY,
    );
    stage.block(first).expect("it fits");
    let changed = stage.block(second).expect("it fits");
    assert_eq!(changed.note.as_deref(), Some("first second"));
}

#[test]
fn a_pause_that_is_over_stays_known_with_both_notes() {
    let mut stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: often\nworkflow: quick\nevery: 1m\n");
    let note = |text: &str| ("often", Some(text.to_owned()));
    let pause = stage.driver().pause_schedule(&stage.tenant, note("we move"), "eve");
    let since = stage.block(pause).expect("there is one").changed_at;
    stage.advance(150.0);
    let resume = stage.driver().resume_schedule(&stage.tenant, note("we moved"), BY);
    stage.block(resume).expect("there is one");
    // Nobody ends a pause twice.
    let resume = stage.driver().resume_schedule(&stage.tenant, note("again"), "eve");
    stage.block(resume).expect("there is one");
    stage.restart();
    let last = stage.shown("often").last_pause.expect("there was one");
    assert_eq!((last.paused.since, last.ended_at.since(since)), (since, 150_000));
    assert_eq!((last.paused.by.as_str(), last.paused.note.as_deref()), ("eve", Some("we move")));
    assert_eq!((last.ended_by.as_str(), last.end_note.as_deref()), (BY, Some("we moved")));
}
