//! One field of a cron rule: which values it allows. The `cron` crate reads it;
//! what it would read differently from Unix is translated before.

use cron::TimeUnitSpec as _;
use std::str::FromStr as _;

/// The longest field, in bytes.
const FIELD_BYTES_MAX: usize = 256;

/// The longest number in a field, in digits.
const DIGITS_MAX: usize = 4;

/// Which field it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
    Year,
}

impl Unit {
    /// How it is called in messages.
    fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "day of the week",
            Self::Year => "year",
        }
    }

    /// What may stand in it.
    fn allowed(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "use 0 to 59, as in 5, 0,30, 10-20 or */15",
            Self::Hour => "use 0 to 23, as in 6, 8-18, 0,12 or */4",
            Self::Day => "use 1 to 31, L, L-3, 15W or LW, as in 1, 1,15 or 10-20",
            Self::Month => "use 1 to 12 or jan to dec, as in 1-3 or jan,jul",
            Self::Weekday => {
                "use 0 to 7 (0 and 7 are Sunday) or sun to sat, as in mon-fri, 5L or 1#2"
            }
            Self::Year => "use 1970 to 2100, as in 2027 or 2027-2030",
        }
    }

    /// What is wrong with `text` in this field, and the remedy.
    pub(super) fn wrong(self, text: &str) -> String {
        let shown: String = text.chars().take(60).collect();
        format!("the field for the {} cannot be {shown:?}; {}", self.name(), self.allowed())
    }

    /// The values that `text` allows.
    ///
    /// # Errors
    /// It is not understood; names the field and the remedy.
    pub(super) fn values(self, text: &str) -> Result<Vec<u32>, String> {
        self.check(text)?;
        let mut fields = ["*"; 7];
        let place = match self {
            Self::Second => 0,
            Self::Minute => 1,
            Self::Hour => 2,
            Self::Day => 3,
            Self::Month => 4,
            Self::Weekday => 5,
            Self::Year => 6,
        };
        fields[place] = text;
        let read = cron::Schedule::from_str(&fields.join(" ")).map_err(|_| self.wrong(text))?;
        let values: Vec<u32> = match self {
            Self::Second => read.seconds().iter().collect(),
            Self::Minute => read.minutes().iter().collect(),
            Self::Hour => read.hours().iter().collect(),
            Self::Day => read.days_of_month().iter().collect(),
            Self::Month => read.months().iter().collect(),
            Self::Weekday => read.days_of_week().iter().collect(),
            Self::Year => read.years().iter().collect(),
        };
        if values.is_empty() { Err(self.wrong(text)) } else { Ok(values) }
    }

    /// The values that `text` allows, each as a bit.
    ///
    /// # Errors
    /// As for [`Unit::values`].
    pub(super) fn mask(self, text: &str) -> Result<u64, String> {
        Ok(self.values(text)?.into_iter().fold(0, |mask, value| mask | 1 << value))
    }

    /// Holds back what the crate would be long or wrong about.
    fn check(self, text: &str) -> Result<(), String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "*?/,-".contains(c);
        let has_long_number =
            text.split(|c: char| !c.is_ascii_digit()).any(|number| number.len() > DIGITS_MAX);
        if text.is_empty()
            || text.len() > FIELD_BYTES_MAX
            || !text.chars().all(is_plain)
            || has_long_number
        {
            return Err(self.wrong(text));
        }
        for item in text.split(',') {
            let range = item.split('/').next().unwrap_or_default();
            let Some((first, last)) = range.split_once('-') else { continue };
            if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>())
                && first > last
            {
                return Err(format!(
                    "the range {range:?} of the field for the {} goes backward; write it as two, \
                     as in 22-23,0-2",
                    self.name()
                ));
            }
        }
        Ok(())
    }
}

/// The names of weekdays, Sunday first.
const WEEKDAYS: [&str; 7] =
    ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// The weekday that `text` says, 0 for Sunday; 7 stays 7.
pub(super) fn weekday(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse::<u32>() {
        return (number <= 7 && text.len() == 1).then_some(number);
    }
    let text = text.to_ascii_lowercase();
    let found = WEEKDAYS.iter().position(|name| *name == text || name[..3] == text);
    found.and_then(|place| u32::try_from(place).ok())
}

/// The weekdays that `text` allows, each as a bit, bit 0 for Sunday.
///
/// # Errors
/// It is not understood; names the field and the remedy.
pub(super) fn weekdays(text: &str) -> Result<u64, String> {
    let mut translated = Vec::new();
    for item in text.split(',') {
        let days = weekdays_of(item).ok_or_else(|| Unit::Weekday.wrong(text))?;
        // The crate counts from 1 for Sunday.
        translated.extend(days.into_iter().map(|day| (day % 7 + 1).to_string()));
    }
    let numbered =
        Unit::Weekday.mask(&translated.join(",")).map_err(|_| Unit::Weekday.wrong(text))?;
    Ok(numbered >> 1)
}

/// One item of a list: a day, a range, or all, perhaps with a step.
fn weekdays_of(item: &str) -> Option<Vec<u32>> {
    let (range, step) = match item.split_once('/') {
        None => (item, None),
        Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
    };
    let (first, last) = match range {
        "*" | "?" => (0, 6),
        _ => match range.split_once('-') {
            Some((first, last)) => match (weekday(first)?, weekday(last)?) {
                // A week may end on Sunday: sat-sun.
                (first, 0) if first > 0 => (first, 7),
                (first, last) => (first, last),
            },
            None => {
                let day = weekday(range)?;
                (day, if step.is_some() { day.max(6) } else { day })
            }
        },
    };
    if first > last {
        return None;
    }
    Some((first..=last).step_by(step.unwrap_or(1)).collect())
}
