//! Durations as people say them. Texts in a step's source are checked by the
//! compiler, and texts from anywhere else when they are read: a wait of a month
//! must not begin with a typing error.

use std::time::Duration;

use crate::{Error, Result};

/// So many seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// So many minutes.
pub const fn minutes(count: u64) -> Duration {
    times(count, 60)
}

/// So many hours.
pub const fn hours(count: u64) -> Duration {
    times(count, 60 * 60)
}

/// So many days of 24 hours.
pub const fn days(count: u64) -> Duration {
    times(count, 24 * 60 * 60)
}

const fn times(count: u64, unit_seconds: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(unit_seconds))
}

/// A [`Duration`](std::time::Duration) written as people say it: a text that is
/// no duration does not compile. Units are weeks, days, hours, minutes, seconds
/// and milliseconds, in full or as `w d h m s ms`.
///
/// ```
/// use segno::prelude::*;
///
/// assert_eq!(duration!("3 days"), days(3));
/// assert_eq!(duration!("1h 30m"), minutes(90));
/// assert_eq!(duration!("1 minute, 250ms").as_millis(), 60_250);
/// ```
///
/// ```compile_fail
/// segno::duration!("3 fortnights");
/// ```
#[macro_export]
macro_rules! duration {
    ($text:expr) => {
        const {
            match $crate::__private::parse_duration($text) {
                ::std::result::Result::Ok(duration) => duration,
                ::std::result::Result::Err(why) => ::std::panic!("{}", why),
            }
        }
    };
}

/// The duration in a text that is known only when the step runs, such as one
/// from its input.
///
/// # Errors
/// The text is no duration. Fatal, and the message shows how to write one.
///
/// ```
/// use segno::timers;
///
/// assert_eq!(timers::duration("2 weeks")?, timers::days(14));
/// assert!(timers::duration("soon").unwrap_err().is_fatal());
/// # segno::Result::<()>::Ok(())
/// ```
pub fn duration(text: &str) -> Result<Duration> {
    parse(text).map_err(|why| Error::fatal(format!("`{text}` is no duration: {why}")))
}

/// In whole milliseconds, rounded up: nothing may happen early.
pub(crate) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Reads one or more numbers with units, between which there may be spaces and
/// commas.
#[doc(hidden)]
pub const fn parse(text: &str) -> Result<Duration, &'static str> {
    let text = text.as_bytes();
    let (mut at, mut total_ms, mut parts) = (skip(text, 0), 0u64, 0);
    while at < text.len() {
        let start = at;
        let mut count = 0u64;
        while at < text.len() && text[at].is_ascii_digit() {
            let digit = (text[at] - b'0') as u64;
            count = match count.checked_mul(10) {
                Some(tens) if tens <= u64::MAX - digit => tens + digit,
                _ => return Err("the number is too large"),
            };
            at += 1;
        }
        if at == start {
            return Err("a whole number with a unit is missing, as in `3 days` or `1h 30m`");
        }
        while at < text.len() && text[at] == b' ' {
            at += 1;
        }
        let unit = at;
        while at < text.len() && text[at].is_ascii_alphabetic() {
            at += 1;
        }
        let Some(unit_ms) = unit_ms(text, unit, at) else {
            return Err("units are weeks, days, hours, minutes, seconds, milliseconds, or \
                        w, d, h, m, s, ms");
        };
        total_ms = match count.checked_mul(unit_ms) {
            Some(part_ms) if part_ms <= u64::MAX - total_ms => total_ms + part_ms,
            _ => return Err("it is longer than time"),
        };
        parts += 1;
        at = skip(text, at);
    }
    if parts == 0 {
        return Err("it is empty; write it as in `3 days` or `1h 30m`");
    }
    Ok(Duration::from_millis(total_ms))
}

const fn skip(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && (text[at] == b' ' || text[at] == b',') {
        at += 1;
    }
    at
}

/// How many milliseconds the unit in `text[from..to]` has.
const fn unit_ms(text: &[u8], from: usize, to: usize) -> Option<u64> {
    let mut at = 0;
    while at < UNITS.len() {
        if same(UNITS[at].0, text, from, to) {
            return Some(UNITS[at].1);
        }
        at += 1;
    }
    None
}

const UNITS: [(&[u8], u64); 21] = [
    (b"ms", 1),
    (b"millisecond", 1),
    (b"milliseconds", 1),
    (b"s", 1_000),
    (b"sec", 1_000),
    (b"second", 1_000),
    (b"seconds", 1_000),
    (b"m", 60_000),
    (b"min", 60_000),
    (b"minute", 60_000),
    (b"minutes", 60_000),
    (b"h", 3_600_000),
    (b"hr", 3_600_000),
    (b"hour", 3_600_000),
    (b"hours", 3_600_000),
    (b"d", 86_400_000),
    (b"day", 86_400_000),
    (b"days", 86_400_000),
    (b"w", 604_800_000),
    (b"week", 604_800_000),
    (b"weeks", 604_800_000),
];

const fn same(word: &[u8], text: &[u8], from: usize, to: usize) -> bool {
    if to - from != word.len() {
        return false;
    }
    let mut at = 0;
    while at < word.len() {
        if word[at] != text[from + at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_people_say_them() {
        for (text, wanted_ms) in [
            ("250ms", 250),
            ("90 seconds", 90_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1 hour, 30 min", 5_400_000),
            (" 3 days ", 259_200_000),
            ("2 weeks 1d", 1_296_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(wanted_ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "  ", "3", "days", "3 fortnights", "-1s", "1.5h", "1h-", "3 dayss", "1 h m"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["99999999999999999999s", "18446744073709551615w", "18446744073709551615ms 1ms"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_of_a_millisecond_counts_as_one() {
        assert_eq!(whole_ms(Duration::from_nanos(1)), 1);
        assert_eq!(whole_ms(Duration::from_millis(7)), 7);
        assert_eq!(whole_ms(Duration::MAX), u64::MAX);
    }
}
