//! Cron rules: five, six or seven fields, or a name such as `@daily`. What they
//! allow is kept as sets of bits; which wall times fit is looked up here, which
//! moments those are in `zone`.

use super::day::Days;
use super::field::Unit;
use chrono::{DateTime, Datelike as _, NaiveDate};

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// The years that a rule knows.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2100;

/// The longest rule, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// The names for common rules.
const NAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A cron rule.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Days,
    months: u64,
    /// `None` if every year will do.
    years: Option<Vec<u32>>,
}

impl Cron {
    /// The rule that `text` says.
    ///
    /// # Errors
    /// It is not understood, or fits no moment at all; with the remedy.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(60).collect();
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "a rule has at most {TEXT_BYTES_MAX} bytes; use several schedules"
            ));
        }
        let text = match text.trim() {
            named if named.starts_with('@') => {
                let found = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(named));
                let names = NAMES.map(|(name, _)| name).join(", ");
                let (_, rule) = found.ok_or_else(|| {
                    format!("{shown:?} is no name of a rule; use one of {names}, or `every: 1h`")
                })?;
                rule
            }
            text => text,
        };
        let fields: Vec<_> = text.split_ascii_whitespace().collect();
        let (second, rest, year) = match fields.as_slice() {
            rest if rest.len() == 5 => ("0", rest, "*"),
            [second, rest @ ..] if rest.len() == 5 => (*second, rest, "*"),
            [second, rest @ .., year] if rest.len() == 5 => (*second, rest, *year),
            _ => {
                return Err(format!(
                    "{shown:?} has {} fields; write five (minute hour day month weekday), six (with \
                     the second in front) or seven (and the year at the end)",
                    fields.len()
                ));
            }
        };
        let rule = Self {
            seconds: Unit::Second.mask(second)?,
            minutes: Unit::Minute.mask(rest[0])?,
            hours: Unit::Hour.mask(rest[1])?,
            days: Days::parse(rest[2], rest[4])?,
            months: Unit::Month.mask(rest[3])?,
            years: years(year)?,
        };
        if rule.first_from(0).is_none() {
            return Err(format!(
                "{shown:?} fits no day that there is; correct the day of the month, the month or \
                 the year"
            ));
        }
        Ok(rule)
    }

    /// Whether every hour of a day fits: then the rule goes with the time that
    /// passes.
    pub(super) fn is_hourly(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// The first wall time from `wall` on that fits. Wall times are seconds from
    /// 1970-01-01 00:00 on the clocks of the place.
    pub(super) fn first_from(&self, wall: i64) -> Option<i64> {
        let (day, time) = (wall.div_euclid(DAY), wall.rem_euclid(DAY));
        if self.fits_day(day)
            && let Some(time) = self.time_from(time)
        {
            return Some(day * DAY + time);
        }
        Some(self.day_from(day + 1)? * DAY + self.time_from(0)?)
    }

    /// How many wall times fit from the first to before the second, both of the
    /// same day.
    pub(super) fn count_in_day(&self, (from, to): (i64, i64)) -> u64 {
        let day = from.div_euclid(DAY);
        if !self.fits_day(day) {
            return 0;
        }
        self.times_before(to - day * DAY).saturating_sub(self.times_before(from - day * DAY))
    }

    fn fits_day(&self, day: i64) -> bool {
        let Some(date) = date(day.max(0)).filter(|_| day >= 0) else { return false };
        self.months & (1 << date.month()) != 0
            && YEARS.contains(&date.year())
            && self.fits_year(date.year())
            && self.days.mask(date.year(), date.month()) & (1 << date.day()) != 0
    }

    /// The first day from `day` on that fits, in days from 1970-01-01.
    fn day_from(&self, day: i64) -> Option<i64> {
        let date = date(day.max(0))?;
        let (mut month, mut first) = (date.month(), date.day());
        for year in date.year().max(*YEARS.start())..=*YEARS.end() {
            let from = if self.fits_year(year) { month } else { 13 };
            for month in from..=12 {
                if let Some(day) = self.day_of_month(year, month, first) {
                    return Some(day);
                }
                first = 1;
            }
            (month, first) = (1, 1);
        }
        None
    }

    /// The first day of a month from `first` on that fits, in days from
    /// 1970-01-01.
    fn day_of_month(&self, year: i32, month: u32, first: u32) -> Option<i64> {
        if self.months & (1 << month) == 0 {
            return None;
        }
        let days = self.days.mask(year, month) & (!0 << first);
        // There is no day 32, which this is if nothing fits.
        let date = NaiveDate::from_ymd_opt(year, month, days.trailing_zeros())?;
        Some(date.signed_duration_since(NaiveDate::default()).num_days())
    }

    fn fits_year(&self, year: i32) -> bool {
        match &self.years {
            None => true,
            Some(years) => u32::try_from(year).is_ok_and(|year| years.contains(&year)),
        }
    }

    /// The first time of a day from `time` on that fits.
    fn time_from(&self, time: i64) -> Option<i64> {
        let time = u32::try_from(time).ok()?;
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let at = |hour: u32, minute: u32, second: u32| {
            Some(i64::from(hour * 3600 + minute * 60 + second))
        };
        let (first_minute, first_second) = (first(self.minutes, 0)?, first(self.seconds, 0)?);
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(second) = first(self.seconds, second)
            {
                return at(hour, minute, second);
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return at(hour, minute, first_second);
            }
        }
        at(first(self.hours, hour + 1)?, first_minute, first_second)
    }

    /// How many times of a day before `time` fit.
    fn times_before(&self, time: i64) -> u64 {
        let time = u32::try_from(time.clamp(0, DAY)).unwrap_or_default();
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        let below = |mask: u64, end: u32| u64::from((mask & ((1 << end) - 1)).count_ones());
        let seconds = u64::from(self.seconds.count_ones());
        let mut count = below(self.hours, hour) * u64::from(self.minutes.count_ones()) * seconds;
        if self.hours & (1 << hour) != 0 {
            count += below(self.minutes, minute) * seconds;
            if self.minutes & (1 << minute) != 0 {
                count += below(self.seconds, second);
            }
        }
        count
    }
}

/// The lowest bit of `mask` from `from` on.
fn first(mask: u64, from: u32) -> Option<u32> {
    let rest = mask & (!0_u64).checked_shl(from)?;
    (rest != 0).then(|| rest.trailing_zeros())
}

fn date(day: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp(day.checked_mul(DAY)?, 0).map(|moment| moment.date_naive())
}

fn years(text: &str) -> Result<Option<Vec<u32>>, String> {
    if text == "*" {
        return Ok(None);
    }
    Unit::Year.values(text).map(Some)
}
