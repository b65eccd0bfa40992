//! Reads the weather as CSV and checks every row, so that no later step has to
//! doubt it. A row that is wrong fails the run for good, with its line: the
//! same text would be wrong again.

use std::collections::BTreeMap;

use segno::prelude::*;
use segno::progress;
use serde::{Deserialize, Serialize};
use weather_record::{Date, Day, Kind, Tenths};

/// The first line, letter for letter.
const HEADER: &str = "date,precipitation,temp_max,temp_min,wind,weather";

/// What the step is given.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The whole file.
    pub csv: String,
}

/// What the file says.
#[derive(Debug, Serialize)]
pub struct Loaded {
    /// How many days there are.
    pub rows: usize,
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
    /// The years that have days, in order.
    pub years: Vec<u16>,
    /// The days of each year, by the year as text: JSON has no other keys.
    pub by_year: BTreeMap<String, Vec<Day>>,
}

/// Reads the days and sorts them by year.
#[segno::step]
pub fn run(input: Input) -> Result<Loaded> {
    let days = read(&input.csv)?;
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Err(fatal!("the csv has a header and no days"));
    };
    let (rows, first, last) = (days.len(), first.date, last.date);
    info!("{rows} days, {first} to {last}");

    let mut by_year = BTreeMap::<String, Vec<Day>>::new();
    for day in days {
        let year = format!("{:04}", day.date.year());
        by_year.entry(year).or_default().push(day);
    }
    Ok(Loaded { rows, first, last, years: (first.year()..=last.year()).collect(), by_year })
}

fn read(csv: &str) -> Result<Vec<Day>> {
    let mut lines = csv.lines();
    let header = lines.next().unwrap_or_default();
    if header != HEADER {
        return Err(fatal!("line 1: the header is `{header}`, not `{HEADER}`"));
    }
    let total = lines.clone().count() as u64;
    let mut days = Vec::<Day>::new();
    for (line, number) in lines.zip(2..) {
        let day = check(line, days.last())
            .map_err(|why| fatal!("line {number}: {why}").details(json!({ "line": number })))?;
        if days.last().is_none_or(|before| before.date.year() < day.date.year()) {
            progress::report(days.len() as u64, total, format!("year {}", day.date.year()));
        }
        days.push(day);
    }
    progress::report(total, total, "every row is checked");
    Ok(days)
}

/// One row, which has to be the day after `before`.
fn check(line: &str, before: Option<&Day>) -> Result<Day, String> {
    let fields = line.split(',').collect::<Vec<_>>();
    let [date, precipitation, temp_max, temp_min, wind, weather] = fields[..] else {
        return Err(format!("{} fields instead of 6", fields.len()));
    };
    let day = Day {
        date: date.parse()?,
        precipitation: number("precipitation", precipitation)?,
        temp_max: number("temp_max", temp_max)?,
        temp_min: number("temp_min", temp_min)?,
        wind: number("wind", wind)?,
        weather: weather.parse::<Kind>()?,
    };
    for (column, value) in [("precipitation", day.precipitation), ("wind", day.wind)] {
        if value < Tenths::default() {
            return Err(format!("{column} is {value}, below nothing"));
        }
    }
    if day.temp_min > day.temp_max {
        let Day { temp_min, temp_max, .. } = day;
        return Err(format!("temp_min {temp_min} is above temp_max {temp_max}"));
    }
    match before.map(|before| before.date.next()) {
        Some(expected) if expected != day.date => {
            Err(format!("the date is {}, but {expected} comes next", day.date))
        }
        _ => Ok(day),
    }
}

fn number(column: &str, text: &str) -> Result<Tenths, String> {
    text.parse().map_err(|why| format!("{column}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = include_str!("../../data/seattle-weather.csv");

    fn load(csv: &str) -> Result<Loaded> {
        run(Input { csv: csv.to_owned() })
    }

    /// The failure of a file with these rows under a right header.
    fn refusal(rows: &str) -> String {
        let error = load(&format!("{HEADER}\n{rows}")).expect_err(rows);
        assert!(error.is_fatal());
        error.to_string()
    }

    #[test]
    fn the_data_is_whole() {
        let loaded = load(DATA).unwrap();
        assert_eq!(loaded.rows, 1461);
        assert_eq!(loaded.first.to_string(), "2012-01-01");
        assert_eq!(loaded.last.to_string(), "2015-12-31");
        assert_eq!(loaded.years, [2012, 2013, 2014, 2015]);
        let days = loaded.by_year.iter().map(|(year, days)| (year.as_str(), days.len()));
        let days = days.collect::<Vec<_>>();
        assert_eq!(days, [("2012", 366), ("2013", 365), ("2014", 365), ("2015", 365)]);
    }

    #[test]
    fn numbers_keep_their_tenths() {
        let loaded = load(DATA).unwrap();
        let second = json!(loaded.by_year["2012"][1]);
        let wanted = json!({
            "date": "2012-01-02", "precipitation": 10.9, "temp_max": 10.6,
            "temp_min": 2.8, "wind": 4.5, "weather": "rain",
        });
        assert_eq!(second, wanted);
    }

    #[test]
    fn a_wrong_row_is_named_by_its_line() {
        let good = "2012-01-01,0.0,12.8,5.0,4.7,drizzle\n";
        for (row, wanted) in [
            (
                "2012-01-03,0.0,12.8,5.0,4.7,rain",
                "the date is 2012-01-03, but 2012-01-02 comes next",
            ),
            ("2012-01-02,wet,12.8,5.0,4.7,rain", "precipitation: `wet` is not a number"),
            ("2012-01-02,0.0,4.9,5.0,4.7,rain", "temp_min 5.0 is above temp_max 4.9"),
            ("2012-01-02,-0.1,9.0,5.0,4.7,rain", "precipitation is -0.1, below nothing"),
            ("2012-01-02,0.0,9.0,5.0,4.7,hail", "`hail` is no kind of weather: drizzle, fog"),
            ("2012-01-02,0.0,9.0,5.0,4.7", "5 fields instead of 6"),
            ("", "1 fields instead of 6"),
            ("2012-02-30,0.0,9.0,5.0,4.7,rain", "`2012-02-30` is not a date"),
        ] {
            let said = refusal(&format!("{good}{row}\n{good}"));
            assert!(said.starts_with(&format!("line 3: {wanted}")), "{said}");
        }
    }

    #[test]
    fn a_file_without_days_or_header_is_refused() {
        assert!(refusal("").contains("no days"));
        let error = load("day,rain\n").unwrap_err();
        assert!(error.to_string().starts_with("line 1: the header is `day,rain`"), "{error}");
        assert!(load("").unwrap_err().is_fatal());
    }

    #[test]
    fn lines_may_end_as_on_windows() {
        assert_eq!(load(&DATA.replace('\n', "\r\n")).unwrap().rows, 1461);
    }
}
