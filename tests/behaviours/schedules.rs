//! Schedules: which runs they start, and when: whatever happens to the host, the
//! workflow or the schedule meanwhile. What the rules mean is tested beside them,
//! in the engine; here they start runs.

use crate::schedule_stage::{QUICK, SLOW, clock};
use crate::stage::{BY, Stage};
use segno_host::clock::rfc3339;
use segno_host::driver::{RunAction, ScheduleError};
use segno_host::store::{Paging, TickOutcome};

#[test]
fn a_cron_rule_fires_in_its_zone_across_a_change_of_the_clocks() {
    let stage = Stage::new();
    stage.apply(QUICK);
    // In Apia, the 30th of December 2011 was left out; here the clocks go forward
    // on the 8th of March 2020 at 2 o'clock, and back on the 1st of November.
    let zone = "timezone: America/Los_Angeles";
    let start = "start: 2020-03-07T00:00:00Z\nend: 2020-03-10T00:00:00Z";
    let rule = format!("name: gap\nworkflow: quick\ncron: \"30 2 * * *\"\n{zone}\n{start}\n");
    stage.schedule(&(rule + "catch_up: 100d\nparams: { day: \"${schedule.local_date}\" }\n"));
    let start = "start: 2020-10-31T00:00:00Z\nend: 2020-11-03T00:00:00Z";
    for ambiguous in ["once", "twice"] {
        let rule = format!("workflow: quick\ncron: \"30 1 * * *\"\n{zone}\n{start}\n");
        stage.schedule(&format!("name: {ambiguous}\nambiguous: {ambiguous}\n{rule}"));
    }
    stage.schedule("name: named\nworkflow: quick\ncron: \"@monthly\"\ncatch_up: 366d\nend: 2020-05-01T00:00:00Z\n");
    stage.advance(70.0 * 86_400.0);
    let instants =
        |name: &str| stage.run_instants(name).into_iter().map(rfc3339).collect::<Vec<_>>();
    let expected =
        ["2020-03-07T10:30:00.000Z", "2020-03-08T10:00:00.000Z", "2020-03-09T09:30:00.000Z"];
    stage.comes_to(expected.map(str::to_owned).to_vec(), || instants("gap"));
    let run = stage.until_status(stage.runs_of("gap")[1], "succeeded");
    let output = match run.status() {
        segno_engine::run::RunStatus::Succeeded { output } => output.value().clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(output["day"], "2020-03-08");
    assert!(output["at"].as_str().expect("a text").starts_with("2020-03-08T10:00:00"), "{output}");
    let firsts = ["2020-02-01T00:00:00.000Z", "2020-03-01T00:00:00.000Z"];
    stage.comes_to(firsts.map(str::to_owned).to_vec(), || instants("named"));
    for day in 0..7 {
        stage.advance(if day == 0 { 233.0 * 86_400.0 } else { 43_200.0 });
        stage.comes_to(true, || {
            let now = stage.driver().clock().now();
            ["once", "twice"].iter().all(|name| {
                let record = stage.shown(name);
                let next = record.spec.next_after("", record.state.watermark);
                next.is_none_or(|next| next.at > now)
            })
        });
    }
    let october = "2020-10-31T08:30:00.000Z";
    let once = [october, "2020-11-01T08:30:00.000Z", "2020-11-02T09:30:00.000Z"];
    assert_eq!(instants("once"), once);
    let twice = [
        october,
        "2020-11-01T08:30:00.000Z",
        "2020-11-01T09:30:00.000Z",
        "2020-11-02T09:30:00.000Z",
    ];
    assert_eq!(instants("twice"), twice);
}

#[test]
fn what_was_missed_while_the_host_was_down_is_caught_up_once() {
    let mut stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: often\nworkflow: quick\ncron: \"*/2 * * * *\"\n");
    stage.down_for(600.0);
    let expected = ["12:02:00", "12:04:00", "12:06:00", "12:08:00", "12:10:00"];
    let instants =
        |stage: &Stage| stage.run_instants("often").into_iter().map(clock).collect::<Vec<_>>();
    stage.comes_to(expected.map(str::to_owned).to_vec(), || instants(&stage));
    for run in stage.runs_of("often") {
        assert_eq!(stage.end(run), "succeeded");
    }
    // The host ends in the middle of a long way back, again and again.
    stage.down_for(40.0 * 60.0);
    for _ in 0..5 {
        stage.restart();
    }
    stage.comes_to(25, || instants(&stage).len());
    assert_eq!(stage.ticks("often").len(), 25);
    assert_eq!(instants(&stage).last().map(String::as_str), Some("12:50:00"));
}

