//! Params of workflows and steps, and what is refused before anything runs.

use crate::history;
use crate::stage::{BY, Stage, start_of};
use segno_engine::id::RunId;
use segno_host::driver::{ApplyError, RetryRun, StartError, WorkflowError};
use serde_json::{Map, Value, json};

/// The problems of a definition, each as `place: message`.
fn problems(stage: &Stage, source: &str) -> Vec<String> {
    match stage.try_apply(source) {
        Err(ApplyError::Problems(problems)) => problems
            .iter()
            .map(|it| format!("{}: {}; {}", it.path, it.message, it.remedy))
            .collect(),
        other => panic!("it was to be refused: {other:?}"),
    }
}

/// Why a start is refused.
fn refused(stage: &Stage, workflow: &str, params: Value) -> String {
    match stage.try_start(start_of(workflow, params)) {
        Err(StartError::BadParams(mistakes)) => mistakes.join("; "),
        other => panic!("it was to be refused: {other:?}"),
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { panic!("it is an object") };
    fields
}

#[test]
fn params_have_types_and_expressions() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: typed
params:
  year: 2012
  share: 0.5
  years: { type: list<int>, value: [2012, 2013] }
  limits: { type: map<int>, value: { rows: 10, bytes: 20 } }
  day: { type: string, value: '${params.year}-01-01' }
  next: { type: int, value: '${params.year + 1}' }
  note: { type: string, optional: true }
  station: { type: string }
steps:
  - { id: say, noop: true, params: { all: '${params}', text: '$${params.year} in ${params.year}' } }
",
    );
    let missing = refused(&stage, "typed", json!({}));
    assert!(missing.contains("station"), "{missing}");
    let wrong = refused(&stage, "typed", json!({ "station": "s", "year": "soon", "yaer": 1 }));
    assert!(wrong.contains("year") && wrong.contains("expected int"), "{wrong}");
    assert!(wrong.contains("yaer"), "{wrong}");
    let given = json!({ "station": "seattle", "year": 2020, "limits": { "rows": 5 } });
    let run = stage.start_with("typed", given);
    assert_eq!(stage.end(run), "succeeded");
    let expected = json!({
        "year": 2020, "share": 0.5, "years": [2012, 2013], "limits": { "rows": 5, "bytes": 20 },
        "day": "2020-01-01", "next": 2021, "station": "seattle",
    });
    let output = stage.output(run, "say");
    assert_eq!(output["all"], expected);
    assert_eq!(output["text"], "${params.year} in 2020");
    let mistakes = problems(
        &stage,
        "{ workflow: t, params: { year: { type: int, value: soon } }, steps: [{ id: a, noop: true }] }",
    );
    assert!(mistakes[0].starts_with("params.year"), "{mistakes:?}");
}

/// Retries a step of a run with these params; why not, if it is refused.
fn retried(stage: &Stage, run: RunId, params: Value, own: Value) -> Result<Value, String> {
    let retry = RetryRun {
        step: Some("say".to_owned()),
        params: object(params),
        step_params: object(own),
        by: BY.to_owned(),
    };
    stage.try_retry(run, retry).map_err(|error| error.to_string())?;
    assert_eq!(stage.end(run), "succeeded");
    Ok(stage.output(run, "say"))
}

#[test]
fn modes_say_who_may_change_a_param_and_the_nearest_value_counts() {
    let stage = Stage::new();
    stage.apply(
        "
workflow: modes
params:
  free: 1
  again: { type: int, value: 1, mode: mutable_on_start_restart }
  once: { type: int, value: 1, mode: mutable_on_start }
  mine: { type: int, value: 1, mode: immutable }
  fixed: { type: int, value: 1, mode: constant }
steps:
  - id: say
    noop: true
    params:
      from: { type: int, value: '${params.free}' }
      kept: { type: int, value: '${params.once + params.again}', mode: constant }
",
    );
    for name in ["mine", "fixed"] {
        let why = refused(&stage, "modes", json!({ name: 2 }));
        assert!(why.contains(name) && why.contains("its mode is"), "{why}");
    }
    let run = stage.start("modes");
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "say"), json!({ "from": 1, "kept": 2 }));

    let run = stage.start_with("modes", json!({ "free": 2, "again": 2, "once": 2 }));
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "say"), json!({ "from": 2, "kept": 4 }));

    let mut start = start_of("modes", json!({ "free": 2 }));
    start.step_params = object(json!({ "say": { "from": 3 } }));
    let run = stage.try_start(start.clone()).expect("it is allowed").run;
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "say"), json!({ "from": 3, "kept": 2 }));

    let gave = retried(&stage, run, json!({ "again": 5 }), json!({ "say": { "from": 4 } }));
    assert_eq!(gave, Ok(json!({ "from": 4, "kept": 6 })));
    let why = retried(&stage, run, json!({ "once": 6 }), json!({})).expect_err("only at a start");
    assert!(why.contains("once") && why.contains("only a start may change it"), "{why}");
    let why = retried(&stage, run, json!({}), json!({ "say": { "kept": 1 } }));
    let why = why.expect_err("it is constant");
    assert!(why.contains("say.kept") && why.contains("constant"), "{why}");
    start.step_params = object(json!({ "say": { "kept": 3 } }));
    assert!(matches!(stage.try_start(start), Err(StartError::BadParams(_))));
}

