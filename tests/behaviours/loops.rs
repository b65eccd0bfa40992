//! Loops and subworkflows.

use crate::stage::{BY, Stage, start_of};
use segno_engine::event::{Cause, Event};
use segno_engine::id::{RunId, Timestamp};
use segno_engine::run::{Run, RunStatus};
use segno_host::driver::{ForkRun, StartRun};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

fn succeeded(count: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("succeeded".to_owned(), count)])
}

#[test]
fn a_loop_runs_over_a_product_and_never_more_at_once_than_it_may() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: product
params: { parts: [a, b, c] }
steps:
  - id: each
    foreach:
      day: \"${dates(date('2020-01-01'), date('2021-01-01'))}\"
      part: '${params.parts}'
      concurrency: 100
    steps:
      - { id: nap, sleep: 1s }
      - { id: say, noop: true, needs: [nap], params: { day: '${loop.day}', part: '${loop.part}' } }
",
    );
    let run = stage.start("product");
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(stage.rollup(run), succeeded(2_196));
    let (mut in_flight, mut most) = (0_u32, 0_u32);
    for moment in stage.history(run) {
        match moment.event {
            Event::IterationsStarted { count, .. } => in_flight += count,
            Event::IterationEnded { .. } => in_flight -= 1,
            _ => {}
        }
        most = most.max(in_flight);
    }
    assert_eq!((in_flight, most), (0, 100));
    assert_eq!(stage.seconds(), 11.0, "1,098 iterations, a hundred a second");
    let outputs = stage.output(run, "each");
    let day = |at: usize| (outputs[at]["day"].clone(), outputs[at]["part"].clone());
    assert_eq!(day(1), (json!("2020-01-02"), json!("a")), "the first varies fastest");
    assert_eq!(day(1_097), (json!("2020-12-31"), json!("c")));

    let run = stage.start_with("product", json!({ "parts": [] }));
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "each"), json!([]));
}

/// The runs of two loops, one in the other, with how many records each has.
fn sizes(stage: &Stage, run: RunId) -> BTreeMap<(u32, Option<u32>), usize> {
    let mut sizes = BTreeMap::new();
    let count = |run: &Run| run.steps()[1].iterations.as_ref().map_or(0, |all| all.next);
    for outer in 0..6 {
        let iteration = stage.iteration(run, "outer", outer);
        sizes.insert((outer, None), stage.records(iteration).len());
        for inner in 0..count(&stage.run(iteration)) {
            let leaf = stage.iteration(iteration, "inner", inner);
            sizes.insert((outer, Some(inner)), stage.records(leaf).len());
        }
    }
    sizes
}

#[test]
fn one_iteration_of_a_nested_loop_is_tried_again_and_no_other() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: nested
steps:
  - id: outer
    foreach: { i: [1, 2, 3], j: [a, b] }
    steps:
      - { id: mark, noop: true }
      - id: inner
        foreach: { x: '${lists.range(1, loop.i)}' }
        steps:
          - id: leaf
            noop: true
            params:
              x: \"${run.retries == 0 && loop.i == 2 && loop.j == 'a' ? 1 / (loop.i - 2) : loop.x}\"
",
    );
    let run = stage.start("nested");
    assert_eq!(stage.play(run), "failed");
    let expected = BTreeMap::from([("failed".to_owned(), 1), ("succeeded".to_owned(), 11)]);
    assert_eq!(stage.rollup(run), expected);
    let before = sizes(&stage, run);
    assert_eq!(stage.retry(run, Some("outer[1].inner[0].leaf")), run);
    let status = stage.play(run);
    let leaf = stage.iteration(stage.iteration(run, "outer", 1), "inner", 0);
    assert_eq!(status, "succeeded", "{:?}", stage.history(leaf));
    assert_eq!(stage.rollup(run), succeeded(12));
    let after = sizes(&stage, run);
    let changed: Vec<_> = after.keys().filter(|at| before.get(at) != after.get(at)).collect();
    assert_eq!(changed, [&(1, None), &(1, Some(0))], "only (2, a)");
    let outputs = stage.output(run, "outer");
    assert_eq!(outputs[1]["inner"], json!([{ "x": 1 }]), "{outputs}");
    assert_eq!(outputs[0]["inner"], json!([]), "there is nothing from 1 to 1");
    // What succeeded runs again, too, and all else stays as it is.
    let changes = |path: &str| {
        let before = sizes(&stage, run);
        assert_eq!(stage.retry(run, Some(path)), run);
        assert_eq!(stage.play(run), "succeeded");
        assert_eq!(stage.rollup(run), succeeded(12), "after {path}");
        assert_eq!(stage.output(run, "outer"), outputs);
        let after = sizes(&stage, run);
        let changed = after.into_iter().filter(|(at, size)| before.get(at) != Some(size));
        changed.map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!(changes("outer[1]"), [(1, None), (1, Some(0))]);
    assert_eq!(changes("outer[4].inner[0]"), [(4, None), (4, Some(0))]);
    assert_eq!(changes("outer[5].inner[1].leaf"), [(5, None), (5, Some(1))]);
    assert_eq!(changes("outer[0]"), [(0, None)]);
}