#[test]
fn instants_of_an_inactive_workflow_are_skipped_and_not_caught_up() {
    let mut stage = Stage::new();
    let triggers = "triggers: [{ cron: \"*/2 * * * *\", id: often }]\n";
    stage.apply(&format!("{QUICK}{triggers}"));
    stage.schedule("name: by-hand\nworkflow: quick\ncron: \"*/2 * * * *\"\n");
    stage.advance(120.0);
    for name in ["quick/often", "by-hand"] {
        stage.comes_to_be_told(name, &["12:02:00 run"]);
    }
    stage.deactivate("quick");
    stage.advance(120.0);
    stage.restart();
    stage.advance(360.0);
    stage.activate("quick");
    stage.advance(120.0);
    for name in ["quick/often", "by-hand"] {
        let span = "12:04:00 to 12:10:00 4 times inactive";
        stage.comes_to_be_told(name, &["12:02:00 run", span, "12:12:00 run"]);
    }
}

#[test]
fn a_push_keeps_the_instants_of_a_schedule_that_stays() {
    let stage = Stage::new();
    let with = |triggers: &str, more: &str| format!("{QUICK}{more}triggers:\n{triggers}");
    let every = "  - { every: 2m, id: often }\n";
    stage.apply(&with(every, ""));
    stage.advance(119.0);
    // Neither another version with the same schedule, nor one that is not active,
    // moves anything.
    stage.apply(&with(every, "description: other\n"));
    stage.push(&with("  - { every: 1h, id: seldom }\n", "description: third\n"), false);
    stage.advance(1.0);
    stage.comes_to_be_told("quick/often", &["12:02:00 run"]);
    let made = stage.shown("quick/often");
    let gone = stage.block(stage.driver().schedule_named(&stage.tenant, "quick/seldom"));
    assert!(matches!(gone, Err(ScheduleError::Unknown(_))));
    // A rule that changes counts from then on.
    stage.advance(60.0);
    stage.apply(&with("  - { every: 5m, id: often }\n  - { every: 1m }\n", ""));
    stage.advance(120.0);
    stage.comes_to_be_told("quick/often", &["12:02:00 run", "12:05:00 run"]);
    stage.comes_to(true, || stage.ticks("quick/every-2").len() >= 2);
    let changed = stage.shown("quick/often");
    assert_eq!(changed.created_at, made.created_at);
    // What is no longer in the active version goes; so does all with the workflow.
    stage.apply(&with(every, "description: last\n"));
    let gone = stage.block(stage.driver().schedule_named(&stage.tenant, "quick/every-2"));
    assert!(matches!(gone, Err(ScheduleError::Unknown(_))));
    let page = stage.driver().store().schedules(&stage.tenant, None, &Paging::first(9));
    assert_eq!(page.expect("the store answers").items.len(), 1);
    for run in stage.runs_of("quick/often").into_iter().chain(stage.runs_of("quick/every-2")) {
        stage.end(run);
    }
    stage.block(stage.driver().delete_workflow(&stage.tenant, "quick", BY)).expect("it is idle");
    let page = stage.driver().store().schedules(&stage.tenant, None, &Paging::first(9));
    assert_eq!(page.expect("the store answers").items, []);
}

