//! Patterns against a model that knows only JSON.

use super::*;
use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::sample::select;

fn params(value: Value) -> Params {
    Params::of(&value).unwrap()
}

fn fits(pattern: Value, given: &Value) -> bool {
    Pattern::of(&pattern).unwrap().fits(&Params::of(given).unwrap())
}

#[test]
fn every_operator_compares_and_needs_the_param() {
    let given = json!({ "station": "seattle", "amount": 7.5, "day": "2026-11-22", "paid": true });
    for fitting in [
        json!({}),
        json!({ "station": "seattle", "paid": true }),
        json!({ "amount": { ">=": 5, "<": 10 }, "day": { ">=": "2026-11-01" } }),
        json!({ "amount": { "!=": 7, ">": 7, "<=": 7.5, "=": 7.5 } }),
        json!({ "station": { "in": ["oslo", "seattle"], "prefix": "sea" } }),
        json!({ "paid": { "!=": false }, "station": { "prefix": "" } }),
    ] {
        assert!(fits(fitting.clone(), &given), "{fitting}");
    }
    for not in [
        json!({ "amount": { ">=": 5, "<": 7 } }),
        json!({ "amount": { "!=": "7.5" } }),
        json!({ "other": { "!=": 1 } }),
        json!({ "day": { ">": 5 } }),
        json!({ "amount": { "prefix": "7" } }),
        json!({ "station": { "in": ["oslo", 1] } }),
        json!({ "paid": "true" }),
    ] {
        assert!(!fits(not.clone(), &given), "{not}");
    }
}

#[test]
fn what_is_no_pattern_says_where_and_what_to_do() {
    let long = "x".repeat(257);
    let many: Vec<_> = (0..101).collect();
    let params: Map<_, _> = (0..17).map(|number| (format!("p{number}"), json!(1))).collect();
    for (wrong, said) in [
        (json!([1]), "a `match` is a JSON object"),
        (
            json!({ "a": { "=>": 1 } }),
            "param `a`: there is no operator \"=>\"; use \">=\", or one of =",
        ),
        (json!({ "a": { "prefixx": "b" } }), "use \"prefix\""),
        (json!({ "a": {} }), "param `a` names no operator"),
        (json!({ "a": [1, 2] }), "{\"in\": [..]}"),
        (json!({ "a": null }), "param `a` is no string"),
        (json!({ "a": { "in": "b" } }), "param `a`: `in` takes a list"),
        (json!({ "a": { "in": [] } }), "1 to 100 values, not 0"),
        (json!({ "a": { "in": many } }), "1 to 100 values, not 101"),
        (json!({ "a": { "prefix": 4 } }), "`prefix` is the beginning of a text"),
        (json!({ "a": { ">": true } }), "`>` compares text or numbers"),
        (json!({ "a": { "prefix": long } }), "at most 256"),
        (json!({ "": 1 }), "1 to 128 bytes"),
        (Value::Object(params), "match on fewer"),
    ] {
        let error = Pattern::of(&wrong).unwrap_err().to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
    assert!(Pattern::parse("{").is_err());
}

#[test]
fn the_equal_params_stand_apart() {
    let pattern = json!({ "b": { "=": 2, "<": 9 }, "a": "x", "c": { ">": 1 } });
    let pattern = Pattern::of(&pattern).unwrap();
    let equal = params(json!({ "a": "x", "b": 2 }));
    assert!(pattern.equals().eq(equal.iter()));
    assert!(pattern.has_more_than_equals() && !pattern.is_empty());
    assert!(!Pattern::from(&equal).has_more_than_equals());
    assert_eq!(Pattern::of(&equal.to_value()), Ok(Pattern::from(&equal)));
}

/// Values around everything where comparisons go wrong.
fn value() -> impl Strategy<Value = Value> {
    let texts = ["", "a", "ab", "b", "é", "2026-01-02", "2026-01-10", "7"];
    let wholes = [0, 1, -1, 7, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN];
    let doubles =
        [0.0, -0.0, 0.25, -0.75, 7.0, 7.5, 9_007_199_254_740_992.0, 9.3e18, -9.3e18, 1e30];
    prop_oneof![
        select(texts.to_vec()).prop_map(|text| json!(text)),
        select(wholes.to_vec()).prop_map(|whole| json!(whole)),
        select(doubles.to_vec()).prop_map(|double| json!(double)),
        any::<bool>().prop_map(|flag| json!(flag)),
    ]
}

fn test() -> impl Strategy<Value = Value> {
    let ordered = value().prop_filter("no flag", |value| !value.is_boolean());
    let one = prop_oneof![
        (select(&["=", "!="][..]), value()).prop_map(|(name, value)| json!({ name: value })),
        (select(&[">", ">=", "<", "<="][..]), ordered)
            .prop_map(|(name, value)| json!({ name: value })),
        proptest::collection::vec(value(), 1..4).prop_map(|all| json!({ "in": all })),
        select(&["", "a", "2026-"][..]).prop_map(|text| json!({ "prefix": text })),
    ];
    let some = proptest::collection::vec(one, 1..3).prop_map(|all| {
        let mut tests = Map::new();
        all.into_iter().for_each(|one| tests.extend(one.as_object().cloned().unwrap()));
        Value::Object(tests)
    });
    prop_oneof![value(), some]
}

/// Four times a number, exactly: the doubles above are multiples of a quarter.
fn quarters(value: &Value) -> Option<i128> {
    match value.as_i64() {
        Some(whole) => Some(i128::from(whole) * 4),
        None => value.as_f64().map(|double| (double * 4.0) as i128),
    }
}

fn model_order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        _ => Some(quarters(one)?.cmp(&quarters(other)?)),
    }
}

fn model_holds(operator: &str, operand: &Value, value: &Value) -> bool {
    let order = model_order(value, operand);
    match operator {
        "=" => order == Some(Ordering::Equal),
        "!=" => order.is_some_and(|order| order != Ordering::Equal),
        ">" => order == Some(Ordering::Greater),
        ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "in" => {
            let all = operand.as_array().unwrap();
            all.iter().any(|one| model_order(value, one) == Some(Ordering::Equal))
        }
        _ => value.as_str().is_some_and(|text| text.starts_with(operand.as_str().unwrap())),
    }
}

fn model_fits(pattern: &Value, given: &Value) -> bool {
    pattern.as_object().unwrap().iter().all(|(name, test)| {
        let Some(value) = given.get(name) else { return false };
        match test.as_object() {
            Some(tests) => tests.iter().all(|(name, operand)| model_holds(name, operand, value)),
            None => model_holds("=", test, value),
        }
    })
}

proptest! {
    #[test]
    fn a_pattern_fits_as_the_model_says(
        pattern in btree_map(select(&["a", "b"][..]), test(), 0..3),
        given in btree_map(select(&["a", "b"][..]), value(), 0..3),
    ) {
        let (pattern, given) = (json!(pattern), json!(given));
        prop_assert_eq!(fits(pattern.clone(), &given), model_fits(&pattern, &given));
        let read = Pattern::of(&pattern).unwrap();
        prop_assert_eq!(Pattern::parse(&read.to_string()), Ok(read.clone()));
        let kept = postcard::to_stdvec(&read).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Pattern>(&kept), Ok(read.clone()));
        let equals: Vec<_> = read.equals().collect();
        if read.fits(&Params::of(&given).unwrap()) {
            let given = Params::of(&given).unwrap();
            prop_assert!(equals.iter().all(|(name, value)| given.get(name) == Some(value)));
        }
        let plain = equals.len() == read.tests().count();
        prop_assert_eq!(read.has_more_than_equals(), !plain);
    }
}
