//! Text: parts of it, and text out of texts. Places are counted in characters,
//! as in CEL's `strings` extension.

use super::super::meter::Halt;
use super::super::operation;
use super::super::value::Value;
use super::call::{Call, list};
use super::{Native, Signature, Style};

/// What one piece of text in a list costs, in operations.
const PIECE: usize = 2;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Signature] = &[
    Signature("charAt", Style::Method, [2, 2], Native(char_at)),
    Signature("indexOf", Style::Method, [2, 3], Native(index_of)),
    Signature("lastIndexOf", Style::Method, [2, 2], Native(last_index_of)),
    Signature("join", Style::Method, [1, 2], Native(join)),
    Signature("lowerAscii", Style::Method, [1, 1], Native(lower_ascii)),
    Signature("upperAscii", Style::Method, [1, 1], Native(upper_ascii)),
    Signature("padStart", Style::Method, [2, 3], Native(pad_start)),
    Signature("replace", Style::Method, [3, 4], Native(replace)),
    Signature("split", Style::Method, [2, 3], Native(split)),
    Signature("substring", Style::Method, [2, 3], Native(substring)),
    Signature("trim", Style::Method, [1, 1], Native(trim)),
];

/// The byte at which the character `place` begins; the end of the text counts.
fn byte_of(call: &Call<'_, '_>, text: &str, place: i64) -> Result<usize, Halt> {
    let wanted = usize::try_from(place).ok();
    let ends = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
    wanted.and_then(|wanted| ends.into_iter().nth(wanted)).ok_or_else(|| {
        let length = text.chars().count();
        call.fault(format!("{place} is outside of a text of {length}; test it with size(…)"))
    })
}

fn char_at<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let text = call.text(0)?;
    let start = byte_of(call, text, call.int(1)?)?;
    let found: String = text[start..].chars().take(1).collect();
    call.give_text(&found)
}

fn index_of<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    if call.get(0).is_some_and(Value::is_list) {
        return index_of_element(call);
    }
    let (text, part) = (call.text(0)?, call.text(1)?);
    let start = byte_of(call, text, call.int_or(2, 0)?)?;
    Ok(place_of(text, text[start..].find(part).map(|found| start + found)))
}

fn index_of_element<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    if call.arguments.len() > 2 {
        return Err(call.fault("a list is searched from its start; use slice(…) before"));
    }
    let wanted = &call.arguments[1];
    for (place, element) in call.elements(0)?.iter().enumerate() {
        if operation::equals(element, wanted, call.meter)? {
            return Ok(Value::Int(place as i64));
        }
    }
    Ok(Value::Int(-1))
}

fn last_index_of<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    Ok(place_of(text, text.rfind(part)))
}

/// The character that begins at a byte of `text`, -1 for none.
fn place_of<'a>(text: &str, byte: Option<usize>) -> Value<'a> {
    Value::Int(byte.map_or(-1, |byte| text[..byte].chars().count() as i64))
}

fn join<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let separator = if call.arguments.len() > 1 { call.text(1)? } else { "" };
    let elements = call.elements(0)?;
    let mut joined = String::new();
    for (place, element) in elements.iter().enumerate() {
        let Value::Text(text) = element else {
            let kind = element.type_name();
            return Err(call.fault(format!(
                "element {place} is {kind}, not a string; use map(x, string(x)) before"
            )));
        };
        let separator = if place > 0 { separator } else { "" };
        call.meter.charge_bytes(separator.len() + text.as_str().len())?;
        joined.push_str(separator);
        joined.push_str(text.as_str());
    }
    call.give_text(&joined)
}

fn lower_ascii<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let lower = call.text(0)?.to_ascii_lowercase();
    call.give_text(&lower)
}

fn upper_ascii<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let upper = call.text(0)?.to_ascii_uppercase();
    call.give_text(&upper)
}

fn pad_start<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let text = call.text(0)?;
    let length = usize::try_from(call.int(1)?).unwrap_or(0);
    let filler = if call.arguments.len() > 2 { call.text(2)? } else { " " };
    if filler.chars().count() != 1 {
        return Err(call.fault(format!("fills with one character, not {filler:?}; give it one")));
    }
    let missing = length.saturating_sub(text.chars().count());
    call.meter.charge_bytes(missing.saturating_mul(filler.len()))?;
    let padded = filler.repeat(missing) + text;
    call.give_text(&padded)
}

fn replace<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let most = usize::try_from(call.int_or(3, -1)?).unwrap_or(usize::MAX);
    let times = text.matches(from).count().min(most);
    call.meter.charge(times)?;
    call.meter.charge_bytes(times.saturating_mul(to.len()))?;
    let replaced = text.replacen(from, to, times);
    call.give_text(&replaced)
}

fn split<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let (text, separator) = (call.text(0)?, call.text(1)?);
    let most = usize::try_from(call.int_or(2, -1)?).unwrap_or(usize::MAX);
    let count = match separator {
        "" => text.chars().count(),
        separator => text.matches(separator).count() + 1,
    };
    call.meter.charge(count.min(most).saturating_mul(PIECE))?;
    let pieces: Vec<&str> = match separator {
        "" => characters(text, most),
        separator => text.splitn(most, separator).collect(),
    };
    let pieces = pieces.into_iter().map(|piece| call.give_text(piece));
    Ok(list(pieces.collect::<Result<_, _>>()?))
}

/// The characters of `text` as `most` pieces, the rest in the last.
fn characters(text: &str, most: usize) -> Vec<&str> {
    let starts: Vec<_> = text.char_indices().map(|(byte, _)| byte).take(most).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect()
}

fn substring<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let text = call.text(0)?;
    let (first, past) = (call.int(1)?, call.get(2).map(|_| call.int(2)).transpose()?);
    let start = byte_of(call, text, first)?;
    let end = past.map_or(Ok(text.len()), |past| byte_of(call, text, past))?;
    match text.get(start..end) {
        Some(part) => call.give_text(part),
        None => Err(call.fault("the end is before the start; give the start first")),
    }
}

fn trim<'a>(call: &mut Call<'a, '_>) -> Result<Value<'a>, Halt> {
    let trimmed = call.text(0)?.trim();
    call.give_text(trimmed)
}
