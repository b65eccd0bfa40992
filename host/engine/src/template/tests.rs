//! What templates give, and where they say that something is wrong.

use super::*;
use crate::scope::tests::Given;
use proptest::prelude::*;
use serde_json::json;

fn scope() -> Given {
    Given::new(
        json!({"n": 3, "half": 0.5, "name": "Sea\"ttle\n", "list": [1, {"a": null}], "none": null}),
    )
    .with_loop(json!({"year": 2012}))
    .with_step("load", Some(json!({"rows": [1, 2], "text": "${params.n}"})))
    .with_step("skipped", None)
}

fn render(json: Value) -> String {
    let template = Template::compile(&json).expect("it is a template");
    template.render(&scope()).expect("it has a value").text().to_owned()
}

#[test]
fn a_whole_string_keeps_its_type() {
    assert_eq!(render(json!("${params.n}")), "3");
    assert_eq!(render(json!("${params.list}")), r#"[1,{"a":null}]"#);
    assert_eq!(
        render(json!({"a": "${loop.year}", "b": ["${params.none}"]})),
        r#"{"a":2012,"b":[null]}"#
    );
    assert_eq!(render(json!("${ {'a': '}'}.a }")), r#""}""#);
}

#[test]
fn a_longer_string_becomes_text() {
    assert_eq!(render(json!("${params.n}!")), r#""3!""#);
    assert_eq!(render(json!(" ${params.n}")), r#"" 3""#);
    assert_eq!(render(json!("${params.n}${params.half}")), r#""30.5""#);
    assert_eq!(render(json!("<${params.none}>${params.list}")), r#""<>[1,{\"a\":null}]""#);
    assert_eq!(render(json!("${params.name}.")), r#""Sea\"ttle\n.""#);
    assert_eq!(render(json!("${duration('90s')} is long")), r#""90s is long""#);
    // What an expression gives is not evaluated again.
    assert_eq!(render(json!("${steps.load.output.text}!")), r#""${params.n}!""#);
}

#[test]
fn dollars_stand_for_themselves() {
    assert_eq!(render(json!("$5 and $${params.n} and $$")), r#""$5 and ${params.n} and $$""#);
    assert_eq!(render(json!("$$${params.n}")), r#""$${params.n}""#);
    assert_eq!(render(json!("$${a} ${params.n}")), r#""${a} 3""#);
}

#[test]
fn documents_are_handed_on_without_a_copy() {
    let scope = scope();
    for (source, expected) in
        [("${steps.load.output}", scope.output("load")), ("${params}", scope.params().text())]
    {
        let template = Template::compile(&json!(source)).expect("it is a template");
        let rendered = template.render(&scope).expect("it has a value");
        assert!(std::ptr::eq(rendered.text(), expected), "{source}");
    }
    assert_eq!(render(json!("${steps.skipped.output}")), "null");
    assert_eq!(
        render(json!({"a": "${steps.load.output}"})),
        format!(r#"{{"a":{}}}"#, scope.output("load"))
    );
}

#[test]
fn a_constant_is_rendered_once() {
    let template = Template::compile(&json!({"a": ["$${x}", 1.0]})).expect("it is a template");
    let (one, two) = (template.render(&scope()), template.render(&scope()));
    let (one, two) = (one.expect("it is constant"), two.expect("it is constant"));
    assert_eq!(one.text(), r#"{"a":["${x}",1.0]}"#);
    assert!(std::ptr::eq(one.text(), two.text()));
}

#[test]
fn mistakes_are_located() {
    let mistakes =
        Template::compile(&json!({"a": ["x", "${", "${foo} ${1 +}"], "b c": {"${x}": 1}}));
    let mistakes = mistakes.expect_err("it is wrong");
    let places: Vec<_> = mistakes.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, [".a[1]", ".a[2]", ".a[2]", "[\"b c\"]"]);
}

#[test]
fn a_missing_value_is_located() {
    let template = Template::compile(&json!({"a": [1, {"b": "${params.list[7]}"}]}));
    let error = template.expect("it is a template").render(&scope()).expect_err("it has no value");
    assert_eq!(error.to_string(), "`${params.list[7]}` at .a[1].b: [7] is outside of a list of 2");
}

#[test]
fn references_of_all_expressions_are_known() {
    let template =
        Template::compile(&json!({"a": "${steps.x.output}", "b": "${params.p} ${loop.v}"}));
    let template = template.expect("it is a template");
    let References { steps, params, loop_variables, .. } = template.references();
    assert!(steps.contains("x") && params.contains("p") && loop_variables.contains("v"));
}

#[test]
fn results_are_limited() {
    let scope = Given::new(json!({"text": "x".repeat(1 << 20)}));
    let template = Template::compile(&json!(vec!["${params.text}"; 20])).expect("it is a template");
    let error = template.render(&scope).expect_err("it is too large");
    assert!(error.message.contains("16 MiB"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "(\\$|\\{|\\}|'|\"|[a-z.]|params|\\PC){0,30}") {
        if let Ok(template) = Template::compile(&json!([text])) {
            let _ = template.render(&scope());
        }
    }

    #[test]
    fn text_without_expressions_stays_as_it_is(text in "[^$]{0,40}") {
        prop_assert_eq!(render(json!([text])), json!([text]).to_string());
    }
}
