//! Arithmetic and comparisons. Numbers of different types compare, but do not
//! add up; nothing overflows in silence.

use super::library;
use super::meter::{Halt, Meter};
use super::node::Operator;
use super::value::{Key, Text, Value};
use std::cmp::Ordering;
use std::sync::Arc;

/// `left operator right`.
///
/// # Errors
/// The operator does not take these, or `meter` runs out.
pub(crate) fn binary<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &mut Meter,
) -> Result<Value<'a>, Halt> {
    match operator {
        Operator::Equal => equals(left, right, meter).map(Value::Bool),
        Operator::NotEqual => equals(left, right, meter).map(|equal| Value::Bool(!equal)),
        Operator::In => contains(right, left, meter).map(Value::Bool),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            compare(operator, left, right, meter)
        }
        Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::Remainder => arithmetic(operator, left, right, meter),
    }
}

/// `-operand`.
///
/// # Errors
/// It is no number, or overflows.
pub(crate) fn negate<'a>(operand: &Value<'a>) -> Result<Value<'a>, String> {
    match operand {
        Value::Int(value) => match value.checked_neg() {
            Some(value) => Ok(Value::Int(value)),
            None => Err(format!("-({value}) is out of range for an int")),
        },
        Value::Double(value) => Ok(Value::Double(-value)),
        other => Err(format!("- needs a number, not {}", other.type_name())),
    }
}

fn arithmetic<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &mut Meter,
) -> Result<Value<'a>, Halt> {
    match (operator, left, right) {
        (_, Value::Int(left), Value::Int(right)) => {
            integers(operator, *left, *right).map(Value::Int).map_err(Halt::Fault)
        }
        (_, Value::Double(left), Value::Double(right)) => {
            doubles(operator, *left, *right).map(Value::Double).map_err(Halt::Fault)
        }
        (Operator::Add, Value::Text(left), Value::Text(right)) => {
            meter.charge_text(left.as_str())?;
            meter.charge_text(right.as_str())?;
            Ok(Value::Text(Text::from([left.as_str(), right.as_str()].concat())))
        }
        (Operator::Add, left, right) if left.is_list() && right.is_list() => {
            let (first, second) = (left.len().unwrap_or(0), right.len().unwrap_or(0));
            meter.charge(first.saturating_add(second))?;
            let elements = (0..first)
                .filter_map(|place| left.element(place))
                .chain((0..second).filter_map(|place| right.element(place)));
            Ok(Value::List(Arc::new(elements.collect())))
        }
        (Operator::Subtract, Value::Date(left), Value::Date(right)) => {
            Ok(Value::Other(cel::Value::Duration(*left - *right)))
        }
        (_, Value::Date(_), _) | (_, _, Value::Date(_)) => Err(no_operator(operator, left, right)),
        (_, Value::Other(_), _) | (_, _, Value::Other(_)) => {
            by_library(operator, left, right, meter)
        }
        _ => Err(no_operator(operator, left, right)),
    }
}

/// What an operation of the library costs, in operations.
const LIBRARY_OPERATION: usize = 50;

fn by_library<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &mut Meter,
) -> Result<Value<'a>, Halt> {
    meter.charge(LIBRARY_OPERATION)?;
    for operand in [left, right] {
        if let Value::Other(cel::Value::Bytes(bytes)) = operand {
            meter.charge_bytes(bytes.len())?;
        }
    }
    library::call(operator.names().1, false, &[left.clone(), right.clone()])
        .map_err(|_| no_operator(operator, left, right))
}

fn integers(operator: Operator, left: i64, right: i64) -> Result<i64, String> {
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        _ if right == 0 => return Err(format!("{left} {} 0 has no result", operator.names().0)),
        Operator::Divide => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    let sign = operator.names().0;
    result.ok_or_else(|| format!("{left} {sign} {right} is out of range for an int"))
}

fn doubles(operator: Operator, left: f64, right: f64) -> Result<f64, String> {
    match operator {
        Operator::Add => Ok(left + right),
        Operator::Subtract => Ok(left - right),
        Operator::Multiply => Ok(left * right),
        Operator::Divide => Ok(left / right),
        _ => Err("% needs two ints; use int(…)".to_owned()),
    }
}

