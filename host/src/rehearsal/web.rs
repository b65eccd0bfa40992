//! The services of a rehearsal, and what the step asked of them.

use crate::sandbox::{Refusal, Request, Response};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, VecDeque};

/// What a service says to one request.
pub(super) type Said = Result<Response, Refusal>;

/// One scripted answer.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) said: Said,
}

/// All services, by method and URL.
pub(super) struct Web {
    answers: HashMap<(String, String), VecDeque<Said>>,
    /// What was asked, as scripts see it.
    pub(super) requests: Vec<Value>,
}

impl Web {
    /// These services. Several answers to one request are given in order, the
    /// last one ever after.
    pub(super) fn new(services: &[Service]) -> Self {
        let mut answers: HashMap<_, VecDeque<_>> = HashMap::new();
        for Service { method, url, said } in services {
            let place = (method.clone(), url.clone());
            answers.entry(place).or_default().push_back(said.clone());
        }
        Self { answers, requests: Vec::new() }
    }

    /// Answers a request; nothing if the script has no answer.
    pub(super) fn answer(&mut self, request: &Request, identity: &str) -> Option<Said> {
        self.requests.push(view(request, identity));
        let place = (request.method.clone(), request.url.clone());
        let answers = self.answers.get_mut(&place)?;
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    }
}

/// The name of the header that tells a repeated request from another.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request as scripts see it: secrets by their names, a body that is JSON as
/// `json` and any other as `body`.
fn view(request: &Request, identity: &str) -> Value {
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        headers.insert(name.to_ascii_lowercase(), value.as_str().into());
    }
    for (name, prefix, handle) in &request.secret_headers {
        let secret = handle.strip_prefix("secret:").unwrap_or(handle);
        headers.insert(name.to_ascii_lowercase(), format!("{prefix}[secret {secret}]").into());
    }
    let key = headers.entry(IDEMPOTENCY_KEY).or_insert_with(|| identity.into()).clone();
    let mut view = json!({
        "method": request.method,
        "url": request.url,
        "headers": headers,
        "idempotency_key": key,
    });
    if !request.body.is_empty() {
        match serde_json::from_slice::<Value>(&request.body) {
            Ok(value) => view["json"] = value,
            Err(_) => view["body"] = String::from_utf8_lossy(&request.body).into(),
        }
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order_and_the_last_one_stays() {
        let service = |status| Service {
            method: "GET".to_owned(),
            url: "http://a/".to_owned(),
            said: Ok(Response { status, headers: Vec::new(), body: Vec::new() }),
        };
        let mut web = Web::new(&[service(503), service(200)]);
        let mut request = Request {
            method: "GET".to_owned(),
            url: "http://a/".to_owned(),
            headers: vec![("X-A".to_owned(), "1".to_owned())],
            secret_headers: vec![(
                "Authorization".to_owned(),
                "Bearer ".to_owned(),
                "secret:KEY".to_owned(),
            )],
            body: b"[1]".to_vec(),
            timeout_ms: None,
            report_crash: false,
        };
        let mut status = |request: &Request| {
            web.answer(request, "run/step/0").map(|said| said.map(|response| response.status))
        };
        assert_eq!(status(&request), Some(Ok(503)));
        assert_eq!(status(&request), Some(Ok(200)));
        assert_eq!(status(&request), Some(Ok(200)));
        request.url.push('x');
        assert_eq!(status(&request), None);
        let seen = &web.requests[0];
        assert_eq!(seen["headers"]["x-a"], "1");
        assert_eq!(seen["headers"]["authorization"], "Bearer [secret KEY]");
        assert_eq!(seen["idempotency_key"], "run/step/0");
        assert_eq!(seen["json"], json!([1]));
    }
}
