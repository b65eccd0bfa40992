//! In whose name a request is made. Nobody is authenticated yet: it is what the
//! request says, for the history of changes.

use super::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// The header that names the user.
const HEADER: &str = "x-segno-user";

/// The name where a request gives none.
const DEFAULT: &str = "api";

/// The longest name.
const BYTES_MAX: usize = 128;

/// In whose name a request is made.
pub(super) struct User(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(name) = parts.headers.get(HEADER) else {
            return Ok(Self(DEFAULT.to_owned()));
        };
        let name = std::str::from_utf8(name.as_bytes()).ok().filter(|name| {
            (1..=BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control)
        });
        let name = name.ok_or_else(|| {
            Problem::bad_request(format!(
                "{HEADER} is 1 to {BYTES_MAX} bytes of text; shorten it or leave it out"
            ))
        })?;
        Ok(Self(name.to_owned()))
    }
}

/// Who asks for a new run, and the key by which asking twice makes one.
pub(super) struct Once {
    pub(super) by: String,
    pub(super) key: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let User(by) = User::from_request_parts(parts, state).await?;
        let Some(key) = parts.headers.get("idempotency-key") else {
            return Ok(Self { by, key: None });
        };
        let key = String::from_utf8_lossy(key.as_bytes()).into_owned();
        Ok(Self { by, key: Some(checked_key(key)?) })
    }
}

/// A key by which a request may be made twice, if it can be one.
pub(super) fn checked_key(key: String) -> Result<String, Problem> {
    let is_visible = key.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    match is_visible && (1..=255).contains(&key.len()) {
        true => Ok(key),
        false => Err(Problem::bad_request(
            "an idempotency key has 1 to 255 visible ASCII characters; write it so",
        )),
    }
}
