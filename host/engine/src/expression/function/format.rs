//! `format`: text with values filled in, as in CEL's `strings` extension, and
//! dates and timestamps by a pattern.

use super::super::meter::Halt;
use super::super::value::Value;
use super::call::Call;
use super::{Native, Signature, Style, time_pattern};
use std::fmt::Write as _;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] =
    &[Signature("format", Style::Method, [2, 3], Native(format))];

/// The most digits after the point.
const DIGITS_MAX: usize = 100;

/// What filling in one value costs, in operations.
const FILLED: usize = 8;

fn format<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    match call.get(0) {
        Some(Value::Text(_)) if call.arguments.len() == 2 => fill(call),
        Some(Value::Text(_)) => Err(call.fault("a text takes its values in one list")),
        Some(Value::Date(_) | Value::Other(cel::Value::Timestamp(_))) => time_pattern::format(call),
        _ => Err(call.wrong(0, "a string, a date or a timestamp")),
    }
}

/// `'%s of %d'.format([a, b])`.
fn fill<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (text, values) = (call.text(0)?, call.elements(1)?);
    let mut values = values.iter();
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find('%') {
        out.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (digits, after) = precision(call, rest)?;
        let clause = after.chars().next().unwrap_or(' ');
        rest = after.get(clause.len_utf8()..).unwrap_or_default();
        let Some(value) = values.next() else {
            return Err(call.fault("has fewer values than places; add some to the list"));
        };
        call.meter.charge(FILLED)?;
        let before = out.len();
        clause_text(call, clause, digits, value, &mut out)?;
        call.meter.charge_bytes(out.len() - before)?;
    }
    if values.next().is_some() {
        return Err(call.fault("has more values than places; remove some from the list"));
    }
    out.push_str(rest);
    call.give_text(&out)
}

/// The `.2` of `%.2f`, and what stands behind it.
fn precision<'t>(call: &Call<'_, '_>, text: &'t str) -> Result<(Option<usize>, &'t str), Halt> {
    let Some(number) = text.strip_prefix('.') else { return Ok((None, text)) };
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    match number[..end].parse() {
        Ok(digits) if digits <= DIGITS_MAX => Ok((Some(digits), &number[end..])),
        _ => Err(call.fault(format!("a point takes 0 to {DIGITS_MAX} digits, as in %.2f"))),
    }
}

/// What `%clause` makes of `value`.
fn clause_text(
    call: &mut Call<'_, '_>,
    clause: char,
    digits: Option<usize>,
    value: &Value<'_>,
    out: &mut String,
) -> Result<(), Halt> {
    let digits = digits.unwrap_or(6);
    let number = match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Other(cel::Value::UInt(value)) => Some(i128::from(*value)),
        _ => None,
    };
    let real = match value {
        Value::Double(value) => Some(*value),
        _ => number.map(|number| number as f64),
    };
    let sign = if number.is_some_and(i128::is_negative) { "-" } else { "" };
    let magnitude = number.map(i128::unsigned_abs);
    let written = match (clause, magnitude, real, value) {
        ('s', _, _, value) => {
            call.meter.charge_value(value)?;
            let text = match value {
                Value::Null => "null".to_owned(),
                value => value.to_text().map_err(|message| call.fault(message))?,
            };
            out.write_str(&text)
        }
        ('d', Some(number), _, _) => write!(out, "{sign}{number}"),
        ('b', Some(number), _, _) => write!(out, "{sign}{number:b}"),
        ('o', Some(number), _, _) => write!(out, "{sign}{number:o}"),
        ('x', Some(number), _, _) => write!(out, "{sign}{number:x}"),
        ('X', Some(number), _, _) => write!(out, "{sign}{number:X}"),
        ('f', _, Some(number), _) => write!(out, "{number:.digits$}"),
        ('e', _, Some(number), _) => out.write_str(&scientific(number, digits)),
        ('d' | 'b' | 'o' | 'x' | 'X' | 'f' | 'e', _, _, value) => {
            let (kind, needs) =
                (value.type_name(), if "fe".contains(clause) { "a number" } else { "an int" });
            return Err(call.fault(format!("%{clause} takes {needs}, not {kind}; use %s")));
        }
        _ => {
            return Err(call.fault(format!(
                "there is no %{clause}; use one of %s %d %f %e %x %X %o %b, and %% for a %"
            )));
        }
    };
    written.map_err(|error| call.fault(error))
}

/// As in `1.5e+03`.
fn scientific(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}
