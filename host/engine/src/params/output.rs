//! Whether what a step gave is what its definition says.

use super::kind::described;
use crate::payload::Payload;
use crate::workflow::ParamType;
use serde_json::Value;

/// The most mistakes that are named.
const SHOWN: usize = 8;

/// Checks that `output` is an object with exactly these fields, of these types.
///
/// # Errors
/// All that is undeclared, missing or of the wrong type, and the remedy.
pub fn check_output(outputs: &[(String, ParamType)], output: &Payload) -> Result<(), String> {
    let remedy = "correct `outputs`, or what the step gives";
    let Value::Object(fields) = output.value() else {
        let names: Vec<_> = outputs.iter().map(|(name, _)| name.as_str()).collect();
        let given = described(output.value());
        return Err(format!(
            "the output is {given}, expected an object with {}; {remedy}",
            names.join(", ")
        ));
    };
    let declared = outputs.iter().filter_map(|(name, kind)| match fields.get(name) {
        None => Some(format!("{name} is missing, a value of type {kind}")),
        Some(value) => {
            kind.accepts(value).err().map(|mistake| super::binding::placed(name, &mistake))
        }
    });
    let is_undeclared = |name: &&String| !outputs.iter().any(|(known, _)| known == *name);
    let undeclared = fields.keys().filter(is_undeclared).map(|name| {
        let shown: String = name.chars().take(80).collect();
        format!("{shown} is not declared")
    });
    let mut mistakes: Vec<_> = declared.chain(undeclared).collect();
    if mistakes.is_empty() {
        return Ok(());
    }
    if mistakes.len() > SHOWN {
        let more = mistakes.len() - SHOWN;
        mistakes.truncate(SHOWN);
        mistakes.push(format!("{more} more"));
    }
    Err(format!("the output does not fit `outputs`: {}; {remedy}", mistakes.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(output: Value) -> Result<(), String> {
        let kind = |kind: &str| kind.parse().expect("it is a type");
        let outputs =
            [("rows".to_owned(), kind("list<int>")), ("ratio".to_owned(), kind("double"))];
        check_output(&outputs, &Payload::from(output))
    }

    #[test]
    fn an_output_has_what_is_declared_and_nothing_else() {
        assert_eq!(check(json!({"rows": [1], "ratio": 2})), Ok(()));
        let expected = "the output does not fit `outputs`: rows[1] is \"x\", expected int, ratio is \
                        missing, a value of type double, extra is not declared; correct `outputs`, \
                        or what the step gives";
        assert_eq!(check(json!({"rows": [1, "x"], "extra": 1})), Err(expected.to_owned()));
        let expected = "the output is null, expected an object with rows, ratio; correct \
                        `outputs`, or what the step gives";
        assert_eq!(check(json!(null)), Err(expected.to_owned()));
    }

    #[test]
    fn a_flood_of_mistakes_is_cut_off() {
        let fields: serde_json::Map<_, _> =
            (0..1_000).map(|number| (format!("x{number}"), json!(1))).collect();
        let message = check(Value::Object(fields)).expect_err("it does not fit");
        assert!(message.contains("994 more; correct") && message.len() < 500, "{message}");
    }
}
