//! What the functions do at their edges, and that no arguments make one panic.

use super::super::Expression;
use super::{Signature, Style, signatures};
use crate::scope::tests::Given;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn evaluate(source: &str) -> Result<Json, String> {
    Expression::compile(source)?.evaluate(&Given::new(json!({"n": 3, "none": null})))
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
        assert_eq!(evaluate(source).expect_err(source), *expected, "{source}");
    }
}

#[test]
fn a_wrong_argument_is_named_with_its_remedy() {
    check_failures(&[
        ("(1).trim()", "trim is called on a string, not int; use string(…)"),
        ("'a'.split(1)", "split needs a string as argument 1, not int; use string(…)"),
        ("'a'.substring('1')", "substring needs an int as argument 1, not string; use int(…)"),
        ("lists.range(1.5)", "lists.range needs an int as argument 1, not double; use int(…)"),
        (
            "lists.zip([1], 1)",
            "lists.zip needs a list as argument 2, not int; write [x] for a list of one",
        ),
        ("[1].keys()", "keys is called on a map, not list; write {'key': value}"),
        ("timestamp(0).addDays(1)", "addDays is called on a date, not timestamp; use date(…)"),
        (
            "'2026-01-01'.getFullYear()",
            "getFullYear is called on a timestamp or a date, not string; give it one of these",
        ),
        (
            "date('2026-01-31') + duration('24h')",
            "+ does not take date and duration; use x.addDays(…)",
        ),
        (
            "date('2026-01-31') < timestamp(0)",
            "< does not take date and timestamp; use date(…) on the timestamp",
        ),
        (
            "date('2026-01-31') == '2026-01-31' ? 1 : date('2026-01-31') < '2026'",
            "< does not take date and string; use date(…) or string(…) on one",
        ),
        ("sha256([1])", "sha256: takes a string, bytes or an int, not list; use json.encode(…)"),
        ("[[1]].sort()", "sort: element 0 is list, which has no order"),
        ("[0.0 / 0.0].sort()", "sort: element 0 is NaN, which has no order"),
        (
            "[1, 2.5].sort()",
            "sort: element 1 is double and others are int; make them alike with map(x, …)",
        ),
        ("['a'].sum()", "sum: element 0 is string, no number; use filter(…) or map(…) before"),
        (
            "[9223372036854775807, 1].sum()",
            "sum: is out of range for an int; use map(x, double(x)) before",
        ),
        ("math.round(1.5, 99)", "math.round: rounds to 0 to 15 digits, not 99"),
        ("maps.from([[[1], 2]])", "maps.from: list can be no key of a map; use string(…)"),
    ]);
}

#[test]
fn what_is_not_there_is_replaced_and_what_is_wrong_is_not() {
    check(&[
        ("default({'a': 1}.a, 2)", json!(1)),
        ("default({'a': {}}.a.b.c, 2)", json!(2)),
        ("default(int({}.a) + 1, 2)", json!(2)),
        ("default(params.none, default({}.a, 3))", json!(3)),
        ("default(params.none.a.b, 3)", json!(3)),
        ("default(params.none['a'][0], 3)", json!(3)),
        ("default(false, true)", json!(false)),
        ("[{'a': 1}, {}].map(x, default(x.a, 0))", json!([1, 0])),
        ("{}.a == 1 || true", json!(true)),
    ]);
    check_failures(&[
        ("default(params.n.x, 1)", "params.n is int, it has no field x"),
        ("default({}.a, {}.b)", "the value has no \"b\"; test it with has(…) or `in` first"),
        (
            "default(lists.range(9000000), 1)",
            "takes more than 1000000 operations; compute it in a step",
        ),
    ]);
}

#[test]
fn a_name_is_bound_where_it_stands() {
    check(&[
        ("cel.bind(x, 1, cel.bind(x, x + 1, x * 10) + x)", json!(21)),
        ("[1, 2].map(x, cel.bind(y, x * x, [x, y]))", json!([[1, 1], [2, 4]])),
        ("cel.bind(d, date('2026-01-31'), [d, d.addDays(1)])", json!(["2026-01-31", "2026-02-01"])),
        ("cel.bind(math, {'abs': 1}, math.abs)", json!(1)),
        ("[[2, 1], [1, 2]].sortBy(x, x[0]).map(x, x[1])", json!([2, 1])),
        ("[3, 1].map(x, [2, 1].sortBy(y, y * x))", json!([[1, 2], [1, 2]])),
        // Equal keys stay as they stood.
        ("['b', 'a', 'cc'].sortBy(x, size(x))", json!(["b", "a", "cc"])),
        ("{'b': 1, 'a': 2}.sortBy(k, k)", json!(["a", "b"])),
    ]);
}

