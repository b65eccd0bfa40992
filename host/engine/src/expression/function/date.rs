//! Dates, which are days of the calendar without a time of day, and lists of
//! dates and timestamps. CEL has timestamps and durations only. A list goes from
//! its first bound up to, but without, its second.

use super::super::library;
use super::super::meter::Halt;
use super::super::value::Value;
use super::call::{Call, list};
use super::zone::Zone;
use super::{Native, Signature, Style};
use chrono::{DateTime, Datelike as _, Days, FixedOffset, Months, NaiveDate, NaiveTime, TimeDelta};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("date", Style::Global, [1, 2], Native(date)),
    Signature("timestamp", Style::Global, [1, 2], Native(timestamp)),
    Signature("addDays", Style::Method, [2, 2], Native(add_days)),
    Signature("addMonths", Style::Method, [2, 2], Native(add_months)),
    Signature("addYears", Style::Method, [2, 2], Native(add_years)),
    Signature("daysUntil", Style::Method, [2, 2], Native(days_until)),
    Signature("truncate", Style::Method, [2, 2], Native(truncate)),
    Signature("dates", Style::Global, [2, 3], Native(dates)),
    Signature("months", Style::Global, [2, 3], Native(months)),
    Signature("timestamps", Style::Global, [3, 3], Native(timestamps)),
];

/// The years that there are, as for the timestamps of CEL.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// What a step through the calendar costs, in operations.
const STEP: usize = 2;

/// What reading text as a timestamp costs, in operations.
const READ: usize = 50;

/// A date, if it is one of a year that there is.
///
/// # Errors
/// It is not.
pub(super) fn checked_date<'a>(
    call: &Call<'_, '_>,
    date: Option<NaiveDate>,
) -> Result<Value<'a>, Halt> {
    match date.filter(|date| YEARS.contains(&date.year())) {
        Some(date) => Ok(Value::Date(date)),
        None => Err(call.fault("the result is outside of the years 1 to 9999; move it less")),
    }
}

/// A timestamp, if it is one of a year that there is.
///
/// # Errors
/// It is not.
pub(super) fn checked_timestamp<'a>(
    call: &Call<'_, '_>,
    timestamp: Option<DateTime<FixedOffset>>,
) -> Result<Value<'a>, Halt> {
    match timestamp.filter(|it| YEARS.contains(&it.naive_utc().year())) {
        Some(timestamp) => Ok(Value::Other(cel::Value::Timestamp(timestamp))),
        None => Err(call.fault("the result is outside of the years 1 to 9999; move it less")),
    }
}

/// `date('2026-01-31')`, `date(20260131)` or `date(timestamp, zone)`.
fn date<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    if let Some(Value::Other(cel::Value::Timestamp(instant))) = call.get(0) {
        let zone = Zone::of(call, 1)?;
        return checked_date(call, Some(zone.local(*instant).date_naive()));
    }
    if call.arguments.len() > 1 {
        return Err(call.fault("only a timestamp has a date in a zone; remove the zone"));
    }
    match call.get(0) {
        Some(Value::Date(date)) => Ok(Value::Date(*date)),
        Some(Value::Text(text)) => {
            let text = text.as_str();
            let Some(date) = plain_date(text) else {
                let shown: String = text.chars().take(60).collect();
                return Err(call.fault(format!(
                    "{shown:?} is no date like 2026-01-31; use parseDate(text, pattern)"
                )));
            };
            checked_date(call, Some(date))
        }
        Some(Value::Int(number)) => {
            let parts =
                u32::try_from(*number).ok().map(|it| (it / 10_000, it / 100 % 100, it % 100));
            let date = parts.and_then(|(year, month, day)| {
                NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
            });
            match date.filter(|date| YEARS.contains(&date.year())) {
                Some(date) => Ok(Value::Date(date)),
                None => Err(call.fault(format!("{number} is no date like 20260131; correct it"))),
            }
        }
        _ => Err(call.wrong(0, "a string, an int or a timestamp")),
    }
}

/// Exactly `YYYY-MM-DD`.
fn plain_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let year = i32::try_from(part(0..4)?).ok().filter(|year| YEARS.contains(year))?;
    NaiveDate::from_ymd_opt(year, part(5..7)?, part(8..10)?)
}

