//! That our evaluation agrees with that of the `cel` crate on random
//! expressions, and that no source makes it panic.

use super::*;
use crate::scope::tests::Given;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Sources of all kinds, most of which fail on both sides. They are without what
/// the two differ in on purpose: NaN and the order of a map.
fn sources() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i8>().prop_map(|number| format!("({number})")),
        any::<u8>().prop_map(|number| format!("{number}u")),
        (-4_i8..4).prop_map(|number| format!("({number}.5)")),
        Just("9223372036854775807".to_owned()),
        "'[a-c]{0,3}'",
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("b'ab'".to_owned()),
        Just("params.list".to_owned()),
        Just("params.rows".to_owned()),
        Just("params.map".to_owned()),
        Just("duration('1.5s')".to_owned()),
        Just("timestamp('2012-02-29T01:02:03Z')".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in",
        ]);
        let function = prop::sample::select(vec![
            "string", "int", "uint", "double", "bool", "size", "type", "dyn", "bytes", "!", "-",
        ]);
        let method = prop::sample::select(vec!["contains", "startsWith", "endsWith"]);
        let macros = prop::sample::select(vec!["all", "exists", "exists_one", "filter", "map"]);
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), operator).prop_map(|((a, b), sign)| format!("({a} {sign} {b})")),
            (inner.clone(), function).prop_map(|(a, name)| format!("{name}({a})")),
            (two.clone(), method).prop_map(|((a, b), name)| format!("{a}.{name}({b})")),
            (two.clone(), macros).prop_map(|((a, b), name)| format!("{a}.{name}(x, x == {b})")),
            two.clone().prop_map(|(a, b)| format!("{a}.map(x, [x, {b}])")),
            two.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            inner.clone().prop_map(|a| format!("{{'a': {a}}}")),
            two.clone().prop_map(|(a, b)| format!("{a}[{b}]")),
            (two, inner.clone()).prop_map(|((a, b), c)| format!("({a} ? {b} : {c})")),
            inner.clone().prop_map(|a| format!("{a}.a")),
            inner.prop_map(|a| format!("has({a}.a)")),
        ]
    })
}

/// What both sides are given.
fn shared_params() -> Json {
    json!({"list": [1, 2, 3], "map": {"a": 1}, "rows": [{"a": "x"}, {"a": 2.5}]})
}

/// What the `cel` crate makes of it, as JSON text.
fn by_the_crate(source: &str) -> Option<String> {
    let mut context = cel::Context::default();
    context.add_variable_from_value("params", to_the_crate(&shared_params()));
    let tree = cel::parser::PrattParser::default().parse(source).ok()?;
    let value = cel::Value::resolve(&tree, &context).ok()?;
    by_the_crate_json(&value)
}

/// The crate's own conversion makes positive numbers unsigned.
fn to_the_crate(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(value) => cel::Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => cel::Value::Int(value),
            None => cel::Value::Float(number.as_f64().expect("it is a number")),
        },
        Json::String(text) => cel::Value::from(text.as_str()),
        Json::Array(list) => cel::Value::from(list.iter().map(to_the_crate).collect::<Vec<_>>()),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.as_str(), to_the_crate(value)));
            cel::Value::from(entries.collect::<std::collections::HashMap<_, _>>())
        }
    }
}

fn by_the_crate_json(value: &cel::Value) -> Option<String> {
    match value {
        cel::Value::List(list) => {
            let parts: Option<Vec<_>> = list.iter().map(by_the_crate_json).collect();
            Some(format!("[{}]", parts?.join(",")))
        }
        cel::Value::Map(map) => {
            let parts = map.map.iter().map(|(key, value)| {
                Some(format!("{}:{}", Json::from(key.to_string()), by_the_crate_json(value)?))
            });
            Some(format!("{{{}}}", parts.collect::<Option<Vec<_>>>()?.join(",")))
        }
        cel::Value::Null => Some("null".to_owned()),
        cel::Value::Bool(value) => Some(value.to_string()),
        cel::Value::Int(value) => Some(value.to_string()),
        cel::Value::UInt(value) => Some(value.to_string()),
        cel::Value::Float(value) => value.is_finite().then(|| Json::from(*value).to_string()),
        cel::Value::String(text) => Some(Json::from(text.as_str()).to_string()),
        cel::Value::Duration(_) | cel::Value::Timestamp(_) => {
            library::text(&Value::Other(value.clone()))
                .ok()
                .map(|text| Json::from(text).to_string())
        }
        _ => None,
    }
}

/// Sources that mostly have a value: an int, a bool, text, and a list of ints.
struct Typed {
    int: BoxedStrategy<String>,
    bool: BoxedStrategy<String>,
    text: BoxedStrategy<String>,
    list: BoxedStrategy<String>,
}

