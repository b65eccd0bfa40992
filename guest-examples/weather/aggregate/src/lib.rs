//! Sums up one year: how many days of which weather, how much rain, how warm
//! and how cold. Run once for each year, side by side.

use segno::prelude::*;
use serde::Deserialize;
use weather_record::{Day, Figures, Month, Year};

/// What the step is given.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// Which year.
    pub year: u16,
    /// Its days, in order.
    pub days: Vec<Day>,
}

/// Sums up the year and each of its months.
#[segno::step]
pub fn run(input: Input) -> Result<Year> {
    let Input { year, days } = input;
    check(year, &days)?;
    let Some(figures) = Figures::of(&days) else {
        return Err(fatal!("{year} has no days"));
    };
    info!("{year}: {} days, {} mm", figures.days, figures.precipitation_mm);
    let months = days.chunk_by(|a, b| a.date.month() == b.date.month());
    Ok(Year { year, figures, months: months.filter_map(month).collect() })
}

fn check(year: u16, days: &[Day]) -> Result<()> {
    if let Some(day) = days.iter().find(|day| day.date.year() != year) {
        return Err(fatal!("{} is not a day of {year}", day.date));
    }
    if let Some([a, b]) = days.array_windows().find(|[a, b]| a.date >= b.date) {
        return Err(fatal!("the days are not in order: {} stands before {}", a.date, b.date));
    }
    Ok(())
}

fn month(days: &[Day]) -> Option<Month> {
    let month = days.first()?.date.month();
    let figures = Figures::of(days)?;
    Some(Month {
        month,
        precipitation_mm: figures.precipitation_mm,
        temp_max_mean: figures.temp_max_mean,
        temp_min_mean: figures.temp_min_mean,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = include_str!("../../data/seattle-weather.csv");

    /// The days of a year as the workflow hands them over: as JSON.
    fn input(year: u16) -> Input {
        let csv = DATA.to_owned();
        let loaded = weather_load::run(weather_load::Input { csv }).unwrap();
        let given = json!({ "year": year, "days": loaded.by_year[&year.to_string()] });
        Input::deserialize(given).unwrap()
    }

    /// Everything but the months, which have a test of their own.
    fn figures(year: u16) -> Value {
        let mut year = json!(run(input(year)).unwrap());
        year["months"] = Value::Null;
        year
    }

    // The figures expected below were computed apart from this code, with
    // exact decimals; data/SOURCE.md shows how.

    #[test]
    fn the_figures_of_2012() {
        let wanted = json!({
            "year": 2012, "days": 366, "months": null,
            "kinds": { "drizzle": 31, "fog": 5, "rain": 191, "snow": 21, "sun": 118 },
            "precipitation_mm": 1226.0,
            "temp_max_mean": 15.28, "temp_max_sum": 5591.3,
            "temp_min_mean": 7.29, "temp_min_sum": 2668.0,
            "warmest": { "date": "2012-08-16", "value": 34.4 },
            "coldest": { "date": "2012-01-15", "value": -3.3 },
            "wettest": { "date": "2012-11-19", "value": 54.1 },
        });
        assert_eq!(figures(2012), wanted);
    }

    #[test]
    fn the_figures_of_2013() {
        let wanted = json!({
            "year": 2013, "days": 365, "months": null,
            "kinds": { "drizzle": 15, "fog": 16, "rain": 158, "snow": 3, "sun": 173 },
            "precipitation_mm": 828.0,
            "temp_max_mean": 16.06, "temp_max_sum": 5861.5,
            "temp_min_mean": 8.15, "temp_min_sum": 2976.2,
            "warmest": { "date": "2013-06-30", "value": 33.9 },
            "coldest": { "date": "2013-12-07", "value": -7.1 },
            "wettest": { "date": "2013-09-28", "value": 43.4 },
        });
        assert_eq!(figures(2013), wanted);
    }

    #[test]
    fn the_figures_of_2014() {
        let wanted = json!({
            "year": 2014, "days": 365, "months": null,
            "kinds": { "drizzle": 0, "fog": 28, "rain": 148, "snow": 2, "sun": 187 },
            "precipitation_mm": 1232.8,
            "temp_max_mean": 17.0, "temp_max_sum": 6203.5,
            "temp_min_mean": 8.66, "temp_min_sum": 3161.8,
            "warmest": { "date": "2014-08-11", "value": 35.6 },
            "coldest": { "date": "2014-02-06", "value": -6.0 },
            "wettest": { "date": "2014-03-05", "value": 46.7 },
        });
        assert_eq!(figures(2014), wanted);
    }

    #[test]
    fn the_figures_of_2015() {
        let wanted = json!({
            "year": 2015, "days": 365, "months": null,
            "kinds": { "drizzle": 7, "fog": 52, "rain": 144, "snow": 0, "sun": 162 },
            "precipitation_mm": 1139.2,
            "temp_max_mean": 17.43, "temp_max_sum": 6361.2,
            "temp_min_mean": 8.84, "temp_min_sum": 3225.0,
            "warmest": { "date": "2015-07-19", "value": 35.0 },
            "coldest": { "date": "2015-11-30", "value": -3.8 },
            "wettest": { "date": "2015-03-15", "value": 55.9 },
        });
        assert_eq!(figures(2015), wanted);
    }

    #[test]
    fn every_month_is_there_once() {
        let year = run(input(2014)).unwrap();
        let months = year.months.iter().map(|month| month.month);
        assert!(months.eq(1..=12));
        let sum = year.months.iter().map(|month| month.precipitation_mm).sum();
        assert_eq!(year.figures.precipitation_mm, sum);
        let july = json!({
            "month": 7, "precipitation_mm": 19.6, "temp_max_mean": 26.9, "temp_min_mean": 14.43,
        });
        assert_eq!(json!(year.months[6]), july);
    }

    #[test]
    fn days_of_another_year_or_out_of_order_are_refused() {
        let refusal = |input| run(input).unwrap_err().to_string();
        let mut given = input(2012);
        given.year = 2013;
        assert_eq!(refusal(given), "2012-01-01 is not a day of 2013");
        let mut given = input(2012);
        given.days.swap(0, 1);
        assert!(refusal(given).starts_with("the days are not in order"));
        let none = Input { year: 2012, days: Vec::new() };
        assert_eq!(refusal(none), "2012 has no days");
    }
}
