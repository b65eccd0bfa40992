//! What expressions mean, and that neither a hostile source nor a hostile
//! document gets the better of them.

use super::*;
use crate::scope::tests::Given;
use serde_json::{Value as Json, json};

fn scope() -> Given {
    Given::new(json!({
        "n": 3, "big": u64::MAX, "ratio": 0.5, "name": "Seattle", "on": true, "none": null,
        "list": [1, 2, 3], "map": {"b": 2, "a": 1}, "rows": [{"k": "x", "v": 1}, {"k": "y", "v": 2}],
    }))
    .with_loop(json!({"year": 2012}))
    .with_step("load", Some(json!({"rows": 1461, "by_year": {"2012": [1, 2]}})))
    .with_step("per-year", Some(json!([{"year": 2012}])))
    .with_step("skipped", None)
    .with_own(json!({"base": 21}))
    .with_given("load", json!({"day": "2012-01-01"}))
}

fn evaluate(source: &str) -> Result<Json, String> {
    Expression::compile(source)?.evaluate(&scope())
}

#[track_caller]
fn check(cases: &[(&str, Json)]) {
    for (source, expected) in cases {
        assert_eq!(evaluate(source).as_ref(), Ok(expected), "{source}");
    }
}

#[track_caller]
fn check_failures(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let message = evaluate(source).expect_err(source);
        assert_eq!(message, *expected, "{source}");
    }
}

#[test]
fn names_read_the_scope() {
    check(&[
        ("params.name", json!("Seattle")),
        ("params", scope().params().value().clone()),
        ("loop.year", json!(2012)),
        ("loop", json!({"year": 2012})),
        ("params['n']", json!(3)),
        ("run.id", json!("run_00000000000000000000000000")),
        ("steps.load.output.rows", json!(1461)),
        ("steps['per-year'].output[0].year", json!(2012)),
        ("steps.load.output.by_year[string(loop.year)]", json!([1, 2])),
        ("steps.load.status == 'succeeded'", json!(true)),
        ("steps.skipped.output", json!(null)),
        ("has(steps.skipped.output)", json!(false)),
        ("has(steps.load.output)", json!(true)),
        ("self.base * 2", json!(42)),
        ("self", json!({"base": 21})),
        ("steps.load.params.day", json!("2012-01-01")),
        ("steps.skipped.params", json!(null)),
        ("has(steps.load.params) && !has(steps['skipped'].params)", json!(true)),
        ("has(params.map.a) && !has(params.map.z)", json!(true)),
        // `loop` is a reserved word of CEL everywhere else.
        ("{'loop': 1}.loop", json!(1)),
        ("[1, 2].map(loop, loop + 1)", json!([2, 3])),
        ("[{'x': 1}].map(steps, steps.x)", json!([1])),
    ]);
}

#[test]
fn a_run_is_known_by_its_facts() {
    check(&[
        ("run.number", json!(7)),
        ("run.workflow + '@' + string(run.version)", json!("w@3")),
        ("run.created_at", json!("1970-01-01T00:00:01Z")),
        ("run.created_at + duration('1m')", json!("1970-01-01T00:01:01Z")),
        ("date(run.created_at)", json!("1970-01-01")),
        ("run.scheduled_at", json!("1970-01-01T00:00:00.5Z")),
        ("run.retries", json!(0)),
        ("has(run.number) && has(run.id)", json!(true)),
    ]);
    let scope = scope().without_number();
    let evaluate = |source: &str| Expression::compile(source)?.evaluate(&scope);
    let unknown = "run.number is not known here; use run.id, or default(run.number, 0)";
    assert_eq!(evaluate("run.number"), Err(unknown.to_owned()));
    assert_eq!(evaluate("default(run.number, 0)"), Ok(json!(0)));
    assert_eq!(evaluate("has(run.number)"), Ok(json!(false)));
}

