//! The thin client of the HTTP API: JSON in, JSON out, and one clear error for
//! each way in which a request can fail.

use super::route::Route;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::io::Read;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may take to answer: it compiles what is pushed, and holds
/// back answers that were asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// Entries that are asked for at a time.
const PAGE_MAX: usize = 1_000;

/// Speaks to one server for one tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: Agent,
    server: String,
    tenant: String,
    user: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Nobody listens there.
    #[error(
        "no server at {0}: start one with `segno dev`, or name another with --server or SEGNO_SERVER"
    )]
    Absent(String),
    /// The connection was lost, or nothing came.
    #[error("no answer from {server}: {why}")]
    Lost {
        /// The server.
        server: String,
        /// What happened to the connection.
        why: String,
    },
    /// The server says no.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// Somebody else listens there.
    #[error("{server} does not answer like a segno server: {why}; is --server right?")]
    Foreign {
        /// The server.
        server: String,
        /// What is odd about its answer.
        why: String,
    },
}

/// One page of a list.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// What the server says when it says no.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    /// What is wrong and what to do.
    detail: String,
    /// Every problem of a definition or of params.
    #[serde(default)]
    pub(super) problems: Vec<Item>,
}

/// One of several problems.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    /// The line, from 1; 0 if it is not in a text.
    pub(super) line: u64,
    /// The column, from 1; 0 if it is not in a text.
    pub(super) column: u64,
    /// Where in the document.
    pub(super) path: String,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) remedy: String,
}

