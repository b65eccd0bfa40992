//! How many steps run code at once: limits of tags, of workflows and of runs.

use crate::stage::{BY, Stage};
use segno_engine::command::StepAction;
use segno_engine::event::Event;
use segno_engine::id::RunId;
use segno_host::driver::{PropertiesChange, RunAction};
use serde_json::json;

/// Five workflows of ten steps each that keep their permit for ten seconds.
fn five_workflows(stage: &Stage) -> Vec<RunId> {
    let runs = (0..5).map(|number| {
        stage.apply(&format!(
            "
workflow: load-{number}
steps:
  - id: each
    foreach: {{ n: '${{lists.range(0, 10)}}', concurrency: 10 }}
    steps:
      - {{ id: load, component: probe@1, tags: [warehouse], params: {{ calls: [{{ sleep: 10s }}] }} }}
"
        ));
        stage.start(&format!("load-{number}"))
    });
    runs.collect()
}

fn limit(stage: &Stage, tag: &str, most: u32) {
    let set = stage.driver().set_tag_limit(&stage.tenant, (tag, most), None, BY);
    stage.block(set).expect("the tag is well formed");
}

/// How many leaves of these runs have this status.
fn count(stage: &Stage, runs: &[RunId], status: &str) -> u64 {
    runs.iter().filter_map(|run| stage.rollup(*run).get(status).copied()).sum()
}

fn expect(stage: &Stage, runs: &[RunId], (suspended, queued): (u64, u64)) {
    stage.comes_to((suspended, queued), || {
        (count(stage, runs, "suspended"), count(stage, runs, "queued"))
    });
}

/// When each step of these runs had its permits, in seconds.
fn spans(stage: &Stage, runs: &[RunId]) -> Vec<(f64, f64)> {
    let mut spans = Vec::new();
    for run in runs {
        for index in 0..10 {
            let history = stage.history(stage.iteration(*run, "each", index));
            let mut begin = 0.0;
            for moment in history {
                match moment.event {
                    Event::AttemptStarted { .. } | Event::AttemptReleased { .. } => {
                        begin = moment.at;
                    }
                    Event::StepSucceeded { .. } => spans.push((begin, moment.at)),
                    _ => {}
                }
            }
        }
    }
    spans
}

#[test]
fn a_tag_lets_so_many_steps_run_in_all_workflows_together() {
    let mut stage = Stage::with(&["probe"]);
    limit(&stage, "warehouse", 0);
    let runs = five_workflows(&stage);
    expect(&stage, &runs, (0, 50));
    limit(&stage, "warehouse", 3);
    expect(&stage, &runs, (3, 47));
    stage.advance(10.0);
    expect(&stage, &runs, (3, 44));
    stage.restart();
    expect(&stage, &runs, (3, 44));
    limit(&stage, "warehouse", 10);
    expect(&stage, &runs, (10, 37));
    for queued in [27, 17, 7] {
        stage.advance(10.0);
        expect(&stage, &runs, (10, queued));
    }
    for _ in 0..2 {
        stage.advance(10.0);
        stage.wait_for("they went on", || count(&stage, &runs, "running") == 0);
    }
    for run in &runs {
        assert_eq!(stage.play(*run), "succeeded");
    }
    let spans = spans(&stage, &runs);
    assert_eq!(spans.len(), 50);
    for (begin, _) in &spans {
        let meanwhile = spans.iter().filter(|(from, to)| (*from..*to).contains(begin)).count();
        let most = if *begin < 10.0 { 3 } else { 10 };
        assert!(meanwhile <= most, "{meanwhile} at {begin}: {spans:?}");
    }
}

