//! Numbers with a fixed count of decimals, kept as whole parts. A float cannot
//! hold 0.1, so a sum of floats depends on its order; a sum of tenths does not.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of `1 / PARTS`. JSON sees the number itself: 12.8, not 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fixed<const PARTS: i64>(i64);

/// What the stations measure: 0.1 mm, 0.1 °C.
pub type Tenths = Fixed<10>;

/// What a mean of tenths is rounded to.
pub type Hundredths = Fixed<100>;

/// More than any weather adds up to, and far from where a sum could overflow.
const PARTS_MAX: f64 = 1e12;

impl<const PARTS: i64> Fixed<PARTS> {
    /// The number that has `parts` parts.
    pub const fn from_parts(parts: i64) -> Self {
        Self(parts)
    }

    /// The number as a float, for drawing.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / PARTS as f64
    }
}

impl Tenths {
    /// This sum divided by `count`, to the nearest hundredth; halves are
    /// rounded away from zero. `None` of nothing.
    pub fn mean(self, count: u32) -> Option<Hundredths> {
        let count = i64::from(count);
        if count == 0 {
            return None;
        }
        let doubled = 2 * 10 * self.0.abs();
        let rounded = (doubled + count) / (2 * count);
        Some(Fixed(rounded * self.0.signum()))
    }
}

/// Reads `-3.3` and `7`, and nothing looser.
impl FromStr for Tenths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, tenth) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(tenth) || tenth.len() != 1 || whole.len() > 5 {
            return Err(format!("`{text}` is not a number with at most one decimal"));
        }
        let parts = format!("{whole}{tenth}").parse::<i64>();
        let parts = parts.map_err(|error| format!("`{text}`: {error}"))?;
        Ok(Self(if digits == text { parts } else { -parts }))
    }
}

impl<const PARTS: i64> fmt::Display for Fixed<PARTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.abs() / PARTS, self.0.abs() % PARTS);
        let decimals = PARTS.ilog10() as usize;
        write!(f, "{sign}{whole}.{rest:0decimals$}")
    }
}

impl<const PARTS: i64> Add for Fixed<PARTS> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl<const PARTS: i64> Sum for Fixed<PARTS> {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self(0), Add::add)
    }
}

impl<const PARTS: i64> Serialize for Fixed<PARTS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_f64())
    }
}

impl<'de, const PARTS: i64> Deserialize<'de> for Fixed<PARTS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let parts = (number * PARTS as f64).round();
        if parts / PARTS as f64 != number || parts.abs() > PARTS_MAX {
            let said = format!("{number} is not a whole number of 1/{PARTS}");
            return Err(D::Error::custom(said));
        }
        Ok(Self(parts as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_read_strictly() {
        for (text, parts) in [("0.0", 0), ("-3.3", -33), ("7", 70), ("12.8", 128), ("-0.4", -4)] {
            assert_eq!(text.parse::<Tenths>().unwrap(), Fixed(parts), "{text}");
        }
        for text in ["", "-", "1.", ".5", "1.25", "1e3", "+1", " 1", "--1", "NaN", "1234567.0"] {
            assert!(text.parse::<Tenths>().is_err(), "{text}");
        }
    }

    #[test]
    fn means_are_rounded_half_away_from_zero() {
        let mean = |sum: i64, count| Tenths::from_parts(sum).mean(count).unwrap().to_string();
        assert_eq!(mean(55_913, 366), "15.28"); // 15.2767…
        assert_eq!(mean(1, 8), "0.01"); // 0.0125
        assert_eq!(mean(1, 20), "0.01"); // 0.005, a half
        assert_eq!(mean(-1, 20), "-0.01");
        assert_eq!(mean(-1, 21), "0.00");
        assert!(Tenths::from_parts(5).mean(0).is_none());
    }

    #[test]
    fn numbers_are_shown_with_all_their_decimals() {
        assert_eq!(Tenths::from_parts(-33).to_string(), "-3.3");
        assert_eq!(Hundredths::from_parts(-7).to_string(), "-0.07");
        assert_eq!(Hundredths::from_parts(1700).to_string(), "17.00");
    }

    #[test]
    fn json_keeps_every_tenth() {
        for parts in -1000..=1000 {
            let json = serde_json::to_string(&Tenths::from_parts(parts)).unwrap();
            assert_eq!(json, Tenths::from_parts(parts).to_string());
            assert_eq!(serde_json::from_str::<Tenths>(&json).unwrap(), Fixed(parts));
        }
        assert!(serde_json::from_str::<Tenths>("0.25").is_err());
        assert!(serde_json::from_str::<Tenths>("1e300").is_err());
    }
}