/// `timestamp('2026-01-31T00:00:00Z')`, of seconds, or the start of a date.
fn timestamp<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    match call.get(0) {
        Some(Value::Date(date)) => {
            let zone = Zone::of(call, 1)?;
            checked_timestamp(call, zone.instant(date.and_time(NaiveTime::MIN)))
        }
        _ if call.arguments.len() > 1 => {
            Err(call.fault("only a date takes a zone; use parseTimestamp(text, pattern, zone)"))
        }
        Some(Value::Int(seconds)) => {
            let instant = DateTime::from_timestamp(*seconds, 0);
            checked_timestamp(call, instant.map(|instant| instant.fixed_offset()))
        }
        _ => {
            call.meter.charge(READ)?;
            if let Some(Value::Text(text)) = call.get(0) {
                call.meter.charge_text(text.as_str())?;
            }
            library::call("timestamp", false, call.arguments).map_err(Halt::Fault)
        }
    }
}

/// `date` moved by `count` months, its day kept or the last that there is.
fn moved(date: NaiveDate, count: i64) -> Option<NaiveDate> {
    let months = Months::new(u32::try_from(count.unsigned_abs()).ok()?);
    if count < 0 { date.checked_sub_months(months) } else { date.checked_add_months(months) }
}

fn add_days<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (date, count) = (call.date(0)?, call.int(1)?);
    let days = Days::new(count.unsigned_abs());
    let moved = if count < 0 { date.checked_sub_days(days) } else { date.checked_add_days(days) };
    checked_date(call, moved)
}

fn add_months<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (date, count) = (call.date(0)?, call.int(1)?);
    checked_date(call, moved(date, count))
}

fn add_years<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (date, count) = (call.date(0)?, call.int(1)?);
    checked_date(call, count.checked_mul(12).and_then(|months| moved(date, months)))
}

fn days_until<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    Ok(Value::Int((call.date(1)? - call.date(0)?).num_days()))
}

/// A duration that is longer than nothing, in nanoseconds.
fn positive(call: &Call<'_, '_>, place: usize) -> Result<i128, Halt> {
    let nanoseconds = nanoseconds(call.duration(place)?);
    if nanoseconds > 0 {
        return Ok(nanoseconds);
    }
    Err(call.fault("needs a duration longer than 0s; give it one"))
}

fn nanoseconds(duration: TimeDelta) -> i128 {
    i128::from(duration.num_seconds()) * 1_000_000_000 + i128::from(duration.subsec_nanos())
}

/// Back to the last multiple of a duration since 1970 in UTC.
fn truncate<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (instant, unit) = (call.timestamp(0)?, positive(call, 1)?);
    let since = i128::from(instant.timestamp()) * 1_000_000_000
        + i128::from(instant.timestamp_subsec_nanos());
    checked_timestamp(call, at_nanoseconds(since - since.rem_euclid(unit)))
}

fn at_nanoseconds(since: i128) -> Option<DateTime<FixedOffset>> {
    let seconds = i64::try_from(since.div_euclid(1_000_000_000)).ok()?;
    let rest = u32::try_from(since.rem_euclid(1_000_000_000)).ok()?;
    DateTime::from_timestamp(seconds, rest).map(|instant| instant.fixed_offset())
}

/// The step at `place`, at least 1 of `unit`.
fn step(call: &Call<'_, '_>, place: usize, unit: &str) -> Result<u64, Halt> {
    match u64::try_from(call.int_or(place, 1)?) {
        Ok(step) if step > 0 => Ok(step),
        _ => Err(call.fault(format!("needs a step of 1 {unit} or more; give it one"))),
    }
}

fn dates<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (from, to, step) = (call.date(0)?, call.date(1)?, step(call, 2, "day")?);
    let mut dates = Vec::new();
    let mut next = Some(from);
    while let Some(date) = next.filter(|date| *date < to) {
        call.meter.charge(STEP)?;
        dates.push(Value::Date(date));
        next = date.checked_add_days(Days::new(step));
    }
    Ok(list(dates))
}

/// Each is counted from the first, so that a 31st comes again after a 28th.
fn months<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (from, to, step) = (call.date(0)?, call.date(1)?, step(call, 2, "month")?);
    let mut dates = Vec::new();
    let mut count = 0_i64;
    while let Some(date) = moved(from, count).filter(|date| *date < to) {
        call.meter.charge(STEP)?;
        dates.push(Value::Date(date));
        count = count.saturating_add_unsigned(step);
    }
    Ok(list(dates))
}

fn timestamps<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (from, to) = (call.timestamp(0)?, call.timestamp(1)?);
    positive(call, 2)?;
    let step = call.duration(2)?;
    let mut timestamps = Vec::new();
    let mut next = Some(from);
    while let Some(instant) = next.filter(|instant| *instant < to) {
        call.meter.charge(STEP)?;
        timestamps.push(Value::Other(cel::Value::Timestamp(instant)));
        next = instant.checked_add_signed(step);
    }
    Ok(list(timestamps))
}
