//! What comes of a set, in the words of expressions.

use super::*;

fn part(name: &str, pattern: Value, join: &[&str]) -> Part {
    let join = join.iter().map(|param| (*param).to_owned()).collect();
    let pattern = Pattern::of(&pattern).expect("it is a pattern");
    Part { name: name.to_owned(), pattern, join }
}

fn trigger(is_single: bool, when: Option<&str>, params: Value, key: Option<&str>) -> SignalTrigger {
    let template = |json: &Value| Template::compile(json).expect("it is a template");
    SignalTrigger {
        id: "t".to_owned(),
        parts: vec![part("s", json!({}), &[])],
        is_single,
        when: when.map(|when| Expression::compile(when).expect("it is an expression")),
        when_false: WhenFalse::Consume,
        params: Some(template(&params)),
        key: key.map(|key| template(&json!(key))),
    }
}

fn given(sequence: u64, params: Value, payload: Value) -> Given {
    Given {
        name: "s".to_owned(),
        sequence,
        id: format!("id {sequence}"),
        params: Params::of(&params).expect("they are scalars"),
        payload: Payload::from(payload),
        published_at: "2026-01-02T03:04:05.000Z".to_owned(),
    }
}

#[test]
fn a_signal_fits_parts_by_its_params() {
    let parts = [
        part("s", json!({ "a": 1 }), &["day", "area"]),
        part("s", json!({ "a": { ">": 0 } }), &[]),
        part("other", json!({}), &[]),
    ];
    let params = |json: Value| Params::of(&json).expect("they are scalars");
    let fits_of = |name: &str, json: Value| fits(&parts, name, &params(json));
    let text = |text: &str| crate::signal::Scalar::Text(text.to_owned());
    let all = json!({ "a": 1, "area": "x", "day": "y" });
    assert_eq!(fits_of("s", all.clone()), [(0, vec![text("y"), text("x")]), (1, vec![])]);
    assert_eq!(fits_of("s", json!({ "a": 1, "day": "y" })), [(1, vec![])], "a param is missing");
    assert_eq!(fits_of("other", all), [(2, vec![])]);
    assert_eq!(fits_of("s", json!({ "a": 0 })), []);
}

#[test]
fn expressions_see_one_signal_or_several() {
    let one = trigger(
        true,
        Some("signal.params.n > 1 && signal.payload.ok"),
        json!({ "x": "${signal.id} of ${signal.name} at ${signal.published_at}", "by": "${trigger.id}" }),
        Some("${signal.sequence}"),
    );
    let verdict = one.judge("t", &[given(7, json!({ "n": 2 }), json!({ "ok": true }))]);
    let expected = json!({ "x": "id 7 of s at 2026-01-02T03:04:05.000Z", "by": "t" });
    let Value::Object(params) = expected else { panic!("it is an object") };
    assert_eq!(verdict, Ok(Verdict::Start { params, key: Some("7".to_owned()) }));
    let verdict = one.judge("t", &[given(7, json!({ "n": 1 }), json!({ "ok": true }))]);
    assert_eq!(verdict, Ok(Verdict::No));
    let several = trigger(false, None, json!({ "x": "${signals[1].sequence}" }), None);
    let set = [given(3, json!({}), json!(null)), given(4, json!({}), json!(null))];
    let Value::Object(params) = json!({ "x": 4 }) else { panic!("it is an object") };
    assert_eq!(several.judge("t", &set), Ok(Verdict::Start { params, key: None }));
}

#[test]
fn what_has_no_value_says_where() {
    let set = [given(1, json!({}), json!({}))];
    let judge = |when, params, key| trigger(true, when, params, key).judge("t", &set).unwrap_err();
    let text = judge(Some("signal.payload.x > 1"), json!({}), None);
    assert!(text.starts_with("when: signal.payload.x > 1 "), "{text}");
    let text = judge(None, json!({ "a": ["${signal.params.x}"] }), None);
    assert!(text.starts_with("params: `${signal.params.x}` at .a[0]: "), "{text}");
    let text = judge(None, json!("${signal.id}"), None);
    assert!(text.starts_with("params: give names and values"), "{text}");
    let text = judge(None, json!({}), Some("${signal.params}"));
    assert!(text.starts_with("key: it is no text, number or flag"), "{text}");
    let text = judge(None, json!({}), Some("${''}"));
    assert!(text.starts_with("key: it has 1 to 128 bytes"), "{text}");
}

#[test]
fn what_it_says_tells_whether_it_has_changed() {
    let make = |when| trigger(true, Some(when), json!({ "x": "${signal.id}" }), Some("k"));
    assert_eq!(make("true").says(), make("true").says());
    let mut others = vec![make("false"), make("true"), make("true"), make("true"), make("true")];
    others[1].when_false = WhenFalse::Keep;
    others[2].parts[0].pattern = Pattern::of(&json!({ "a": 1 })).expect("it is a pattern");
    others[3].params = None;
    others[4].is_single = false;
    for other in others {
        assert_ne!(other.says(), make("true").says());
    }
}
