//! The page: headline figures, three charts, and a table with every number, for
//! readers who don't see a chart. All that varies is a number or a date, so
//! nothing has to be escaped.

use weather_record::{Extreme, Figures, Kind, Year};

use crate::{Summary, chart};

/// Colours and sizes, for light and dark.
const STYLE: &str = include_str!("page.css");

/// Draws the whole page.
pub(crate) fn draw(summary: &Summary, years: &[Year]) -> String {
    let Summary { from, to, figures, .. } = summary;
    let span = if from == to { format!("{from}") } else { format!("{from}–{to}") };
    let days = grouped(figures.days.to_string());
    let head = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Weather in Seattle, {span}</title>\n<style>\n{STYLE}</style>\n</head>\n"
    );
    let title = format!(
        "<header>\n<h1>Weather in Seattle, {span}</h1>\n\
         <p>{days} days, as measured by NOAA</p>\n</header>\n"
    );
    let body = [
        title,
        headline(figures),
        section(
            "Temperature",
            "monthly means of the daily highs and lows, °C",
            legend(&["high", "low"]) + &chart::temperature(years),
        ),
        section("Precipitation", "monthly sums, mm", chart::precipitation(years)),
        section(
            "Kinds of weather",
            "days a year",
            legend(&Kind::ALL.map(Kind::name)) + &chart::kinds(years),
        ),
        section("All figures", "means are rounded to a hundredth of a degree", table(summary)),
    ];
    format!("{head}<body>\n<main>\n{}</main>\n</body>\n</html>\n", body.concat())
}

fn headline(figures: &Figures) -> String {
    let precipitation = grouped(figures.precipitation_mm.to_string());
    let tiles = [
        tile("Precipitation", &format!("{precipitation} mm")),
        tile("Mean high", &format!("{} °C", figures.temp_max_mean)),
        tile("Mean low", &format!("{} °C", figures.temp_min_mean)),
        dated_tile("Warmest day", "°C", figures.warmest),
        dated_tile("Coldest day", "°C", figures.coldest),
        dated_tile("Wettest day", "mm", figures.wettest),
    ];
    format!("<dl class=\"headline\">\n{}</dl>\n", tiles.concat())
}

fn tile(name: &str, value: &str) -> String {
    format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")
}

fn dated_tile(name: &str, unit: &str, extreme: Extreme) -> String {
    let Extreme { date, value } = extreme;
    let value = format!("{value} {unit}</dd><dd class=\"date\">{date}");
    tile(name, &value)
}

fn section(title: &str, unit: &str, content: String) -> String {
    format!(
        "<section>\n<h2>{title}</h2>\n<p class=\"unit\">{unit}</p>\n\
         <div class=\"wide\" tabindex=\"0\">\n{content}</div>\n</section>\n"
    )
}

fn legend(names: &[&str]) -> String {
    let keys = names.iter();
    let keys = keys.map(|name| format!("<li><span class=\"key {name}\"></span>{name}</li>"));
    format!("<ul class=\"legend\">{}</ul>\n", keys.collect::<String>())
}

fn table(summary: &Summary) -> String {
    let kinds = Kind::ALL.map(|kind| column(kind.name())).concat();
    let rest = ["mm", "mean high", "mean low", "warmest", "coldest", "wettest"];
    let rest = rest.map(column).concat();
    let years = summary.years.iter();
    let rows = years.map(|year| row(&year.year.to_string(), &year.figures));
    format!(
        "<table>\n<thead><tr>{}{}{kinds}{rest}</tr></thead>\n\
         <tbody>\n{}</tbody>\n<tfoot>\n{}</tfoot>\n</table>\n",
        column("year"),
        column("days"),
        rows.collect::<String>(),
        row("all", &summary.figures),
    )
}

fn column(name: &str) -> String {
    format!("<th scope=\"col\">{name}</th>")
}

fn row(name: &str, figures: &Figures) -> String {
    let extreme = |extreme: &Extreme| format!("{}<small>{}</small>", extreme.value, extreme.date);
    let kinds = figures.kinds.values();
    let cells = std::iter::once(grouped(figures.days.to_string()))
        .chain(kinds.map(ToString::to_string))
        .chain([
            grouped(figures.precipitation_mm.to_string()),
            figures.temp_max_mean.to_string(),
            figures.temp_min_mean.to_string(),
            extreme(&figures.warmest),
            extreme(&figures.coldest),
            extreme(&figures.wettest),
        ]);
    let cells = cells.map(|cell| format!("<td>{cell}</td>")).collect::<String>();
    format!("<tr><th scope=\"row\">{name}</th>{cells}</tr>\n")
}

/// `1461` as `1,461`, for numbers that are not negative.
fn grouped(number: String) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let mut text = String::with_capacity(number.len() + 2);
    for (place, digit) in number.char_indices() {
        if place > 0 && place < whole && (whole - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        for (number, wanted) in
            [("7", "7"), ("365", "365"), ("4426.0", "4,426.0"), ("1234567", "1,234,567")]
        {
            assert_eq!(grouped(number.to_owned()), wanted);
        }
    }
}