#[test]
fn numbers_come_back_as_they_went_in() {
    check(&[
        ("params.n", json!(3)),
        ("params.big", json!(u64::MAX)),
        ("params.ratio", json!(0.5)),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("3u", json!(3)),
        ("3.0", json!(3.0)),
        ("1 == 1.0 && 1u == 1 && 2 > 1.5", json!(true)),
        ("7 / 2 * 2 + 7 % 2", json!(7)),
        ("double(7) / 2.0", json!(3.5)),
        ("int('42') + int(1.9)", json!(43)),
        ("1e300 * 10.0", json!(1e301)),
    ]);
    check_failures(&[
        ("9223372036854775807 + 1", "9223372036854775807 + 1 is out of range for an int"),
        ("1 / 0", "1 / 0 has no result"),
        ("1 + 1.5", "+ does not take int and double; use double(…) or int(…) on one"),
        ("'a' + 1", "+ does not take string and int; use string(…) on the other"),
        ("1.0 / 0.0", "gives inf, which JSON does not have; rule it out with a condition"),
        ("-params.name", "- needs a number, not string"),
        ("1 < 'a'", "< does not take int and string"),
        ("double('NaN') < 1.0", "< does not take double and double"),
        ("int('x')", "int: string parse error: invalid digit found in string"),
    ]);
}

#[test]
fn lists_and_maps_work_the_same_wherever_they_are_from() {
    check(&[
        ("params.list == [1, 2, 3] && [1, 2, 3] == params.list", json!(true)),
        ("params.map == {'a': 1, 'b': 2} && {'a': 1, 'b': 2} == params.map", json!(true)),
        ("[1] + params.list", json!([1, 1, 2, 3])),
        ("2 in params.list && !(9 in params.list)", json!(true)),
        ("'a' in params.map && !('z' in params.map)", json!(true)),
        ("size(params.list) + params.map.size() + size('héé')", json!(8)),
        ("params.list[2u] + params.list[0.0 + 0.0]", json!(4)),
        ("params.rows.filter(r, r.v > 1).map(r, r.k)", json!(["y"])),
        ("params.rows.map(r, r.v > 1, r.k)", json!(["y"])),
        ("params.rows.all(r, r.v > 0)", json!(true)),
        ("params.rows.exists(r, r.v > 1)", json!(true)),
        ("params.rows.exists_one(r, r.v > 0)", json!(false)),
        ("params.map.map(k, k)", json!(["a", "b"])),
        ("{'c': 1, 'b': 2, 'a': 3}.map(k, k)", json!(["a", "b", "c"])),
        ("{1: 'x'}[1] + {true: 'y'}[true]", json!("xy")),
        ("[[1, 2], [3]].map(x, x.map(y, y * 2))", json!([[2, 4], [6]])),
        ("[1, 2].map(x, [3].map(y, x + y))", json!([[4], [5]])),
    ]);
    check_failures(&[
        ("params.list[3]", "[3] is outside of a list of 3"),
        ("params.list[-1]", "[-1] is outside of a list of 3"),
        ("params.list.x", "params.list is list, it has no field x"),
        ("params.map.c", "params.map has no \"c\"; test it with has(…) or `in` first"),
        ("params.nmae", "params has no \"nmae\"; did you mean \"name\"?"),
        ("steps.load.output.raws", "the output of load has no \"raws\"; did you mean \"rows\"?"),
        (
            "steps.load.output.by_year[loop.year]",
            "by_year of the output of load has no key 2012; a document has text as keys, as in \
             string(2012)",
        ),
        ("{'a': 1, 'a': 2}", "a map has a key twice"),
        ("{1.5: 1}", "double can be no key of a map"),
        (
            "{1: 2}",
            "gives a map with keys other than text, which JSON does not have; use string(…)",
        ),
        ("1.map(x, x)", "a macro needs a list or a map, not int"),
        ("steps.later.output", "there is no step later here"),
    ]);
}

#[test]
fn a_decisive_operand_saves_a_failure() {
    check(&[
        ("false && 1 / 0 == 1", json!(false)),
        ("1 / 0 == 1 && false", json!(false)),
        ("1 / 0 == 1 || true", json!(true)),
        ("[0, 1].exists(x, 1 / x == 1)", json!(true)),
        ("[0, 2].all(x, 4 / x == 9)", json!(false)),
        ("true ? 1 : 1 / 0", json!(1)),
    ]);
    check_failures(&[
        ("1 / 0 == 1 || false", "1 / 0 has no result"),
        ("true && 3", "&& needs a bool, not int"),
        ("3 ? 1 : 2", "?: needs a bool, not int"),
        ("[0, 1].all(x, 1 / x == 1)", "1 / 0 has no result"),
    ]);
}

