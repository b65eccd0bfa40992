//! What a retry with other params reaches: also what runs in a subworkflow.

use crate::stage::{BY, Stage};
use segno_engine::id::RunId;
use segno_host::driver::RetryRun;
use serde_json::{Value, json};

/// A subworkflow that gives what came of its params; it fails for 0.
const SHARE: &str = "
workflow: share
params: { by: 1, text: { type: string, value: '${\"by \" + string(params.by)}' } }
steps:
  - { id: first, noop: true, params: { text: '${params.text}' } }
  - { id: share, noop: true, needs: [first], params: { of: '${12 / params.by}' }, retry: 0 }
output: { of: '${steps.share.output.of}', text: '${params.text}' }
";

fn with(params: Value) -> RetryRun {
    let Value::Object(params) = params else { panic!("params are an object") };
    RetryRun { params, by: BY.to_owned(), ..RetryRun::default() }
}

fn retry(stage: &Stage, run: RunId, params: Value) {
    assert_eq!(stage.try_retry(run, with(params)).expect("it fits"), run);
}

#[test]
fn a_retry_with_params_reaches_the_subworkflows_that_inherit_them() {
    let stage = Stage::new();
    stage.apply(SHARE);
    stage.apply("{ workflow: middle, params: { by: 1 }, steps: [{ id: sub, workflow: share }] }");
    stage.apply("{ workflow: top, params: { by: 1 }, steps: [{ id: sub, workflow: middle }] }");
    stage.apply(
        "{ workflow: own, params: { by: 1 }, steps: [{ id: sub, workflow: share, params: { by: 0 } }] }",
    );
    stage.apply(
        "
workflow: explicit
params: { by: 1 }
steps: [{ id: sub, workflow: share, explicit_params: true, params: { by: '${params.by}' } }]
",
    );
    let run = stage.start_with("top", json!({ "by": 0 }));
    assert_eq!(stage.play(run), "failed");
    let middle = stage.child(run, "sub");
    let bottom = stage.child(middle, "sub");
    retry(&stage, run, json!({ "by": 4 }));
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(stage.output(run, "sub"), json!({ "of": 3, "text": "by 4" }));
    assert_eq!((stage.child(run, "sub"), stage.child(middle, "sub")), (middle, bottom));
    assert_eq!(stage.output(bottom, "first"), json!({ "text": "by 0" }), "it was complete");

    // What the step names itself is not inherited.
    let run = stage.start("own");
    assert_eq!(stage.play(run), "failed");
    retry(&stage, run, json!({ "by": 4 }));
    assert_eq!(stage.play(run), "failed");

    // With another input it is another run.
    let run = stage.start_with("explicit", json!({ "by": 0 }));
    assert_eq!(stage.play(run), "failed");
    let before = stage.child(run, "sub");
    retry(&stage, run, json!({ "by": 4 }));
    assert_eq!(stage.play(run), "succeeded");
    assert_ne!(stage.child(run, "sub"), before);
}

#[test]
fn a_retry_with_params_reaches_the_subworkflows_of_iterations_also_after_a_crash() {
    let mut stage = Stage::new();
    stage.apply(SHARE);
    stage.apply(
        "
workflow: each
params: { by: 1 }
steps:
  - id: each
    foreach: { n: [1, 2] }
    steps: [{ id: sub, workflow: share }]
",
    );
    let run = stage.start_with("each", json!({ "by": 0 }));
    assert_eq!(stage.play(run), "failed");
    let known = stage.child(stage.iteration(run, "each", 0), "sub");
    retry(&stage, run, json!({ "by": 6 }));
    stage.restart();
    assert_eq!(stage.play(run), "succeeded");
    let gave = json!({ "of": 2, "text": "by 6" });
    assert_eq!(stage.output(run, "each"), json!([gave, gave]));
    assert_eq!(stage.child(stage.iteration(run, "each", 0), "sub"), known);
}

#[test]
fn what_somebody_gave_a_subworkflow_itself_stays_until_its_parent_is_given_another() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: below
params: { by: 1, name: '0' }
steps:
  - { id: share, noop: true, params: { of: '${12 / params.by}' }, retry: 0 }
  - { id: nap, sleep: 10s }
  - { id: fail, noop: true, needs: [nap], params: { of: '${int(params.name)}' }, retry: 0 }
