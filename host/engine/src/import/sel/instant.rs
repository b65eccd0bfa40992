//! Points in time: `DateTime`, its formatters, zones, days and fields.

use super::cel::{Level, Term, Ty};
use super::pattern::Pattern;
use super::text::quoted;

type Made = Result<Term, String>;

const UTC: &str = "'UTC'";

/// A point in time of milliseconds since 1970.
fn of_millis(millis: &Term, zone: &str) -> Made {
    let millis = millis.as_int()?;
    let ty = Ty::Instant(zone.to_owned(), Some(millis.text.clone()));
    Ok(match millis.whole {
        Some(value) if value % 1_000 == 0 => Term::of(format!("timestamp({})", value / 1_000), ty),
        _ => {
            let text = format!("timestamp(0) + duration(string({}) + 'ms')", millis.text);
            Term::at(text, Level::Add, ty)
        }
    })
}

/// `new DateTime(…)`.
pub(super) fn new(arguments: &[Term]) -> Made {
    match arguments {
        [] => Err("new DateTime() asks the clock, which expressions cannot; \
                   use run.created_at or a param"
            .to_owned()),
        [millis] if matches!(millis.ty, Ty::Int | Ty::Any) => of_millis(millis, UTC),
        [millis, zone] if matches!(millis.ty, Ty::Int | Ty::Any) => of_millis(millis, &zone.text),
        [year, month, day, hour, minute, second, millis, zone] => {
            let parts: Option<Vec<_>> =
                [year, month, day, hour, minute, second, millis].iter().map(|t| t.whole).collect();
            let parts = parts.ok_or("new DateTime of computed fields has no equal; parse text")?;
            let text = format!(
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
                parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6]
            );
            let text = format!("parseTimestamp('{text}', '%F %T.%3f'{})", more(&zone.text));
            Ok(Term::of(text, Ty::Instant(zone.text.clone(), None)))
        }
        _ => Err("new DateTime of this has no equal; give it milliseconds".to_owned()),
    }
}

/// A zone as one more argument.
fn more(zone: &str) -> String {
    if zone == UTC { String::new() } else { format!(", {zone}") }
}

/// A zone as the only argument.
fn only(zone: &str) -> &str {
    if zone == UTC { "" } else { zone }
}

/// A body that reads `text` several times.
fn bound(text: &str, body: impl Fn(&str) -> String) -> String {
    const SHORT: usize = 24;
    match text.len() <= SHORT && !text.contains(' ') {
        true => body(text),
        false => format!("cel.bind(t, {text}, {})", body("t")),
    }
}

/// Milliseconds since 1970.
fn millis(term: &Term, known: Option<&String>) -> Term {
    match known {
        Some(millis) => Term::at(millis.clone(), Level::Ternary, Ty::Int),
        None => {
            let text = bound(&term.text, |t| format!("int({t}) * 1000 + {t}.getMilliseconds()"));
            Term::at(text, Level::Add, Ty::Int)
        }
    }
}

/// A static method of the classes of time.
pub(super) fn class_call(class: &str, name: &str, arguments: &[Term]) -> Option<Made> {
    match (class, name, arguments) {
        ("DateTimeZone", "forID", [id]) => Some(Ok(Term { ty: Ty::Zone, ..id.clone() })),
        ("DateTimeFormat", "forPattern", [pattern]) => {
            let literal =
                pattern.literal.as_deref().ok_or("a computed pattern has no equal; write it");
            Some(
                literal
                    .map_err(str::to_owned)
                    .and_then(Pattern::read)
                    .map(|pattern| Term::of("", Ty::Format(pattern, String::new()))),
            )
        }
        ("DateTime", "parse", [text, format]) => {
            Some(call(format, "parseDateTime", std::slice::from_ref(text))?)
        }
        ("Days", "daysBetween", [from, to]) => {
            Some(match (&from.ty, &to.ty) {
                (Ty::Instant(one, _), Ty::Instant(other, _)) if one == UTC && other == UTC => {
                    let text = format!(
                        "({} - {}).getHours() / 24",
                        to.within(Level::Add),
                        from.within(Level::Multiply)
                    );
                    Ok(Term::at(text, Level::Multiply, Ty::Days))
                }
                _ => Err("Days.daysBetween outside UTC has no equal; use date(…).daysUntil(…)"
                    .to_owned()),
            })
        }
        _ => None,
    }
}