#[test]
fn clocks_are_put_forward_and_back() {
    check(&[
        // Midnight was skipped, so the day began at one.
        ("timestamp(date('2018-11-04'), 'America/Sao_Paulo')", json!("2018-11-04T03:00:00Z")),
        (
            "date(timestamp(date('2018-11-04'), 'America/Sao_Paulo'), 'America/Sao_Paulo')",
            json!("2018-11-04"),
        ),
        // 02:30 was skipped, and came twice.
        (
            "parseTimestamp('2026-03-29 02:30', '%F %R', 'Europe/Berlin')",
            json!("2026-03-29T01:30:00Z"),
        ),
        (
            "parseTimestamp('2026-10-25 02:30', '%F %R', 'Europe/Berlin')",
            json!("2026-10-25T00:30:00Z"),
        ),
        (
            "parseTimestamp('2026-01-01T00:00:00+05:30', '%FT%T%:z', 'Europe/Berlin')",
            json!("2025-12-31T18:30:00Z"),
        ),
        ("parseTimestamp('60.5', '%s.5')", json!("1970-01-01T00:01:00Z")),
        ("timestamp('2026-03-29T00:59:59Z').getHours('Europe/Berlin')", json!(1)),
        ("timestamp('2026-03-29T01:00:00Z').getHours('Europe/Berlin')", json!(3)),
        ("timestamp(0).format('%I:%M %p %3f', '-03:30')", json!("08:30 PM 000")),
        (
            "timestamp('1969-12-31T23:59:59.5Z').truncate(duration('1s'))",
            json!("1969-12-31T23:59:59Z"),
        ),
        (
            "timestamp('2026-01-01T00:00:00.75Z').truncate(duration('500ms')).getMilliseconds()",
            json!(500),
        ),
    ]);
    check_failures(&[
        (
            "timestamp(0).getHours('Europe/Berln')",
            "getHours: unknown time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?",
        ),
        (
            "timestamp(0).getHours('+25:00')",
            "getHours: unknown time zone \"+25:00\"; write it as in 'Europe/Berlin' or '+01:00'",
        ),
        (
            "timestamp(0).format('%Q')",
            "format: %Q cannot stand in this pattern; EXPRESSIONS.md lists those there are",
        ),
        (
            "timestamp(0).format('%')",
            "format: % cannot stand in this pattern; EXPRESSIONS.md lists those there are",
        ),
        (
            "timestamp(0).truncate(duration('0s'))",
            "truncate: needs a duration longer than 0s; give it one",
        ),
        (
            "date('9999-12-31').addDays(1)",
            "addDays: the result is outside of the years 1 to 9999; move it less",
        ),
        (
            "date('2026-01-01').addMonths(-9223372036854775808)",
            "addMonths: the result is outside of the years 1 to 9999; move it less",
        ),
        (
            "timestamp(9223372036854775807)",
            "timestamp: the result is outside of the years 1 to 9999; move it less",
        ),
        ("date(20260230)", "date: 20260230 is no date like 20260131; correct it"),
        (
            "dates(date(20260101), date(20260102), 0)",
            "dates: needs a step of 1 day or more; give it one",
        ),
    ]);
}

#[test]
fn empty_and_backward_ranges_are_empty() {
    check(&[
        ("lists.range(0) + lists.range(-1) + lists.range(5, 2) + lists.range(0, 3, -1)", json!([])),
        (
            "lists.range(9223372036854775806, 9223372036854775807, 5)",
            json!([9223372036854775806_i64]),
        ),
        ("dates(date(20260102), date(20260101))", json!([])),
        ("months(date(20260101), date(20260101))", json!([])),
        (
            "dates(date('9999-12-30'), date('9999-12-31'), 9223372036854775807)",
            json!(["9999-12-30"]),
        ),
        ("[].chunks(3)", json!([])),
        ("''.split('') + ''.split(',')", json!([""])),
        ("'aXbXc'.split('X', 2) + 'abc'.split('', 2)", json!(["a", "bXc", "a", "bc"])),
    ]);
}

