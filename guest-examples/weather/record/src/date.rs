//! A day of the calendar. Only what the example needs: reading, writing, order
//! and the day after.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A day of the Gregorian calendar, written `2012-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The year, 1 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day after.
    pub fn next(self) -> Self {
        let Self { year, month, day } = self;
        if day < days_in(year, month) {
            return Self { day: day + 1, ..self };
        }
        let (year, month) = if month < 12 { (year, month + 1) } else { (year + 1, 1) };
        Self { year, month, day: 1 }
    }
}

/// Reads `2012-01-31`, and `2012/01/31` as older copies of the data have it.
impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("`{text}` is not a date like 2012-01-31"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

fn parse(text: &str) -> Option<Date> {
    let separator = if text.contains('/') { '/' } else { '-' };
    let mut parts = text.split(separator);
    let year = number(parts.next()?, 4)?;
    let month = u8::try_from(number(parts.next()?, 2)?).ok()?;
    let day = u8::try_from(number(parts.next()?, 2)?).ok()?;
    let known = year >= 1 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    (known && parts.next().is_none()).then_some(Date { year, month, day })
}

fn number(text: &str, digits: usize) -> Option<u16> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_read_strictly() {
        assert_eq!(date("2012/02/29"), date("2012-02-29"));
        for text in ["2013-02-29", "2012-13-01", "2012-00-01", "2012-04-31", "2012-1-01"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        for text in ["", "2012-01", "2012-01-01-", "2012-01/01", "12-01-01", "+012-01-01"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_day_after_knows_months_and_leap_years() {
        for (day, after) in [
            ("2012-02-28", "2012-02-29"),
            ("2013-02-28", "2013-03-01"),
            ("1900-02-28", "1900-03-01"),
            ("2000-02-28", "2000-02-29"),
            ("2012-12-31", "2013-01-01"),
            ("2012-04-30", "2012-05-01"),
        ] {
            assert_eq!(date(day).next(), date(after));
        }
    }
}
