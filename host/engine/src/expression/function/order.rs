//! The order of values: sorting, and the first and last of a list. Only values
//! of one kind have an order, so that it never depends on where they stood.

use super::super::meter::Halt;
use super::super::operation;
use super::super::value::Value;
use super::call::{Call, list};
use super::{Native, Signature, Style};
use std::cmp::Ordering;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("sort", Style::Method, [1, 1], Native(sort)),
    Signature("min", Style::Method, [1, 1], Native(min)),
    Signature("max", Style::Method, [1, 1], Native(max)),
    Signature("sum", Style::Method, [1, 1], Native(sum)),
];

/// Sorts `pairs` by their keys; those with equal keys stay as they stood.
///
/// # Errors
/// Two of the keys have no order, or `call` runs out of operations.
pub(crate) fn sort_pairs<'a>(
    call: &mut Call<'a, '_>,
    mut pairs: Vec<(Value<'a>, Value<'a>)>,
) -> Result<Value<'a>, Halt> {
    let keys: Vec<_> = pairs.iter().map(|(key, _)| key.clone()).collect();
    check(call, &keys, false)?;
    // A sort by merging compares each element once for each doubling.
    let doublings = pairs.len().checked_ilog2().map_or(0, |log| log as usize + 1);
    call.meter.charge(pairs.len().saturating_mul(doublings))?;
    pairs.sort_by(|(left, _), (right, _)| operation::order(left, right).unwrap_or(Ordering::Equal));
    Ok(list(pairs.into_iter().map(|(_, element)| element).collect()))
}

/// That all of `values` have an order among each other. Numbers of different
/// types do if `mixed`: one by one they compare, but a sort would need more.
fn check(call: &mut Call<'_, '_>, values: &[Value<'_>], mixed: bool) -> Result<(), Halt> {
    let kind = |value: &Value<'_>| match value.type_name() {
        "uint" => "int",
        "double" if mixed => "int",
        other => other,
    };
    let mut before = None;
    for (place, value) in values.iter().enumerate() {
        if let Value::Text(text) = value {
            call.meter.charge_text(text.as_str())?;
        }
        if operation::order(value, value).is_none() {
            let what = match value {
                Value::Double(_) => "NaN",
                other => other.type_name(),
            };
            return Err(call.fault(format!("element {place} is {what}, which has no order")));
        }
        let kind = kind(value);
        if before.is_some_and(|before| before != kind) {
            let (other, own) = (values[0].type_name(), value.type_name());
            return Err(call.fault(format!(
                "element {place} is {own} and others are {other}; make them alike with map(x, …)"
            )));
        }
        before = Some(kind);
    }
    Ok(())
}

fn sort<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let elements = call.elements(0)?;
    let pairs = elements.into_iter().map(|element| (element.clone(), element)).collect();
    sort_pairs(call, pairs)
}

/// The first of `values` that is nowhere surpassed on the `wanted` side.
///
/// # Errors
/// There are none, or two of them have no order.
pub(super) fn outermost<'a>(
    call: &mut Call<'a, '_>,
    values: &[Value<'a>],
    wanted: Ordering,
) -> Result<Value<'a>, Halt> {
    check(call, values, true)?;
    let Some((first, others)) = values.split_first() else {
        return Err(call.fault("the list is empty; test it with size(…) first"));
    };
    let better = |best: &'_ Value<'a>, other: &Value<'a>| {
        operation::order(other, best).is_some_and(|order| order == wanted)
    };
    let mut best = first;
    for other in others {
        if better(best, other) {
            best = other;
        }
    }
    Ok(best.clone())
}

fn min<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let elements = call.elements(0)?;
    outermost(call, &elements, Ordering::Less)
}

fn max<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let elements = call.elements(0)?;
    outermost(call, &elements, Ordering::Greater)
}

/// Whole numbers add up to one, durations to a duration; with a double among
/// the numbers it is a double.
fn sum<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let elements = call.elements(0)?;
    if let Some(Value::Other(cel::Value::Duration(_))) = elements.first() {
        return sum_of_durations(call, &elements);
    }
    let (mut whole, mut real, mut is_real) = (0_i128, 0_f64, false);
    for (place, element) in elements.iter().enumerate() {
        match element {
            Value::Int(value) => whole += i128::from(*value),
            Value::Other(cel::Value::UInt(value)) => whole += i128::from(*value),
            Value::Double(value) => {
                is_real = true;
                real += value;
            }
            other => return Err(no_number(call, place, other, "number")),
        }
    }
    if is_real {
        return Ok(Value::Double(real + whole as f64));
    }
    match i64::try_from(whole) {
        Ok(sum) => Ok(Value::Int(sum)),
        Err(_) => Err(call.fault("is out of range for an int; use map(x, double(x)) before")),
    }
}

fn sum_of_durations<'a>(call: &Call<'a, '_>, elements: &[Value<'a>]) -> Result<Value<'a>, Halt> {
    let mut sum = chrono::TimeDelta::zero();
    for (place, element) in elements.iter().enumerate() {
        let Value::Other(cel::Value::Duration(duration)) = element else {
            return Err(no_number(call, place, element, "duration"));
        };
        sum = sum
            .checked_add(duration)
            .ok_or_else(|| call.fault("is out of range for a duration; add up less"))?;
    }
    Ok(Value::Other(cel::Value::Duration(sum)))
}

fn no_number(call: &Call<'_, '_>, place: usize, value: &Value<'_>, needed: &str) -> Halt {
    let kind = value.type_name();
    call.fault(format!("element {place} is {kind}, no {needed}; use filter(…) or map(…) before"))
}
