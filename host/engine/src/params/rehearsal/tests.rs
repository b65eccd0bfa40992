//! What a rehearsal finds, and what it leaves to a run.

use crate::expression::Expression;
use crate::id::Timestamp;
use crate::retry::{Retry, RetryPart, RetryRule};
use crate::setting::Setting;
use crate::template::Template;
use crate::workflow::{
    Body, FailureMode, Foreach, Gate, Inner, Need, Param, ParamMode, Step, StepKind, StepParam,
    StepParams, Subworkflow, While, Workflow,
};
use serde_json::{Value, json};

fn template(value: Value) -> Template {
    Template::compile(&value).expect("it is a template")
}

fn expression(source: &str) -> Expression {
    Expression::compile(source).expect("it is an expression")
}

fn step(id: &str, kind: StepKind, params: Value) -> Step {
    Step {
        id: id.to_owned(),
        needs: Vec::new(),
        needed_by: Vec::new(),
        when: None,
        kind,
        params: StepParams::Whole(template(params)),
        outputs: None,
        signals: None,
        retry: RetryRule::default(),
        timeout: None,
        heartbeat_timeout: None,
        failure_mode: FailureMode::default(),
        tags: Vec::new(),
        description: None,
    }
}

fn noop(id: &str, params: Value) -> Step {
    step(id, StepKind::Noop, params)
}

/// These steps, of which `needs` says who waits for whom, and on what condition.
fn body(mut steps: Vec<Step>, needs: &[(u32, u32, Option<&str>)]) -> Body {
    for (step, needed, condition) in needs {
        let condition = condition.map(expression);
        steps[*step as usize].needs.push(Need { step: *needed, condition });
        steps[*needed as usize].needed_by.push(*step);
    }
    Body { steps, output: None }
}

fn inner(steps: Vec<Step>) -> Inner {
    Inner { body: body(steps, &[]), outer_steps: Vec::new() }
}

fn rehearse(params: &[(&str, &str, Option<Value>)], body: Body) -> Vec<String> {
    let param = |(name, kind, value): &(&str, &str, Option<Value>)| Param {
        name: (*name).to_owned(),
        kind: kind.parse().expect("it is a type"),
        value: value.clone().map(template),
        optional: name.starts_with("maybe"),
        mode: ParamMode::Mutable,
        description: None,
    };
    let workflow = Workflow {
        name: "w".to_owned(),
        description: None,
        owner: None,
        tags: None,
        run_strategy: None,
        step_concurrency: None,
        run_step_concurrency: None,
        triggers: Vec::new(),
        params: params.iter().map(param).collect(),
        timeout: Some(Setting::Computed(template(json!("${params.patience}")))),
        body,
    };
    let found = workflow.rehearse(Timestamp(1_000)).into_iter();
    found.map(|(path, message)| format!("{path}: {message}")).collect()
}

/// `patience` is right, `list` is `[1]`, and `needed` has to be given.
fn known() -> Vec<(&'static str, &'static str, Option<Value>)> {
    vec![
        ("patience", "string", Some(json!("2h"))),
        ("list", "list<int>", Some(json!([1]))),
        ("needed", "int", None),
        ("maybe", "int", None),
    ]
}

#[test]
fn params_are_evaluated() {
    let params = [
        ("patience", "string", Some(json!("soon"))),
        ("day", "string", Some(json!("${date(run.created_at).addDays(-1)}"))),
        ("bad", "int", Some(json!("${params.day}"))),
        ("after", "int", Some(json!("${params.bad + params.needed}"))),
        ("wrong", "int", Some(json!("${params.needed / 0}"))),
        ("needed", "int", None),
    ];
    let expected = [
        "params.bad: `${params.day}` is \"1969-12-31\", expected int; convert it in the \
         expression, or correct the type",
        "timeout: `${params.patience}` gave \"soon\", expected text like \"20 minutes\" or a whole \
         number of seconds, from 1ms to 120d",
    ];
    assert_eq!(rehearse(&params, body(Vec::new(), &[])), expected);
}