#[test]
fn a_step_takes_all_its_permits_or_none_and_holds_nobody_up() {
    let mut stage = Stage::with(&["probe"]);
    limit(&stage, "left", 1);
    limit(&stage, "right", 1);
    stage.apply(
        "
workflow: hands
params: { tag: none }
steps:
  - { id: left, component: probe@1, tags: [left], params: { calls: [{ sleep: 10s }] } }
  - { id: pause, sleep: 1s }
  - { id: both, component: probe@1, tags: [left, right], needs: [pause], params: { calls: [{ sleep: 10s }] } }
  - { id: later, sleep: 2s }
  - { id: right, component: probe@1, tags: [right], needs: [later], params: { calls: [{ sleep: 10s }] } }
",
    );
    let run = stage.start("hands");
    stage.until_step(run, "left", "suspended");
    stage.advance(1.0);
    stage.until_step(run, "both", "queued");
    stage.advance(1.0);
    stage.until_step(run, "right", "suspended");
    assert_eq!(stage.statuses(run)["both"], "queued", "and it holds neither");
    stage.restart();
    stage.advance(8.0);
    stage.until_step(run, "left", "succeeded");
    assert_eq!(stage.statuses(run)["both"], "queued", "one of two is not enough");
    stage.advance(2.0);
    stage.until_step(run, "right", "succeeded");
    stage.until_step(run, "both", "suspended");
    assert_eq!(stage.play(run), "succeeded");
}

#[test]
fn a_workflow_and_a_run_have_limits_of_their_own() {
    let stage = Stage::with(&["probe"]);
    stage.apply(
        "
workflow: narrow
run_step_concurrency: 2
step_concurrency: 3
steps:
  - id: each
    foreach: { n: '${lists.range(0, 4)}', concurrency: 10 }
    steps:
      - { id: load, component: probe@1, params: { calls: [{ sleep: 10s }] } }
",
    );
    let runs = [stage.start("narrow")];
    expect(&stage, &runs, (2, 2));
    let runs = [runs[0], stage.start_with("narrow", json!({}))];
    expect(&stage, &runs, (3, 5));
    let wanted = PropertiesChange { step_concurrency: Some(None), ..Default::default() };
    let changed = stage.driver().set_properties(&stage.tenant, "narrow", wanted, BY);
    stage.block(changed).expect("it fits");
    expect(&stage, &runs, (4, 4));
    for run in runs {
        assert_eq!(stage.play(run), "succeeded");
    }
}

#[test]
fn a_step_that_is_ended_while_it_waits_gives_its_permits_back() {
    let mut stage = Stage::with(&["probe"]);
    limit(&stage, "one", 1);
    stage.apply(
        "
workflow: long
steps:
  - { id: nap, component: probe@1, tags: [one], timeout: 1d, params: { calls: [{ sleep: 30d }] } }
",
    );
    let runs: Vec<_> = (0..4).map(|_| stage.start("long")).collect();
    expect(&stage, &runs, (1, 3));
    let first = |stage: &Stage| {
        let open = |run: &&RunId| stage.statuses(**run)["nap"] == "suspended";
        *runs.iter().find(open).expect("one of them waits")
    };
    let now = first(&stage);
    stage.wait_for("it leaves memory", || !stage.driver().is_in_memory(&stage.tenant, now));
    stage.act(now, RunAction::Cancel);
    assert_eq!(stage.end(now), "cancelled");
    expect(&stage, &runs, (1, 2));
    let now = first(&stage);
    stage.restart();
    stage.act_on(now, "nap", StepAction::Skip);
    assert_eq!(stage.end(now), "succeeded");
    expect(&stage, &runs, (1, 1));
    let now = first(&stage);
    stage.advance(86_400.0);
    assert_eq!(stage.end(now), "failed");
    expect(&stage, &runs, (1, 0));
}

#[test]
fn a_run_limits_the_loops_of_its_subworkflows_too() {
    let mut stage = Stage::with(&["probe"]);
    stage.apply(
        "
workflow: below
steps:
  - id: each
    foreach: { n: '${lists.range(0, 3)}', concurrency: 10 }
    steps:
      - { id: load, component: probe@1, params: { calls: [{ sleep: 10s }] } }
",
    );
    stage.apply(
        "
workflow: above
run_step_concurrency: 2
steps:
  - { id: one, workflow: below }
  - { id: other, workflow: below, needs: [] }
",
    );
    let runs = [stage.start("above")];
    expect(&stage, &runs, (2, 4));
    stage.restart();
    expect(&stage, &runs, (2, 4));
    assert_eq!(stage.play(runs[0]), "succeeded");
    stage.wait_for("nothing is left of it", || stage.driver().permits(&stage.tenant).is_empty());
}

