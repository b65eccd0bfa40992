//! Takes secrets out of answers: a server that repeats what it was sent must not
//! show a step what it may only use. What is encoded in another form is not
//! found.

use super::{Refused, Response};
use std::collections::HashMap;

/// The answer with `[secret NAME]` where a secret's value was.
///
/// # Errors
/// `limit`, if that makes it longer than `most` bytes.
pub(super) fn redact(
    response: Response,
    secrets: &HashMap<String, String>,
    most: u64,
) -> Result<Response, Refused> {
    // The longest first: one may begin as another does.
    let mut known: Vec<_> = secrets.iter().filter(|(_, value)| !value.is_empty()).collect();
    if known.is_empty() {
        return Ok(response);
    }
    known.sort_by(|one, other| other.1.len().cmp(&one.1.len()).then(one.cmp(other)));
    let too_long = || Refused::limit("the answer repeats a secret too often; ask for less at once");
    let Response { status, headers, body } = response;
    let body = without(&body, &known, most).ok_or_else(too_long)?;
    let mut clean = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let value = without(value.as_bytes(), &known, most).ok_or_else(too_long)?;
        clean.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    Ok(Response { status, headers: clean, body })
}

/// `None` if it gets longer than `most` bytes.
fn without(text: &[u8], known: &[(&String, &String)], most: u64) -> Option<Vec<u8>> {
    let mut clean = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let here = known.iter().find(|(_, value)| rest.starts_with(value.as_bytes()));
        match here {
            Some((name, value)) => {
                clean.extend_from_slice(format!("[secret {name}]").as_bytes());
                rest = &rest[value.len()..];
                if clean.len() as u64 > most {
                    return None;
                }
            }
            None => {
                clean.push(*first);
                rest = &rest[1..];
            }
        }
    }
    (clean.len() as u64 <= most).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(body: &str, secrets: &[(&str, &str)]) -> Result<Response, Refused> {
        let headers = vec![("x-echo".to_owned(), body.to_owned())];
        let response = Response { status: 200, headers, body: body.as_bytes().to_vec() };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        redact(response, &secrets.iter().map(owned).collect(), 40)
    }

    #[test]
    fn secrets_are_named_and_not_shown() {
        let clean = redacted("<abcdef abc>", &[("A", "abc"), ("LONG", "abcdef"), ("NO", "")]);
        let clean = clean.unwrap();
        assert_eq!(clean.body, b"<[secret LONG] [secret A]>");
        assert_eq!(clean.headers[0].1, "<[secret LONG] [secret A]>");
    }

    #[test]
    fn what_would_grow_without_end_is_refused() {
        let refused = redacted("aaaaaaaa", &[("A", "a")]).unwrap_err();
        assert_eq!(refused.code, "limit");
    }
}