/// Arguments of every type, with those that are at an edge.
fn argument() -> impl Strategy<Value = String> {
    let edges = [
        "0",
        "1",
        "-1",
        "7",
        "9223372036854775807",
        "(-9223372036854775808)",
        "18446744073709551615u",
        "0.5",
        "-2.5",
        "1e308",
        "(0.0 / 0.0)",
        "true",
        "null",
        "''",
        "'é%d%s'",
        "'%Y-%m-%dT%H:%M:%S%z'",
        "'%.99f%e'",
        "'2026-01-31'",
        "'Europe/Berlin'",
        "'+05:30'",
        "' '",
        "'[1,{\"a\":2}]'",
        "b'\\xff'",
        "[]",
        "[3, 1, 2]",
        "[1.5, 'a', null]",
        "[[1, 'b'], ['a', [2]]]",
        "{}",
        "{'b': 1, 'a': [2]}",
        "{1: 2, true: 3}",
        "date('2026-01-31')",
        "date('0001-01-01')",
        "date('9999-12-31')",
        "timestamp(0)",
        "timestamp('9999-12-31T23:59:59.999Z')",
        "timestamp('0001-01-01T00:00:00Z')",
        "duration('1.5s')",
        "duration('-99999h')",
        "params",
        "type(1)",
    ];
    prop::sample::select(edges.to_vec()).prop_map(str::to_owned)
}

/// A call of any function, with as many arguments as it takes.
fn call() -> impl Strategy<Value = String> {
    let functions: Vec<_> = signatures().filter(|signature| signature.0 != "matches").collect();
    let arguments = prop::collection::vec(argument(), 4);
    (0..functions.len(), arguments, 0_usize..4).prop_map(move |(function, mut given, count)| {
        let Signature(name, style, [least, most], _) = functions[function];
        given.truncate(count.clamp(*least, (*most).min(4)));
        match style {
            Style::Global => format!("{name}({})", given.join(", ")),
            Style::Method | Style::Both => {
                format!("({}).{name}({})", given[0], given[1..].join(", "))
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_call_has_a_value_or_says_why_not_and_always_the_same(source in call()) {
        let value = evaluate(&source);
        if let Err(message) = &value {
            prop_assert!(!message.is_empty());
        }
        prop_assert_eq!(evaluate(&source), value);
    }

    #[test]
    fn patterns_never_panic(
        signs in prop::collection::vec(prop::sample::select(vec![
            "%", "Y", "y", "m", "d", "e", "j", "b", "B", "a", "A", "u", "G", "V", "F", "H", "I", "p",
            "M", "S", "3f", "6f", "T", "R", "z", ":z", "s", "-", " ", "é", "2026", "%Y", "%z", "%s", "%%",
        ]), 0..8),
        instant in -62_135_596_800_i64..253_402_300_799,
    ) {
        let pattern: String = signs.concat();
        for source in [
            format!("timestamp({instant}).format('{pattern}', 'Asia/Kolkata')"),
            format!("date(timestamp({instant})).format('{pattern}')"),
            format!("parseTimestamp(timestamp({instant}).format('{pattern}'), '{pattern}')"),
        ] {
            let _ = evaluate(&source);
        }
    }

    #[test]
    fn what_is_formatted_is_parsed_again(instant in -62_135_596_800_i64..253_402_300_799) {
        let source = format!(
            "cel.bind(t, timestamp({instant}), parseTimestamp(t.format('%F %T'), '%F %T') == t && \
             parseTimestamp(t.format('%j/%Y %R:%S %:z', 'America/New_York'), '%j/%Y %R:%S %:z') == t && \
             parseDate(date(t).format('%d %B %Y'), '%d %B %Y') == date(t) && date(string(date(t))) == date(t))"
        );
        // A zone's oldest offsets have seconds, which `%:z` does not write.
        if instant > -1_000_000_000 {
            prop_assert_eq!(evaluate(&source), Ok(json!(true)));
        }
    }

    #[test]
    fn lists_are_put_together_again(list in prop::collection::vec(-9_i64..9, 0..20), length in 1_i64..6) {
        let given = json!(list);
        let source = format!(
            "cel.bind(l, {given}, l.chunks({length}).flatten() == l && l.reverse().reverse() == l && \
             l.sort().distinct() == l.distinct().sort() && l.map(x, string(x)).join(',') == \
             json.encode(l).replace('[', '').replace(']', '') && json.decode(json.encode(l)) == l)"
        );
        prop_assert_eq!(evaluate(&source), Ok(json!(true)));
    }
}
