//! SEL next to the CEL that it becomes, and next to the value that this gives.

use super::{Lookup, Term, Ty, translate};
use crate::expression::Expression;
use crate::scope::tests::Given;
use serde_json::{Value, json};

/// Params that are there, with their types.
struct Names;

impl Lookup for Names {
    fn name(&mut self, name: &str) -> Result<Term, String> {
        let ty = match name {
            "n" | "day" => Ty::Int,
            "d" => return Ok(Term::of("double(params.d)", Ty::Double)),
            "s" | "date" => Ty::Text,
            "list" => Ty::List(Box::new(Ty::Int)),
            "map" => Ty::Map(Box::new(Ty::Text)),
            _ => return Err(format!("there is no param {name}")),
        };
        Ok(Term::of(format!("params.{name}"), ty))
    }

    fn has_name(&self, name: &str) -> bool {
        name == "n"
    }

    fn step_param(&mut self, step: &str, param: &str) -> Result<Term, String> {
        Ok(Term::of(format!("steps.{step}.output.{param}"), Ty::Any))
    }

    fn step_status(&mut self, step: Option<&str>) -> Result<Term, String> {
        Ok(Term::of(format!("steps.{}.status", step.unwrap_or("own")), Ty::Status))
    }

    fn foreach_param(&mut self, [looped, inner]: [&str; 2], param: &str) -> Result<Term, String> {
        Ok(Term::of(format!("steps.{looped}.output.map(o, o.{inner}__{param})"), Ty::Any))
    }

    fn signal_param(&mut self, which: &str, _: &str) -> Result<Term, String> {
        Err(format!("no signal {which}"))
    }

    fn started_param(
        &mut self,
        signal: &str,
        param: &str,
        otherwise: Option<&str>,
    ) -> Result<Term, String> {
        let end = otherwise.unwrap_or_default();
        Ok(Term::of(format!("params.{signal}_{param}{end}"), Ty::Any))
    }

    fn instance(&mut self, attribute: &str) -> Result<Term, String> {
        Err(format!("no {attribute}"))
    }
}

fn cel(source: &str) -> String {
    match translate(source, &mut Names) {
        Ok(translation) => translation.term.text,
        Err(message) => format!("refused: {message}"),
    }
}

fn value(source: &str) -> Value {
    let text = cel(source);
    let params = json!({"n": 7, "day": 20240228, "d": 2, "s": "a.b", "date": "2024-03-31",
        "list": [4, 5], "map": {"k": "v"}});
    let scope = Given::new(params);
    let expression = Expression::compile(&text).unwrap_or_else(|e| panic!("{source}: {text}: {e}"));
    expression.evaluate(&scope).unwrap_or_else(|e| panic!("{source}: {text}: {e}"))
}

#[test]
fn expressions_become_the_same_in_cel() {
    for (source, expected) in [
        ("n + 1;", "params.n + 1"),
        ("return (n + 1) * 2 - -3;", "(params.n + 1) * 2 - -3"),
        ("n - (n - 1)", "params.n - (params.n - 1)"),
        ("n + '1'", "string(params.n) + '1'"),
        ("params.getFromSignal('a', 'b')", "params.a_b"),
        ("params.getFromSignalOrDefault('a', 'b', 'c')", "params.a_bc"),
        ("'x' + 1 + 2", "'x' + '1' + '2'"),
        ("n * 1.5", "double(params.n) * 1.5"),
        ("d / 2", "double(params.d) / 2.0"),
        ("n > 1 && !(s == 'a' || n != 2)", "params.n > 1 && !(params.s == 'a' || params.n != 2)"),
        ("n > 1 ? 'a' : n > 0 ? 'b' : 'c'", "params.n > 1 ? 'a' : params.n > 0 ? 'b' : 'c'"),
        ("s.toUpperCase().substring(1)", "params.s.upperAscii().substring(1)"),
        ("x = n + 1; y = x * x; return y;", "(params.n + 1) * (params.n + 1)"),
        ("if (n > 1) return 'a'; else { return 'b'; }", "params.n > 1 ? 'a' : 'b'"),
        (
            "int x = 1; if (n > 1) { x = 2; } return x + n;",
            "params.n > 1 ? 2 + params.n : 1 + params.n",
        ),
        ("/* no */ String[] a = new String[]{'p', 'q'}; a[1] // yes", "['p', 'q'][1]"),
        (
            "Util.dateIntsBetween(20240101, day, 2)",
            "dates(date(20240101), date(params.day), 2).map(d, int(d.format('%Y%m%d')))",
        ),
        ("Util.intsBetween(0, n, 1)", "lists.range(params.n)"),
        (
            "params.getFromStep('a', 'MAESTRO_STEP_STATUS') != 'FATALLY_FAILED'",
            "steps.a.status != 'failed'",
        ),
        ("params.getFromForeach('f', 's', 'p')", "steps.f.output.map(o, o.s__p)"),
        ("params['n'] + params.get('day')", "params.n + params.day"),
        ("map.get('k')", "default(params.map['k'], null)"),
        ("Util.toJson(list)", "json.encode(params.list)"),
    ] {
        assert_eq!(cel(source), expected, "{source}");
    }
}

