//! What a run and its steps are given, and who may change it.

use super::*;
use crate::id::{RunId, Timestamp};
use crate::scope::RunFacts;
use crate::scope::tests::Given;
use crate::template::Template;
use crate::workflow::{Body, Param, ParamMode, StepParam, StepParams, Workflow};
use serde_json::{Map, Value, json};

fn template(value: &Value) -> Template {
    Template::compile(value).expect("it is a template")
}

fn mode(param: &Value) -> ParamMode {
    let mode = param.get("mode").cloned().unwrap_or_else(|| json!("mutable"));
    serde_json::from_value(mode).expect("it is a mode")
}

/// A workflow with these params, each as in a definition.
fn workflow(params: &[(&str, Value)]) -> Workflow {
    let param = |(name, param): &(&str, Value)| Param {
        name: (*name).to_owned(),
        kind: param["type"].as_str().expect("has a type").parse().expect("it is a type"),
        value: param.get("value").map(template),
        optional: param.get("optional").is_some(),
        mode: mode(param),
        description: None,
    };
    Workflow {
        name: "w".to_owned(),
        description: None,
        owner: None,
        tags: None,
        run_strategy: None,
        step_concurrency: None,
        run_step_concurrency: None,
        params: params.iter().map(param).collect(),
        timeout: None,
        triggers: Vec::new(),
        body: Body { steps: Vec::new(), output: None },
    }
}

fn facts() -> RunFacts<'static> {
    let created_at = Timestamp(1_000);
    let id = RunId::new(created_at, 0);
    RunFacts {
        id,
        number: None,
        workflow: "w",
        version: 3,
        created_at,
        scheduled_at: created_at,
        retries: 0,
    }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().expect("it is an object").clone()
}

fn bind(workflow: &Workflow, given: Value) -> Result<Bound, Vec<String>> {
    workflow.bind(&map(&given), ParamSource::Start, facts())
}

fn bind_all(workflow: &Workflow, given: Value) -> Result<String, Vec<String>> {
    bind(workflow, given).map(|bound| bound.values.text().to_owned())
}

fn mistakes(found: Result<Bound, Vec<String>>) -> Vec<String> {
    found.expect_err("it is wrong")
}

