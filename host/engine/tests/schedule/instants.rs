//! Maestro's behaviour 33: cron with time zones and clock changes. The fire
//! lists of twelve rules in four zones over 2025 follow from the definition,
//! second by second where it matters: a model that asks of every minute of the
//! year what the clocks show.

use crate::{cron, moment};
use chrono::{DateTime, Datelike as _, Offset as _, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use segno_engine::id::Timestamp;
use std::collections::BTreeSet;

/// What the clocks show: month, day, days in the month, weekday, hour, minute.
type Fits = fn(&chrono::NaiveDateTime) -> bool;

/// Rules, whether they go with the time that passes, and what they mean.
const RULES: [(&str, bool, Fits); 12] = [
    ("@hourly", true, |it| it.minute() == 0),
    ("*/15 * * * *", true, |it| it.minute() % 15 == 0),
    ("@daily", false, |it| (it.hour(), it.minute()) == (0, 0)),
    ("@weekly", false, |it| {
        it.weekday().num_days_from_sunday() == 0 && (it.hour(), it.minute()) == (0, 0)
    }),
    ("@monthly", false, |it| (it.day(), it.hour(), it.minute()) == (1, 0, 0)),
    ("@yearly", false, |it| (it.ordinal(), it.hour(), it.minute()) == (1, 0, 0)),
    ("30 2 * * *", false, |it| (it.hour(), it.minute()) == (2, 30)),
    ("*/20 1-2 * * *", false, |it| [1, 2].contains(&it.hour()) && it.minute() % 20 == 0),
    ("0 */2 * * *", false, |it| it.hour() % 2 == 0 && it.minute() == 0),
    ("45 23 * * mon-fri", false, |it| {
        it.weekday().num_days_from_monday() < 5 && (it.hour(), it.minute()) == (23, 45)
    }),
    ("0 0 13 * 5", false, |it| {
        (it.day() == 13 || it.weekday().num_days_from_sunday() == 5)
            && (it.hour(), it.minute()) == (0, 0)
    }),
    ("0 3 L * *", false, |it| {
        it.day() == u32::from(it.num_days_in_month()) && (it.hour(), it.minute()) == (3, 0)
    }),
];

const ZONES: [&str; 4] =
    ["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"];

/// The instants of a year, in seconds, by asking of every minute.
fn model(zone: Tz, is_hourly: bool, fits: Fits, (from, until): (i64, i64)) -> Vec<i64> {
    let wall = |moment: i64| {
        let utc = DateTime::from_timestamp(moment, 0).expect("a moment").naive_utc();
        utc + zone.offset_from_utc_datetime(&utc).fix()
    };
    let (mut shown, mut found) = (BTreeSet::new(), BTreeSet::new());
    let mut before = wall(from - 60);
    for moment in (from..until).step_by(60) {
        let now = wall(moment);
        let mut skipped = before + chrono::Duration::minutes(1);
        while skipped < now && !is_hourly {
            if fits(&skipped) {
                found.insert(moment);
            }
            skipped += chrono::Duration::minutes(1);
        }
        if fits(&now) && (shown.insert(now) || is_hourly) {
            found.insert(moment);
        }
        before = now;
    }
    found.into_iter().collect()
}

#[test]
fn cron_with_timezone_and_clock_changes_fires_as_the_lists_say() {
    let (from, until) = (moment("2025-01-01T00:00:00Z"), moment("2026-01-01T00:00:00Z"));
    let seconds = ((from.0 / 1_000) as i64, (until.0 / 1_000) as i64);
    for (rule, is_hourly, fits) in RULES {
        for zone in ZONES {
            let expected = model(zone.parse().expect("a zone"), is_hourly, fits, seconds);
            let schedule = cron(rule, zone);
            let range = (Timestamp(from.0 - 1), Timestamp(until.0 - 1));
            let found = schedule.instants("s", range.0, range.1);
            let found: Vec<_> = found.map(|it| (it.at.0 / 1_000) as i64).collect();
            assert!(found == expected, "{rule} in {zone}: {} {}", found.len(), expected.len());
        }
    }
}