#[test]
fn everything_that_is_known_is_evaluated_everywhere() {
    let mut steps = vec![
        noop(
            "a",
            json!({"x": ["${params.list[7]}", "${params.needed}"], "y": "${steps.z.output}"}),
        ),
        step("s", StepKind::Sleep(template(json!("${params.list}"))), json!({})),
        step(
            "w",
            StepKind::Wait(Gate {
                signal: template(json!("${params.list[0]}")),
                pattern: template(json!({"n": "${params.maybe}"})),
            }),
            json!({}),
        ),
        step(
            "sub",
            StepKind::Subworkflow(Subworkflow {
                workflow: template(json!("${1}")),
                version: template(json!("${0}")),
                sync: true,
                explicit_params: false,
            }),
            json!("${params.patience}"),
        ),
    ];
    steps[0].when = Some(expression("params.list[0]"));
    steps[0].timeout = Some(Setting::Computed(template(json!("${params.list[0] - 1}"))));
    let computed = vec![(RetryPart::User, template(json!("${100}")))];
    steps[0].retry = RetryRule { fixed: Retry::default(), computed };
    let outside = "[7] is outside of a list of 1";
    let time = "expected text like \"20 minutes\" or a whole number of seconds, from";
    let expected = [
        "steps.a.when: gave 1, expected true or false".to_owned(),
        format!("steps.a.params.x[0]: `${{params.list[7]}}`: {outside}"),
        format!("steps.a.timeout: `${{params.list[0] - 1}}` gave 0, {time} 1ms to 120d"),
        "steps.a.retry.user: `${100}` gave 100, expected a whole number from 0 to 99".to_owned(),
        format!("steps.s.sleep: gave [1], {time} 0ms to 3650d"),
        "steps.w.wait.signal: gave 1, expected text".to_owned(),
        "steps.w.wait.match.n: `${params.maybe}`: params has no \"maybe\"; test it with has(…) or \
         `in` first"
            .to_owned(),
        "steps.sub.params: gave \"2h\", expected an object".to_owned(),
        "steps.sub.workflow: gave 1, expected text".to_owned(),
        "steps.sub.version: gave 0, expected a number from 1, active, latest or default".to_owned(),
    ];
    assert_eq!(rehearse(&known(), body(steps, &[])), expected);
}

#[test]
fn names_signals_and_sleeps_that_no_run_accepts_are_found() {
    let wait = |signal: &str, params: Value| {
        StepKind::Wait(Gate { signal: template(json!(signal)), pattern: template(params) })
    };
    let other = |workflow: &str| {
        StepKind::Subworkflow(Subworkflow {
            workflow: template(json!(workflow)),
            version: template(json!("default")),
            sync: true,
            explicit_params: false,
        })
    };
    let steps = vec![
        step("empty", wait("${''}", json!({})), json!({})),
        step("good", wait("${params.patience}", json!({"n": "${params.list[0]}"})), json!({})),
        step("deep", wait("s", json!({"n": "${params.list}"})), json!({})),
        step("long", StepKind::Sleep(template(json!("${'11y'}"))), json!({})),
        step("named", other("${params.patience}"), json!({})),
        step("unnamed", other("${'Two Words'}"), json!({})),
        step("own", StepKind::Sleep(template(json!("${self.unknown}"))), json!({})),
    ];
    let expected = [
        "steps.empty.wait.signal: gave \"\", expected the name of a signal: a signal's name has 1 \
         to 128 bytes, not 0",
        "steps.deep.wait.match: gave {\"n\":[1]}, expected what a signal may have: `match` of \
         param `n` is a list; for one of several values write {\"in\": [..]}",
        "steps.long.sleep: gave \"11y\", expected text like \"20 minutes\" or a whole number of \
         seconds, from 0ms to 3650d",
        "steps.unnamed.workflow: gave \"Two Words\", expected the name of a workflow: 1 to 63 of \
         a-z, 0-9 and -",
    ];
    assert_eq!(rehearse(&known(), body(steps, &[])), expected);
}

