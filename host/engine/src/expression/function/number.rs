//! Numbers: rounding and comparing, as in CEL's `math` extension. Where that
//! takes doubles only, ours takes whole numbers too, since a document does not
//! say which of them `3` is.

use super::super::meter::Halt;
use super::super::value::Value;
use super::call::Call;
use super::{Native, Signature, Style, order};

/// The most arguments of `math.greatest` and `math.least`.
const ARGUMENTS_MAX: usize = 20;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("math.abs", Style::Global, [1, 1], Native(abs)),
    Signature("math.ceil", Style::Global, [1, 1], Native(ceil)),
    Signature("math.floor", Style::Global, [1, 1], Native(floor)),
    Signature("math.round", Style::Global, [1, 2], Native(round)),
    Signature("math.trunc", Style::Global, [1, 1], Native(trunc)),
    Signature("math.sqrt", Style::Global, [1, 1], Native(sqrt)),
    Signature("math.sign", Style::Global, [1, 1], Native(sign)),
    Signature("math.isNaN", Style::Global, [1, 1], Native(is_nan)),
    Signature("math.isInf", Style::Global, [1, 1], Native(is_inf)),
    Signature("math.isFinite", Style::Global, [1, 1], Native(is_finite)),
    Signature("math.greatest", Style::Global, [1, ARGUMENTS_MAX], Native(greatest)),
    Signature("math.least", Style::Global, [1, ARGUMENTS_MAX], Native(least)),
];

/// The digits that a double is precise to.
const DIGITS_MAX: i64 = 15;

fn abs<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    match call.get(0) {
        Some(Value::Int(value)) => match value.checked_abs() {
            Some(value) => Ok(Value::Int(value)),
            None => Err(call.fault(format!("{value} has none in an int; use double(…)"))),
        },
        Some(value @ Value::Other(cel::Value::UInt(_))) => Ok(value.clone()),
        _ => Ok(Value::Double(call.number(0)?.abs())),
    }
}

fn ceil<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Double(call.number(0)?.ceil()))
}

fn floor<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Double(call.number(0)?.floor()))
}

fn trunc<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Double(call.number(0)?.trunc()))
}

fn round<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (number, digits) = (call.number(0)?, call.int_or(1, 0)?);
    if !(0..=DIGITS_MAX).contains(&digits) {
        return Err(call.fault(format!("rounds to 0 to {DIGITS_MAX} digits, not {digits}")));
    }
    let scale = 10_f64.powi(digits as i32);
    let rounded = (number * scale).round() / scale;
    // A number too large to be scaled has no digits after the point.
    Ok(Value::Double(if rounded.is_finite() { rounded } else { number }))
}

fn sqrt<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Double(call.number(0)?.sqrt()))
}

fn sign<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    match call.get(0) {
        Some(Value::Double(value)) if *value == 0.0 || value.is_nan() => Ok(Value::Double(*value)),
        Some(Value::Double(value)) => Ok(Value::Double(value.signum())),
        _ => Ok(Value::Int(call.number(0)?.signum() as i64 * i64::from(call.number(0)? != 0.0))),
    }
}

fn is_nan<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Bool(call.number(0)?.is_nan()))
}

fn is_inf<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Bool(call.number(0)?.is_infinite()))
}

fn is_finite<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Bool(call.number(0)?.is_finite()))
}

fn greatest<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let numbers = numbers(call)?;
    order::outermost(call, &numbers, std::cmp::Ordering::Greater)
}

fn least<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let numbers = numbers(call)?;
    order::outermost(call, &numbers, std::cmp::Ordering::Less)
}

/// The arguments, or the elements of the one list among them.
fn numbers<'a>(call: &mut Call<'a, '_>) -> Result<Vec<Value<'a>>, Halt> {
    match call.arguments {
        [list] if list.is_list() => call.elements(0),
        arguments => {
            for place in 0..arguments.len() {
                call.number(place)?;
            }
            Ok(arguments.to_vec())
        }
    }
}
