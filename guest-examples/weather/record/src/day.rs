//! One day at the station: what `load` reads and `aggregate` sums up.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Date, Tenths};

/// What was measured on one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// Which day.
    pub date: Date,
    /// Rain and melted snow, in millimetres.
    pub precipitation: Tenths,
    /// The highest temperature, in °C.
    pub temp_max: Tenths,
    /// The lowest temperature, in °C.
    pub temp_min: Tenths,
    /// The wind speed.
    pub wind: Tenths,
    /// The kind of weather that the day is remembered for.
    pub weather: Kind,
}

/// A kind of weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Light rain.
    Drizzle,
    /// Fog.
    Fog,
    /// Rain.
    Rain,
    /// Snow.
    Snow,
    /// None of the others.
    Sun,
}

impl Kind {
    /// All kinds, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Drizzle, Self::Fog, Self::Rain, Self::Snow, Self::Sun];

    /// The kind as the data spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drizzle => "drizzle",
            Self::Fog => "fog",
            Self::Rain => "rain",
            Self::Snow => "snow",
            Self::Sun => "sun",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{text}` is no kind of weather: {names}")
        })
    }
}