#[test]
fn subworkflows_are_waited_for_or_not_and_get_what_they_may() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: below
params: { x: 1, y: 1 }
steps:
  - { id: nap, sleep: 10s }
  - { id: say, noop: true, needs: [nap], params: { x: '${params.x}', y: '${params.y}' } }
",
    );
    stage.apply(
        "
workflow: above
params: { x: 5, which: below }
steps:
  - { id: plain, workflow: below }
  - { id: given, workflow: below, params: { y: 7 } }
  - { id: explicit, workflow: below, params: { y: 7 }, explicit_params: true }
  - { id: later, workflow: below, sync: false }
  - { id: dynamic, workflow: '${params.which}', version: latest }
  - { id: unknown, workflow: '${params.which}-2', failure_mode: ignore_failure }
  - { id: beside, noop: true, needs: [later] }
",
    );
    let run = stage.start("above");
    stage.until_step(run, "beside", "succeeded");
    let later: RunId = stage.output(run, "later")["run"]
        .as_str()
        .expect("it is text")
        .parse()
        .expect("it is a run");
    assert_eq!(stage.run(later).status().as_str(), "running", "it is not waited for");
    assert_eq!(stage.play(run), "succeeded");
    let gave = |x: i64, y: i64| json!({ "x": x, "y": y });
    for (step, expected) in [
        ("plain", gave(5, 1)),
        ("given", gave(5, 7)),
        ("explicit", gave(1, 7)),
        ("dynamic", gave(5, 1)),
    ] {
        assert_eq!(stage.output(run, step), expected, "{step}");
    }
    assert_eq!(stage.statuses(run)["unknown"], "completed_with_error");
    assert_eq!(stage.end(later), "succeeded");
    assert_eq!(stage.output(later, "say"), gave(5, 1));
}

#[test]
fn a_workflow_that_runs_itself_stops_ten_deep() {
    let stage = Stage::new();
    stage.apply("{ workflow: self, steps: [{ id: again, workflow: self }] }");
    let run = stage.start("self");
    assert_eq!(stage.end(run), "failed");
    let runs = stage.driver().store().runs(
        &stage.tenant,
        Some("self"),
        &segno_host::store::Paging::first(100),
    );
    let runs = runs.expect("the store answers").items;
    assert_eq!(runs.len(), 11);
    let deepest = stage.run(runs[0].run);
    let failure = deepest.steps()[0].last_failure.clone().expect("it has failed");
    assert_eq!(failure.reason, "limit:depth");
    assert!(failure.message.contains("look for a workflow that runs itself"), "{failure:?}");
}