#[test]
fn a_schedule_of_a_definition_is_not_changed_by_hand() {
    let stage = Stage::new();
    stage.apply(&format!("{QUICK}triggers: [{{ every: 2m }}]\n"));
    let name = "quick/every-1";
    let refused = stage.block(stage.driver().delete_schedule(&stage.tenant, name));
    assert!(refused.expect_err("it is not").to_string().contains("change `triggers:` there"));
    let changed = stage.change(&format!("name: {name}\nworkflow: quick\nevery: 1h\n"));
    assert!(matches!(changed, Err(ScheduleError::OfDefinition { .. })), "{changed:?}");
    let paused = stage.driver().pause_schedule(&stage.tenant, (name, Some("why".into())), BY);
    stage.block(paused).expect("it may be paused");
    stage.advance(240.0);
    let triggered = stage.block(stage.driver().trigger_schedule(&stage.tenant, name, "eve"));
    let run = triggered.expect("it may be triggered").run;
    assert_eq!(stage.end(run), "succeeded");
    stage.block(stage.driver().resume_schedule(&stage.tenant, (name, None), BY)).expect("it may");
    let span = "12:02:00 to 12:04:00 2 times paused";
    stage.comes_to_be_told(name, &["12:04:00 run", span]);
    assert_eq!(stage.ticks(name)[0].by.as_deref(), Some("eve"));
    // A push that leaves it as it is leaves it paused, too.
    let paused = stage.driver().pause_schedule(&stage.tenant, (name, Some("again".into())), BY);
    stage.block(paused).expect("it may be paused");
    stage.apply(&format!("{QUICK}description: other\ntriggers: [{{ every: 2m }}]\n"));
    let note = stage.shown(name).state.paused.and_then(|paused| paused.note);
    assert_eq!(note.as_deref(), Some("again"));
}

#[test]
fn overlap_policies_say_what_happens_while_a_run_is_open() {
    let stage = Stage::new();
    stage.apply(SLOW);
    let policies = ["strategy", "skip", "buffer_one", "buffer_all", "cancel_other", "allow_all"];
    for policy in policies {
        let name = policy.replace('_', "-");
        stage.schedule(&format!("name: {name}\nworkflow: slow\nevery: 1m\noverlap: {policy}\n"));
    }
    for _ in 0..3 {
        stage.advance(60.0);
        let now = stage.driver().clock().now();
        stage.comes_to(true, || {
            policies
                .iter()
                .all(|policy| stage.shown(&policy.replace('_', "-")).state.watermark >= now)
        });
    }
    let all = ["12:01:00 run", "12:02:00 run", "12:03:00 run"];
    for name in ["strategy", "allow-all", "cancel-other"] {
        stage.comes_to_be_told(name, &all);
    }
    stage.comes_to_be_told("skip", &["12:01:00 run", "12:02:00 to 12:03:00 2 times overlap"]);
    stage.comes_to_be_told("buffer-one", &["12:01:00 run", "12:03:00 overlap"]);
    stage.comes_to_be_told("buffer-all", &["12:01:00 run"]);
    let open = |name: &str| {
        let runs = stage.runs_of(name).into_iter();
        runs.filter(|run| stage.run(*run).status().is_open()).count()
    };
    stage.comes_to(1, || open("cancel-other"));
    assert_eq!((open("strategy"), open("allow-all")), (3, 3));
    let first = stage.until_status(stage.run_at("cancel-other", "12:01:00"), "cancelled");
    let records = format!("{:?}", stage.records(first.id()));
    assert!(records.contains("schedule cancel-other"), "{records}");
    // What waits goes on one after the other.
    for name in ["skip", "buffer-one", "buffer-all"] {
        stage.act(stage.run_at(name, "12:01:00"), RunAction::Cancel);
    }
    let one = ["12:01:00 run", "12:03:00 overlap", "12:02:00 run"];
    stage.comes_to_be_told("buffer-one", &one);
    stage.comes_to_be_told("buffer-all", &["12:01:00 run", "12:02:00 run"]);
    stage.act(stage.run_at("buffer-all", "12:02:00"), RunAction::Cancel);
    stage.comes_to_be_told("buffer-all", &all);
    stage.advance(60.0);
    stage.comes_to(Some("12:04:00 run".to_owned()), || stage.told("skip").pop());
}

#[test]
fn a_schedule_that_allows_all_goes_before_the_run_strategy() {
    let mut stage = Stage::new();
    stage.apply(&SLOW.replace("steps:", "run_strategy: sequential\nsteps:"));
    for policy in ["strategy", "allow_all"] {
        let name = policy.replace('_', "-");
        stage.schedule(&format!("name: {name}\nworkflow: slow\nevery: 1m\noverlap: {policy}\n"));
    }
    let running = |stage: &Stage, name: &str| {
        let runs = stage.runs_of(name).into_iter();
        runs.filter(|run| stage.run(*run).status().as_str() == "running").count()
    };
    for minute in 1..=3 {
        stage.advance(60.0);
        stage.comes_to(minute, || running(&stage, "allow-all"));
    }
    stage.restart();
    stage.comes_to(3, || running(&stage, "allow-all"));
    assert!(running(&stage, "strategy") <= 1);
}

