//! Runs of one workflow among each other: how they start and which of them go
//! on at once.

use crate::stage::{BY, Stage, start_of};
use segno_engine::event::{Event, Stop};
use segno_engine::id::RunId;
use segno_engine::strategy::RunStrategy;
use segno_host::driver::{PropertiesChange, RetryRun, RunAction};
use segno_host::store::WorkflowAction;
use serde_json::{Map, json};
use std::collections::BTreeSet;

/// A workflow whose runs take ten seconds.
fn napping(strategy: &str) -> String {
    format!("{{ workflow: nap, run_strategy: {strategy}, steps: [{{ id: nap, sleep: 10s }}] }}")
}

/// The statuses of these runs.
fn all(stage: &Stage, runs: &[RunId]) -> Vec<&'static str> {
    runs.iter().map(|run| stage.run(*run).status().as_str()).collect()
}

/// When a run began and ended, in seconds.
fn span(stage: &Stage, run: RunId) -> (f64, f64) {
    let history = stage.history(run);
    let begin = history.iter().find(|moment| moment.event == Event::RunStarted);
    (begin.expect("it began").at, history.last().expect("it ended").at)
}

#[test]
fn a_start_is_idempotent() {
    let stage = Stage::new();
    stage.apply("{ workflow: one, steps: [{ id: a, noop: true }] }");
    let started = stage.block(async {
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (driver, tenant) = (stage.driver().clone(), stage.tenant.clone());
            let mut start = start_of("one", json!({}));
            start.idempotency_key = Some("the same".to_owned());
            starts.spawn(async move { driver.start(&tenant, start).await });
        }
        starts.join_all().await
    });
    let started: Vec<_> = started.into_iter().map(|one| one.expect("it is allowed")).collect();
    assert_eq!(started.iter().filter(|one| !one.repeated).count(), 1);
    assert_eq!(started.iter().map(|one| one.run).collect::<BTreeSet<_>>().len(), 1);
    let next = stage.try_start(start_of("one", json!({}))).expect("it is allowed");
    assert_eq!(next.number, Some(2), "a start that is repeated takes no number");
    let mut other = start_of("one", json!({}));
    other.idempotency_key = Some("the same".to_owned());
    other.step_params = Map::from_iter([("a".to_owned(), json!({}))]);
    let refused = stage.try_start(other).expect_err("it is another request");
    assert!(refused.to_string().contains("use a new key"), "{refused}");
}

#[test]
fn a_sequence_runs_one_after_the_other_in_order() {
    let stage = Stage::new();
    stage.apply(&napping("sequential"));
    let runs: Vec<_> = (0..5).map(|_| stage.start("nap")).collect();
    assert_eq!(all(&stage, &runs), ["running", "queued", "queued", "queued", "queued"]);
    for run in &runs {
        stage.until_status(*run, "running");
        assert_eq!(stage.play(*run), "succeeded");
    }
    let spans: Vec<_> = runs.iter().map(|run| span(&stage, *run)).collect();
    let expected: Vec<_> = (0..5).map(|n| (f64::from(n) * 10.0, f64::from(n + 1) * 10.0)).collect();
    assert_eq!(spans, expected);
}

#[test]
fn a_strict_sequence_stops_behind_a_failure_until_somebody_says_so() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: strict
run_strategy: strict_sequential
params: { by: 1 }
steps:
  - { id: divide, workflow: divider, params: { by: '${params.by}' } }
",
    );
    stage.apply(
        "
workflow: divider
params: { by: 1, result: { type: int, value: '${1 / params.by}' } }
steps:
  - { id: nap, sleep: 1s }
",
    );
    assert_eq!(stage.play(stage.start("strict")), "succeeded");
    let failing = || stage.start_with("strict", json!({ "by": 0 }));
    let failed = failing();
    let next = stage.start("strict");
    assert_eq!(stage.play(failed), "failed");
    assert_eq!(stage.run(next).status().as_str(), "queued");
    let unblocked = stage.driver().unblock(&stage.tenant, failed, BY);
    stage.block(unblocked).expect("it has failed");
    stage.until_status(next, "running");
    assert_eq!(stage.play(next), "succeeded");

    let failed = failing();
    let next = stage.start("strict");
    assert_eq!(stage.play(failed), "failed");
    assert_eq!(stage.run(next).status().as_str(), "queued");
    let params = Map::from_iter([("by".to_owned(), json!(1))]);
    let retry = RetryRun { params, by: BY.to_owned(), ..RetryRun::default() };
    stage.try_retry(failed, retry).expect("it has failed");
    assert_eq!(stage.run(next).status().as_str(), "queued");
    assert_eq!(stage.play(failed), "succeeded");
    stage.until_status(next, "running");

    let cancelled = next;
    let next = stage.start("strict");
    stage.act(cancelled, RunAction::Cancel);
    assert_eq!(stage.end(cancelled), "cancelled");
    stage.until_status(next, "running");
    assert_eq!(stage.play(next), "succeeded");
}