impl Typed {
    fn leaves() -> Self {
        let one_of = |sources: &[&str]| {
            let sources: Vec<_> = sources.iter().map(|source| (*source).to_owned()).collect();
            prop::sample::select(sources)
        };
        Self {
            int: prop_oneof![
                (-9_i64..9).prop_map(|number| format!("({number})")),
                one_of(&["params.map.a", "params.list[0]", "9223372036854775807"]),
            ]
            .boxed(),
            bool: one_of(&["true", "false", "has(params.map.a)", "has(params.map.b)"]).boxed(),
            text: prop_oneof!["'[a-cé]{0,3}'", Just("params.rows[0].a".to_owned())].boxed(),
            list: one_of(&["params.list", "[]", "[3, 1]", "params.map.map(k, 7)"]).boxed(),
        }
    }

    /// Sources that are one level deeper.
    fn deeper(self) -> Self {
        let Self { int, bool, text, list } = self;
        let select = prop::sample::select::<&str>;
        let pair = |one: &BoxedStrategy<String>, other: &BoxedStrategy<String>| {
            (one.clone(), other.clone())
        };
        let signs = |signs: &'static [&'static str]| select(signs.to_vec());
        let join =
            |((one, other), sign): ((String, String), &str)| format!("({one} {sign} {other})");
        let choice = |kind: &BoxedStrategy<String>| {
            (bool.clone(), kind.clone(), kind.clone())
                .prop_map(|(test, one, other)| format!("({test} ? {one} : {other})"))
        };
        let method =
            |((one, other), name): ((String, String), &str)| format!("{one}.{name}({other})");
        Self {
            int: prop_oneof![
                int.clone(),
                (pair(&int, &int), signs(&["+", "-", "*", "/", "%"])).prop_map(join),
                list.clone().prop_map(|list| format!("size({list})")),
                text.clone().prop_map(|text| format!("{text}.size()")),
                pair(&list, &int).prop_map(|(list, int)| format!("{list}[{int} % 2]")),
                int.clone().prop_map(|int| format!("int(string({int}))")),
                choice(&int),
            ]
            .boxed(),
            bool: prop_oneof![
                (pair(&int, &int), signs(&["==", "!=", "<", "<=", ">", ">="])).prop_map(join),
                (pair(&text, &text), signs(&["==", "!=", "<", ">="])).prop_map(join),
                (pair(&bool, &bool), signs(&["&&", "||", "=="])).prop_map(join),
                (pair(&list, &list), signs(&["==", "!="])).prop_map(join),
                pair(&int, &list).prop_map(|(int, list)| format!("({int} in {list})")),
                (pair(&text, &text), select(vec!["contains", "startsWith", "endsWith"]))
                    .prop_map(method),
                (pair(&list, &int), select(vec!["all", "exists", "exists_one"]))
                    .prop_map(|((list, int), name)| format!("{list}.{name}(x, x <= {int})")),
                bool.clone().prop_map(|bool| format!("!{bool}")),
            ]
            .boxed(),
            text: prop_oneof![
                pair(&text, &text).prop_map(|(one, other)| format!("({one} + {other})")),
                int.clone().prop_map(|int| format!("string(double({int}) / 4.0)")),
                choice(&text),
            ]
            .boxed(),
            list: prop_oneof![
                pair(&int, &int).prop_map(|(one, other)| format!("[{one}, {other}]")),
                pair(&list, &list).prop_map(|(one, other)| format!("({one} + {other})")),
                pair(&list, &int).prop_map(|(list, int)| format!("{list}.map(x, x - {int})")),
                pair(&list, &int).prop_map(|(list, int)| format!("{list}.filter(x, x != {int})")),
            ]
            .boxed(),
        }
    }

    fn all() -> impl Strategy<Value = String> {
        let Self { int, bool, text, list } = Self::leaves().deeper().deeper().deeper();
        prop_oneof![int, bool, text, list]
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_crate(source in prop_oneof![sources(), Typed::all()]) {
        let scope = Given::new(shared_params());
        let ours = Expression::compile(&source).and_then(|it| it.evaluate(&scope));
        // A type has a name for the crate, and no JSON for us; and only the crate
        // adds the keys of a map to a list, in an order of its own.
        let differs = source.contains("type(")
            || ours.as_ref().is_err_and(|it| it.starts_with("+ does not take list and map"));
        if !differs {
            prop_assert_eq!(ours.ok().map(|json| json.to_string()), by_the_crate(&source));
        }
    }

    #[test]
    fn no_text_makes_it_panic(source in "\\PC{0,80}") {
        evaluate(&source);
    }

    #[test]
    fn no_soup_of_tokens_makes_it_panic(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "params", "loop", "steps", "run", ".", "x", "[", "]", "(", ")", "{", "}", "'a'", "\"", "'",
            "\\", "?", ":", ",", "+", "-", "!", "&&", "||", "==", "in", "1", "2.5", "1u", "b''", "r'",
            "map", "filter", "has", "all", "size", "string", "matches", "timestamp", "//", "\n", "é",
            "`", "@", "0x", "1e", "'''", "$", "\u{0}", "😀", "null", "true", "Foo{", "a:",
        ]), 0..40)
    ) {
        evaluate(&tokens.concat());
        evaluate(&tokens.join(" "));
    }
}

/// Whatever comes of it.
fn evaluate(source: &str) {
    if let Ok(expression) = Expression::compile(source) {
        let _ = expression.evaluate(&Given::new(shared_params()));
    }
}
