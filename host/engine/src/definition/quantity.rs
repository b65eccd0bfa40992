//! Times and sizes with their units, as in `30s` and `64MiB`. A number alone is
//! refused: people differ on what it would mean.

use super::node::shown;

/// The units of sizes. The first of those that divide a size is how it is shown.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// The time in milliseconds that `text` says, from one millisecond to `most`.
///
/// # Errors
/// What is wrong, and after a `;` the remedy.
pub(super) fn duration_ms(text: &str, most: u64) -> Result<u64, String> {
    if is_number(text) {
        return Err(no_time_unit(text.trim()));
    }
    let duration = humantime::parse_duration(text).map_err(|_| {
        format!("{} is not a time; say it as in \"30s\", \"5m\" or \"2h 30m\"", shown(text))
    })?;
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return Err(format!("{} is too short; use \"1ms\" or more", shown(text)));
    }
    if millis > most {
        return Err(format!("{} is too long; use at most {:?}", shown(text), show_ms(most)));
    }
    Ok(millis)
}

/// The number of bytes that `text` says, at least one.
///
/// # Errors
/// What is wrong, and after a `;` the remedy.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    if is_number(text) {
        return Err(no_size_unit(text.trim()));
    }
    let not_a_size =
        || format!("{} is not a size; say it as in \"64MiB\" or \"1GiB\"", shown(text));
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(not_a_size)?;
    let (number, unit) = (&text[..end], text[end..].trim());
    let number: u64 = number.parse().map_err(|_| not_a_size())?;
    let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let (_, factor) = factor.ok_or_else(not_a_size)?;
    match number.checked_mul(*factor) {
        None => Err(format!("{} is too large; use less", shown(text))),
        Some(0) => Err(format!("{} is too small; use \"1B\" or more", shown(text))),
        Some(bytes) => Ok(bytes),
    }
}

/// What is wrong with a time without a unit.
pub(super) fn no_time_unit(number: &str) -> String {
    format!("{number} has no unit; say \"{number}s\" or \"{number}ms\"")
}

/// What is wrong with a size without a unit.
pub(super) fn no_size_unit(number: &str) -> String {
    format!("{number} has no unit; say \"{number}MiB\" or \"{number}KiB\"")
}

fn is_number(text: &str) -> bool {
    const DIGITS_MAX: usize = 20;
    text.len() <= DIGITS_MAX && text.trim().parse::<f64>().is_ok()
}

/// A size with the largest unit that leaves it whole.
pub(super) fn show_bytes(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    let (name, factor) = unit.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / factor)
}

/// A time as an author would write it.
pub(crate) fn show_ms(millis: u64) -> String {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = millis;
    let mut parts = Vec::new();
    for (name, factor) in UNITS {
        if rest >= factor {
            parts.push(format!("{}{name}", rest / factor));
            rest %= factor;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let read = |text: &str| duration_ms(text, 86_400_000);
        assert_eq!(read("30s"), Ok(30_000));
        assert_eq!(read("2h 30m"), Ok(9_000_000));
        assert_eq!(read("1ms"), Ok(1));
        assert_eq!(read("30"), Err("30 has no unit; say \"30s\" or \"30ms\"".to_owned()));
        assert_eq!(read("2d"), Err("\"2d\" is too long; use at most \"1d\"".to_owned()));
        for text in ["", "0s", "1us", "s", "1x", "-1s", "99999999999999999999s", "1e9h"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_units_and_survive_text() {
        for (text, expected) in
            [("64MiB", 64 << 20), ("1 GiB", 1 << 30), ("500kb", 500_000), ("7B", 7)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
            assert_eq!(bytes(&show_bytes(expected)), Ok(expected), "{text}");
        }
        for text in [
            "",
            "64",
            "0B",
            "MiB",
            "1.5MiB",
            "-1B",
            "9M",
            "99999999999999999999B",
            "99999999999GiB",
        ] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