/// A `while` with this condition.
fn until_done(condition: &str) -> String {
    format!(
        "
workflow: until-done
steps:
  - id: each
    while: {{ condition: \"{condition}\", day: 20200101, max_iterations: 7 }}
    steps:
      - {{ id: bump, noop: true, params: {{ day: '${{loop.day + 1}}' }} }}
    output: '${{steps.bump.output}}'
"
    )
}

#[test]
fn a_while_goes_on_until_its_condition_fails_or_it_has_gone_on_too_long() {
    let stage = Stage::new();
    stage.apply(&until_done("loop.day <= 20200105"));
    let run = stage.start("until-done");
    assert_eq!(stage.end(run), "succeeded");
    let seen = stage.history(run).into_iter().filter_map(|moment| match moment.event {
        Event::WhileContinued { variables, .. } => Some(variables.value()["day"].clone()),
        _ => None,
    });
    let expected: Vec<Value> = (20_200_101..=20_200_105).map(Value::from).collect();
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!(stage.rollup(run), succeeded(5));

    stage.apply(&until_done("1 / (loop.day - 20200103) < 9"));
    let run = stage.start("until-done");
    assert_eq!(stage.end(run), "failed");
    let failure = stage.run(run).steps()[0].last_failure.clone().expect("it has failed");
    assert_eq!(failure.reason, "expression");
    assert!(failure.message.contains("while.condition"), "{failure:?}");

    stage.apply(&until_done("loop.day > 0"));
    let run = stage.start("until-done");
    assert_eq!(stage.end(run), "failed");
    let failure = stage.run(run).steps()[0].last_failure.clone().expect("it has failed");
    assert_eq!(failure.reason, "limit:iterations");
    assert_eq!(stage.rollup(run), succeeded(7));
}

#[test]
fn a_subworkflow_that_would_wait_for_a_run_above_it_fails_its_step() {
    let stage = Stage::new();
    stage.apply("{ workflow: inner, steps: [{ id: again, workflow: outer }] }");
    stage.apply(
        "
workflow: outer
run_strategy: sequential
steps:
  - id: each
    foreach: { n: '${[1]}' }
    steps: [{ id: down, workflow: inner }]
",
    );
    let run = stage.start("outer");
    assert_eq!(stage.end(run), "failed");
    let inner = stage.child(stage.iteration(run, "each", 0), "down");
    let failure = stage.run(inner).steps()[0].last_failure.clone().expect("it has failed");
    assert_eq!(failure.reason, "deadlock");
    assert!(failure.message.contains(&run.to_string()), "{failure:?}");
    stage.apply("{ workflow: inner, steps: [{ id: again, workflow: outer, sync: false }] }");
    assert_eq!(stage.end(stage.start("outer")), "succeeded");
}

#[test]
fn a_loop_that_asks_for_more_than_is_done_at_once_gets_all_of_it() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: wide
steps:
  - id: each
    foreach: { i: '${lists.range(6000)}', concurrency: 1000 }
    steps: [{ id: say, noop: true }]
",
    );
    let run = stage.start("wide");
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.rollup(run), succeeded(6_000));
}

#[test]
fn the_instant_of_a_schedule_is_that_of_all_below_the_run_and_of_its_forks() {
    let stage = Stage::with(&["probe"]);
    stage.apply(
        "
workflow: below
params: { day: { type: string, value: '${string(date(run.scheduled_at))}' } }
steps: [{ id: a, noop: true }]
output: '${params.day}'
",
    );
    stage.apply(
        "
workflow: report
params: { day: { type: string, value: '${string(date(run.scheduled_at))}' } }
steps:
  - { id: sub, workflow: below, explicit_params: true }
  - id: each
    foreach: { n: [1] }
    steps: [{ id: inside, workflow: below, explicit_params: true }]
  - id: guest
    component: probe@1.0.0
    params: { calls: [{ start: { workflow: below } }, { join: 0 }] }
output: ['${params.day}', '${steps.sub.output}', '${steps.each.output[0]}', '${steps.guest.output.gave[1]}']
",
    );
    let days = |run: RunId| {
        assert_eq!(stage.play(run), "succeeded");
        let run = stage.run(run);
        let RunStatus::Succeeded { output } = run.status() else { panic!("it succeeded") };
        output.value().clone()
    };
    let at = Timestamp(1_577_750_400_000);
    let cause = Cause::Schedule { schedule: "nightly".to_owned(), at, backfill: None, by: None };
    let start = StartRun { cause, ..start_of("report", json!({})) };
    let scheduled = stage.try_start(start).expect("it is right").run;
    let due = "2019-12-31";
    assert_eq!(days(scheduled), json!([due, due, due, due]));
    let fork = |of: RunId| {
        let (params, step_params) = (Map::new(), Map::new());
        let (by, idempotency_key) = (BY.to_owned(), None);
        let (from, version) = (None, None);
        let fork = ForkRun { of, from, version, params, step_params, by, idempotency_key };
        stage.block(stage.driver().fork(&stage.tenant, fork)).expect("it is allowed").run
    };
    let forked = fork(scheduled);
    assert_eq!(days(forked), json!([due, due, due, due]));
    assert_eq!(days(fork(forked)), json!([due, due, due, due]));

    // One that nobody scheduled was due when it was created.
    let today = "2020-01-01";
    let manual = stage.start("report");
    assert_eq!(days(manual), json!([today, today, today, today]));
    stage.advance(86_400.0);
    assert_eq!(days(fork(manual)), json!([today, today, today, today]));
}
