//! A number in a definition that may depend on the params of a run, as in
//! `timeout: ${params.patience}`.

use crate::scope::Scope;
use crate::template::Template;
use serde_json::Value;
use std::ops::RangeInclusive;

/// The longest time that a time-out may be: 120 days.
pub const TIMEOUT_MS_MAX: u64 = 120 * 24 * 60 * 60 * 1_000;

/// The longest time that a `sleep` step may sleep: ten years.
pub const SLEEP_MS_MAX: u64 = 3_650 * 24 * 60 * 60 * 1_000;

/// A number that is written in the definition, or computed from params.
#[derive(Debug)]
pub enum Setting {
    /// It is always this.
    Fixed(u64),
    /// It is what this gives.
    Computed(Template),
}

impl Setting {
    /// The time in milliseconds. What computes it gives a whole number of
    /// seconds, or text as in `20 minutes` and `2h 30m`.
    ///
    /// # Errors
    /// The expression has no value, or one that is no time from a millisecond to
    /// [`TIMEOUT_MS_MAX`].
    pub fn millis(&self, scope: &dyn Scope) -> Result<u64, String> {
        match self {
            Self::Fixed(millis) => Ok(*millis),
            Self::Computed(template) => {
                computed(template, scope, &|value| millis_of(value, 1..=TIMEOUT_MS_MAX))
            }
        }
    }

    /// The number.
    ///
    /// # Errors
    /// The expression has no value, or one that is no whole number.
    pub fn count(&self, scope: &dyn Scope) -> Result<u64, String> {
        match self {
            Self::Fixed(count) => Ok(*count),
            Self::Computed(template) => {
                computed(template, scope, &|value| count_of(value, 0..=u64::MAX))
            }
        }
    }
}

/// What `template` gives, read by `read`.
///
/// # Errors
/// The template has no value, or one that `read` refuses with what it expects.
pub(crate) fn computed<T>(
    template: &Template,
    scope: &dyn Scope,
    read: &dyn Fn(&Value) -> Result<T, String>,
) -> Result<T, String> {
    let value = template.render(scope).map_err(|error| error.to_string())?;
    read(value.value()).map_err(|expected| {
        format!("`{template}` gave {}, expected {expected}", shown(value.text()))
    })
}

/// The milliseconds that `value` says, if they are in `range`: a whole number of
/// seconds, or text with units.
///
/// # Errors
/// What is expected instead.
pub fn millis_of(value: &Value, range: RangeInclusive<u64>) -> Result<u64, String> {
    let millis = match value {
        Value::String(text) => {
            let time = humantime::parse_duration(text).ok();
            time.and_then(|time| u64::try_from(time.as_millis()).ok())
        }
        _ => whole(value).and_then(|seconds| seconds.checked_mul(1_000)),
    };
    millis.filter(|millis| range.contains(millis)).ok_or_else(|| {
        let (least, hours) = (range.start(), range.end() / 3_600_000);
        let most = if hours > 24 { format!("{}d", hours / 24) } else { format!("{hours}h") };
        format!("text like \"20 minutes\" or a whole number of seconds, from {least}ms to {most}")
    })
}

/// The number that `value` is, if it is whole and in `range`.
///
/// # Errors
/// What is expected instead.
pub(crate) fn count_of(value: &Value, range: RangeInclusive<u64>) -> Result<u64, String> {
    whole(value).filter(|count| range.contains(count)).ok_or_else(|| match range.end() {
        &u64::MAX => format!("a whole number of {} or more", range.start()),
        most => format!("a whole number from {} to {most}", range.start()),
    })
}

/// The number that is not negative and has no fraction, whatever its type.
fn whole(value: &Value) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(number);
    value.as_u64().or_else(|| value.as_f64().filter(is_whole).map(|number| number as u64))
}

/// A value in a message, not too long.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::tests::Given;
    use serde_json::json;

    fn setting(value: Value) -> (Setting, Given) {
        let template = Template::compile(&json!("${params.x}")).expect("it is a template");
        (Setting::Computed(template), Given::new(json!({ "x": value })))
    }

    #[test]
    fn a_time_is_seconds_or_text() {
        let millis = |value: Value| {
            let (setting, scope) = setting(value);
            setting.millis(&scope)
        };
        assert_eq!(Setting::Fixed(7).millis(&Given::new(json!({}))), Ok(7));
        for (value, expected) in [
            (json!(90), 90_000),
            (json!(2.0), 2_000),
            (json!("20 minutes"), 1_200_000),
            (json!("2h 30m"), 9_000_000),
            (json!("1ms"), 1),
            (json!("120 days"), TIMEOUT_MS_MAX),
        ] {
            assert_eq!(millis(value.clone()), Ok(expected), "{value}");
        }
        for value in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!(u64::MAX),
            json!("0s"),
            json!("1us"),
            json!("121 days"),
            json!("90"),
            json!(""),
            json!("soon"),
            json!(null),
            json!(true),
            json!([1]),
        ] {
            let message = millis(value.clone()).expect_err("it is no time");
            let expected = format!(
                "`${{params.x}}` gave {value}, expected text like \"20 minutes\" or a whole number \
                 of seconds, from 1ms to 120d"
            );
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn a_count_is_whole() {
        let count = |value: Value| {
            let (setting, scope) = setting(value);
            setting.count(&scope)
        };
        assert_eq!(Setting::Fixed(7).count(&Given::new(json!({}))), Ok(7));
        assert_eq!(count(json!(0)), Ok(0));
        assert_eq!(count(json!(3.0)), Ok(3));
        let expected = "`${params.x}` gave \"3\", expected a whole number of 0 or more";
        assert_eq!(count(json!("3")), Err(expected.to_owned()));
        assert!(count(json!(-1)).is_err() && count(json!(0.5)).is_err());
    }

    #[test]
    fn what_has_no_value_says_so() {
        let template = Template::compile(&json!("${params.y}")).expect("it is a template");
        let message = Setting::Computed(template).millis(&Given::new(json!({})));
        let expected = "`${params.y}`: params has no \"y\"; test it with has(…) or `in` first";
        assert_eq!(message, Err(expected.to_owned()));
    }
}
