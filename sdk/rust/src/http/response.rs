//! The answer to a request, and which answers are errors.

use std::time::Duration;

use serde::Deserialize;

use crate::payload::decode;
use crate::{Error, Result, host};

/// How much of a bad answer is shown, in characters.
const EXCERPT_CHARS: usize = 200;

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The request, for messages.
    what: String,
    inner: host::Response,
}

impl Response {
    pub(super) fn new(what: String, inner: host::Response) -> Self {
        Self { what, inner }
    }

    /// Its status, such as 200.
    pub fn status(&self) -> u16 {
        self.inner.status
    }

    /// Whether the status is one of success, 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.inner.status)
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.inner.headers.iter();
        let found = headers.find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Its body.
    pub fn bytes(&self) -> &[u8] {
        &self.inner.body
    }

    /// Its body as a text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.inner.body).into_owned()
    }

    /// Its body from JSON.
    ///
    /// # Errors
    /// The body does not fit. Fatal, since it is recorded and stays as it is.
    pub fn json<T: for<'de> Deserialize<'de>>(&self) -> Result<T> {
        decode(&format!("the answer to {}", self.what), &self.text())
    }

    /// The answer itself if it is one of success.
    ///
    /// # Errors
    /// Any other status. Retryable for 408, 425, 429 and from 500 on, not
    /// before the time that `retry-after` says in seconds; fatal for the rest,
    /// redirects among them, which are not followed.
    pub fn error_for_status(self) -> Result<Self> {
        if self.is_success() {
            return Ok(self);
        }
        let status = self.inner.status;
        let mut message = format!("{}: status {status}", self.what);
        match self.header("location") {
            Some(location) if (300..400).contains(&status) => {
                message.push_str(&format!(" to {location}, and redirects are not followed"));
            }
            _ => {
                let text = self.text();
                let excerpt = text.trim().chars().take(EXCERPT_CHARS).collect::<String>();
                if !excerpt.is_empty() {
                    message.push_str(&format!(": {excerpt}"));
                }
            }
        }
        let details = serde_json::json!({ "status": status });
        if !matches!(status, 408 | 425 | 429 | 500..) {
            return Err(Error::fatal(message).details(details));
        }
        let error = Error::retryable(message).details(details);
        let wait = self.header("retry-after").and_then(|text| text.trim().parse().ok());
        Err(match wait {
            Some(seconds) => error.retry_after(Duration::from_secs(seconds)),
            None => error,
        })
    }
}

/// The request for a message: without the query, which may be private.
pub(super) fn title(method: &str, url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or(url);
    format!("{method} {bare}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let inner =
            host::Response { status, headers: headers.collect(), body: body.as_bytes().to_vec() };
        Response::new(title("GET", "https://a.example/b?key=1"), inner)
    }

    #[test]
    fn only_statuses_that_may_pass_are_retryable() {
        for (status, retryable) in
            [(301, false), (400, false), (404, false), (408, true), (429, true), (503, true)]
        {
            let error = answer(status, &[], "").error_for_status().unwrap_err();
            assert_eq!(!error.is_fatal(), retryable, "{status}");
            assert_eq!(error.added_details().unwrap()["status"], status);
        }
        assert_eq!(answer(204, &[], "").error_for_status().unwrap().status(), 204);
    }

    #[test]
    fn the_message_shows_the_answer_and_not_the_query() {
        let error = answer(500, &[], " out of tea \n").error_for_status().unwrap_err();
        assert_eq!(error.message(), "GET https://a.example/b: status 500: out of tea");
    }

    #[test]
    fn the_service_says_when_to_come_back() {
        let error = answer(429, &[("retry-after", "30")], "").error_for_status().unwrap_err();
        assert_eq!(error.delay(), Some(Duration::from_secs(30)));
    }

    #[test]
    fn an_answer_that_does_not_fit_names_the_place() {
        let error = answer(200, &[], r#"{"a":[1,"x"]}"#)
            .json::<std::collections::BTreeMap<String, Vec<u8>>>()
            .unwrap_err();
        let wanted = "the answer to GET https://a.example/b does not fit at `a[1]`";
        assert!(error.message().starts_with(wanted), "{error}");
    }
}
