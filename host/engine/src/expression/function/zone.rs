//! Time zones: by their names in the tz database, which is built in, or by an
//! offset. So what an expression gives depends on the version of the host, and
//! on nothing else.

use super::super::meter::Halt;
use super::call::Call;
use crate::suggestion::closest;
use chrono::{DateTime, Days, FixedOffset, NaiveDateTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

/// A time zone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

/// What looking up a zone costs, in operations.
const LOOKUP: usize = 4;

/// What looking for the name of a zone that was meant costs, in operations.
const SEARCH: usize = 10_000;

impl Zone {
    /// The zone that the argument at `place` names; UTC if it is left out.
    ///
    /// # Errors
    /// There is no such zone.
    pub(super) fn of(call: &mut Call<'_, '_>, place: usize) -> Result<Self, Halt> {
        if call.arguments.len() <= place {
            return Ok(Self::Named(Tz::UTC));
        }
        call.meter.charge(LOOKUP)?;
        let name = call.text(place)?;
        if let Some(offset) = offset(name) {
            return Ok(Self::Fixed(offset));
        }
        match name.parse() {
            Ok(zone) => Ok(Self::Named(zone)),
            Err(_) => {
                call.meter.charge(SEARCH)?;
                Err(unknown(call, name))
            }
        }
    }

    /// The offset that holds in the zone at an instant.
    fn offset_at(self, utc: NaiveDateTime) -> FixedOffset {
        match self {
            Self::Named(zone) => zone.offset_from_utc_datetime(&utc).fix(),
            Self::Fixed(offset) => offset,
        }
    }

    /// The instant as the clocks of the zone show it.
    pub(super) fn local(self, instant: DateTime<FixedOffset>) -> DateTime<FixedOffset> {
        instant.with_timezone(&self.offset_at(instant.naive_utc()))
    }

    /// The instant at which the clocks of the zone show `local`: the first of
    /// two, and if they skip it, as if they had not yet been put forward.
    pub(super) fn instant(self, local: NaiveDateTime) -> Option<DateTime<FixedOffset>> {
        let found = match self {
            Self::Named(zone) => zone.from_local_datetime(&local).map(|it| it.fixed_offset()),
            Self::Fixed(offset) => offset.from_local_datetime(&local),
        };
        found.earliest().or_else(|| {
            let before = self.offset_at(local.checked_sub_days(Days::new(1))?);
            let utc = local.checked_sub_offset(before)?;
            Some(self.local(Utc.from_utc_datetime(&utc).fixed_offset()))
        })
    }
}

fn unknown(call: &Call<'_, '_>, name: &str) -> Halt {
    let shown: String = name.chars().take(60).collect();
    let remedy = match closest(name, TZ_VARIANTS.iter().map(|zone| zone.name())) {
        Some(similar) => format!("did you mean {similar:?}?"),
        None => "write it as in 'Europe/Berlin' or '+01:00'".to_owned(),
    };
    call.fault(format!("unknown time zone {shown:?}; {remedy}"))
}

/// `+01:00`, `-08:00` or `01:00`.
fn offset(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = digits.split_once(':')?;
    let two = |part: &str| -> Option<i32> {
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { part.parse().ok() } else { None }
    };
    let (hours, minutes) = (two(hours)?, two(minutes).filter(|minutes| *minutes < 60)?);
    FixedOffset::east_opt(sign * (hours * 60 + minutes) * 60)
}