#[test]
fn functions_work_on_single_values() {
    check(&[
        ("string(1) + string(1.5) + string(true) + string('x')", json!("11.5truex")),
        ("params.name.startsWith('Sea') && params.name.contains('att')", json!(true)),
        ("params.name.endsWith('tle') && params.name.matches('^[A-Z][a-z]+$')", json!(true)),
        ("matches('2012-01', '^[0-9]{4}-')", json!(true)),
        ("type(1) == int && type(params.list) == list && type('') != int", json!(true)),
        ("dyn(params.list)", json!([1, 2, 3])),
        ("bool('true')", json!(true)),
        ("timestamp('2012-01-01T00:00:00Z') + duration('36h')", json!("2012-01-02T12:00:00Z")),
        ("duration('90s')", json!("90s")),
        ("duration('1m30.5s')", json!("90.5s")),
        ("timestamp('2012-03-01T00:00:00Z').getFullYear()", json!(2012)),
        ("timestamp('2012-03-01T00:00:00Z').getDate('America/Los_Angeles')", json!(29)),
        ("timestamp('2012-03-01T00:00:00Z') < timestamp('2012-03-02T00:00:00Z')", json!(true)),
        ("int(timestamp('1970-01-01T00:01:00Z'))", json!(60)),
        ("base64.encode(bytes('hello'))", json!("aGVsbG8=")),
        ("string(base64.decode('aGVsbG8='))", json!("hello")),
        ("size(b'abc') + size(bytes('é'))", json!(5)),
        ("1u + 2u == 3u && b'a' + b'b' == b'ab'", json!(true)),
    ]);
    check_failures(&[
        ("b'abc'", "gives bytes, which JSON does not have; use base64.encode(…)"),
        ("type(1)", "gives a type, which JSON does not have; compare it, or name it in text"),
        ("size(1)", "size does not take int"),
        ("'a'.contains(1)", "contains does not take string and int"),
        ("int([1])", "int does not take list"),
        ("timestamp('soon')", "timestamp: premature end of input"),
        ("duration('99h') * 2", "* does not take duration and int"),
        (
            "timestamp('9999-12-31T00:00:00Z') + duration('999999h')",
            "+ does not take timestamp and duration",
        ),
    ]);
}

#[test]
fn mistakes_are_found_when_an_expression_is_made() {
    check_failures(&[
        ("", "is empty; write an expression, for example params.name"),
        (
            "1 +",
            "is not CEL: mismatched input 'the end' expecting expression at column 4; correct the expression",
        ),
        ("parms.x", "unknown name parms; did you mean params?"),
        ("foo", "unknown name foo; there are params, steps, loop, self and run"),
        ("LOOP.x", "unknown name LOOP; did you mean loop?"),
        (
            "run.name",
            "unknown name run.name; a run has id, number, workflow, version, created_at, \
             scheduled_at, retries",
        ),
        ("has(run.nmber)", "unknown name run.nmber; did you mean run.number?"),
        ("run", "run alone is nothing; write run.id"),
        (
            "steps.load.rows",
            "a step has an output, a status and params; write steps.load.output, steps.load.status or \
             steps.load.params",
        ),
        (
            "steps['a b']",
            "a step has an output, a status and params; write steps['a b'].output, steps['a b'].status or \
             steps['a b'].params",
        ),
        (
            "steps.per-year.output",
            "a dash in the id of a step reads as minus; write steps['per-…']",
        ),
        (
            "steps[params.x].output",
            "which step is read has to be plain; write steps.<id> or steps['<id>']",
        ),
        ("size(steps)", "which step is read has to be plain; write steps.<id> or steps['<id>']"),
        ("sze(params)", "unknown function sze; did you mean size?"),
        ("contains('a', 'b')", "contains is called on what it works on; write x.contains(…)"),
        ("params.string()", "string is called with what it works on; write string(x)"),
        ("size()", "size takes 1 in its parentheses, not 0; add what is missing"),
        (
            "'a'.matches(params.name)",
            "the pattern of matches(…) has to be plain; write it there in quotes",
        ),
        (
            "'a'.matches('(')",
            "the pattern of matches(…) is none: unclosed group; correct the pattern",
        ),
        ("Foo{a: 1}", "there is no message type Foo; write a map, as in {'key': value}"),
        ("a.?b", "is not CEL: unsupported syntax '.?' at column 2; correct the expression"),
        ("é", "has the character 'é' outside of quotes; remove it"),
        ("now()", "unknown function now; there is no clock here; take the time from a param"),
        ("lists.rage(1)", "unknown function lists.rage; did you mean lists.range?"),
        ("nothing.like(1)", "unknown name nothing; there are params, steps, loop, self and run"),
        ("frobnicate(1)", "unknown function frobnicate; EXPRESSIONS.md lists those there are"),
        ("'a'.upper()", "unknown function upper; use x.upperAscii()"),
        (
            "'a'.substring()",
            "substring takes 1 to 2 in its parentheses, not 0; add what is missing",
        ),
        (
            "cel.bind(1, 2, 3)",
            "the variable has to be a name; write it as in x.sortBy(v, v.key) or cel.bind(v, value, v + v)",
        ),
        ("cel.bind(x, x, 1)", "unknown name x; there are params, steps, loop, self and run"),
    ]);
}