#[test]
fn what_it_becomes_has_the_value_of_java() {
    for (source, expected) in [
        ("n / 2", json!(3)),
        ("-n / 2", json!(-3)),
        ("-n % 3", json!(-1)),
        ("n / 2.0", json!(3.5)),
        ("'it\\'s ' + n + \" \\\"x\\\"\"", json!("it's 7 \"x\"")),
        ("s.split('\\\\.')[1]", json!("b")),
        ("s.replaceAll('b', 'c') + s.length() + s.isEmpty()", json!("a.c3false")),
        ("String.format('%s-%d-%.2f', s, n, 1.5)", json!("a.b-7-1.50")),
        ("String.join(',', list)", json!("4,5")),
        ("Math.min(n, 3) + Math.max(1, 2)", json!(5)),
        ("Math.pow(2, 3)", json!(8.0)),
        ("Util.dateIntsBetween(day, 20240302, 1)", json!([20240228, 20240229, 20240301])),
        ("Util.dateIntsBetween(20240302, day, -2)", json!([20240301, 20240228])),
        ("Util.intsBetween(5, 0, -2)", json!([5, 3, 1])),
        ("Util.incrementDateInt(day, 2)", json!("20240301")),
        ("Util.dateIntToTs('20210707')", json!(1_625_616_000_000_i64)),
        ("Util.tsToDateInt(1625619600000)", json!("20210707")),
        ("Util.dateIntHourToTs('20210707', '01', 'UTC', 0, 0)", json!(1_625_619_600_000_i64)),
        ("Util.dateIntHourToTs(20210707, 1, 'UTC', 1, 2)", json!(1_625_526_000_000_i64)),
        (
            "Util.dateIntHourToTs(20240311, 0, 'America/New_York', 1, 0)",
            json!(1_710_046_800_000_i64),
        ),
        (
            "new DateTime(1569018000000).withZone(DateTimeZone.forID('UTC')).monthOfYear().getAsText();",
            json!("September"),
        ),
        ("new DateTime(1569018000123).plusDays(1).getMillis()", json!(1_569_104_400_123_i64)),
        ("new DateTime(1569018000123).getMillis()", json!(1_569_018_000_123_i64)),
        (
            "DateTimeFormatter f = DateTimeFormat.forPattern('yyyyMMddHH').withZone(DateTimeZone.forID('Europe/Berlin')); \
          DateTime t = f.parseDateTime(day + '23').plusMonths(1).plusDays(2); return f.print(t);",
            json!("2024033023"),
        ),
        (
            "DateTime.parse(date, DateTimeFormat.forPattern('yyyy-MM-dd')).dayOfWeek().get()",
            json!(7),
        ),
        (
            "DateTime.parse(date, DateTimeFormat.forPattern('yyyy-MM-dd')).minusWeeks(1).toString(\"yyyy'w'ww\")",
            json!("2024w12"),
        ),
        ("Days.daysBetween(new DateTime(0), new DateTime(172800000 + n)).getDays()", json!(2)),
        ("new DateTime(0).isBefore(new DateTime(n))", json!(true)),
        (
            "new DateTime(2024, 3, 1, 2, 3, 4, 5, DateTimeZone.UTC).toString()",
            json!("2024-03-01T02:03:04.005Z"),
        ),
        (
            "new DateTime(1709251384005, DateTimeZone.UTC).withTimeAtStartOfDay().getHourOfDay()",
            json!(0),
        ),
        ("zone = 'UTC'; zone != null && !zone.isEmpty() ? zone : 'none'", json!("UTC")),
        ("new DateTime(1709251384005).minuteOfDay().get()", json!(3)),
        ("list[1] + list.size()", json!(7)),
        ("0x1F + 10L", json!(41)),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn what_has_no_equal_is_refused_by_name() {
    for (source, word) in [
        ("for (i = 0; i < 3; i += 1) { n; }", "a loop"),
        ("while (true) { }", "a loop"),
        ("throw 'x'", "throw"),
        ("Math.random()", "Math.random"),
        ("UUID.randomUUID().toString()", "UUID.randomUUID"),
        ("System.currentTimeMillis()", "System.currentTimeMillis"),
        ("new DateTime()", "new DateTime()"),
        ("Util.timeoutForDateIntDeadline(day, '1 hour')", "timeoutForDateIntDeadline"),
        ("params.nextUniqueId()", "nextUniqueId"),
        ("params.getFromSignal('a')", "getFromSignal"),
        ("params.getFromSubworkflow('a', 'b', 'c')", "getFromSubworkflow"),
        ("new HashMap()", "new HashMap"),
        ("s.matches('x')", "matches"),
        ("s.split('[a-z]')", "the pattern"),
        ("new DateTime(0)", "a DateTime"),
        ("params.getFromStep('a', 'MAESTRO_STEP_STATUS')", "a status"),
        ("'x' + d", "a double into text"),
        ("list[0] = 3; list", "assignment to a part"),
        ("if (n > 1) { 3 }", "no value"),
        ("nothing", "no param nothing"),
        ("1 + ", "where a value belongs"),
        ("'x", "does not end"),
    ] {
        let cel = cel(source);
        assert!(cel.starts_with("refused: ") && cel.contains(word), "{source}: {cel}");
    }
}
