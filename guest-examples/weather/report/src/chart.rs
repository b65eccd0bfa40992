//! The three charts, as SVG. Colours come from the page's style by class; each
//! mark has a title, which browsers show and screen readers read.

use weather_record::{Kind, Month, Year};

/// The names of the months, for titles.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The size of a chart over time, and the space around what it draws.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

/// The height of a year's bar in the chart of kinds, and of its gap.
const BAR: f64 = 26.0;
const GAP: f64 = 12.0;

/// A band from the mean low to the mean high of every month.
pub(crate) fn temperature(years: &[Year]) -> String {
    let plot =
        Plot::of(years, 5.0, |month| [month.temp_min_mean.to_f64(), month.temp_max_mean.to_f64()]);
    let points = |value: fn(&Month) -> f64| {
        let points = plot
            .months(years)
            .map(move |(_, month, slot)| (plot.middle(slot), plot.y(value(month))));
        points.collect::<Vec<_>>()
    };
    let high = points(|month| month.temp_max_mean.to_f64());
    let low = points(|month| month.temp_min_mean.to_f64());
    let around = high.iter().chain(low.iter().rev()).copied();
    let hovers = plot.months(years).map(|(year, month, slot)| {
        let Month { temp_max_mean, temp_min_mean, .. } = month;
        let said =
            format!("{}: high {temp_max_mean} °C, low {temp_min_mean} °C", named(year, month));
        let (x, width, height) = (plot.left(slot), plot.step(), HEIGHT - TOP - BOTTOM);
        rect("hover", (x, TOP, width, height), &said)
    });
    let marks = [
        format!("<polygon class=\"band\" points=\"{}\"/>\n", joined(around)),
        format!("<polyline class=\"high\" points=\"{}\"/>\n", joined(high.iter().copied())),
        format!("<polyline class=\"low\" points=\"{}\"/>\n", joined(low.iter().copied())),
        hovers.collect(),
    ];
    let label = "Monthly means of the daily highest and lowest temperature; the table below has the figures";
    plot.svg(years, label, &marks.concat())
}

/// A bar for every month.
pub(crate) fn precipitation(years: &[Year]) -> String {
    let plot = Plot::of(years, 50.0, |month| [0.0, month.precipitation_mm.to_f64()]);
    let bars = plot.months(years).map(|(year, month, slot)| {
        let said = format!("{}: {} mm", named(year, month), month.precipitation_mm);
        let y = plot.y(month.precipitation_mm.to_f64());
        let (x, width) = (plot.left(slot) + plot.step() * 0.14, plot.step() * 0.72);
        rect("rain", (x, y, width, plot.y(0.0) - y), &said)
    });
    let label = "Monthly sums of precipitation; the table below has the figures";
    plot.svg(years, label, &bars.collect::<String>())
}

/// A bar for every year, cut into the kinds of weather.
pub(crate) fn kinds(years: &[Year]) -> String {
    let rows = years.iter().zip(0u32..).map(|(year, row)| {
        let y = f64::from(row) * (BAR + GAP);
        let name = format!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 8.0,
            y + BAR / 2.0 + 4.0,
            year.year,
        );
        name + &parts(year, y)
    });
    let height = years.len() as f64 * (BAR + GAP) - GAP;
    let label = "Days of each kind of weather in each year; the table below has the figures";
    svg(height, label, &rows.collect::<String>())
}

fn parts(year: &Year, y: f64) -> String {
    let day = (WIDTH - LEFT - RIGHT) / f64::from(year.figures.days.max(1));
    let mut x = LEFT;
    let mut drawn = String::new();
    for kind in Kind::ALL {
        let days = year.figures.kinds.get(&kind).copied().unwrap_or(0);
        let width = day * f64::from(days);
        if days > 0 {
            let said = format!("{}: {days} days of {}", year.year, kind.name());
            // A gap of the page's own colour keeps neighbours apart.
            let place = (x, y, (width - 2.0).max(1.0), BAR);
            drawn += &rect(kind.name(), place, &said);
        }
        x += width;
    }
    drawn
}

/// A chart over time: where a month and a value are drawn.
#[derive(Clone, Copy)]
struct Plot {
    first_year: u16,
    slots: f64,
    bottom: f64,
    top: f64,
    tick: f64,
}

impl Plot {
    /// A plot that holds both values of every month, between ticks.
    fn of(years: &[Year], tick: f64, values: fn(&Month) -> [f64; 2]) -> Self {
        let values = || years.iter().flat_map(|year| year.months.iter().flat_map(values));
        let lowest = values().fold(0.0, f64::min);
        let highest = values().fold(tick, f64::max);
        let first_year = years.first().map_or(0, |year| year.year);
        let last_year = years.last().map_or(0, |year| year.year);
        Self {
            first_year,
            slots: f64::from(last_year - first_year + 1) * 12.0,
            bottom: (lowest / tick).floor() * tick,
            top: (highest / tick).ceil() * tick,
            tick,
        }
    }

    /// Every month with its year and its place in time.
    fn months(self, years: &[Year]) -> impl Iterator<Item = (u16, &Month, f64)> {
        years.iter().flat_map(move |year| {
            let start = f64::from(year.year - self.first_year) * 12.0;
            let months = year.months.iter();
            months.map(move |month| (year.year, month, start + f64::from(month.month) - 1.0))
        })
    }

    fn step(self) -> f64 {
        (WIDTH - LEFT - RIGHT) / self.slots
    }

    fn left(self, slot: f64) -> f64 {
        LEFT + slot * self.step()
    }

    fn middle(self, slot: f64) -> f64 {
        self.left(slot + 0.5)
    }

    fn y(self, value: f64) -> f64 {
        let part = (value - self.bottom) / (self.top - self.bottom);
        HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
    }

    fn svg(self, years: &[Year], label: &str, marks: &str) -> String {
        let ticks = ((self.top - self.bottom) / self.tick).round() as u32;
        let lines = (0..=ticks).map(|tick| {
            let value = self.bottom + f64::from(tick) * self.tick;
            let y = self.y(value);
            let class = if value == 0.0 { "zero" } else { "grid" };
            format!(
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"axis\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
            )
        });
        let names = years.iter().map(|year| {
            let slot = f64::from(year.year - self.first_year) * 12.0;
            let (x, y) = (self.left(slot + 6.0), HEIGHT - 8.0);
            let name = year.year;
            format!(
                "<text class=\"axis\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{name}</text>\n"
            )
        });
        let (lines, names) = (lines.collect::<String>(), names.collect::<String>());
        svg(HEIGHT, label, &format!("{lines}{names}{marks}"))
    }
}

fn svg(height: f64, label: &str, content: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\n{content}</svg>\n"
    )
}

fn rect(class: &str, (x, y, width, height): (f64, f64, f64, f64), title: &str) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" rx=\"2\"><title>{title}</title></rect>\n"
    )
}

fn joined(points: impl Iterator<Item = (f64, f64)>) -> String {
    let points = points.map(|(x, y)| format!("{x:.1},{y:.1}"));
    points.collect::<Vec<_>>().join(" ")
}

fn named(year: u16, month: &Month) -> String {
    let name = MONTHS.get(usize::from(month.month).wrapping_sub(1));
    format!("{} {year}", name.unwrap_or(&"month"))
}