/// A method of something of time. `None` if there is none of that name.
pub(super) fn call(target: &Term, name: &str, arguments: &[Term]) -> Option<Made> {
    match &target.ty {
        Ty::Instant(zone, known) => instant_call(target, [zone, name], known.as_ref(), arguments),
        Ty::Format(pattern, zone) => format_call(pattern, zone, name, arguments),
        Ty::Days if name == "getDays" => Some(Ok(Term { ty: Ty::Int, ..target.clone() })),
        Ty::Part(part, zone) => match name {
            "get" => Some(field(&target.whole(), part, zone)),
            "getAsText" => Some(field_text(target, part, zone)),
            _ => None,
        },
        _ => None,
    }
}

fn instant_call(
    this: &Term,
    [zone, name]: [&str; 2],
    known: Option<&String>,
    arguments: &[Term],
) -> Option<Made> {
    let text = this.whole();
    let compare = |sign: &str, other: &Term| {
        let text = format!("{} {sign} {}", this.within(Level::Add), other.within(Level::Add));
        Some(Ok(Term::at(text, Level::Compare, Ty::Bool)))
    };
    match (name, arguments) {
        ("withZone" | "toDateTime", [other]) => {
            let ty = Ty::Instant(other.text.clone(), known.cloned());
            Some(Ok(Term { ty, ..this.clone() }))
        }
        ("isAfter", [other]) => compare(">", other),
        ("isBefore", [other]) => compare("<", other),
        ("isEqual", [other]) => compare("==", other),
        ("getMillis", []) => Some(Ok(millis(this, known))),
        ("withTimeAtStartOfDay", []) => {
            let zoned = more(zone);
            let text = format!("timestamp(date({}{zoned}){zoned})", this.text);
            Some(Ok(Term::of(text, Ty::Instant(zone.to_owned(), None))))
        }
        ("toString", []) => {
            let pattern = if zone == UTC { "'%FT%T.%3fZ'" } else { "'%FT%T.%3f%:z'" };
            Some(Ok(Term::of(format!("{text}.format({pattern}{})", more(zone)), Ty::Text)))
        }
        ("toString", [pattern]) => {
            let pattern = pattern.literal.as_deref().map(Pattern::read)?;
            Some(pattern.map(|pattern| formatted(&text, &pattern, zone)))
        }
        (name, [count]) if name.starts_with("plus") || name.starts_with("minus") => {
            moved(this, zone, name, count)
        }
        (name, []) => match name.strip_prefix("get") {
            Some(part) => Some(field(&text, &lower_first(part), zone)),
            None => {
                field(&text, name, zone).ok()?;
                let ty = Ty::Part(name.to_owned(), zone.to_owned());
                Some(Ok(Term { ty, ..this.clone() }))
            }
        },
        _ => None,
    }
}