#[test]
fn a_run_that_cancels_the_other_takes_its_place_under_first_only() {
    let mut stage = Stage::new();
    stage.apply(&SLOW.replace("steps:", "run_strategy: first_only\nsteps:"));
    stage.schedule("name: s\nworkflow: slow\nevery: 1m\noverlap: cancel_other\n");
    for minute in 1..=4 {
        stage.advance(60.0);
        let time = format!("12:0{minute}:00");
        stage.comes_to(Some(format!("{time} run")), || stage.told("s").pop());
        stage.until_status(stage.run_at("s", &time), "running");
        if minute == 2 {
            stage.restart();
        }
    }
    let statuses = stage.runs_of("s").into_iter().map(|run| stage.run(run).status().as_str());
    assert_eq!(statuses.collect::<Vec<_>>(), ["cancelled", "cancelled", "cancelled", "running"]);
    // Where somebody else is first, it is refused as any other run.
    stage.act(stage.run_at("s", "12:04:00"), RunAction::Cancel);
    stage.comes_to(None, || stage.shown("s").state.open);
    let first = stage.start("slow");
    stage.advance(60.0);
    stage.comes_to(Some("12:05:00 run".to_owned()), || stage.told("s").pop());
    stage.until_status(stage.run_at("s", "12:05:00"), "cancelled");
    assert_eq!(stage.run(first).status().as_str(), "running");
}

#[test]
fn an_instant_whose_run_cannot_start_cancels_no_other() {
    let mut stage = Stage::new();
    let slow = SLOW.replace("steps:", "params: { day: { type: string, value: none } }\nsteps:");
    stage.apply(&slow);
    let rule = "workflow: slow\nevery: 1m\noverlap: cancel_other\n";
    stage.schedule(&format!("name: s\n{rule}params: {{ day: monday }}\n"));
    stage.advance(60.0);
    stage.comes_to_be_told("s", &["12:01:00 run"]);
    stage.apply(&slow.replace("day", "night"));
    stage.advance(60.0);
    stage.comes_to_be_told("s", &["12:01:00 run", "12:02:00 failed"]);
    stage.restart();
    assert_eq!(stage.run(stage.run_at("s", "12:01:00")).status().as_str(), "running");
    stage.apply(&format!("{slow}description: third\n"));
    stage.advance(60.0);
    stage.comes_to_be_told("s", &["12:01:00 run", "12:02:00 failed", "12:03:00 run"]);
    stage.until_status(stage.run_at("s", "12:01:00"), "cancelled");
    stage.until_status(stage.run_at("s", "12:03:00"), "running");
}

#[test]
fn an_overlap_survives_the_end_of_the_host() {
    let mut stage = Stage::new();
    stage.apply(SLOW);
    for policy in ["skip", "buffer_all", "cancel_other"] {
        let name = policy.replace('_', "-");
        stage.schedule(&format!("name: {name}\nworkflow: slow\nevery: 1m\noverlap: {policy}\n"));
    }
    stage.advance(60.0);
    stage.comes_to(3, || {
        ["skip", "buffer-all", "cancel-other"].iter().map(|name| stage.told(name).len()).sum()
    });
    stage.down_for(60.0);
    stage.comes_to_be_told("skip", &["12:01:00 run", "12:02:00 overlap"]);
    stage.comes_to_be_told("cancel-other", &["12:01:00 run", "12:02:00 run"]);
    stage.until_status(stage.run_at("cancel-other", "12:01:00"), "cancelled");
    stage.comes_to(1, || stage.shown("buffer-all").state.waiting.len());
    for name in ["skip", "buffer-all"] {
        stage.act(stage.run_at(name, "12:01:00"), RunAction::Cancel);
    }
    stage.restart();
    stage.comes_to_be_told("buffer-all", &["12:01:00 run", "12:02:00 run"]);
    stage.advance(60.0);
    stage.comes_to(Some("12:03:00 run".to_owned()), || stage.told("skip").pop());
}