#[test]
fn defaults_are_filled_in_and_the_order_is_the_definitions() {
    let workflow = workflow(&[
        ("zone", json!({"type": "string", "value": "UTC"})),
        ("ratio", json!({"type": "double"})),
        ("ids", json!({"type": "list<double>", "value": [1]})),
        ("note", json!({"type": "string", "optional": true})),
    ]);
    let bound = bind(&workflow, json!({"ratio": 3})).expect("it is right");
    assert_eq!(bound.values.text(), r#"{"zone":"UTC","ratio":3.0,"ids":[1.0]}"#);
    let from = Some(ParamSource::Definition);
    assert_eq!(bound.sources, [from, Some(ParamSource::Start), from, None]);
    let text = serde_json::to_string(&bound).expect("it is JSON");
    assert_eq!(serde_json::from_str::<Bound>(&text).expect("it was written"), bound);
}

#[test]
fn every_mistake_is_named() {
    let workflow = workflow(&[
        ("year", json!({"type": "int"})),
        ("ids", json!({"type": "list<int>"})),
        ("b", json!({"type": "bool"})),
        ("text", json!({"type": "int", "value": 1})),
    ]);
    let mistakes = bind_all(&workflow, json!({"yaer": 1, "ids": [1, "x"], "b": 1, "text": "3"}));
    let expected = [
        "yaer: unknown parameter; did you mean year?",
        "year: is missing and has no default; give a value of type int",
        r#"ids[1] is "x", expected int"#,
        "b is 1, expected bool",
        r#"text is "3", expected int"#,
    ];
    assert_eq!(mistakes, Err(expected.map(str::to_owned).to_vec()));
}

/// `day` reads `next`, which reads `year`: later ones come first.
fn chain() -> Workflow {
    workflow(&[
        ("day", json!({"type": "string", "value": "${params.next}-01-01"})),
        ("next", json!({"type": "string", "value": "${params.year + 1}"})),
        ("year", json!({"type": "int", "value": 2012})),
        ("all", json!({"type": "int", "value": "${size(params)}"})),
        ("run", json!({"type": "json", "value": ["${run.id}", "${run.version}"]})),
        ("note", json!({"type": "string", "optional": true})),
        ("noted", json!({"type": "string", "value": "${default(params.note, 'none')}"})),
    ])
}

#[test]
fn values_are_worked_out_in_the_order_of_what_they_read() {
    let bound = bind_all(&chain(), json!({})).expect("it is right");
    let run = r#"["run_000000000Z8000000000000000",3]"#;
    let run = run.replace("run_000000000Z8000000000000000", &facts().id.to_string());
    let expected = format!(
        r#"{{"day":"2013-01-01","next":"2013","year":2012,"all":5,"run":{run},"noted":"none"}}"#
    );
    assert_eq!(bound, expected);
    let given = bind(&chain(), json!({"next": "2020", "note": "x"})).expect("it is right");
    assert_eq!(given.values.value()["day"], "2020-01-01");
    assert_eq!(given.values.value()["noted"], "x");
}

#[test]
fn what_cannot_be_worked_out_is_a_mistake_once() {
    let workflow = workflow(&[
        ("a", json!({"type": "int", "value": "${params.list[7]}"})),
        ("b", json!({"type": "int", "value": "${params.a}"})),
        ("list", json!({"type": "list<int>", "value": "${['1', 'x']}"})),
        ("c", json!({"type": "int", "value": "${params.ok[7]}"})),
        ("ok", json!({"type": "list<int>", "value": [1]})),
        ("n", json!({"type": "int", "value": "${run.number}"})),
        ("r", json!({"type": "int", "value": "${params.s}"})),
        ("s", json!({"type": "int", "value": "${params.r}"})),
    ]);
    let circle = "reads itself, or others that read each other in a circle; break it";
    let expected = [
        "list: `${['1', 'x']}`[1] is \"x\", expected int; convert it in the expression, or \
         correct the type"
            .to_owned(),
        "c: `${params.ok[7]}`: [7] is outside of a list of 1".to_owned(),
        "n: `${run.number}`: run.number is not known here; use run.id, or default(run.number, 0)"
            .to_owned(),
        format!("r: {circle}"),
        format!("s: {circle}"),
    ];
    assert_eq!(mistakes(bind(&workflow, json!({}))), expected);
}

#[test]
fn a_map_is_merged_into_a_literal_one() {
    let workflow = workflow(&[
        ("deep", json!({"type": "map<map<double>>", "value": {"a": {"x": 1, "y": 2}, "b": {}}})),
        ("list", json!({"type": "list<int>", "value": [1, 2]})),
        ("made", json!({"type": "map<int>", "value": "${ {'a': 1} }"})),
        ("json", json!({"type": "json", "value": {"a": 1}})),
    ]);
    let given = json!({"deep": {"a": {"y": 3}}, "list": [9], "made": {"b": 2}, "json": {"b": 2}});
    let bound = bind(&workflow, given).expect("it is right");
    let expected =
        r#"{"deep":{"a":{"x":1.0,"y":3.0},"b":{}},"list":[9],"made":{"b":2},"json":{"b":2}}"#;
    assert_eq!(bound.values.text(), expected);
    let again = map(&json!({"deep": {"c": {"z": 1}}, "made": {"c": 3}}));
    let again = workflow.rebind(&bound, &again, ParamSource::Retry, facts()).expect("it is right");
    assert_eq!(
        again.values.value()["deep"],
        json!({"a": {"x": 1.0, "y": 3.0}, "b": {}, "c": {"z": 1.0}})
    );
    assert_eq!(again.values.value()["made"], json!({"b": 2, "c": 3}));
}

fn of_every_mode() -> Workflow {
    let param = |mode: &str| json!({"type": "int", "value": 1, "mode": mode});
    workflow(&[
        ("a", param("mutable")),
        ("b", param("mutable_on_start_restart")),
        ("c", param("mutable_on_start")),
        ("d", param("immutable")),
        ("e", param("constant")),
    ])
}

#[test]
fn modes_say_who_may_change_a_param() {
    let workflow = of_every_mode();
    let all = map(&json!({"a": 2, "b": 2, "c": 2, "d": 2, "e": 2}));
    let fixed = [
        "d: its mode is immutable, so only the definition may change it; leave it out",
        "e: its mode is constant, so nobody may change it; leave it out",
    ];
    let on_start = "c: its mode is mutable_on_start, so only a start may change it; leave it out, \
                    or start a new run";
    let begun =
        [ParamSource::Start, ParamSource::Parent, ParamSource::Schedule, ParamSource::Signal];
    for source in begun {
        assert_eq!(mistakes(workflow.bind(&all, source, facts())), fixed, "{source:?}");
    }
    let before = workflow.bind(&Map::new(), ParamSource::Start, facts()).expect("it is right");
    for source in [ParamSource::Retry, ParamSource::Fork] {
        let expected = [on_start, fixed[0], fixed[1]];
        assert_eq!(mistakes(workflow.rebind(&before, &all, source, facts())), expected);
    }
    let some = map(&json!({"a": 2, "b": 2}));
    let bound = workflow.rebind(&before, &some, ParamSource::Fork, facts()).expect("it is right");
    assert_eq!(bound.values.text(), r#"{"a":2,"b":2,"c":1,"d":1,"e":1}"#);
    assert_eq!(bound.sources[1..3], [Some(ParamSource::Fork), Some(ParamSource::Definition)]);
}

#[test]
fn what_is_handed_on_again_reaches_what_a_retry_may_change() {
    let workflow = of_every_mode();
    let nothing = Map::new();
    let before = workflow.bind_inherited(&nothing, &map(&json!({"a": 2, "b": 2})), facts());
    let before = before.expect("it is right");
    let again = |before: &Bound, inherited: &Value, renewed: bool| {
        let handed = (&map(&json!({"b": 9})), &map(inherited));
        workflow.rebind_inherited(before, handed, &|_| renewed, facts())
    };
    let same = json!({"a": 2, "b": 3, "d": 2, "e": 2, "other": 2});
    assert_eq!(again(&before, &same, true), Ok(None));
    let bound = again(&before, &json!({"a": 5, "c": 5}), false).expect("it is right");
    let bound = bound.expect("one is another");
    assert_eq!(bound.values.text(), r#"{"a":5,"b":2,"c":1,"d":1,"e":1}"#);
    assert_eq!(bound.sources[0], Some(ParamSource::Parent));
    // What was given to the run itself.
    let own = map(&json!({"a": 7}));
    let own = workflow.rebind(&before, &own, ParamSource::Retry, facts()).expect("it is right");
    assert_eq!(again(&own, &json!({"a": 5}), false), Ok(None));
    let bound = again(&own, &json!({"a": 5}), true).expect("it is right").expect("another");
    assert_eq!(bound.values.text(), r#"{"a":5,"b":2,"c":1,"d":1,"e":1}"#);
    let expected = "a is \"x\", expected int; it is handed on from the parent; name it there, or use \
                    explicit_params";
    assert_eq!(again(&before, &json!({"a": "x"}), false), Err(vec![expected.to_owned()]));
}

#[test]
fn what_is_handed_on_is_taken_where_it_is_wanted() {
    let workflow = of_every_mode();
    let inherited = map(&json!({"a": 2, "b": 2, "d": 2, "e": 2, "other": 2}));
    let explicit = map(&json!({"b": 3}));
    let bound = workflow.bind_inherited(&explicit, &inherited, facts()).expect("it is right");
    assert_eq!(bound.values.text(), r#"{"a":2,"b":3,"c":1,"d":1,"e":1}"#);
    assert_eq!(
        bound.sources[..3],
        [Some(ParamSource::Parent), Some(ParamSource::Parent), Some(ParamSource::Definition)]
    );
    let explicit = map(&json!({"e": 3, "other": 1}));
    let wrong = workflow.bind_inherited(&explicit, &map(&json!({"a": "x"})), facts());
    let expected = [
        "other: unknown parameter; there are a, b, c, d, e",
        "a is \"x\", expected int; it is handed on from the parent; name it there, or use explicit_params",
        "e: its mode is constant, so nobody may change it; leave it out",
    ];
    assert_eq!(mistakes(wrong), expected);
}

#[test]
fn taking_up_again_evaluates_what_reads_what_is_new() {
    let workflow = workflow(&[
        ("year", json!({"type": "int", "value": 2012})),
        ("next", json!({"type": "int", "value": "${params.year + 1}"})),
        ("day", json!({"type": "string", "value": "${params.next}-01-01"})),
        ("born", json!({"type": "string", "value": "${run.created_at}"})),
        ("city", json!({"type": "string", "value": "${params.day + ' in Oslo'}"})),
        ("last", json!({"type": "string", "value": "${params.city}!"})),
    ]);
    let before = bind(&workflow, json!({"city": "Rome"})).expect("it is right");
    let later = RunFacts { created_at: Timestamp(9_000), ..facts() };
    let rebind = |given: Value| {
        workflow.rebind(&before, &map(&given), ParamSource::Retry, later).expect("it is right")
    };
    assert_eq!(rebind(json!({})), before);
    let after = rebind(json!({"year": 2019}));
    let expected = r#"{"year":2019,"next":2020,"day":"2020-01-01","born":"1970-01-01T00:00:01Z","city":"Rome","last":"Rome!"}"#;
    assert_eq!(after.values.text(), expected);
    let definition = Some(ParamSource::Definition);
    assert_eq!(
        after.sources,
        [
            Some(ParamSource::Retry),
            definition,
            definition,
            definition,
            Some(ParamSource::Start),
            definition
        ]
    );
    assert_eq!(rebind(json!({"city": "Bern"})).values.value()["last"], "Bern!");
}

#[test]
fn another_version_takes_what_still_counts() {
    let from = workflow(&[
        ("gone", json!({"type": "int", "value": 1})),
        ("given", json!({"type": "int", "value": 1})),
        ("fixed", json!({"type": "int", "value": 1})),
        ("same", json!({"type": "string", "value": "${run.created_at}"})),
        ("other", json!({"type": "int", "value": 1})),
    ]);
    let to = workflow(&[
        ("given", json!({"type": "int", "value": 5})),
        ("fixed", json!({"type": "int", "value": 5, "mode": "constant"})),
        ("same", json!({"type": "string", "value": "${run.created_at}"})),
        ("other", json!({"type": "int", "value": 5})),
        ("sum", json!({"type": "int", "value": "${params.given + params.new}"})),
        ("new", json!({"type": "int", "value": 100})),
    ]);
    let before = bind(&from, json!({"gone": 2, "given": 2, "fixed": 2})).expect("it is right");
    let carried = before.carried(&from, &to);
    assert_eq!(carried.values.text(), r#"{"given":2,"same":"1970-01-01T00:00:01Z"}"#);
    let later = RunFacts { created_at: Timestamp(9_000), ..facts() };
    let bound = to.rebind(&carried, &Map::new(), ParamSource::Fork, later).expect("it is right");
    let expected =
        r#"{"given":2,"fixed":5,"same":"1970-01-01T00:00:01Z","other":5,"sum":102,"new":100}"#;
    assert_eq!(bound.values.text(), expected);
}

#[test]
fn params_are_limited_together() {
    let doubled = |name: &str| json!({"type": "string", "value": format!("${{params.{name} + params.{name}}}")});
    let workflow = workflow(&[
        ("a", json!({"type": "string", "value": "x".repeat(200_000)})),
        ("b", doubled("a")),
        ("c", doubled("b")),
        ("d", doubled("c")),
    ]);
    let found = mistakes(bind(&workflow, json!({})));
    let expected = "the params have 1400006 bytes of JSON together, at most 750000 are allowed; \
                    hand large values on in the output of a step";
    assert_eq!(found, [expected]);
    let many: Map<_, _> = (0..129).map(|number| (format!("p{number}"), json!(1))).collect();
    let found = workflow.bind(&many, ParamSource::Start, facts());
    let expected =
        "129 params are given, at most 128 are allowed; put several into one of type json";
    assert_eq!(mistakes(found), [expected]);
}

fn each(params: &[(&str, Value)]) -> StepParams {
    let param = |(name, param): &(&str, Value)| StepParam {
        name: (*name).to_owned(),
        kind: param
            .get("type")
            .map(|kind| kind.as_str().expect("is text").parse().expect("it is a type")),
        value: template(&param["value"]),
        mode: mode(param),
    };
    StepParams::Each(params.iter().map(param).collect())
}

fn render(params: &StepParams, overrides: Option<Value>) -> Result<String, String> {
    let scope = Given::new(json!({"n": 3, "list": [1], "o": {"a": 1}})).with_loop(json!({"y": 1}));
    let overrides = overrides.map(|overrides| map(&overrides));
    params.render(&scope, overrides.as_ref()).map(|input| input.text().to_owned())
}

#[test]
fn a_step_may_be_given_other_fields() {
    let whole = StepParams::Whole(template(&json!({"n": "${params.n}", "name": "n${params.n}"})));
    assert_eq!(render(&whole, None).as_deref(), Ok(r#"{"n":3,"name":"n3"}"#));
    let given = json!({"n": [4]});
    assert_eq!(render(&whole, Some(given)).as_deref(), Ok(r#"{"n":[4],"name":"n3"}"#));
    let unknown = "nam: unknown parameter; did you mean name?".to_owned();
    assert_eq!(render(&whole, Some(json!({"nam": 1}))), Err(unknown.clone()));
    let check =
        |params: &StepParams, given| params.check_overrides(&map(&given), ParamSource::Retry);
    assert_eq!(check(&whole, json!({"nam": 1, "n": "x"})), [unknown]);
    let one = StepParams::Whole(template(&json!("${params.o}")));
    assert_eq!(render(&one, Some(json!({"b": 2}))).as_deref(), Ok(r#"{"a":1,"b":2}"#));
    assert_eq!(check(&one, json!({"b": 2})), Vec::<String>::new());
    let none = StepParams::Whole(template(&json!("${params.list}")));
    assert_eq!(render(&none, None), Err("gave [1], expected an object".to_owned()));
}

#[test]
fn params_of_a_step_read_each_other() {
    let params = each(&[
        ("base", json!({"value": "${params.n}"})),
        ("ratio", json!({"type": "double", "value": 1})),
        ("twice", json!({"type": "string", "value": "${self.base * 2}"})),
        ("all", json!({"value": "${self}"})),
    ]);
    let expected = r#"{"base":3,"ratio":1.0,"twice":"6","all":{"base":3,"ratio":1.0,"twice":"6"}}"#;
    assert_eq!(render(&params, None).as_deref(), Ok(expected));
    let expected =
        r#"{"base":10,"ratio":2.0,"twice":"20","all":{"base":10,"ratio":2.0,"twice":"20"}}"#;
    assert_eq!(render(&params, Some(json!({"base": 10, "ratio": 2}))).as_deref(), Ok(expected));
    let wrong = each(&[("a", json!({"type": "int", "value": "${params.list}"}))]);
    let expected = "a: `${params.list}` is a list, expected int; convert it in the expression, or \
                    correct the type";
    assert_eq!(render(&wrong, None), Err(expected.to_owned()));
    let missing = each(&[("a", json!({"value": "${self.b}"}))]);
    let expected = "a: `${self.b}`: self has no \"b\"; test it with has(…) or `in` first";
    assert_eq!(render(&missing, None), Err(expected.to_owned()));
}

#[test]
fn overrides_of_a_step_follow_types_and_modes() {
    let params = each(&[
        ("a", json!({"type": "int", "value": 1})),
        ("b", json!({"type": "int", "value": 1, "mode": "mutable_on_start"})),
        ("c", json!({"type": "int", "value": 1, "mode": "immutable"})),
        ("m", json!({"type": "map<int>", "value": {"x": 1}})),
    ]);
    let check = |given, source| params.check_overrides(&map(&given), source);
    let given = json!({"a": "x", "b": 2, "c": 2, "d": 2});
    let fixed = "c: its mode is immutable, so only the definition may change it; leave it out";
    let unknown = "d: unknown parameter; there are a, b, c, m";
    let typed = "a is \"x\", expected int";
    assert_eq!(check(given.clone(), ParamSource::Start), [typed, fixed, unknown]);
    let on_start = "b: its mode is mutable_on_start, so only a start may change it; leave it out, \
                    or start a new run";
    assert_eq!(check(given, ParamSource::Retry), [typed, on_start, fixed, unknown]);
    let expected = r#"{"a":2,"b":1,"c":1,"m":{"x":1,"y":2}}"#;
    assert_eq!(render(&params, Some(json!({"a": 2, "m": {"y": 2}}))).as_deref(), Ok(expected));
    assert_eq!(render(&params, Some(json!({"d": 2}))), Err(unknown.to_owned()));
    assert_eq!(render(&params, Some(json!({"a": "x"}))), Err(typed.to_owned()));
}