#[test]
fn steps_read_what_others_before_them_were_given() {
    let stage = Stage::new();
    let loose = problems(
        &stage,
        "
workflow: loose
steps:
  - { id: a, noop: true }
  - { id: b, noop: true, params: { x: '${steps.a.params}' } }
",
    );
    assert!(loose[0].contains('a') && loose[0].contains("needs"), "{loose:?}");
    let circle = problems(
        &stage,
        "
workflow: circle
params: { a: { type: int, value: '${params.b}' }, b: { type: int, value: '${params.a}' } }
steps:
  - { id: s, noop: true, params: { x: '${self.y}', y: '${self.x}' } }
",
    );
    assert_eq!(circle.len(), 2, "{circle:?}");
    assert!(circle[0].starts_with("params.") && circle[1].starts_with("steps.s"), "{circle:?}");
}

#[test]
fn what_a_step_gives_is_what_it_declares() {
    let stage = Stage::with(&["noop"]);
    stage.apply(
        "
workflow: outputs
params: { gives: { type: json, value: { foo: bar } } }
steps:
  - { id: job, component: noop@1, params: '${params.gives}', outputs: { foo: string } }
  - { id: end, noop: true, needs: { job: \"steps.job.output.foo == 'bar'\" }, params: { got: '${steps.job.output.foo}' } }
",
    );
    let run = stage.start("outputs");
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.output(run, "end"), json!({ "got": "bar" }));
    for (gives, mistake) in [
        (json!({ "foo": "bar", "more": 1 }), "more is not declared"),
        (json!({ "foo": 1 }), "foo is 1, expected string"),
        (json!({}), "foo is missing"),
    ] {
        let run = stage.start_with("outputs", json!({ "gives": gives }));
        assert_eq!(stage.play(run), "failed");
        let failure = stage.run(run).steps()[0].last_failure.clone().expect("it has failed");
        assert!(failure.message.contains(mistake), "{failure:?}");
        assert_eq!(stage.statuses(run)["end"], "pending");
    }
    let run = stage.start_with("outputs", json!({ "gives": { "foo": "else" } }));
    assert_eq!(stage.end(run), "succeeded");
    assert_eq!(stage.statuses(run)["end"], "unsatisfied");
    history::check(run, &stage.records(run));
}

#[test]
fn a_definition_with_a_mistake_is_refused_and_nothing_is_kept() {
    let stage = Stage::new();
    let bad = [
        ("steps: [{ id: a, noop: true, needs: [b] }, { id: b, noop: true, needs: [a] }]", "needs"),
        ("steps: [{ id: a, component: nowhere@1 }]", "steps.a.component"),
        (
            "params: { zero: 0, x: { type: int, value: '${1 / params.zero}' } }, steps: [{ id: a, noop: true }]",
            "params.x",
        ),
        ("steps: [{ id: a, noop: true }, { id: a, noop: true }]", "id"),
        ("run_strategy: sometimes, steps: [{ id: a, noop: true }]", "run_strategy"),
        ("steps: [{ id: a, sleep: soon }]", "steps.a.sleep"),
    ];
    for (rest, place) in bad {
        let mistakes = problems(&stage, &format!("{{ workflow: bad, {rest} }}"));
        assert!(mistakes[0].contains(place), "{mistakes:?}");
    }
    // What is missing here hides nothing of the rest.
    let both = problems(
        &stage,
        "{ workflow: bad, params: { x: '${1 / 0}' }, steps: [{ id: a, component: nowhere@1 }] }",
    );
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].contains("params.x") && both[1].contains("nowhere"), "{both:?}");
    let known = stage.driver().workflow_named(&stage.tenant, "bad");
    assert!(matches!(known, Err(WorkflowError::Unknown(_))), "{known:?}");
    let changes = stage.driver().store().last_workflow_change(&stage.tenant, "bad");
    assert_eq!(changes.expect("the store answers"), 0);
    assert_eq!(stage.apply("{ workflow: bad, steps: [{ id: a, noop: true }] }"), 1);
}

#[test]
fn what_triggers_give_is_looked_at_before_they_fire() {
    let stage = Stage::new();
    let source = "
workflow: bad
params: { day: { type: string }, count: 1, fixed: { value: 1, mode: constant } }
triggers:
  - { cron: '0 6 * * *', params: { day: '${schedule.local_date}', cuont: 2 } }
  - { every: 15m, params: { day: 7 } }
  - { every: 1h }
  - { signal: { name: a }, params: { dya: '${signal.params.day}', fixed: '${signal.params.n}' } }
  - { signal: { name: b } }
  - { signal: { name: c }, params: { day: today, count: many } }
steps: [{ id: one, noop: true }]
";
    let remedy = "no run of this trigger could start; correct its params";
    let missing = "day: is missing and has no default; give a value of type string";
    let expected = [
        ("triggers[0].params", "cuont: unknown parameter; did you mean count?"),
        ("triggers[1].params", "day is 7, expected string"),
        ("triggers[2]", missing),
        ("triggers[3].params", missing),
        ("triggers[3].params.dya", "dya: unknown parameter; did you mean day?"),
        (
            "triggers[3].params.fixed",
            "fixed: its mode is constant, so nobody may change it; leave it out",
        ),
        ("triggers[4]", missing),
        ("triggers[5].params", "count is \"many\", expected int"),
    ];
    let expected = expected.map(|(place, message)| format!("{place}: {message}; {remedy}"));
    assert_eq!(problems(&stage, source), expected);
}
