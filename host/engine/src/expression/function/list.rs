//! Lists: parts of them, and lists out of lists. Names and meaning are those of
//! CEL's `lists` extension where it has them.

use super::super::meter::{ENTRY, Halt};
use super::super::operation;
use super::super::value::{Key, Value};
use super::call::{Call, list};
use super::{Native, Signature, Style};
use std::collections::BTreeSet;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("lists.range", Style::Global, [1, 3], Native(range)),
    Signature("lists.zip", Style::Global, [2, 2], Native(zip)),
    Signature("slice", Style::Method, [3, 3], Native(slice)),
    Signature("chunks", Style::Method, [2, 2], Native(chunks)),
    Signature("flatten", Style::Method, [1, 2], Native(flatten)),
    Signature("distinct", Style::Method, [1, 1], Native(distinct)),
    Signature("reverse", Style::Method, [1, 1], Native(reverse)),
];

/// How many levels of lists `flatten` goes into.
const FLATTEN_MAX: i64 = 100;

fn range<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (from, to) = match call.arguments.len() {
        1 => (0, call.int(0)?),
        _ => (call.int(0)?, call.int(1)?),
    };
    let step = call.int_or(2, 1)?;
    if step == 0 {
        return Err(call.fault("a step of 0 never ends; give 1 or more, or -1 or less"));
    }
    let distance = if step > 0 {
        i128::from(to) - i128::from(from)
    } else {
        i128::from(from) - i128::from(to)
    };
    let step = i128::from(step);
    let count = if distance <= 0 { 0 } else { (distance - 1) / step.abs() + 1 };
    call.meter.charge(usize::try_from(count).unwrap_or(usize::MAX))?;
    let numbers = (0..count)
        .filter_map(|place| i64::try_from(i128::from(from) + place * step).ok().map(Value::Int));
    Ok(list(numbers.collect()))
}

fn zip<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (left, right) = (call.elements(0)?, call.elements(1)?);
    if left.len() != right.len() {
        let (left, right) = (left.len(), right.len());
        return Err(call.fault(format!(
            "the lists have {left} and {right} elements; make them as long as each other with slice(…)"
        )));
    }
    call.meter.charge(left.len().saturating_mul(ENTRY))?;
    let pairs = left.into_iter().zip(right).map(|(left, right)| list(vec![left, right]));
    Ok(list(pairs.collect()))
}

fn slice<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let elements = call.elements(0)?;
    let (from, to) = (call.int(1)?, call.int(2)?);
    let part = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    match part.and_then(|(from, to)| elements.get(from..to)) {
        Some(part) => Ok(list(part.to_vec())),
        None => {
            let length = elements.len();
            Err(call.fault(format!(
                "{from} to {to} is no part of a list of {length}; hold it with math.least(…, size(…))"
            )))
        }
    }
}

fn chunks<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let elements = call.elements(0)?;
    let length = match usize::try_from(call.int(1)?) {
        Ok(length) if length > 0 => length,
        _ => return Err(call.fault("needs a length of 1 or more")),
    };
    call.meter.charge(elements.len().div_ceil(length).saturating_mul(ENTRY))?;
    Ok(list(elements.chunks(length).map(|chunk| list(chunk.to_vec())).collect()))
}

fn flatten<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let depth = call.int_or(1, 1)?;
    if !(0..=FLATTEN_MAX).contains(&depth) {
        return Err(call.fault(format!("goes 0 to {FLATTEN_MAX} levels deep, not {depth}")));
    }
    let mut flat = Vec::new();
    for element in call.elements(0)? {
        flatten_into(call, element, depth, &mut flat)?;
    }
    Ok(list(flat))
}

fn flatten_into<'a>(
    call: &mut Call<'a, '_>,
    element: Value<'a>,
    depth: i64,
    flat: &mut Vec<Value<'a>>,
) -> Result<(), Halt> {
    call.meter.charge(1)?;
    if depth == 0 || !element.is_list() {
        flat.push(element);
        return Ok(());
    }
    (0..element.len().unwrap_or(0))
        .filter_map(|place| element.element(place))
        .try_for_each(|inner| flatten_into(call, inner, depth - 1, flat))
}

/// Simple values are looked up in a set, so that a long list of them is not
/// compared with itself.
fn distinct<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (mut kept, mut seen): (Vec<Value<'a>>, _) = (Vec::new(), BTreeSet::new());
    let mut compared: Vec<Value<'a>> = Vec::new();
    for element in call.elements(0)? {
        call.meter.charge(ENTRY)?;
        let is_new = match key(&element) {
            Some(key) => {
                call.meter.charge_bytes(key.bytes())?;
                seen.insert(key)
            }
            None => {
                let is_new = !is_among(call, &element, &compared)?;
                compared.push(element.clone());
                is_new
            }
        };
        if is_new {
            kept.push(element);
        }
    }
    Ok(list(kept))
}

/// The largest whole double that is taken for a whole number.
const WHOLE_MAX: f64 = 1e37;

fn key<'a>(value: &Value<'a>) -> Option<Key<'a>> {
    match value {
        Value::Double(value) if value.fract() == 0.0 && value.abs() < WHOLE_MAX => {
            Some(Key::Number(*value as i128))
        }
        Value::Double(_) => None,
        value => Key::of(value),
    }
}

fn is_among<'a>(
    call: &mut Call<'a, '_>,
    value: &Value<'a>,
    others: &[Value<'a>],
) -> Result<bool, Halt> {
    for other in others {
        if operation::equals(value, other, call.meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn reverse<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    if let Some(Value::Text(_)) = call.get(0) {
        let reversed: String = call.text(0)?.chars().rev().collect();
        return call.give_text(&reversed);
    }
    let mut elements = call.elements(0)?;
    elements.reverse();
    Ok(list(elements))
}