#[test]
fn references_are_what_is_read() {
    let source = "steps.a.output.x + steps['b-c'].output[0] == params.p ? loop.v : \
                  [1].map(params, params.hidden)[0]";
    let expression = Expression::compile(source).expect("it is an expression");
    let References { steps, params, loop_variables, .. } = expression.references();
    assert_eq!(steps.iter().collect::<Vec<_>>(), ["a", "b-c"]);
    assert_eq!(params.iter().collect::<Vec<_>>(), ["p"]);
    assert_eq!(loop_variables.iter().collect::<Vec<_>>(), ["v"]);
    let whole = |references: &References| {
        [references.reads_params, references.reads_loop, references.reads_own]
    };
    assert_eq!(whole(expression.references()), [false; 3]);
    let source = "params['p'] + self['s'] + self.t + loop['v'] + run.number + size(steps.a.params)";
    let read = Expression::compile(source).expect("it is an expression").references().clone();
    assert_eq!(read.params.iter().chain(&read.loop_variables).collect::<Vec<_>>(), ["p", "v"]);
    assert_eq!(read.own.iter().chain(&read.run).collect::<Vec<_>>(), ["s", "t", "number"]);
    assert_eq!(whole(&read), [false; 3]);
    let mut all = Expression::compile("[params, loop]").expect("it is one").references().clone();
    all.extend(Expression::compile("self[params.key]").expect("it is one").references());
    assert_eq!(whole(&all), [true; 3]);
}

#[test]
fn a_condition_is_true_or_false() {
    let holds = |source: &str| Expression::compile(source).expect(source).holds(&scope());
    assert_eq!(holds("steps.load.output.rows > 0"), Ok(true));
    assert_eq!(holds("params.n"), Err("gave 3 (int), expected true or false".to_owned()));
    assert_eq!(holds("params.list"), Err("gave [1,2,3] (list), expected true or false".to_owned()));
}

#[test]
fn a_document_is_handed_on_as_it_is() {
    let expression = Expression::compile("steps.load.output").expect("it is an expression");
    let scope = scope();
    let document = expression.document(&scope).expect("it is one").expect("there is one");
    assert!(std::ptr::eq(document.text(), scope.output("load")));
}

#[test]
fn hostile_sources_are_refused_quickly() {
    let deep = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let sources = [
        deep("(", "1", ")", 10_000),
        deep("(", "1", ")", 2_000),
        deep("(", "1", "", 4_000),
        deep("[", "1", "]", 2_000),
        deep("{1:", "1", "}", 1_000),
        deep("!", "true", "", 4_000),
        deep("-!", "true", "", 2_000),
        deep("a?", "b", ":c", 1_000),
        deep("a?b:", "c", "", 1_000),
        deep("[1].map(a,", "1", ")", 300),
        format!("1{}", "+1".repeat(2_000)),
        format!("params{}", ".a".repeat(2_000)),
        format!("[1]{}", ".map(a,[a,a])".repeat(300)),
        format!("params{}", "[0]".repeat(1_000)),
        "\"".repeat(4_000),
        "'\\u{0}\\ud800'".to_owned(),
        format!("'a'.matches('{}')", "(a{99}){99}".repeat(20)),
    ];
    for source in sources {
        let shown: String = source.chars().take(40).collect();
        assert!(Expression::compile(&source).is_err(), "{shown}");
    }
}