#[test]
fn loops_are_gone_into_unless_they_are_empty() {
    let foreach = |list: Value, inner: Inner| {
        StepKind::Foreach(Foreach {
            variables: vec![("v".to_owned(), template(list))],
            concurrency: 1,
            strict_ordering: false,
            inner,
        })
    };
    let while_true = |condition: &str| {
        StepKind::While(While {
            condition: expression(condition),
            variables: vec![("n".to_owned(), template(json!("${params.list[9]}")))],
            max_iterations: 3,
            inner: inner(vec![noop("deep", json!({"x": "${1 / 0}", "y": "${loop.n / 0}"}))]),
        })
    };
    let bad = || inner(vec![noop("in", json!({"x": "${params.list[loop.v]}", "y": "${1 / 0}"}))]);
    let steps = vec![
        step("each", foreach(json!("${params.list}"), bad()), json!({})),
        step("none", foreach(json!([]), bad()), json!({})),
        step("text", foreach(json!("${params.patience}"), inner(Vec::new())), json!({})),
        step("while", while_true("loop.n < 3"), json!({})),
        step("never", while_true("params.list.size() > 1"), json!({})),
    ];
    let expected = [
        "steps.each.steps.in.params.y: `${1 / 0}`: 1 / 0 has no result",
        "steps.text.foreach.v: gave \"2h\", expected a list",
        "steps.while.while.n: `${params.list[9]}`: [9] is outside of a list of 1",
        "steps.while.steps.deep.params.x: `${1 / 0}`: 1 / 0 has no result",
        "steps.never.while.n: `${params.list[9]}`: [9] is outside of a list of 1",
    ];
    assert_eq!(rehearse(&known(), body(steps, &[])), expected);
}

#[test]
fn what_cannot_run_is_left_out() {
    let bad = |id: &str| noop(id, json!({"x": "${1 / 0}"}));
    let mut steps = vec![bad("off"), bad("after"), noop("on", json!({})), bad("edge"), bad("both")];
    steps[0].when = Some(expression("has(params.maybe) && params.list[9] > 0"));
    let needs = [
        (1, 0, None),
        (3, 2, Some("params.list.size() > 1")),
        (4, 0, None),
        (4, 2, Some("params.needed > 1")),
    ];
    let found = rehearse(&known(), body(steps, &needs));
    assert_eq!(found, ["steps.both.params.x: `${1 / 0}`: 1 / 0 has no result"]);
}

#[test]
fn params_of_a_step_are_followed() {
    let param = |name: &str, kind: Option<&str>, value: Value| StepParam {
        name: name.to_owned(),
        kind: kind.map(|kind| kind.parse().expect("it is a type")),
        value: template(value),
        mode: ParamMode::Mutable,
    };
    let mut each = noop("a", json!({}));
    each.params = StepParams::Each(vec![
        param("base", Some("int"), json!(21)),
        param("ok", Some("string"), json!("${self.base * 2}")),
        param("zero", None, json!("${self.base / 0}")),
        param("after", None, json!("${self.zero + 1}")),
        param("list", Some("list<int>"), json!(["${params.patience}"])),
        param("given", Some("int"), json!("${params.needed / 0}")),
        param("kind", Some("int"), json!("x")),
    ]);
    let expected = [
        "steps.a.params.zero: `${self.base / 0}`: 21 / 0 has no result",
        "steps.a.params.list: `[${params.patience}]`[0] is \"2h\", expected int; convert it in the \
         expression, or correct the type",
        "steps.a.params.kind: is \"x\", expected int",
    ];
    assert_eq!(rehearse(&known(), body(vec![each], &[])), expected);
}

#[test]
fn a_rehearsal_ends() {
    let dear = || json!({"x": vec!["${lists.range(300000).map(x, x).size()}"; 50]});
    let steps = (0..50).map(|number| noop(&format!("s{number}"), dear())).collect();
    let started = std::time::Instant::now();
    assert_eq!(rehearse(&known(), body(steps, &[])), Vec::<String>::new());
    // Far more than it takes, far less than all of it would.
    assert!(started.elapsed().as_secs() < 60, "took {:?}", started.elapsed());
}
