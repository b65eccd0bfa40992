//! `Util` and `Math`: the functions for dates as numbers and for ranges.

use super::cel::{Level, Term, Ty};
use super::{instant, pattern::Pattern};

type Made = Result<Term, String>;

/// A date of a number like 20200131, or of text that is one.
fn date(term: &Term) -> Result<String, String> {
    Ok(format!("date({})", term.as_int()?.text))
}

/// A static method of `Util`. `None` if there is none of that name.
pub(super) fn call(name: &str, arguments: &[Term]) -> Option<Made> {
    match (name, arguments) {
        ("dateIntsBetween", [from, to, step]) => Some(dates_between([from, to], step)),
        ("intsBetween", [from, to, step]) => Some(ints_between([from, to], step)),
        ("incrementDateInt", [day, days]) => Some(date(day).and_then(|date| {
            let text = format!("{date}.addDays({}).format('%Y%m%d')", days.as_int()?.text);
            Ok(Term::of(text, Ty::Text))
        })),
        ("dateIntToTs", [day]) => Some(date(day).map(|date| {
            Term::at(format!("int(timestamp({date})) * 1000"), Level::Multiply, Ty::Int)
        })),
        ("tsToDateInt", [millis]) => {
            let made = instant::new(std::slice::from_ref(millis))
                .map(|instant| Term::of(format!("{}.format('%Y%m%d')", instant.whole()), Ty::Text));
            Some(made)
        }
        ("dateIntHourToTs", [day, hour, zone, days, hours]) => {
            Some(hour_to_millis([day, hour, zone], [days, hours]))
        }
        ("toJson", [value]) => Some(Ok(Term::of(format!("json.encode({})", value.text), Ty::Text))),
        ("timeoutForDateTimeDeadline" | "timeoutForDateIntDeadline", _) => Some(Err(format!(
            "Util.{name} asks the clock, which expressions cannot; set a timeout, or give a param"
        ))),
        _ => None,
    }
}

fn dates_between([from, to]: [&Term; 2], step: &Term) -> Made {
    let refusal = "Util.dateIntsBetween with a computed step has no equal; write the number";
    let step = step.as_int()?.whole.filter(|step| *step != 0).ok_or(refusal)?;
    let (first, last) = if step > 0 { (from, to) } else { (to, from) };
    let width = step.unsigned_abs();
    let width = if width == 1 { String::new() } else { format!(", {width}") };
    let reverse = if step < 0 { ".reverse()" } else { "" };
    let text = format!(
        "dates({}, {}{width}).map(d, int(d.format('%Y%m%d'))){reverse}",
        date(first)?,
        date(last)?
    );
    Ok(Term::of(text, Ty::List(Box::new(Ty::Int))))
}

fn ints_between([from, to]: [&Term; 2], step: &Term) -> Made {
    let (from, to, step) = (from.as_int()?, to.as_int()?, step.as_int()?);
    let text = match (from.whole, step.whole) {
        (Some(0), Some(1)) => format!("lists.range({})", to.text),
        (_, Some(1)) => format!("lists.range({}, {})", from.text, to.text),
        _ => format!("lists.range({}, {}, {})", from.text, to.text, step.text),
    };
    Ok(Term::of(text, Ty::List(Box::new(Ty::Int))))
}

fn hour_to_millis([day, hour, zone]: [&Term; 3], [days, hours]: [&Term; 2]) -> Made {
    let hour = match &hour.as_text()? {
        hour if hour.literal.as_deref().is_some_and(|text| text.len() == 2) => hour.text.clone(),
        hour => format!("{}.padStart(2, '0')", hour.whole()),
    };
    let day = day.as_text()?;
    let text = Term::at(format!("{} + {hour}", day.within(Level::Add)), Level::Add, Ty::Text);
    let mut term = instant::parsed(&Pattern::read("yyyyMMddHH")?, &zone.text, &text)?;
    for (name, count) in [("minusDays", days), ("minusHours", hours)] {
        let count = std::slice::from_ref(count);
        let refusal = "Util.dateIntHourToTs with these offsets has no equal; use a step";
        term = instant::call(&term, name, count).ok_or(refusal)??;
    }
    Ok(Term::at(format!("int({}) * 1000", term.text), Level::Multiply, Ty::Int))
}

/// A static method of `Math`.
pub(super) fn math(name: &str, arguments: &[Term]) -> Option<Made> {
    let joined = |name: &str, ty: Ty| {
        let texts: Vec<_> = arguments.iter().map(|term| term.text.as_str()).collect();
        Some(Ok(Term::of(format!("{name}({})", texts.join(", ")), ty)))
    };
    let ty = match arguments {
        [one, other] if one.ty == other.ty => one.ty.clone(),
        [only] => only.ty.clone(),
        _ => Ty::Any,
    };
    match (name, arguments) {
        ("min", [_, _]) => joined("math.least", ty),
        ("max", [_, _]) => joined("math.greatest", ty),
        ("abs", [_]) => joined("math.abs", ty),
        ("pow", [base, exponent]) => Some(power(base, exponent)),
        ("random", []) => Some(Err("Math.random is chance, which expressions cannot have; \
                      use bucket(x, n), or a step"
            .to_owned())),
        _ => None,
    }
}

fn power(base: &Term, exponent: &Term) -> Made {
    let refusal = "Math.pow of computed numbers has no equal in CEL; compute it in a step";
    let base = base.whole.ok_or(refusal)?;
    let exponent = exponent.whole.and_then(|e| i32::try_from(e).ok()).ok_or(refusal)?;
    Ok(Term::of(format!("{:?}", (base as f64).powi(exponent)), Ty::Double))
}