#[test]
fn what_outlives_a_run_is_limited_by_it_no_more() {
    let stage = Stage::with(&["probe"]);
    stage.apply(
        "
workflow: below
steps:
  - { id: load, component: probe@1, params: { calls: [{ sleep: 10s }] } }
  - { id: after, component: probe@1, needs: [load], params: { calls: [{ sleep: 10s }] } }
",
    );
    stage.apply(
        "
workflow: above
run_step_concurrency: 1
steps:
  - { id: one, workflow: below, sync: false }
  - { id: other, workflow: below, sync: false, needs: [] }
",
    );
    let run = stage.start("above");
    assert_eq!(stage.end(run), "succeeded");
    let runs = [stage.child(run, "one"), stage.child(run, "other")];
    expect(&stage, &runs, (2, 0));
    for run in runs {
        assert_eq!(stage.play(run), "succeeded");
    }
    stage.wait_for("nothing is left of it", || stage.driver().permits(&stage.tenant).is_empty());
}

#[test]
fn a_limit_that_comes_later_counts_steps_that_wait_out_of_memory() {
    let mut stage = Stage::with(&["probe"]);
    stage.apply(
        "
workflow: long
steps:
  - { id: nap, component: probe@1, tags: [late], params: { calls: [{ sleep: 30d }] } }
",
    );
    let mut runs = vec![stage.start("long")];
    expect(&stage, &runs, (1, 0));
    let first = runs[0];
    let leaves = |stage: &Stage| {
        stage.wait_for("it leaves memory", || !stage.driver().is_in_memory(&stage.tenant, first));
    };
    leaves(&stage);
    limit(&stage, "late", 1);
    runs.push(stage.start("long"));
    expect(&stage, &runs, (1, 1));
    leaves(&stage);
    stage.restart();
    runs.push(stage.start("long"));
    expect(&stage, &runs, (1, 2));
    stage.act(first, RunAction::Cancel);
    expect(&stage, &runs, (1, 1));
}

#[test]
fn a_step_waits_no_more_for_a_tag_that_its_workflow_lost() {
    let stage = Stage::with(&["probe"]);
    limit(&stage, "shared", 1);
    let nap = "steps: [{ id: nap, component: probe@1, params: { calls: [{ sleep: 30d }] } }]";
    stage.apply(&format!("workflow: one\ntags: [shared]\n{nap}"));
    stage.apply(&format!("workflow: other\ntags: [shared]\n{nap}"));
    stage.apply(&format!("workflow: third\ntags: [shared]\n{nap}"));
    let tags = |workflow: &str, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let wanted = PropertiesChange { tags: Some(Some(tags)), ..Default::default() };
        let changed = stage.driver().set_properties(&stage.tenant, workflow, wanted, BY);
        stage.block(changed).expect("it fits");
    };
    let runs = [stage.start("one"), stage.start("other"), stage.start("third")];
    expect(&stage, &runs[..1], (1, 0));
    expect(&stage, &runs, (1, 2));
    tags("other", &[]);
    stage.until_step(runs[1], "nap", "suspended");
    assert_eq!(stage.statuses(runs[2])["nap"], "queued");
    // What it holds is given to others, too.
    tags("one", &["something"]);
    stage.until_step(runs[2], "nap", "suspended");
}

#[test]
fn a_restart_lets_no_more_run_than_may() {
    let mut stage = Stage::with(&["hostile"]);
    limit(&stage, "busy", 2);
    stage.apply(
        "
workflow: busy
steps:
  - { id: one, component: hostile@1, tags: [busy], params: { case: spins }, limits: { cpu: 10m, wall: 10m } }
  - { id: other, component: hostile@1, tags: [busy], params: { case: spins }, limits: { cpu: 10m, wall: 10m }, needs: [] }
",
    );
    let runs = [stage.start("busy")];
    let running = |stage: &Stage| (count(stage, &runs, "running"), count(stage, &runs, "queued"));
    stage.comes_to((2, 0), || running(&stage));
    limit(&stage, "busy", 1);
    assert_eq!(running(&stage), (2, 0), "nothing is taken from who runs");
    stage.restart();
    stage.comes_to((1, 1), || running(&stage));
}