/// A run that is retried waits behind those with smaller numbers, and so must
/// not keep them waiting.
#[test]
fn a_strict_sequence_goes_on_when_a_failure_behind_others_is_retried() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: strict
run_strategy: strict_sequential
params: { by: 1 }
steps:
  - { id: nap, sleep: 1s }
  - { id: divide, noop: true, needs: [nap], params: { result: '${1 / params.by}' } }
",
    );
    let first = stage.start("strict");
    stage.act(first, RunAction::Cancel);
    assert_eq!(stage.end(first), "cancelled");
    let second = stage.start_with("strict", json!({ "by": 0 }));
    stage.until_status(second, "running");
    assert_eq!(stage.play(second), "failed");
    let retry = |by: i64| {
        let params = Map::from_iter([("by".to_owned(), json!(by))]);
        RetryRun { params, by: BY.to_owned(), ..RetryRun::default() }
    };
    stage.try_retry(first, retry(1)).expect("it was cancelled");
    assert_eq!(stage.run(first).status().as_str(), "queued");
    stage.try_retry(second, retry(1)).expect("it has failed");
    stage.until_status(first, "running");
    assert_eq!(stage.play(first), "succeeded");
    assert_eq!(stage.play(second), "succeeded");
}

#[test]
fn the_first_run_keeps_others_out() {
    let stage = Stage::new();
    stage.apply(&napping("first_only"));
    let first = stage.start("nap");
    let started = stage.try_start(start_of("nap", json!({}))).expect("it is allowed");
    assert_eq!((started.status, started.number), ("cancelled", Some(2)));
    let history = stage.history(started.run);
    let reason = Event::StopRequested { stop: Stop::Strategy { run: first } };
    assert!(history.iter().any(|moment| moment.event == reason), "{history:?}");
    assert!(!history.iter().any(|moment| moment.event == Event::RunStarted), "{history:?}");
    assert_eq!(stage.play(first), "succeeded");
    let third = stage.start("nap");
    assert_eq!(stage.play(third), "succeeded");
}

#[test]
fn the_last_run_ends_the_others() {
    let stage = Stage::new();
    stage.apply(&napping("last_only"));
    let runs: Vec<_> = (0..3).map(|_| stage.start("nap")).collect();
    assert_eq!(stage.end(runs[0]), "cancelled");
    assert_eq!(stage.end(runs[1]), "cancelled");
    stage.until_status(runs[2], "running");
    assert_eq!(stage.play(runs[2]), "succeeded");
    let history = stage.history(runs[0]);
    let reason = Event::StopRequested { stop: Stop::Strategy { run: runs[1] } };
    assert!(history.iter().any(|moment| moment.event == reason), "{history:?}");
}

#[test]
fn so_many_runs_go_on_at_once() {
    let stage = Stage::new();
    stage.apply(&napping("parallel(5)"));
    let runs: Vec<_> = (0..20).map(|_| stage.start("nap")).collect();
    for _ in 0..4 {
        let open = |wanted: &str| {
            let fits = |run: &&RunId| stage.run(**run).status().as_str() == wanted;
            runs.iter().filter(fits).copied().collect::<Vec<_>>()
        };
        stage.wait_for("five run", || open("running").len() == 5);
        let now = open("running");
        stage.advance(10.0);
        for run in now {
            assert_eq!(stage.end(run), "succeeded");
        }
    }
    let spans: Vec<_> = runs.iter().map(|run| span(&stage, *run)).collect();
    for (begin, _) in &spans {
        let meanwhile = spans.iter().filter(|(from, to)| (*from..*to).contains(begin)).count();
        assert_eq!(meanwhile, 5, "{spans:?}");
    }
    assert!(spans.is_sorted(), "in the order of their numbers: {spans:?}");
}