#[test]
fn hostile_evaluations_end() {
    let doubling = |element: &str, step: &str, times: usize| {
        format!("[{element}]{}", format!(".map(a, {step})").repeat(times))
    };
    let too_much = [
        doubling("'x'", "a + a", 60),
        doubling("[1]", "a + a", 60),
        doubling("1", "[a, a]", 60),
        doubling("1", "{'a': a, 'b': a}", 60),
        format!("{} == {}", doubling("1", "[a, a]", 29), doubling("1", "[a, a]", 29)),
        "params.l.map(a, params.l.map(b, params.l.map(c, 1)))".to_owned(),
        "params.l.all(a, params.l.all(b, params.l.all(c, a == b || true)))".to_owned(),
        "params.l.exists(a, params.l.exists(b, params.l.exists(c, 1 / 0 == 1)))".to_owned(),
        "params.l.map(a, a in params.l).map(b, params.l == params.l)".to_owned(),
        "params.l.all(a, params.text.matches('(x+x+)+y') || true)".to_owned(),
        "params.l.map(a, params.text)".to_owned(),
        "params.l.exists(a, params.l.exists(b, timestamp(0).getHours('Europe/Berln') == 1))".into(),
        "params.l.exists(a, params.l.exists(b, params.wide.key_x == 1))".to_owned(),
        "params.l.exists(a, params.l.exists(b, params.huge.key_x == 1))".to_owned(),
        "params.l.all(a, params.l.all(b, default(params.huge.key_x, 1) == 1))".to_owned(),
        "lists.range(1000001)".to_owned(),
        "lists.range(-9223372036854775808, 9223372036854775807)".to_owned(),
        "lists.range(9223372036854775807, -9223372036854775808, -1)".to_owned(),
        "params.l.map(a, lists.range(1000)).flatten()".to_owned(),
        "dates(date('0001-01-01'), date('9999-12-31'))".to_owned(),
        "timestamps(timestamp(0), timestamp(99999999), duration('1ns'))".to_owned(),
        "'x'.padStart(9223372036854775807, '-')".to_owned(),
        "params.text.replace('x', params.text)".to_owned(),
        "params.text.replace('', params.text)".to_owned(),
        "params.l.map(a, params.text.split(''))".to_owned(),
        "params.l.map(a, params.text.reverse().lowerAscii())".to_owned(),
        "params.l.map(a, params.text).join(params.text)".to_owned(),
        "params.l.map(a, sha256(params.text))".to_owned(),
        "params.l.map(a, json.encode(params))".to_owned(),
        "params.l.map(a, '%s'.format([params.text]))".to_owned(),
        "params.l.map(a, timestamp(a).format(params.text))".to_owned(),
        "params.l.map(a, [[a], params.l]).flatten(2).map(b, [b]).distinct()".to_owned(),
        "params.l.map(a, json.decode('[' + params.text.replace('x', '1,') + '1]'))".to_owned(),
        format!("json.encode({})", doubling("params.text", "[a, a]", 40)),
        format!("{}.flatten(100)", doubling("1", "[a, a]", 60)),
        format!("json.decode({}[0])", doubling("'[1,'", "a + a", 30)),
    ];
    let list: Vec<_> = (0..1_000).collect();
    let keys = |count: usize| -> serde_json::Map<_, _> {
        (0..count).map(|place| (format!("key_{place}_{}", "y".repeat(50)), json!(1))).collect()
    };
    let text = "x".repeat(200_000);
    let scope =
        Given::new(json!({"l": list, "text": text, "wide": keys(100), "huge": keys(9_999)}));
    for source in too_much {
        let expression = Expression::compile(&source).expect(&source);
        let started = std::time::Instant::now();
        let shown: String = source.chars().take(60).collect();
        let message = expression.evaluate(&scope).expect_err(&shown);
        let is_stopped = message.contains("takes more than") || message.contains("gives more than");
        assert!(is_stopped, "{shown}: {message}");
        // Far more than it takes, far less than for ever.
        assert!(started.elapsed().as_secs() < 10, "{shown} took {:?}", started.elapsed());
    }
}
