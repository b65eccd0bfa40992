//! Figures over many days: what `aggregate` makes of a year and `report` of
//! all years. Both use the same sums, so that a figure over four years is as
//! exact as one over a month.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Date, Day, Hundredths, Kind, Tenths};

/// One year of days, as `aggregate` sums it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Year {
    /// Which year.
    pub year: u16,
    /// The figures of the whole year.
    #[serde(flatten)]
    pub figures: Figures,
    /// The months that have days, in order.
    pub months: Vec<Month>,
}

/// One month, for drawing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Month {
    /// 1 to 12.
    pub month: u8,
    /// The sum of its days, in millimetres.
    pub precipitation_mm: Tenths,
    /// The mean of its days' highest temperatures, in °C.
    pub temp_max_mean: Hundredths,
    /// The mean of its days' lowest temperatures, in °C.
    pub temp_min_mean: Hundredths,
}

/// What can be said about some days together. Sums are exact; means are
/// rounded once, to a hundredth of a degree, halves away from zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How many days.
    pub days: u32,
    /// How many days of each kind of weather; every kind is there.
    pub kinds: BTreeMap<Kind, u32>,
    /// The sum of all precipitation, in millimetres.
    pub precipitation_mm: Tenths,
    /// The mean of the days' highest temperatures, in °C.
    pub temp_max_mean: Hundredths,
    /// The mean of the days' lowest temperatures, in °C.
    pub temp_min_mean: Hundredths,
    /// The sum behind `temp_max_mean`, so that a mean over years is exact.
    pub temp_max_sum: Tenths,
    /// The sum behind `temp_min_mean`.
    pub temp_min_sum: Tenths,
    /// The highest temperature, in °C; the first such day.
    pub warmest: Extreme,
    /// The lowest temperature, in °C; the first such day.
    pub coldest: Extreme,
    /// The most precipitation of a day, in millimetres; the first such day.
    pub wettest: Extreme,
}

/// The most of something, and when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    /// The first day that had it.
    pub date: Date,
    /// How much it was.
    pub value: Tenths,
}

impl Figures {
    /// Sums up days, which are in order. `None` of no days.
    pub fn of(days: &[Day]) -> Option<Self> {
        Self::merged(days.iter().map(Self::of_day))
    }

    /// Sums up figures of times that follow each other. `None` of none.
    pub fn merged(parts: impl Iterator<Item = Self>) -> Option<Self> {
        parts.reduce(Self::and)
    }

    fn of_day(day: &Day) -> Self {
        let mut kinds = BTreeMap::from(Kind::ALL.map(|kind| (kind, 0)));
        kinds.insert(day.weather, 1);
        let at = |value| Extreme { date: day.date, value };
        Self {
            days: 1,
            kinds,
            precipitation_mm: day.precipitation,
            temp_max_mean: mean(day.temp_max, 1),
            temp_min_mean: mean(day.temp_min, 1),
            temp_max_sum: day.temp_max,
            temp_min_sum: day.temp_min,
            warmest: at(day.temp_max),
            coldest: at(day.temp_min),
            wettest: at(day.precipitation),
        }
    }

    fn and(mut self, later: Self) -> Self {
        for (kind, days) in later.kinds {
            *self.kinds.entry(kind).or_default() += days;
        }
        let days = self.days + later.days;
        let temp_max_sum = self.temp_max_sum + later.temp_max_sum;
        let temp_min_sum = self.temp_min_sum + later.temp_min_sum;
        Self {
            days,
            kinds: self.kinds,
            precipitation_mm: self.precipitation_mm + later.precipitation_mm,
            temp_max_mean: mean(temp_max_sum, days),
            temp_min_mean: mean(temp_min_sum, days),
            temp_max_sum,
            temp_min_sum,
            warmest: self.warmest.higher(later.warmest),
            coldest: self.coldest.lower(later.coldest),
            wettest: self.wettest.higher(later.wettest),
        }
    }
}

impl Extreme {
    fn higher(self, later: Self) -> Self {
        if later.value > self.value { later } else { self }
    }

    fn lower(self, later: Self) -> Self {
        if later.value < self.value { later } else { self }
    }
}

/// Figures have one day at least, in the making and when they are read.
fn mean(sum: Tenths, days: u32) -> Hundredths {
    sum.mean(days).unwrap_or_default()
}
