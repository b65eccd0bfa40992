//! Text: literals, and the methods of strings.

use super::cel::{Level, Term, Ty};
use std::fmt::Write as _;

/// Text as a CEL literal.
pub(in crate::import) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A method of a string. `None` if there is none of that name.
pub(super) fn call(
    target: &Term,
    name: &str,
    arguments: &[Term],
    remarks: &mut Vec<String>,
) -> Option<Result<Term, String>> {
    let this = target.whole();
    let all: Vec<_> = arguments.iter().map(|term| term.text.as_str()).collect();
    let method =
        |ours: &str, ty| Some(Ok(Term::of(format!("{this}.{ours}({})", all.join(", ")), ty)));
    let texts = || Ty::List(Box::new(Ty::Text));
    match (name, arguments) {
        ("startsWith" | "endsWith" | "contains", [_]) => method(name, Ty::Bool),
        ("substring", [_] | [_, _]) => method(name, Ty::Text),
        ("lastIndexOf", [_]) => method(name, Ty::Int),
        ("replace", [_, _]) => method(name, Ty::Text),
        ("trim", []) => method(name, Ty::Text),
        ("toUpperCase" | "toLowerCase", []) => {
            remarks.push(format!("{name} changes letters outside ASCII, ours does not"));
            method(if name == "toUpperCase" { "upperAscii" } else { "lowerAscii" }, Ty::Text)
        }
        ("length", []) => method("size", Ty::Int),
        ("toString", []) => Some(Ok(target.clone())),
        ("isEmpty", []) => Some(Ok(Term::at(
            format!("{} == ''", target.within(Level::Add)),
            Level::Compare,
            Ty::Bool,
        ))),
        ("equals", [other]) => {
            let text = format!("{} == {}", target.within(Level::Add), other.within(Level::Add));
            Some(Ok(Term::at(text, Level::Compare, Ty::Bool)))
        }
        ("split", [separator]) => Some(plain_pattern(separator).map(|separator| {
            remarks.push("split keeps empty pieces at the end, Java's drops them".to_owned());
            Term::of(format!("{this}.split({separator})"), texts())
        })),
        ("split", [separator, limit]) if limit.whole.is_some_and(|limit| limit > 0) => {
            Some(plain_pattern(separator).map(|separator| {
                Term::of(format!("{this}.split({separator}, {})", limit.text), texts())
            }))
        }
        ("replaceAll", [pattern, with]) => {
            Some(plain_pattern(pattern).and_then(|pattern| match &with.literal {
                Some(text) if !text.contains(['$', '\\']) => {
                    Ok(Term::of(format!("{this}.replace({pattern}, {})", with.text), Ty::Text))
                }
                _ => Err("replaceAll with groups has no equal in CEL; use replace(…)".to_owned()),
            }))
        }
        _ => None,
    }
}

/// A pattern of Java that means just the text that it is.
fn plain_pattern(pattern: &Term) -> Result<String, String> {
    let unescaped = |text: &str| match text.strip_prefix('\\') {
        Some(sign) if sign.chars().count() == 1 && !sign.starts_with(char::is_alphanumeric) => {
            Some(quoted(sign))
        }
        _ => (!text.is_empty() && !text.contains(|c| "\\[](){}.*+?^$|".contains(c)))
            .then(|| quoted(text)),
    };
    pattern.literal.as_deref().and_then(unescaped).ok_or_else(|| {
        format!("the pattern {} has no equal here; use plain text, or a step", pattern.text)
    })
}

/// A static method of `String`.
pub(super) fn class_call(name: &str, arguments: &[Term]) -> Option<Result<Term, String>> {
    match (name, arguments) {
        ("valueOf", [only]) => Some(only.as_text()),
        ("join", [separator, list]) if matches!(list.ty, Ty::List(_)) => {
            let text = match &list.ty {
                Ty::List(element) if **element == Ty::Text => list.whole(),
                _ => format!("{}.map(x, string(x))", list.whole()),
            };
            Some(Ok(Term::of(format!("{text}.join({})", separator.text), Ty::Text)))
        }
        ("join", [separator, parts @ ..]) => {
            let parts: Vec<_> = parts.iter().map(|part| part.text.as_str()).collect();
            let text = format!("[{}].join({})", parts.join(", "), separator.text);
            Some(Ok(Term::of(text, Ty::Text)))
        }
        ("format", [pattern, values @ ..]) => Some(format_call(pattern, values)),
        _ => None,
    }
}

fn format_call(pattern: &Term, values: &[Term]) -> Result<Term, String> {
    let refusal = "String.format with this pattern has no equal in CEL; use %s, %d or %.2f";
    let text = pattern.literal.as_deref().ok_or(refusal)?;
    let mut rest = text;
    let mut values_left = values.iter();
    while let Some(place) = rest.find('%') {
        rest = &rest[place + 1..];
        let digits =
            rest.strip_prefix('.').map(|r| r.trim_start_matches(|c: char| c.is_ascii_digit()));
        rest = match (digits, rest.chars().next()) {
            (Some(after), _) if after.starts_with('f') => {
                values_left.next().ok_or(refusal)?;
                &after[1..]
            }
            (None, Some('s')) => {
                let value = values_left.next().ok_or(refusal)?;
                if value.ty == Ty::Double {
                    return Err(refusal.to_owned());
                }
                &rest[1..]
            }
            (None, Some('d')) => {
                values_left.next().ok_or(refusal)?;
                &rest[1..]
            }
            (None, Some('%')) => &rest[1..],
            _ => return Err(refusal.to_owned()),
        };
    }
    let values: Vec<_> = values.iter().map(|value| value.text.as_str()).collect();
    let text = format!("{}.format([{}])", pattern.whole(), values.join(", "));
    Ok(Term::of(text, Ty::Text))
}
