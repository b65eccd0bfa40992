//! From JSON to a step's function and back. Knows nothing of the host, so that
//! it is tested natively.

use serde::{Deserialize, Serialize};

use crate::payload::{decode, encode};
use crate::{Context, Error, Result};

/// Decodes the input, runs the step and encodes its output. Input that does
/// not fit, or output that is no JSON, is fatal: it would be the same next time.
pub fn call<T, R>(
    context: &Context,
    input: &str,
    step: impl FnOnce(&Context, T) -> R,
) -> Result<String>
where
    T: for<'de> Deserialize<'de>,
    R: Returned,
{
    let input = decode("the step's input", input)?;
    let output = step(context, input).into_result()?;
    encode("the step's output", &output)
}

/// What a step may return. Only `Result` is it; the trait is there for what the
/// compiler says about anything else.
#[diagnostic::on_unimplemented(
    message = "a step returns a `Result`, not `{Self}`",
    label = "write `segno::Result<{Self}>`"
)]
pub trait Returned {
    /// What a step gives when it succeeds.
    type Output: Serialize;

    /// The result with the error that the contract knows.
    fn into_result(self) -> Result<Self::Output>;
}

impl<U: Serialize, E: Into<Error>> Returned for Result<U, E> {
    type Output = U;

    fn into_result(self) -> Result<U> {
        self.map_err(Into::into)
    }
}

/// Has the compiler check a step where no component is built.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_step {
    ($step:ident) => {
        const _: fn(&$crate::Context, &str) -> $crate::Result<::std::string::String> = $step;
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    struct Order {
        lines: Vec<Line>,
    }

    #[derive(Deserialize)]
    struct Line {
        count: u32,
    }

    fn count(_: &Context, order: Order) -> Result<u32> {
        Ok(order.lines.iter().map(|line| line.count).sum())
    }

    fn total(input: &str) -> Result<String> {
        call(&Context::new("run_1", "total", 1), input, count)
    }

    #[test]
    fn json_goes_in_and_comes_out() {
        assert_eq!(total(r#"{"lines":[{"count":2},{"count":3}]}"#).unwrap(), "5");
    }

    #[test]
    fn input_that_does_not_fit_is_fatal_and_names_its_place() {
        let error = total(r#"{"lines":[{"count":2},{"count":"x"}]}"#).unwrap_err();
        assert!(error.is_fatal());
        let wanted = "the step's input does not fit at `lines[1].count`: \
                      invalid type: string \"x\", expected u32";
        assert!(error.message().starts_with(wanted), "{error}");
        assert_eq!(error.added_details().unwrap()["path"], "lines[1].count");
    }

    #[test]
    fn a_misfit_of_the_whole_input_names_no_place() {
        let error = total("{}").unwrap_err();
        let wanted = "the step's input does not fit: missing field `lines`";
        assert!(error.message().starts_with(wanted), "{error}");
    }

    #[test]
    fn text_after_the_document_is_refused() {
        let error = total(r#"{"lines":[]} {}"#).unwrap_err();
        assert!(error.is_fatal());
        assert!(error.message().contains("not one JSON document"), "{error}");
    }

    #[test]
    fn output_that_is_no_json_is_fatal() {
        let ctx = Context::new("run_1", "keys", 1);
        fn keyed(_: &Context, (): ()) -> Result<BTreeMap<(u8, u8), u8>> {
            Ok(BTreeMap::from([((1, 2), 3)]))
        }
        let error = call(&ctx, "null", keyed).unwrap_err();
        assert!(error.is_fatal());
        assert!(error.message().contains("cannot be JSON"), "{error}");
    }

    #[test]
    fn a_step_may_return_any_error() {
        let ctx = Context::new("run_1", "age", 1);
        let error = call(&ctx, r#""x""#, |_, text: String| text.parse::<u8>()).unwrap_err();
        assert!(!error.is_fatal());
        assert_eq!(error.message(), "invalid digit found in string");
    }

    #[test]
    fn both_forms_of_a_step_are_taken() {
        mod plain {
            #[segno::step]
            pub(super) fn run(input: u32) -> segno::Result<u32> {
                Ok(input + 1)
            }
        }
        mod with_context {
            use segno::Context;
            #[segno::step]
            pub(super) fn run(ctx: &Context, input: u32) -> Result<u32, std::num::ParseIntError> {
                Ok(input + ctx.attempt())
            }
        }
        assert_eq!(plain::run(1).unwrap(), 2);
        let ctx = Context::new("run_1", "add", 3);
        assert_eq!(with_context::run(&ctx, 1).unwrap(), 4);
    }
}