fn no_operator(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> Halt {
    let (left, right) = (left.type_name(), right.type_name());
    let remedy = match (left, right) {
        ("date", "timestamp") | ("timestamp", "date") => "; use date(…) on the timestamp",
        ("date", "string") | ("string", "date") => "; use date(…) or string(…) on one",
        ("date", "duration" | "int") => "; use x.addDays(…)",
        ("int", "double") | ("double", "int") => "; use double(…) or int(…) on one",
        ("string", _) | (_, "string") if operator == Operator::Add => {
            "; use string(…) on the other"
        }
        _ => "",
    };
    let sign = operator.names().0;
    Halt::Fault(format!("{sign} does not take {left} and {right}{remedy}"))
}

fn compare<'a>(
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
    meter: &mut Meter,
) -> Result<Value<'a>, Halt> {
    if let Value::Text(text) = left {
        meter.charge_text(text.as_str())?;
    }
    let order = order(left, right);
    if let (None, Value::Other(_), Value::Other(_)) = (order, left, right) {
        return by_library(operator, left, right, meter);
    }
    let Some(order) = order else { return Err(no_operator(operator, left, right)) };
    Ok(Value::Bool(match operator {
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

/// The order of two values; `None` if they have none. What comparing them costs
/// is not paid for.
pub(crate) fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.as_str().cmp(right.as_str())),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Date(left), Value::Date(right)) => Some(left.cmp(right)),
        (Value::Other(cel::Value::Timestamp(left)), Value::Other(cel::Value::Timestamp(right))) => {
            Some(left.cmp(right))
        }
        (Value::Other(cel::Value::Duration(left)), Value::Other(cel::Value::Duration(right))) => {
            Some(left.cmp(right))
        }
        (left, right) => compare_numbers(left, right),
    }
}

/// The order of two numbers of any types; `None` if one is no number.
fn compare_numbers(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => double(left)?.partial_cmp(&double(right)?),
    }
}

fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(value) => Some((*value).into()),
        Value::Other(cel::Value::UInt(value)) => Some((*value).into()),
        _ => None,
    }
}

fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(value) => Some(*value),
        _ => whole(value).map(|value| value as f64),
    }
}

/// `left == right`. Values of different types are not equal, but numbers are
/// compared as numbers.
///
/// # Errors
/// `meter` runs out.
pub(crate) fn equals(left: &Value<'_>, right: &Value<'_>, meter: &mut Meter) -> Result<bool, Halt> {
    meter.charge(1)?;
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Text(left), Value::Text(right)) => {
            meter.charge_text(left.as_str())?;
            Ok(left.as_str() == right.as_str())
        }
        (Value::Date(left), Value::Date(right)) => Ok(left == right),
        (Value::Type(left), Value::Type(right)) => Ok(left == right),
        (left, right) if left.is_list() && right.is_list() => lists_equal(left, right, meter),
        (Value::JsonMap(_) | Value::Map(_), Value::JsonMap(_) | Value::Map(_)) => {
            maps_equal(left, right, meter)
        }
        (Value::Other(left), Value::Other(right)) => {
            if let cel::Value::Bytes(bytes) = left {
                meter.charge_bytes(bytes.len())?;
            }
            Ok(left == right)
        }
        (left, right) => Ok(compare_numbers(left, right) == Some(Ordering::Equal)),
    }
}

fn lists_equal(left: &Value<'_>, right: &Value<'_>, meter: &mut Meter) -> Result<bool, Halt> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for place in 0..left.len().unwrap_or(0) {
        if let (Some(left), Some(right)) = (left.element(place), right.element(place))
            && !equals(&left, &right, meter)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(left: &Value<'_>, right: &Value<'_>, meter: &mut Meter) -> Result<bool, Halt> {
    if left.len() != right.len() {
        return Ok(false);
    }
    meter.charge(left.len().unwrap_or(0))?;
    meter.charge_bytes(left.key_bytes())?;
    for key in left.keys().unwrap_or_default() {
        let same = match (left.entry(&key), right.entry(&key)) {
            (Some(left), Some(right)) => equals(&left, &right, meter)?,
            _ => false,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `value in container`.
fn contains(container: &Value<'_>, value: &Value<'_>, meter: &mut Meter) -> Result<bool, Halt> {
    if container.is_list() {
        for place in 0..container.len().unwrap_or(0) {
            if let Some(element) = container.element(place)
                && equals(&element, value, meter)?
            {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    match (container, Key::of(value)) {
        (Value::JsonMap(_) | Value::Map(_), Some(key)) => {
            meter.charge_bytes(key.bytes())?;
            Ok(container.entry(&key).is_some())
        }
        (Value::JsonMap(_) | Value::Map(_), None) if matches!(value, Value::Double(_)) => Ok(false),
        _ => Err(no_operator(Operator::In, value, container)),
    }
}