output: { of: '${steps.share.output.of}', name: '${params.name}' }
",
    );
    stage.apply(
        "{ workflow: top, params: { by: 0, name: x }, steps: [{ id: sub, workflow: below }] }",
    );
    let run = stage.start("top");
    stage.until_step(run, "sub", "running");
    let below = stage.child(run, "sub");
    stage.until_step(below, "share", "failed");
    retry(&stage, below, json!({ "by": 6 }));
    assert_eq!(stage.play(run), "failed");
    retry(&stage, run, json!({ "name": "3" }));
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(stage.output(run, "sub"), json!({ "of": 2, "name": "3" }));

    let run = stage.start("top");
    stage.until_step(run, "sub", "running");
    let below = stage.child(run, "sub");
    stage.until_step(below, "share", "failed");
    let params = with(json!({ "by": 0 }));
    stage.try_retry(below, params).expect("it fits");
    assert_eq!(stage.play(run), "failed");
    retry(&stage, run, json!({ "by": 4, "name": "3" }));
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(stage.output(run, "sub"), json!({ "of": 3, "name": "3" }));
}

#[test]
fn a_retry_that_names_another_workflow_or_version_makes_another_run() {
    let stage = Stage::new();
    stage.apply("{ workflow: good, steps: [{ id: a, noop: true }], output: { is: good } }");
    stage.apply(
        "
workflow: bad
params: { by: 1 }
steps: [{ id: a, noop: true, params: { of: '${1 / params.by}' }, retry: 0 }]
",
    );
    stage.apply(
        "
workflow: choose
params: { which: bad, version: active, by: 0 }
steps: [{ id: sub, workflow: '${params.which}', version: '${params.version}' }]
",
    );
    let run = stage.start("choose");
    assert_eq!(stage.play(run), "failed");
    let before = stage.child(run, "sub");
    retry(&stage, run, json!({ "which": "good" }));
    assert_eq!(stage.play(run), "succeeded");
    assert_ne!(stage.child(run, "sub"), before);
    assert_eq!(stage.output(run, "sub"), json!({ "is": "good" }));

    let run = stage.start("choose");
    assert_eq!(stage.play(run), "failed");
    let before = stage.child(run, "sub");
    let mended =
        stage.apply("{ workflow: bad, steps: [{ id: a, noop: true }], output: { is: mended } }");
    retry(&stage, run, json!({}));
    assert_eq!(stage.play(run), "failed", "the same run keeps its version");
    assert_eq!(stage.child(run, "sub"), before);
    retry(&stage, run, json!({ "version": mended.to_string() }));
    assert_eq!(stage.play(run), "succeeded");
    assert_eq!(stage.output(run, "sub"), json!({ "is": "mended" }));
}

#[test]
fn a_retry_that_can_have_no_params_says_which_run_takes_them() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: nested
params: { by: 1 }
steps:
  - id: outer
    foreach: { i: [1] }
    steps:
      - { id: nap, sleep: 1h }
      - id: inner
        foreach: { x: [1] }
        steps:
          - { id: leaf, noop: true, params: { of: '${12 / params.by}' }, retry: 0 }
",
    );
    let run = stage.start_with("nested", json!({ "by": 0 }));
    let outer = stage.until(run, "its iteration", |run| !run.iterations_under_way().is_empty());
    let outer = outer.iteration_id(0, 0);
    stage.until_step(outer, "inner", "failed");
    let step = Some("outer[0].inner[0].leaf".to_owned());
    let inner = stage.iteration(outer, "inner", 0);
    for (of, step) in [(run, step), (inner, None)] {
        let refused = stage.try_retry(of, RetryRun { step, ..with(json!({ "by": 4 })) });
        let refused = refused.expect_err("the run is open").to_string();
        let expected = format!(
            "params belong to {run}, of which {outer} is an open iteration; retry {run} with them \
             once it is over, or this without them"
        );
        assert_eq!(refused, expected);
    }
    assert_eq!(stage.play(run), "failed");
    retry(&stage, run, json!({ "by": 4 }));
    assert_eq!(stage.play(run), "succeeded");
}
