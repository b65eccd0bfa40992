//! The parts of timestamps, dates and durations: CEL's own `getFullYear` and so
//! on, counted as CEL counts them. A date has those of a calendar.

use super::super::meter::Halt;
use super::super::value::Value;
use super::call::Call;
use super::zone::Zone;
use super::{Native, Signature, Style};
use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, Timelike as _};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("getFullYear", Style::Method, [1, 2], Native(of_calendar)),
    Signature("getMonth", Style::Method, [1, 2], Native(of_calendar)),
    Signature("getDate", Style::Method, [1, 2], Native(of_calendar)),
    Signature("getDayOfMonth", Style::Method, [1, 2], Native(of_calendar)),
    Signature("getDayOfWeek", Style::Method, [1, 2], Native(of_calendar)),
    Signature("getDayOfYear", Style::Method, [1, 2], Native(of_calendar)),
    Signature("getHours", Style::Method, [1, 2], Native(of_time)),
    Signature("getMinutes", Style::Method, [1, 2], Native(of_time)),
    Signature("getSeconds", Style::Method, [1, 2], Native(of_time)),
    Signature("getMilliseconds", Style::Method, [1, 2], Native(of_time)),
];

/// The timestamp that the function is called on, in the zone it is asked for.
fn local(call: &mut Call<'_, '_>) -> Result<DateTime<FixedOffset>, Halt> {
    let instant = call.timestamp(0)?;
    Ok(Zone::of(call, 1)?.local(instant))
}

fn no_zone(call: &Call<'_, '_>, what: &str) -> Result<(), Halt> {
    match call.arguments.len() {
        1 => Ok(()),
        _ => Err(call.fault(format!("a {what} has no time zone; remove it"))),
    }
}

fn of_calendar<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let date: NaiveDate = match call.get(0) {
        Some(Value::Date(date)) => {
            no_zone(call, "date")?;
            *date
        }
        Some(Value::Other(cel::Value::Timestamp(_))) => local(call)?.date_naive(),
        _ => return Err(call.wrong(0, "a timestamp or a date")),
    };
    Ok(Value::Int(match call.name {
        "getFullYear" => date.year().into(),
        "getMonth" => date.month0().into(),
        "getDate" => date.day().into(),
        "getDayOfMonth" => date.day0().into(),
        "getDayOfWeek" => date.weekday().num_days_from_sunday().into(),
        _ => date.ordinal0().into(),
    }))
}

/// Those of a duration are the whole of it in that unit, but the milliseconds
/// are what is left of the last second.
fn of_time<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    if let Some(Value::Other(cel::Value::Duration(duration))) = call.get(0) {
        no_zone(call, "duration")?;
        return Ok(Value::Int(match call.name {
            "getHours" => duration.num_hours(),
            "getMinutes" => duration.num_minutes(),
            "getSeconds" => duration.num_seconds(),
            _ => (duration.subsec_nanos() / 1_000_000).into(),
        }));
    }
    if !matches!(call.get(0), Some(Value::Other(cel::Value::Timestamp(_)))) {
        return Err(call.wrong(0, "a timestamp or a duration"));
    }
    let time = local(call)?;
    Ok(Value::Int(match call.name {
        "getHours" => time.hour().into(),
        "getMinutes" => time.minute().into(),
        "getSeconds" => time.second().into(),
        _ => time.timestamp_subsec_millis().min(999).into(),
    }))
}
