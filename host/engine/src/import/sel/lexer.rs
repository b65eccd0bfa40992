//! The words and signs of SEL.

/// A word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Double(f64),
    Text(String),
    Word(String),
    Sign(&'static str),
}

/// The longest expression that is read, as over there.
const SOURCE_CHARS_MAX: usize = 10_000;

const SIGNS: [&str; 35] = [
    "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "++", "--", "(", ")", "{",
    "}", "[", "]", ";", ",", ".", "=", "<", ">", "!", "?", ":", "+", "-", "*", "/", "%", "&", "|",
];

/// The tokens of `source`, without comments.
///
/// # Errors
/// A character that has no place in SEL, or text that does not end.
pub(super) fn read(source: &str) -> Result<Vec<Token>, String> {
    if source.len() > SOURCE_CHARS_MAX {
        return Err("is longer than any expression over there; compute it in a step".to_owned());
    }
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            _ if rest.starts_with("//") => (None, after(rest, "\n", 0)?),
            _ if rest.starts_with("/*") => (None, after(rest, "*/", 2)?),
            '"' | '\'' => text(rest, first)?,
            '0'..='9' => number(rest)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest)?,
            c if is_word(c) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Some(Token::Word(rest[..end].to_owned())), &rest[end..])
            }
            c => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| format!("has {c:?} in it; correct it"))?;
                (Some(Token::Sign(sign)), &rest[sign.len()..])
            }
        };
        tokens.extend(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// What follows a comment.
fn after<'s>(rest: &'s str, end: &str, from: usize) -> Result<&'s str, String> {
    match rest[from..].find(end) {
        Some(place) => Ok(&rest[from + place + end.len()..]),
        None if end == "\n" => Ok(""),
        None => Err("has a comment that does not end; close it".to_owned()),
    }
}

type Read<'s> = Result<(Option<Token>, &'s str), String>;

fn text(rest: &str, quote: char) -> Read<'_> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((place, c)) = chars.next() {
        if c == quote {
            return Ok((Some(Token::Text(out)), &rest[place + 1..]));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next().map(|(_, c)| c) {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(code.ok_or("has a \\u that is no character; correct it")?);
            }
            Some(first @ '0'..='7') => {
                let mut code = first.to_digit(8).unwrap_or(0);
                while let Some(digit) = chars.peek().and_then(|(_, c)| c.to_digit(8)) {
                    if code * 8 + digit > 255 {
                        break;
                    }
                    code = code * 8 + digit;
                    chars.next();
                }
                out.extend(char::from_u32(code));
            }
            Some(c) => out.push(c),
            None => break,
        }
    }
    Err("has text that does not end; close its quotes".to_owned())
}

fn number(rest: &str) -> Read<'_> {
    let too_large = || "has a number that does not fit in 64 bits; use a smaller one".to_owned();
    if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        let value = i64::from_str_radix(&digits[..end], 16).map_err(|_| too_large())?;
        return Ok((Some(Token::Int(value)), digits[end..].trim_start_matches(['l', 'L'])));
    }
    let bytes = rest.as_bytes();
    let mut end = 0;
    let mut is_whole = true;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' => {}
            b'.' if is_whole => is_whole = false,
            b'e' | b'E' => {
                is_whole = false;
                end += usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            }
            _ => break,
        }
        end += 1;
    }
    let (digits, after) = (&rest[..end], &rest[end..]);
    let is_double = !is_whole || after.starts_with(['f', 'F', 'd', 'D']);
    if is_double {
        let value = digits.parse().map_err(|_| format!("has {digits:?}; correct it"))?;
        return Ok((Some(Token::Double(value)), after.trim_start_matches(['f', 'F', 'd', 'D'])));
    }
    let value = digits.parse().map_err(|_| too_large())?;
    Ok((Some(Token::Int(value)), after.trim_start_matches(['l', 'L'])))
}
