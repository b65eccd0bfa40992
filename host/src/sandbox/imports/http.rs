//! `segno:step/http`: requests to hosts that were granted.

use super::wrong_answer;
use crate::sandbox::durable::{Answer, Call, Request, Response};
use crate::sandbox::guest::{Guest, wit};
use wit::Refusal;
use wit::segno::step::http;

impl http::Host for Guest {
    async fn fetch(
        &mut self,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, Refusal>> {
        match self.call_durable(Call::Fetch(Box::new(request.into()))).await? {
            Answer::Response(response) => Ok(response.map(Into::into).map_err(Into::into)),
            other => Err(wrong_answer("http.fetch", &other)),
        }
    }
}

impl From<http::Request> for Request {
    fn from(request: http::Request) -> Self {
        let headers = request.headers.into_iter().map(|header| (header.name, header.value));
        let secret_headers = request.secret_headers.into_iter();
        Self {
            method: request.method,
            url: request.url,
            headers: headers.collect(),
            secret_headers: secret_headers
                .map(|header| (header.name, header.prefix, header.secret))
                .collect(),
            body: request.body,
            timeout_ms: request.timeout_ms,
            report_crash: request.after_crash == http::AfterCrash::Report,
        }
    }
}

impl From<Response> for http::Response {
    fn from(response: Response) -> Self {
        let headers = response.headers.into_iter();
        Self {
            status: response.status,
            headers: headers.map(|(name, value)| http::Header { name, value }).collect(),
            body: response.body,
        }
    }
}