impl Client {
    /// A client of the server at this address. Connects to nobody yet.
    pub(super) fn new(server: &str, tenant: &str) -> anyhow::Result<Self> {
        // The server is on this machine or in its network: no proxy, no detours.
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .user_agent(concat!("segno/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let server = address(server)?;
        Ok(Self { agent, server, tenant: tenant.to_owned(), user: None })
    }

    /// The same, in the name of a user.
    pub(super) fn in_name_of(self, user: Option<&str>) -> Self {
        Self { user: user.map(str::to_owned), ..self }
    }

    /// Asks for something.
    pub(super) fn get(&self, route: &Route) -> Result<Box<RawValue>, Error> {
        self.read(self.agent.get(self.url(route)).call())
    }

    /// Sends bytes of this type.
    pub(super) fn send(
        &self,
        route: &Route,
        kind: &str,
        body: &[u8],
    ) -> Result<Box<RawValue>, Error> {
        // The server may refuse a body by its size alone: it is asked before the
        // body is on its way, or it could only hang up.
        let request = self.agent.post(self.url(route)).header("Expect", "100-continue");
        self.read(self.signed(request).content_type(kind).send(body))
    }

    /// Sends JSON, with a key that makes asking twice harmless.
    pub(super) fn send_once(
        &self,
        route: &Route,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Box<RawValue>, Error> {
        let mut request = self.agent.post(self.url(route)).content_type("application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.read(self.signed(request).send(body.to_string()))
    }

    /// Sets something to this.
    pub(super) fn put(&self, route: &Route, body: &Value) -> Result<Box<RawValue>, Error> {
        let request = self.agent.put(self.url(route)).content_type("application/json");
        self.read(self.signed(request).send(body.to_string()))
    }

    /// Sets something to bytes of this type.
    pub(super) fn replace(
        &self,
        route: &Route,
        kind: &str,
        body: &[u8],
    ) -> Result<Box<RawValue>, Error> {
        let request = self.agent.put(self.url(route)).content_type(kind);
        self.read(self.signed(request).send(body))
    }

    /// Sets only what the body has.
    pub(super) fn patch(&self, route: &Route, body: &Value) -> Result<Box<RawValue>, Error> {
        let request = self.agent.patch(self.url(route)).content_type("application/json");
        self.read(self.signed(request).send(body.to_string()))
    }

    /// Delivers to a webhook, as its sender would.
    pub(super) fn deliver(
        &self,
        webhook: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Box<RawValue>, Error> {
        let mut request = self.agent.post(self.hook_url(webhook));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.read(request.send(body))
    }

    /// Where a webhook is posted to. Its name and the tenant's need no encoding.
    pub(super) fn hook_url(&self, webhook: &str) -> String {
        format!("{}/hooks/{}/{webhook}", self.server, self.tenant)
    }

    /// Takes something away.
    pub(super) fn delete(&self, route: &Route) -> Result<Box<RawValue>, Error> {
        self.read(self.signed(self.agent.delete(self.url(route))).call())
    }

    /// The first `limit` entries of a list, however many pages that takes.
    pub(super) fn list(&self, route: &Route, limit: usize) -> Result<Vec<Box<RawValue>>, Error> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let wanted = (limit - entries.len()).min(PAGE_MAX);
            let page = route.clone().with("limit", wanted).with_any("cursor", cursor.as_ref());
            let page: Page = serde_json::from_str(self.get(&page)?.get())
                .map_err(|error| self.foreign(format!("a list is none: {error}")))?;
            entries.extend(page.items);
            cursor = page.next;
            if cursor.is_none() || entries.len() >= limit {
                // A page may have more entries than were asked for: lines of one attempt stay together.
                entries.truncate(limit);
                return Ok(entries);
            }
        }
    }

    /// What is said of something, with the first `limit` entries of its list,
    /// however many pages that takes.
    pub(super) fn with_list(
        &self,
        route: &Route,
        limit: usize,
    ) -> Result<Map<String, Value>, Error> {
        let foreign = |error| self.foreign(format!("an answer is none: {error}"));
        let mut whole: Option<Map<String, Value>> = None;
        let mut items = Vec::new();
        loop {
            let next = whole.as_ref().and_then(|whole| whole.get("next"));
            let cursor = next.and_then(Value::as_str).map(str::to_owned);
            if whole.is_some() && (cursor.is_none() || items.len() >= limit) {
                break;
            }
            let wanted = (limit - items.len()).min(PAGE_MAX);
            let page = route.clone().with("limit", wanted).with_any("cursor", cursor);
            let mut page: Map<String, Value> =
                serde_json::from_str(self.get(&page)?.get()).map_err(foreign)?;
            if let Some(Value::Array(more)) = page.get_mut("items") {
                items.append(more);
            }
            whole = Some(page);
        }
        items.truncate(limit);
        let mut whole = whole.unwrap_or_default();
        whole.insert("items".to_owned(), Value::Array(items));
        Ok(whole)
    }

    /// A stream of events.
    pub(super) fn stream(&self, route: &Route) -> Result<impl Read + use<>, Error> {
        let request = self.agent.get(self.url(route)).header("Accept", "text/event-stream");
        let response = request.call().map_err(|error| self.failed(&error))?;
        if response.status() == 200 {
            return Ok(response.into_body().into_reader());
        }
        match self.read(Ok(response)) {
            Ok(_) => Err(self.foreign("a stream of events is none".to_owned())),
            Err(error) => Err(error),
        }
    }

    fn signed<Kind>(&self, request: RequestBuilder<Kind>) -> RequestBuilder<Kind> {
        match &self.user {
            Some(user) => request.header("x-segno-user", user),
            None => request,
        }
    }

    fn url(&self, route: &Route) -> String {
        format!("{}{}", self.server, route.of_tenant(&self.tenant))
    }

    fn read(&self, response: Result<Response<Body>, ureq::Error>) -> Result<Box<RawValue>, Error> {
        let mut response = response.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.failed(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| self.foreign(format!("its answer is no JSON: {error}")));
        }
        match serde_json::from_slice(&body) {
            Ok(problem) => Err(Error::Problem(problem)),
            Err(_) => Err(self.foreign(format!("it said {status} and nothing more"))),
        }
    }

    fn failed(&self, error: &ureq::Error) -> Error {
        let server = self.server.clone();
        match error {
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Error::Absent(server)
            }
            ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => Error::Absent(server),
            ureq::Error::Protocol(error) => self.foreign(error.to_string()),
            ureq::Error::Timeout(_) => Error::Lost { server, why: "it takes too long".to_owned() },
            ureq::Error::Io(error) => Error::Lost { server, why: error.to_string() },
            error => Error::Lost { server, why: error.to_string() },
        }
    }

    fn foreign(&self, why: String) -> Error {
        Error::Foreign { server: self.server.clone(), why }
    }
}

/// The server's address as requests begin with it.
fn address(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    if text.starts_with("https://") {
        anyhow::bail!("--server {text}: segno speaks http only; put TLS in front of the server");
    }
    let rest = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let is_authority = !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']);
    let address = format!("http://{rest}");
    if !is_authority || address.parse::<ureq::http::Uri>().is_err() {
        anyhow::bail!("--server {text:?} is no address: write http://HOST:PORT");
    }
    Ok(address)
}

#[cfg(test)]
mod tests;