#[test]
fn of_those_that_wait_only_the_newest_is_kept() {
    let stage = Stage::new();
    stage.apply(&napping("serial_latest_only"));
    let runs: Vec<_> = (0..4).map(|_| stage.start("nap")).collect();
    assert_eq!(stage.end(runs[1]), "cancelled");
    assert_eq!(stage.end(runs[2]), "cancelled");
    assert_eq!(all(&stage, &[runs[0], runs[3]]), ["running", "queued"]);
    assert_eq!(stage.play(runs[0]), "succeeded");
    stage.until_status(runs[3], "running");
    assert_eq!(stage.play(runs[3]), "succeeded");
}

#[test]
fn versions_do_not_change_and_one_is_active() {
    use segno_host::driver::{Apply, VersionSelector};
    let stage = Stage::new();
    let source = |what: &str| {
        format!(
            "{{ workflow: news, steps: [{{ id: nap, sleep: 10s }}, {{ id: say, noop: true, needs: [nap], params: {{ what: {what} }} }}] }}"
        )
    };
    assert_eq!(stage.apply(&source("one")), 1);
    let open = stage.start("news");
    let two = source("two");
    let push = Apply { source: &two, active: false, by: BY };
    let pushed = stage.block(stage.driver().apply_workflow(&stage.tenant, push));
    let record = pushed.expect("it is right").record;
    assert_eq!((record.latest_version, record.active_version), (2, Some(1)));
    let version_of = |selector: VersionSelector| {
        let selected = stage.driver().workflow_selected(&stage.tenant, "news", selector);
        selected.map(|selected| selected.version).map_err(|error| error.to_string())
    };
    assert_eq!(version_of(VersionSelector::Active), Ok(1));
    assert_eq!(version_of(VersionSelector::Latest), Ok(2));
    assert_eq!(version_of(VersionSelector::Default), Ok(1));
    assert_eq!(stage.play(open), "succeeded");
    assert_eq!(stage.output(open, "say"), json!({ "what": "one" }));
    let activated =
        stage.driver().activate_workflow(&stage.tenant, "news", VersionSelector::Number(2), BY);
    stage.block(activated).expect("there is such a version");
    let run = stage.start("news");
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!((stage.run(run).version(), stage.run(open).version()), (2, 1));
    stage
        .block(stage.driver().deactivate_workflow(&stage.tenant, "news", BY))
        .expect("it is there");
    let none = version_of(VersionSelector::Active).expect_err("none is active");
    assert!(none.contains("has no active version; activate one"), "{none}");
    assert_eq!(version_of(VersionSelector::Default), Ok(2));
}

#[test]
fn properties_change_without_a_version_and_count_from_the_next_admission() {
    let mut stage = Stage::new();
    stage.apply(&napping("sequential"));
    let runs: Vec<_> = (0..4).map(|_| stage.start("nap")).collect();
    assert_eq!(all(&stage, &runs), ["running", "queued", "queued", "queued"]);
    let wanted = PropertiesChange {
        run_strategy: Some(Some(RunStrategy::Parallel(3))),
        ..Default::default()
    };
    let changed = stage.driver().set_properties(&stage.tenant, "nap", wanted, BY);
    let record = stage.block(changed).expect("it fits");
    assert_eq!(record.latest_version, 1);
    stage.until_status(runs[1], "running");
    stage.until_status(runs[2], "running");
    assert_eq!(all(&stage, &runs[3..]), ["queued"]);
    let changes = stage.driver().store().workflow_changes(
        &stage.tenant,
        "nap",
        &segno_host::store::Paging::first(10),
    );
    let changes = changes.expect("the store answers").items;
    let last = &changes[0];
    assert_eq!((last.action, last.by.as_str(), last.sequence), (WorkflowAction::Changed, BY, 2));
    assert_eq!(last.before["run_strategy"], json!("sequential"));
    assert_eq!(last.after["run_strategy"], json!("parallel(3)"));
    stage.restart();
    for run in runs {
        assert_eq!(stage.play(run), "succeeded");
    }
}

#[test]
fn a_definition_that_lists_no_tags_takes_away_those_of_its_workflow() {
    let stage = Stage::new();
    let tags = |named: &str| {
        let source = format!("{{ workflow: tagged, {named} steps: [{{ id: a, noop: true }}] }}");
        stage.try_apply(&source).expect("it is right").record.properties.tags
    };
    assert_eq!(tags("tags: [nightly],"), ["nightly"]);
    assert_eq!(tags(""), ["nightly"], "it names none");
    assert!(tags("tags: [],").is_empty());
}
