//! The summary of the weather example as a table: a row for each year, and one
//! for all of them.

use crate::cli::table::Table;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the example's last step says, as far as the table shows it.
#[derive(Debug, Deserialize)]
struct Summary {
    from: u16,
    to: u16,
    #[serde(flatten)]
    all: Figures,
    years: Vec<Year>,
}

#[derive(Debug, Deserialize)]
struct Year {
    year: u16,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Deserialize)]
struct Figures {
    days: u32,
    kinds: BTreeMap<String, u32>,
    precipitation_mm: f64,
    temp_max_mean: f64,
    temp_min_mean: f64,
    warmest: Extreme,
    coldest: Extreme,
    wettest: Extreme,
}

#[derive(Debug, Deserialize)]
struct Extreme {
    date: String,
    value: f64,
}

/// The summary, year by year: what the weather was, and its extremes.
pub(super) fn tables(summary: &Value) -> Result<[Table; 2]> {
    let summary = Summary::deserialize(summary)
        .context("the run's output is not the weather example's summary")?;
    let mut weather = Table::new([
        "YEAR",
        "DAYS#",
        "SUN#",
        "RAIN#",
        "DRIZZLE#",
        "FOG#",
        "SNOW#",
        "PRECIPITATION#",
        "MEAN HIGH#",
        "MEAN LOW#",
    ]);
    let mut extremes = Table::new(["YEAR", "WARMEST#", "ON", "COLDEST#", "ON", "WETTEST#", "ON"]);
    let years = summary.years.iter().map(|Year { year, figures }| (year.to_string(), figures));
    let all = (format!("{}–{}", summary.from, summary.to), &summary.all);
    for (name, figures) in years.chain([all]) {
        add_weather(&mut weather, &name, figures);
        add_extremes(&mut extremes, &name, figures);
    }
    Ok([weather, extremes])
}

fn add_weather(table: &mut Table, name: &str, figures: &Figures) {
    let Figures { days, kinds, precipitation_mm, temp_max_mean, temp_min_mean, .. } = figures;
    let kind = |name: &str| kinds.get(name).copied().unwrap_or(0).to_string();
    table.row([
        name.into(),
        days.to_string().into(),
        kind("sun").into(),
        kind("rain").into(),
        kind("drizzle").into(),
        kind("fog").into(),
        kind("snow").into(),
        format!("{precipitation_mm:.1} mm").into(),
        format!("{temp_max_mean:.2} °C").into(),
        format!("{temp_min_mean:.2} °C").into(),
    ]);
}

fn add_extremes(table: &mut Table, name: &str, figures: &Figures) {
    let Figures { warmest, coldest, wettest, .. } = figures;
    table.row([
        name.into(),
        format!("{:.1} °C", warmest.value).into(),
        warmest.date.as_str().into(),
        format!("{:.1} °C", coldest.value).into(),
        coldest.date.as_str().into(),
        format!("{:.1} mm", wettest.value).into(),
        wettest.date.as_str().into(),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_becomes_rows() {
        let at = |value: f64| json!({ "date": "2014-08-11", "value": value });
        let mut summary = json!({
            "from": 2012, "to": 2013, "days": 731, "kinds": { "sun": 323, "rain": 251 },
            "precipitation_mm": 2054.0, "temp_max_mean": 15.67, "temp_min_mean": 7.72,
            "warmest": at(35.6), "coldest": at(-7.1), "wettest": at(54.1),
        });
        let mut year = summary.clone();
        year["year"] = json!(2012);
        summary["years"] = json!([year]);
        let [weather, extremes] = tables(&summary).unwrap().map(|table| table.render(false));
        let rows = [
            "YEAR       DAYS  SUN  RAIN  DRIZZLE  FOG  SNOW  PRECIPITATION  MEAN HIGH  MEAN LOW",
            "2012        731  323   251        0    0     0      2054.0 mm   15.67 °C   7.72 °C",
            "2012–2013   731  323   251        0    0     0      2054.0 mm   15.67 °C   7.72 °C",
        ];
        assert_eq!(weather, rows.join("\n"));
        assert!(
            extremes.ends_with("35.6 °C  2014-08-11  -7.1 °C  2014-08-11  54.1 mm  2014-08-11")
        );
        assert!(tables(&json!({})).is_err());
    }
}