#[test]
fn what_is_older_than_the_window_is_a_recorded_miss() {
    let mut stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: fresh\nworkflow: quick\nevery: 1m\ncatch_up: 3m\n");
    stage.advance(60.0);
    stage.comes_to_be_told("fresh", &["12:01:00 run"]);
    stage.down_for(3_600.0);
    let missed = "12:02:00 to 12:57:00 56 times too_late";
    let runs = ["12:58:00 run", "12:59:00 run", "13:00:00 run", "13:01:00 run"];
    let expected = [&["12:01:00 run", missed][..], &runs].concat();
    stage.comes_to_be_told("fresh", &expected);
}

#[test]
fn a_schedule_far_behind_does_not_hold_up_the_others() {
    let mut stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: behind\nworkflow: quick\nevery: 1s\n");
    for name in ["a", "b", "c"] {
        stage.schedule(&format!("name: {name}\nworkflow: quick\ncron: \"10 12 * * *\"\n"));
    }
    stage.down_for(600.0);
    stage.comes_to(3, || ["a", "b", "c"].iter().map(|name| stage.ticks(name).len()).sum());
    let position = |name: &str| {
        let run = stage.runs_of(name)[0];
        stage.run(run).origin().number().expect("it has a number")
    };
    for name in ["a", "b", "c"] {
        assert!(position(name) < 100, "{name} came as number {}", position(name));
    }
    stage.comes_to(600, || stage.ticks("behind").len());
    assert_eq!(stage.run_instants("behind").len(), 600);
}

#[test]
fn a_pause_says_why_and_its_instants_are_skipped() {
    let mut stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule("name: often\nworkflow: quick\nevery: 1m\n");
    let pause = stage.driver().pause_schedule(
        &stage.tenant,
        ("often", Some("the warehouse moves".into())),
        "eve",
    );
    stage.block(pause).expect("there is one");
    stage.advance(150.0);
    stage.restart();
    let paused = stage.shown("often").state.paused.expect("it is paused");
    assert_eq!((paused.by.as_str(), paused.note.as_deref()), ("eve", Some("the warehouse moves")));
    assert_eq!(stage.told("often"), Vec::<String>::new());
    stage
        .block(stage.driver().resume_schedule(&stage.tenant, ("often", None), BY))
        .expect("it may");
    stage.advance(30.0);
    let span = "12:01:00 to 12:02:00 2 times paused";
    stage.comes_to_be_told("often", &[span, "12:03:00 run"]);
}

#[test]
fn an_instant_whose_run_cannot_start_is_recorded_and_the_next_goes_on() {
    let stage = Stage::new();
    stage.apply(QUICK);
    stage.schedule(
        "name: often\nworkflow: quick\nevery: 1m\noverlap: skip\nparams: { day: monday }\n",
    );
    let missing = stage.try_schedule("name: other\nworkflow: absent\nevery: 1m\n");
    assert!(matches!(missing, Err(ScheduleError::Workflow(_))), "{missing:?}");
    let unfit = stage.try_schedule("name: other\nworkflow: quick\nevery: 1m\nparams: { x: 1 }\n");
    assert!(matches!(unfit, Err(ScheduleError::Start(_))), "{unfit:?}");
    let twice = stage.try_schedule("name: often\nworkflow: quick\nevery: 1m\n");
    assert!(matches!(twice, Err(ScheduleError::Exists(_))), "{twice:?}");
    stage.apply(&QUICK.replace("day", "night"));
    stage.advance(60.0);
    stage.comes_to_be_told("often", &["12:01:00 failed"]);
    let why = match &stage.ticks("often")[0].outcome {
        TickOutcome::Failed(why) => why.clone(),
        other => panic!("{other:?}"),
    };
    assert!(why.contains("day"), "{why}");
    stage.apply(&format!("{QUICK}description: third\n"));
    stage.advance(60.0);
    stage.comes_to_be_told("often", &["12:01:00 failed", "12:02:00 run"]);
    stage.end(stage.runs_of("often")[0]);
    stage.block(stage.driver().delete_workflow(&stage.tenant, "quick", BY)).expect("it is idle");
    stage.advance(60.0);
    stage.comes_to_be_told("often", &["12:01:00 failed", "12:02:00 run", "12:03:00 failed"]);
}
