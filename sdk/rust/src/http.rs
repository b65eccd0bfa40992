//! Requests to hosts that were granted to the step. A request whose answer was
//! recorded is not sent again; one that a crash interrupted is sent again with
//! the same `Idempotency-Key`, which the host adds.
//!
//! ```
//! use segno::prelude::*;
//! use segno::testing::Script;
//! use segno::{http, secrets};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Charge {
//!     id: String,
//! }
//!
//! #[segno::step]
//! fn run(order: Value) -> Result<String> {
//!     let charge = http::post("https://pay.example.com/charges")
//!         .bearer(&secrets::get("PAY_KEY")?)
//!         .json(&json!({ "cents": order["cents"] }))
//!         .timeout(seconds(10))
//!         .send()?
//!         .error_for_status()?
//!         .json::<Charge>()?;
//!     Ok(charge.id)
//! }
//!
//! let mut script = Script::new(run)
//!     .input(json!({ "cents": 250 }))
//!     .secret("PAY_KEY")
//!     .http("POST", "https://pay.example.com/charges", 200, json!({ "id": "ch_1" }));
//! assert_eq!(script.finish().unwrap(), "ch_1");
//! let request = &script.requests()[0];
//! assert_eq!(request.json(), json!({ "cents": 250 }));
//! assert_eq!(request.header("authorization"), Some("Bearer [secret PAY_KEY]"));
//! assert_eq!(request.idempotency_key(), "run_test/step/1");
//! ```
//!
//! The origin stands in three places, or the request is `denied`: in the
//! component's `Cargo.toml` (`[package.metadata.segno] http = [...]`), in the
//! workflow (`grants: { http: [...] }`) and in what the operator allows.

mod response;

use std::time::Duration;

use serde::Serialize;

use crate::duration::whole_ms;
use crate::host::{self, AfterCrash, SecretHeader};
use crate::payload::encode;
use crate::secrets::Secret;
use crate::{Error, Result};

pub use response::Response;

/// A request to read.
pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

/// A request to do something.
pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

/// A request to put something in its place.
pub fn put(url: impl Into<String>) -> Request {
    request("PUT", url)
}

/// A request to change something.
pub fn patch(url: impl Into<String>) -> Request {
    request("PATCH", url)
}

/// A request to remove something.
pub fn delete(url: impl Into<String>) -> Request {
    request("DELETE", url)
}

/// A request with any method. The URL is absolute.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request {
        inner: host::Request {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
            after_crash: AfterCrash::Repeat,
        },
        wrong: None,
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
#[must_use = "a request is made by `send`"]
pub struct Request {
    inner: host::Request,
    /// What went wrong while it was put together, for `send` to return.
    wrong: Option<Error>,
}

impl Request {
    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.inner.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header whose value is `prefix` and a secret, which the host fills
    /// in.
    pub fn secret_header(
        mut self,
        name: impl Into<String>,
        prefix: impl Into<String>,
        secret: &Secret,
    ) -> Self {
        let secret = secret.handle().to_owned();
        let header = SecretHeader { name: name.into(), prefix: prefix.into(), secret };
        self.inner.secret_headers.push(header);
        self
    }

    /// Adds `authorization: Bearer` with a secret.
    pub fn bearer(self, secret: &Secret) -> Self {
        self.secret_header("authorization", "Bearer ", secret)
    }

    /// Adds `name=value` to the URL's query, escaped.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        let url = &mut self.inner.url;
        url.push(if url.contains('?') { '&' } else { '?' });
        escape(name, url);
        url.push('=');
        escape(&value.to_string(), url);
        self
    }

    /// Sets the body to a value as JSON, and says so in `content-type`.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        match encode(&format!("the body for {}", self.inner.url), body) {
            Ok(body) => self.body(body).content_type("application/json"),
            Err(error) => {
                self.wrong.get_or_insert(error);
                self
            }
        }
    }

    /// Sets the body to a text, and says so in `content-type`.
    pub fn text(self, body: impl Into<String>) -> Self {
        self.body(body.into()).content_type("text/plain; charset=utf-8")
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.inner.body = body.into();
        self
    }

    /// The longest wait for the whole answer; the host's own where it is longer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.inner.timeout_ms = Some(whole_ms(timeout));
        self
    }

    /// Replaces the `Idempotency-Key` that the host would add.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }

    /// For a service that knows no `Idempotency-Key`: after a crash between
    /// sending the request and recording its answer it is not sent again, and
    /// the call is refused with [`Code::UnknownOutcome`].
    ///
    /// [`Code::UnknownOutcome`]: crate::refusal::Code::UnknownOutcome
    pub fn report_after_crash(mut self) -> Self {
        self.inner.after_crash = AfterCrash::Report;
        self
    }

    /// Sends the request and waits for the whole answer, whatever its status:
    /// [`Response::error_for_status`] makes an error of a bad one.
    ///
    /// # Errors
    /// The host refused: `denied`, `invalid`, `unreachable`, `timeout`,
    /// `unknown-outcome`. Or the body cannot be JSON.
    pub fn send(self) -> Result<Response> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let what = response::title(&self.inner.method, &self.inner.url);
        match host::fetch(self.inner) {
            Ok(answer) => Ok(Response::new(what, answer)),
            Err(refusal) => Err(Error::from(refusal).context(what)),
        }
    }

    fn content_type(self, value: &str) -> Self {
        let known = |name: &str| name.eq_ignore_ascii_case("content-type");
        match self.inner.headers.iter().any(|(name, _)| known(name)) {
            true => self,
            false => self.header("content-type", value),
        }
    }
}

/// Adds a text to a query: everything but letters, digits and `-._~` is escaped.
fn escape(text: &str, url: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
        let request = get("https://a.example/find").query("q", "tea & ü").query("page", 2);
        assert_eq!(request.inner.url, "https://a.example/find?q=tea%20%26%20%C3%BC&page=2");
    }

    #[test]
    fn a_content_type_of_ones_own_stays() {
        let request = post("https://a.example").header("Content-Type", "a/b").json(&1);
        assert_eq!(request.inner.headers, [("Content-Type".to_owned(), "a/b".to_owned())]);
        assert_eq!(request.inner.body, b"1");
    }

    #[test]
    fn a_body_that_is_no_json_is_an_error_when_it_is_sent() {
        let body = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = post("https://a.example").json(&body).send().unwrap_err();
        assert!(error.is_fatal());
        assert!(error.message().contains("the body for https://a.example"), "{error}");
    }
}