fn lower_first(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn formatted(text: &str, pattern: &Pattern, zone: &str) -> Term {
    let pattern = quoted(&pattern.text);
    Term::of(format!("{text}.format({pattern}{})", more(zone)), Ty::Text)
}

/// A point in time some units later or earlier.
fn moved(this: &Term, zone: &str, name: &str, count: &Term) -> Option<Made> {
    let (sign, unit) = match name.strip_prefix("plus") {
        Some(unit) => (1, unit),
        None => (-1, name.strip_prefix("minus")?),
    };
    let count = match count.as_int() {
        Ok(count) => count,
        Err(error) => return Some(Err(error)),
    };
    let ty = Ty::Instant(zone.to_owned(), None);
    let (factor, letter) = match unit {
        "Millis" => (1, "ms"),
        "Seconds" => (1, "s"),
        "Minutes" => (1, "m"),
        "Hours" => (1, "h"),
        "Days" if zone == UTC => (24, "h"),
        "Weeks" if zone == UTC => (168, "h"),
        "Days" | "Weeks" | "Months" | "Years" => {
            return Some(Ok(on_calendar(
                this,
                zone,
                [unit, if sign < 0 { "-" } else { "" }],
                &count,
            )));
        }
        _ => return None,
    };
    if count.whole == Some(0) {
        return Some(Ok(Term { ty: this.ty.clone(), ..this.clone() }));
    }
    let amount = match count.whole {
        Some(value) => format!("duration('{}{letter}')", value.checked_mul(factor)?.unsigned_abs()),
        None if factor == 1 => format!("duration(string({}) + '{letter}')", count.text),
        None => {
            format!("duration(string({} * {factor}) + '{letter}')", count.within(Level::Multiply))
        }
    };
    let is_later = (sign > 0) == count.whole.is_none_or(|value| value >= 0);
    let operator = if is_later { '+' } else { '-' };
    let text = format!("{} {operator} {amount}", this.within(Level::Add));
    Some(Ok(Term::at(text, Level::Add, ty)))
}

/// A point in time some days, weeks, months or years away at the same time of
/// day, which is not a number of hours where clocks are changed.
fn on_calendar(this: &Term, zone: &str, [unit, minus]: [&str; 2], count: &Term) -> Term {
    let (method, factor) = match unit {
        "Weeks" => ("addDays", 7),
        "Months" => ("addMonths", 1),
        "Years" => ("addYears", 1),
        _ => ("addDays", 1),
    };
    let amount = match count.whole {
        Some(value) => {
            let value = value.saturating_mul(factor);
            if minus.is_empty() { value } else { value.saturating_neg() }.to_string()
        }
        None if factor == 1 => format!("{minus}{}", count.within(Level::Whole)),
        None => format!("{minus}{} * {factor}", count.within(Level::Whole)),
    };
    let zoned = more(zone);
    let text = bound(&this.text, |t| {
        format!(
            "parseTimestamp(date({t}{zoned}).{method}({amount}).format('%F') \
             + {t}.format(' %T.%3f'{zoned}), '%F %T.%3f'{zoned})"
        )
    });
    Term::of(text, Ty::Instant(zone.to_owned(), None))
}

/// A field of a point in time as a number.
fn field(text: &str, part: &str, zone: &str) -> Made {
    let zoned = only(zone);
    let call = |method: &str| format!("{text}.{method}({zoned})");
    let int = |text: String, level| Ok(Term::at(text, level, Ty::Int));
    let shown =
        |sign: &str| Ok(Term::of(format!("int({text}.format('{sign}'{}))", more(zone)), Ty::Int));
    match part {
        "year" => int(call("getFullYear"), Level::Whole),
        "monthOfYear" => int(format!("{} + 1", call("getMonth")), Level::Add),
        "dayOfMonth" => int(call("getDate"), Level::Whole),
        "dayOfYear" => int(format!("{} + 1", call("getDayOfYear")), Level::Add),
        "dayOfWeek" => shown("%u"),
        "weekOfWeekyear" => shown("%V"),
        "weekyear" => shown("%G"),
        "hourOfDay" => int(call("getHours"), Level::Whole),
        "minuteOfHour" => int(call("getMinutes"), Level::Whole),
        "secondOfMinute" => int(call("getSeconds"), Level::Whole),
        "millisOfSecond" => int(call("getMilliseconds"), Level::Whole),
        "minuteOfDay" => {
            let text =
                bound(text, |t| format!("{t}.getHours({zoned}) * 60 + {t}.getMinutes({zoned})"));
            int(text, Level::Add)
        }
        _ => Err(format!("the field {part} of a DateTime has no equal here; use another")),
    }
}

fn field_text(target: &Term, part: &str, zone: &str) -> Made {
    let text = target.whole();
    let sign = match part {
        "monthOfYear" => "%B",
        "dayOfWeek" => "%A",
        _ => return field(&text, part, zone).and_then(|field| field.as_text()),
    };
    Ok(Term::of(format!("{text}.format('{sign}'{})", more(zone)), Ty::Text))
}

fn format_call(pattern: &Pattern, zone: &str, name: &str, arguments: &[Term]) -> Option<Made> {
    let own_zone = if zone.is_empty() { UTC } else { zone };
    match (name, arguments) {
        ("withZone", [zone]) => {
            Some(Ok(Term::of("", Ty::Format(pattern.clone(), zone.text.clone()))))
        }
        ("withZoneUTC", []) => Some(Ok(Term::of("", Ty::Format(pattern.clone(), UTC.to_owned())))),
        ("parseDateTime", [text]) => Some(parsed(pattern, own_zone, text)),
        ("parseMillis", [text]) => {
            Some(parsed(pattern, own_zone, text).map(|term| millis(&term, None)))
        }
        ("print", [instant]) => Some(match &instant.ty {
            Ty::Instant(other, _) => {
                let zone = if zone.is_empty() { other } else { zone };
                Ok(formatted(&instant.whole(), pattern, zone))
            }
            _ => of_millis(instant, own_zone)
                .map(|instant| formatted(&instant.whole(), pattern, own_zone)),
        }),
        _ => None,
    }
}

/// The point in time that a text names.
pub(super) fn parsed(pattern: &Pattern, zone: &str, text: &Term) -> Made {
    if !pattern.has_day {
        return Err("reads a date without year, month and day, which has no equal here".to_owned());
    }
    let text = text.as_text()?;
    let (text, pattern) = match pattern.lacks_minutes {
        true => (format!("{} + ' 00'", text.within(Level::Add)), format!("{} %M", pattern.text)),
        false => (text.text, pattern.text.clone()),
    };
    let text = format!("parseTimestamp({text}, {}{})", quoted(&pattern), more(zone));
    Ok(Term::of(text, Ty::Instant(zone.to_owned(), None)))
}
