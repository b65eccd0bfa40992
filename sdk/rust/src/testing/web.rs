//! The services that a script plays, and what the step asked of them.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::host::Response;
use crate::refusal::Refusal;

/// A request that the step made. A replay makes none.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `POST`.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Names and values, with `Idempotency-Key` as the host adds it, and with
    /// secrets as `[secret NAME]`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long the step wanted to wait at most, in milliseconds.
    pub timeout_ms: Option<u64>,
}

impl Request {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The same whenever this request is made again for this step.
    pub fn idempotency_key(&self) -> &str {
        self.header("idempotency-key").unwrap_or_default()
    }
}

/// What a service says.
#[derive(Clone)]
pub(super) enum Answer {
    Response(Response),
    Refused(Refusal),
}

/// All services, by method and URL.
#[derive(Default)]
pub(super) struct Web {
    answers: BTreeMap<(String, String), VecDeque<Answer>>,
    pub requests: Vec<Request>,
}

impl Web {
    /// Adds an answer. Several for one request are given in order, the last
    /// one ever after.
    pub(super) fn add(&mut self, method: &str, url: &str, answer: Answer) {
        let service = (method.to_owned(), url.to_owned());
        self.answers.entry(service).or_default().push_back(answer);
    }

    /// Answers a request.
    ///
    /// # Errors
    /// No answer is scripted. The text is the remedy.
    pub(super) fn answer(&mut self, request: Request) -> Result<Result<Response, Refusal>, String> {
        let service = (request.method.clone(), request.url.clone());
        self.requests.push(request);
        let Some(answers) = self.answers.get_mut(&service) else {
            let (method, url) = service;
            return Err(format!(
                "no answer is scripted for {method} {url}: add `.http(\"{method}\", \"{url}\", \
                 200, json!({{}}))` to the script"
            ));
        };
        let answer = match answers.len() {
            1 => answers.front().cloned(),
            _ => answers.pop_front(),
        };
        match answer.expect("an answer is added together with its service") {
            Answer::Response(response) => Ok(Ok(response)),
            Answer::Refused(refusal) => Ok(Err(refusal)),
        }
    }
}
