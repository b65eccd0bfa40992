//! How durations, sizes and moments read. Moments come and go as RFC 3339; no
//! clock is asked here but the one that measures how long something took.

use std::time::{Duration, Instant, UNIX_EPOCH};

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was, in milliseconds.
    pub(super) fn elapsed_ms(&self) -> u64 {
        self.elapsed().as_millis() as u64
    }

    /// How long ago that was.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A duration with three digits or two units: `340ms`, `1.24s`, `2m03s`.
pub(super) fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    let (minutes, hours, days) = (s / 60, s / 3_600, s / 86_400);
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..10_000 => format!("{}.{:02}s", s, ms % 1_000 / 10),
        10_000..60_000 => format!("{}.{}s", s, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes}m{:02}s", s % 60),
        3_600_000..86_400_000 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// A size: `812 B`, `64.2 KiB`, `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1_024.0;
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{kib:.1} KiB"),
        _ => format!("{:.1} MiB", kib / 1_024.0),
    }
}

/// Milliseconds since 1970 of a moment; nothing if it is no moment.
pub(super) fn unix_ms(moment: &str) -> Option<u64> {
    let since = humantime::parse_rfc3339_weak(moment).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_millis() as u64)
}

/// Milliseconds from one moment to another.
pub(super) fn between(from: &str, to: &str) -> Option<u64> {
    Some(unix_ms(to)?.saturating_sub(unix_ms(from)?))
}

/// The day and the second of a moment: `2012-12-12 08:30:00`.
pub(super) fn day_and_time(moment: &str) -> String {
    match (moment.get(..10), moment.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => moment.to_owned(),
    }
}

/// The time of day of a moment: `08:30:00.250`.
pub(super) fn time_of_day(moment: &str) -> &str {
    moment.get(11..23).unwrap_or(moment)
}

/// `done` of `total` in percent.
pub(super) fn percent(done: u64, total: u64) -> u64 {
    match total {
        0 => 0,
        _ => (u128::from(done.min(total)) * 100 / u128::from(total)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_what_matters() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1.00s"),
            (1_239, "1.23s"),
            (59_999, "59.9s"),
            (123_456, "2m03s"),
            (3_725_000, "1h02m"),
            (277_200_000, "3d05h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn sizes_keep_what_matters() {
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(65_741), "64.2 KiB");
        assert_eq!(size(3 << 19), "1.5 MiB");
    }

    #[test]
    fn moments_are_taken_apart() {
        let moment = "2012-12-12T08:30:00.250Z";
        assert_eq!(day_and_time(moment), "2012-12-12 08:30:00");
        assert_eq!(time_of_day(moment), "08:30:00.250");
        assert_eq!(between("2012-12-12T08:29:59.000Z", moment), Some(1_250));
        assert_eq!(between("soon", moment), None);
        assert_eq!(day_and_time("soon"), "soon");
    }

    #[test]
    fn percentages_never_pass_their_ends() {
        assert_eq!((percent(12, 500), percent(499, 500), percent(7, 5)), (2, 99, 100));
        assert_eq!((percent(3, 0), percent(u64::MAX, u64::MAX)), (0, 100));
    }
}
