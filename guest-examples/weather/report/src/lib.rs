//! Joins the years into a summary for a program and a page for a person. The
//! page is one file without a script or a reference to anything outside it.

mod chart;
mod page;

use segno::prelude::*;
use serde::{Deserialize, Serialize};
use weather_record::{Figures, Year};

/// What the step is given.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The years, in order.
    pub years: Vec<Year>,
}

/// What the step makes of them.
#[derive(Debug, Serialize)]
pub struct Report {
    /// For a program.
    pub summary: Summary,
    /// For a person: a whole HTML page.
    pub html: String,
}

/// The figures of all years together and of each.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The first year.
    pub from: u16,
    /// The last year.
    pub to: u16,
    /// The figures of all years together.
    #[serde(flatten)]
    pub figures: Figures,
    /// The figures of each year.
    pub years: Vec<YearFigures>,
}

/// The figures of one year, without its months.
#[derive(Debug, Serialize)]
pub struct YearFigures {
    /// Which year.
    pub year: u16,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Joins the years.
#[segno::step]
pub fn run(input: Input) -> Result<Report> {
    let summary = summarize(&input.years)?;
    info!("{} days, {} mm", summary.figures.days, summary.figures.precipitation_mm);
    let html = page::draw(&summary, &input.years);
    Ok(Report { summary, html })
}

fn summarize(years: &[Year]) -> Result<Summary> {
    if let Some([a, b]) = years.array_windows().find(|[a, b]| a.year >= b.year) {
        return Err(fatal!("the years are not in order: {} stands before {}", a.year, b.year));
    }
    let figures = Figures::merged(years.iter().map(|year| year.figures.clone()));
    let ([first, ..], [.., last], Some(figures)) = (years, years, figures) else {
        return Err(fatal!("there are no years to report on"));
    };
    let years =
        years.iter().map(|year| YearFigures { year: year.year, figures: year.figures.clone() });
    Ok(Summary { from: first.year, to: last.year, figures, years: years.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = include_str!("../../data/seattle-weather.csv");

    /// The years as the workflow hands them over: as JSON.
    fn input() -> Input {
        let csv = DATA.to_owned();
        let loaded = weather_load::run(weather_load::Input { csv }).unwrap();
        let years = loaded.years.iter().map(|&year| {
            let days = loaded.by_year[&year.to_string()].clone();
            weather_aggregate::run(weather_aggregate::Input { year, days }).unwrap()
        });
        let given = json!({ "years": years.collect::<Vec<_>>() });
        Input::deserialize(given).unwrap()
    }

    /// Computed apart from this code, with exact decimals; data/SOURCE.md shows how.
    #[test]
    fn the_figures_of_all_years() {
        let mut summary = json!(run(input()).unwrap().summary);
        let years = summary["years"].take();
        let wanted = json!({
            "from": 2012, "to": 2015, "days": 1461, "years": null,
            "kinds": { "drizzle": 53, "fog": 101, "rain": 641, "snow": 26, "sun": 640 },
            "precipitation_mm": 4426.0,
            "temp_max_mean": 16.44, "temp_max_sum": 24017.5,
            "temp_min_mean": 8.23, "temp_min_sum": 12031.0,
            "warmest": { "date": "2014-08-11", "value": 35.6 },
            "coldest": { "date": "2013-12-07", "value": -7.1 },
            "wettest": { "date": "2015-03-15", "value": 55.9 },
        });
        assert_eq!(summary, wanted);
        let rain = years.as_array().unwrap().iter().map(|year| &year["precipitation_mm"]);
        assert_eq!(rain.collect::<Vec<_>>(), [1226.0, 828.0, 1232.8, 1139.2]);
    }

    #[test]
    fn the_page_stands_alone_and_holds_every_figure() {
        let page = run(input()).unwrap().html;
        assert!(page.starts_with("<!doctype html>"));
        for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        for shown in ["1,461", "4,426.0", "16.44", "35.6", "2013-12-07", "1,232.8", "7.29"] {
            assert!(page.contains(shown), "{shown}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert_eq!(page.matches("role=\"img\"").count(), 3);
    }

    #[test]
    fn one_year_makes_a_page_too() {
        let mut given = input();
        given.years.truncate(1);
        let report = run(given).unwrap();
        assert_eq!((report.summary.from, report.summary.to), (2012, 2012));
        assert!(!report.html.contains("NaN"));
    }

    #[test]
    fn years_that_are_missing_or_out_of_order_are_refused() {
        let mut given = input();
        given.years.swap(0, 1);
        let error = run(given).unwrap_err();
        assert!(error.is_fatal());
        assert!(error.to_string().starts_with("the years are not in order: 2013"), "{error}");
        assert!(run(Input { years: Vec::new() }).unwrap_err().is_fatal());
    }
}
