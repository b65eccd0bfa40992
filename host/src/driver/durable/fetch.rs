//! Requests to the outside: the intent is on stable storage before anything
//! leaves, and the answer is recorded before the step gets it.

use super::{Player, broken, name_of, refused};
use crate::crash;
use crate::egress;
use crate::sandbox::{Answer, Gone, NewEntry, Refusal, Request, Response};
use std::collections::HashMap;

impl Player {
    pub(super) async fn fetch(
        &self,
        entry: &NewEntry,
        request: Request,
        begun: bool,
    ) -> Result<Answer, Gone> {
        if begun && request.report_crash {
            let message = format!(
                "{}: the host stopped after it was sent, and whether it was received is not known",
                entry.summary
            );
            let answer = Answer::Response(refused("unknown-outcome", message));
            return self.answered(entry, answer);
        }
        let request = outbound(request);
        let egress = &self.driver.0.outside.egress;
        let requested = self.requests()?.http;
        let checked = match egress.check(&request, &requested, &self.grants.http) {
            Ok(checked) => checked,
            Err(error) => {
                return self.settle(entry, begun, Answer::Response(Err(error.into())));
            }
        };
        let secrets = match self.secrets_of(&request)? {
            Ok(secrets) => secrets,
            Err(refusal) => return self.settle(entry, begun, Answer::Response(Err(refusal))),
        };
        let ticket = match begun {
            true => self.driver.0.store.barrier(),
            false => self.append(entry, None, Vec::new())?,
        };
        // Nothing leaves before everything that led to it is on stable storage.
        ticket.durable().await.map_err(|error| broken(&error))?;
        crash::point("request leaves");
        let sent = egress.send(checked, &self.identity(entry), &secrets).await;
        crash::point("request answered");
        let response = sent.map(Response::from).map_err(Refusal::from);
        self.answered(entry, Answer::Response(response))
    }

    /// The secrets that a request uses, in clear.
    fn secrets_of(
        &self,
        request: &egress::Request,
    ) -> Result<Result<HashMap<String, String>, Refusal>, Gone> {
        let mut secrets = HashMap::new();
        for (_, _, name) in &request.secret_headers {
            if secrets.contains_key(name) {
                continue;
            }
            if let Err(refusal) = self.secret_handle(name)? {
                return Ok(Err(refusal));
            }
            match self.driver.reveal(self.tenant(), name) {
                Ok(value) => secrets.insert(name.to_owned(), value),
                Err(error) => return Ok(refused("not-found", error.to_string())),
            };
        }
        Ok(Ok(secrets))
    }

    /// Records the answer of a call whose row may be there.
    fn settle(&self, entry: &NewEntry, begun: bool, answer: Answer) -> Result<Answer, Gone> {
        match begun {
            true => self.answered(entry, answer),
            false => self.done(entry, answer),
        }
    }
}

fn outbound(request: Request) -> egress::Request {
    let Request { method, url, headers, secret_headers, body, timeout_ms, .. } = request;
    let secret_headers = secret_headers.into_iter();
    egress::Request {
        method,
        url,
        headers,
        secret_headers: secret_headers
            .map(|(name, prefix, handle)| (name, prefix, name_of(&handle).to_owned()))
            .collect(),
        body,
        timeout_ms,
    }
}

impl From<egress::Response> for Response {
    fn from(response: egress::Response) -> Self {
        let egress::Response { status, headers, body } = response;
        Self { status, headers, body }
    }
}

impl From<egress::Refused> for Refusal {
    fn from(refused: egress::Refused) -> Self {
        Self::new(refused.code, refused.message)
    }
}
