//! Dates and timestamps as text and back, by patterns as `strftime` has them.
//! Only the signs listed here may stand in one: they mean the same everywhere,
//! whatever the language of the host.

use super::super::meter::Halt;
use super::super::value::Value;
use super::call::Call;
use super::date::{checked_date, checked_timestamp};
use super::zone::Zone;
use super::{Native, Signature, Style};
use chrono::NaiveTime;
use chrono::format::{Parsed, StrftimeItems, parse};
use std::fmt::Write as _;

/// The functions of this family. `format` is with that of texts.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("parseDate", Style::Global, [2, 2], Native(parse_date)),
    Signature("parseTimestamp", Style::Global, [2, 3], Native(parse_timestamp)),
];

/// The signs of a date.
const DATE_SIGNS: [&str; 15] =
    ["%", "Y", "y", "m", "d", "e", "j", "b", "B", "a", "A", "u", "G", "V", "F"];

/// The signs of a time of day.
const TIME_SIGNS: [&str; 12] = ["H", "I", "p", "M", "S", "3f", "6f", "T", "R", "z", ":z", "s"];

/// The pattern at `place`, with only signs that it may have.
fn pattern<'c>(call: &mut Call<'_, 'c>, place: usize, has_time: bool) -> Result<&'c str, Halt> {
    let pattern = call.text(place)?;
    // Each character may be a sign of its own.
    call.meter.charge(pattern.len())?;
    let mut rest = pattern;
    while let Some(found) = rest.find('%') {
        rest = &rest[found + 1..];
        let among = |signs: &[&'static str]| {
            signs.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len())
        };
        let length = match (among(&DATE_SIGNS), among(&TIME_SIGNS)) {
            (Some(length), _) => length,
            (None, Some(length)) if has_time => length,
            (None, found) => {
                let sign: String = rest.chars().take(1).collect();
                let remedy = match found {
                    Some(_) => "a date has no time of day; use timestamp(…)",
                    None => "EXPRESSIONS.md lists those there are",
                };
                return Err(call.fault(format!("%{sign} cannot stand in this pattern; {remedy}")));
            }
        };
        rest = &rest[length..];
    }
    Ok(pattern)
}

/// `date.format(pattern)` and `timestamp.format(pattern, zone)`.
pub(super) fn format<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let mut out = String::new();
    let written = if let Some(Value::Date(date)) = call.get(0) {
        if call.arguments.len() > 2 {
            return Err(call.fault("a date has no time zone; remove it, or use timestamp(…)"));
        }
        write!(out, "{}", date.format(pattern(call, 1, false)?))
    } else {
        let timestamp = call.timestamp(0)?;
        let zone = Zone::of(call, 2)?;
        let pattern = pattern(call, 1, true)?;
        write!(out, "{}", zone.local(timestamp).format(pattern))
    };
    written.map_err(|_| call.fault("the pattern cannot be written; simplify it"))?;
    call.give_text(&out)
}

/// What the text at the first place says, by the pattern at the second.
fn parsed(call: &mut Call<'_, '_>, has_time: bool) -> Result<Parsed, Halt> {
    let text = call.text(0)?;
    let pattern = pattern(call, 1, has_time)?;
    let mut parsed = Parsed::new();
    match parse(&mut parsed, text, StrftimeItems::new(pattern)) {
        Ok(()) => Ok(parsed),
        Err(error) => Err(unlike(call, error)),
    }
}

fn unlike(call: &Call<'_, '_>, reason: impl std::fmt::Display) -> Halt {
    let shown = |place: usize| match call.get(place) {
        Some(Value::Text(text)) => text.as_str().chars().take(60).collect(),
        _ => String::new(),
    };
    let (text, pattern) = (shown(0), shown(1));
    call.fault(format!("{text:?} is not as {pattern:?} says: {reason}; correct one of them"))
}

fn parse_date<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let date = parsed(call, false)?.to_naive_date().map_err(|error| unlike(call, error))?;
    checked_date(call, Some(date))
}

/// Without an offset in the text, it is a time in the zone at the third place;
/// without a time of day, the start of the day.
fn parse_timestamp<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let parsed = parsed(call, true)?;
    let zone = Zone::of(call, 2)?;
    let instant = if parsed.offset().is_some() || parsed.timestamp().is_some() {
        let mut parsed = parsed;
        if parsed.offset().is_none() {
            parsed.set_offset(0).map_err(|error| unlike(call, error))?;
        }
        Some(parsed.to_datetime().map_err(|error| unlike(call, error))?)
    } else {
        let date = parsed.to_naive_date().map_err(|error| unlike(call, error))?;
        let time = if parsed.hour_mod_12().is_none() && parsed.minute().is_none() {
            NaiveTime::MIN
        } else {
            parsed.to_naive_time().map_err(|error| unlike(call, error))?
        };
        zone.instant(date.and_time(time))
    };
    checked_timestamp(call, instant)
}
