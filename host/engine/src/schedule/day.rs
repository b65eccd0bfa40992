//! Which days a cron rule means: days of the month, of the week, or both. If
//! both are restricted, either is enough, as in Unix's cron. `L`, `W` and `#` are
//! Quartz's.

use super::field::{Unit, weekday, weekdays};
use chrono::{Datelike as _, NaiveDate};

/// The days of a rule.
#[derive(Clone, Debug)]
pub(super) struct Days {
    /// `None` if every day of the month will do.
    of_month: Option<OfMonth>,
    /// `None` if every day of the week will do.
    of_week: Option<OfWeek>,
}

#[derive(Clone, Debug, Default)]
struct OfMonth {
    /// Bit 1 for the first.
    days: u32,
    /// Bit n for the n-th day before the last.
    before_last: u32,
    /// Bit n for the weekday nearest to the n-th.
    nearest: u32,
    /// The last weekday.
    last_weekday: bool,
}

#[derive(Clone, Debug, Default)]
struct OfWeek {
    /// Bit 0 for Sunday.
    days: u32,
    /// The last of its kind in the month.
    last: u32,
    /// For each place in the month, from the first, the days.
    nth: [u32; 5],
}

impl Days {
    /// The days that the two fields mean.
    ///
    /// # Errors
    /// Names the field that is not understood, and the remedy.
    pub(super) fn parse(of_month: &str, of_week: &str) -> Result<Self, String> {
        let month = days_of_month(of_month)?;
        let week = days_of_week(of_week)?;
        Ok(Self { of_month: month, of_week: week })
    }

    /// The days of a month, each as a bit; bit 1 for the first.
    pub(super) fn mask(&self, year: i32, month: u32) -> u32 {
        let Some(first) = NaiveDate::from_ymd_opt(year, month, 1) else { return 0 };
        let month = Month { first: first.weekday().num_days_from_sunday(), length: length(first) };
        let all = (!0_u32 >> (31 - month.length)) & !1;
        let days = match (&self.of_month, &self.of_week) {
            (None, None) => all,
            (Some(days), None) => days.mask(month),
            (None, Some(days)) => days.mask(month),
            (Some(of_month), Some(of_week)) => of_month.mask(month) | of_week.mask(month),
        };
        days & all
    }
}

/// What is to know about a month.
#[derive(Clone, Copy)]
struct Month {
    /// The weekday of the first, 0 for Sunday.
    first: u32,
    /// How many days it has.
    length: u32,
}

fn length(first: NaiveDate) -> u32 {
    u32::from(first.num_days_in_month())
}

impl Month {
    fn weekday(self, day: u32) -> u32 {
        (self.first + day - 1) % 7
    }

    /// The day from Monday to Friday that is nearest to `day`, in this month.
    fn nearest(self, day: u32) -> u32 {
        match self.weekday(day) {
            6 if day == 1 => 3,
            6 => day - 1,
            0 if day == self.length => day - 2,
            0 => day + 1,
            _ => day,
        }
    }
}

impl OfMonth {
    fn mask(&self, month: Month) -> u32 {
        let mut mask = self.days;
        for back in bits(self.before_last).filter(|back| *back < month.length) {
            mask |= 1 << (month.length - back);
        }
        for day in bits(self.nearest).filter(|day| *day <= month.length) {
            mask |= 1 << month.nearest(day);
        }
        if self.last_weekday {
            mask |= 1 << month.nearest(month.length);
        }
        mask
    }
}

impl OfWeek {
    fn mask(&self, month: Month) -> u32 {
        let mut mask = 0;
        for day in 1..=month.length {
            let weekday = 1 << month.weekday(day);
            let is_last = day + 7 > month.length;
            let place = ((day - 1) / 7) as usize;
            let fits = self.days & weekday != 0
                || (is_last && self.last & weekday != 0)
                || self.nth[place] & weekday != 0;
            mask |= u32::from(fits) << day;
        }
        mask
    }
}

fn bits(mask: u32) -> impl Iterator<Item = u32> {
    (0..32).filter(move |bit| mask & (1 << bit) != 0)
}

fn days_of_month(text: &str) -> Result<Option<OfMonth>, String> {
    let mut days = OfMonth::default();
    let wrong = || Unit::Day.wrong(text);
    for item in text.split(',') {
        let item = item.to_ascii_uppercase();
        if item == "LW" || item == "WL" {
            days.last_weekday = true;
        } else if item == "L" {
            days.before_last |= 1;
        } else if let Some(back) = item.strip_prefix("L-") {
            let back = back.parse::<u32>().ok().filter(|back| (1..=30).contains(back));
            days.before_last |= 1_u32 << back.ok_or_else(wrong)?;
        } else if let Some(day) = item.strip_suffix('W') {
            let day = day.parse::<u32>().ok().filter(|day| (1..=31).contains(day));
            days.nearest |= 1_u32 << day.ok_or_else(wrong)?;
        } else {
            let mask = Unit::Day
                .mask(&item)
                .map_err(|error| if error.contains("backward") { error } else { wrong() })?;
            days.days |= u32::try_from(mask).map_err(|_| wrong())?;
        }
    }
    Ok((days.days != !1).then_some(days))
}

fn days_of_week(text: &str) -> Result<Option<OfWeek>, String> {
    let mut days = OfWeek::default();
    let wrong = || Unit::Weekday.wrong(text);
    for item in text.split(',') {
        let upper = item.to_ascii_uppercase();
        if let Some((day, place)) = upper.split_once('#') {
            let day = weekday(day).ok_or_else(wrong)?;
            let place = place.parse::<usize>().ok().filter(|place| (1..=5).contains(place));
            days.nth[place.ok_or_else(wrong)? - 1] |= 1 << (day % 7);
        } else if let Some(day) = upper.strip_suffix('L').and_then(weekday) {
            days.last |= 1 << (day % 7);
        } else {
            days.days |=
                u32::try_from(weekdays(item).map_err(|_| wrong())?).map_err(|_| wrong())?;
        }
    }
    Ok((days.days != 0x7f).then_some(days))
}
