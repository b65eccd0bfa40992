//! Whether a request may be sent, before any socket: what its URL means, who
//! lets it go there, and whether its parts are what they should be.

use super::{Inner, Refused, Request, resolver};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use segno_engine::grant::{Origin, Scheme, normal_host};
use std::collections::HashMap;
use std::time::Duration;
use url::{Host, Position, Url};

/// The longest URL.
const URL_BYTES_MAX: usize = 8 << 10;

/// Headers that say how a request is carried, which is the host's to say.
const FORBIDDEN: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// As Segno calls itself.
const AGENT: &str = concat!("segno/", env!("CARGO_PKG_VERSION"));

/// Tells a repeated request from another.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request that may be sent. Where its host's name leads is not known yet.
#[derive(Debug)]
pub struct Checked {
    pub(super) scheme: Scheme,
    /// In its normal form.
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether the operator named this very address, or `localhost`.
    pub(super) is_named_by_operator: bool,
    pub(super) timeout: Duration,
    method: Method,
    /// Path and query.
    target: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Names, what comes before the secret, the secret's name.
    secret_headers: Vec<(HeaderName, String, String)>,
    body: Bytes,
}

/// Checks a request against what its component asks for and its step is granted,
/// in this order.
pub(super) fn check(
    egress: &Inner,
    request: &Request,
    [requested, granted]: [&[Origin]; 2],
) -> Result<Checked, Refused> {
    let url = read_url(&request.url)?;
    let method = read_method(&request.method)?;
    let (scheme, host, port) = place_of(&url)?;
    let covers = |origins: &[Origin]| origins.iter().any(|one| one.covers(scheme, &host, port));
    let lets = [covers(requested), covers(granted), covers(&egress.allowed)];
    if lets.contains(&false) {
        return Err(not_granted(&method, &Origin::exact(scheme, &host, port), lets));
    }
    let is_address = host == "localhost" || resolver::literal(&host).is_some();
    let names =
        |origin: &&Origin| origin.host() == Some(&host) && origin.covers(scheme, &host, port);
    let is_named_by_operator = is_address && egress.allowed.iter().any(|one| names(&one));
    let headers = read_headers(egress, request)?;
    let limits = &egress.limits;
    if request.body.len() as u64 > limits.request_bytes {
        return Err(Refused::limit(format!(
            "the body has {} bytes, and {} is the most; send less",
            request.body.len(),
            limits.request_bytes
        )));
    }
    let wanted = request.timeout_ms.unwrap_or(limits.timeout_ms).min(limits.timeout_max_ms);
    let target = url[Position::BeforePath..Position::AfterQuery].parse();
    let (headers, secret_headers) = headers;
    let checked = Checked {
        scheme,
        host,
        port,
        is_named_by_operator,
        timeout: Duration::from_millis(wanted),
        method,
        target: target.map_err(|_| bad_url("has a path or query with wrong characters"))?,
        headers,
        secret_headers,
        body: Bytes::copy_from_slice(&request.body),
    };
    if let Some(address) = resolver::literal(&checked.host) {
        resolver::permit(address, &checked, egress.reach)?;
    } else if checked.host == "localhost" {
        resolver::permit(std::net::Ipv4Addr::LOCALHOST.into(), &checked, egress.reach)?;
    }
    Ok(checked)
}

impl Checked {
    /// Where it goes, for a message.
    pub(super) fn place(&self) -> String {
        Origin::exact(self.scheme, &self.host, self.port).to_string()
    }

    /// The request as it is sent.
    pub(super) fn into_wire(
        self,
        idempotency_key: &str,
        secrets: &HashMap<String, String>,
    ) -> Result<hyper::Request<Full<Bytes>>, Refused> {
        let authority = match self.port == self.scheme.default_port() {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        };
        let mut request = hyper::Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target;
        let headers = request.headers_mut();
        headers.insert(HOST, value_of("host", &authority)?);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        for (name, prefix, secret) in self.secret_headers {
            let Some(value) = secrets.get(&secret) else {
                return Err(Refused {
                    code: "not-found",
                    message: format!(
                        "the secret {secret} has no value; set it with `segno secret set {secret}`"
                    ),
                });
            };
            let mut value = header_value(&format!("{prefix}{value}")).ok_or_else(|| {
                Refused::invalid(format!(
                    "the secret {secret} cannot stand in a header: it has line ends, other control \
                     characters or letters beyond ASCII; set it again without"
                ))
            })?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let key = HeaderName::from_static(IDEMPOTENCY_KEY);
        if !headers.contains_key(&key) {
            headers.insert(key, value_of(IDEMPOTENCY_KEY, idempotency_key)?);
        }
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        Ok(request)
    }
}

fn bad_url(message: &str) -> Refused {
    Refused::invalid(format!("the URL {message}; write it as in \"https://api.example.com/v1\""))
}

/// A URL as browsers read it, without the forms that they repair.
fn read_url(text: &str) -> Result<Url, Refused> {
    if text.len() > URL_BYTES_MAX {
        let bytes = text.len();
        return Err(Refused::limit(format!(
            "the URL has {bytes} bytes, and {URL_BYTES_MAX} is the most; put the rest into the body"
        )));
    }
    let is_odd = |letter: char| letter.is_control() || letter.is_whitespace() || letter == '\\';
    if text.contains(is_odd) {
        return Err(bad_url("has spaces, line ends, control characters or backslashes"));
    }
    let scheme = text.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let Some(("http" | "https", rest)) = scheme.as_ref().map(|(one, rest)| (one.as_str(), *rest))
    else {
        return Err(bad_url("does not begin with https:// or http://"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(bad_url("names no host"));
    }
    if authority.contains('@') {
        return Err(Refused::denied(
            "the URL has credentials before an @, which can make one host look like another; send \
             them in a header, a secret header if they are secret",
        ));
    }
    Url::parse(text).map_err(|error| bad_url(&format!("cannot be read: {error}")))
}

fn place_of(url: &Url) -> Result<(Scheme, String, u16), Refused> {
    let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
    let host = match url.host() {
        None => return Err(bad_url("names no host")),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        Some(Host::Domain(name)) => normal_host(name)
            .map_err(|error| Refused::invalid(format!("the URL's host: {error}")))?,
    };
    Ok((scheme, host, url.port().unwrap_or(scheme.default_port())))
}

fn read_method(text: &str) -> Result<Method, Refused> {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    let is_method = (1..=20).contains(&text.len()) && text.bytes().all(fits);
    if !is_method || matches!(text, "CONNECT" | "TRACE") {
        let remedy = "use one such as GET or POST, in capitals, but not CONNECT or TRACE";
        let shown: String = text.chars().take(20).collect();
        return Err(Refused::invalid(format!("{shown:?} is no method for a request; {remedy}")));
    }
    Method::from_bytes(text.as_bytes())
        .map_err(|_| Refused::invalid(format!("{text:?} is no method; use one such as GET")))
}

/// Ordinary headers, and those with secrets.
type Headers = (Vec<(HeaderName, HeaderValue)>, Vec<(HeaderName, String, String)>);

fn read_headers(egress: &Inner, request: &Request) -> Result<Headers, Refused> {
    let limits = &egress.limits;
    let ordinary = request.headers.iter().map(|(name, value)| name.len() + value.len());
    let secret = request.secret_headers.iter().map(|(name, prefix, _)| name.len() + prefix.len());
    let (count, bytes) = ordinary.chain(secret).fold((0_u64, 0_u64), |(count, bytes), size| {
        (count + 1, bytes.saturating_add(size as u64))
    });
    if count > u64::from(limits.headers) || bytes > u64::from(limits.header_bytes) {
        return Err(Refused::limit(format!(
            "there are {count} headers of {bytes} bytes, and {} of {} bytes are the most; send less",
            limits.headers, limits.header_bytes
        )));
    }
    let mut ordinary = Vec::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        ordinary.push((name_of(name)?, value_of(name, value)?));
    }
    let mut secret = Vec::with_capacity(request.secret_headers.len());
    for (name, prefix, secret_name) in &request.secret_headers {
        value_of(name, prefix)?;
        secret.push((name_of(name)?, prefix.clone(), secret_name.clone()));
    }
    Ok((ordinary, secret))
}

fn name_of(text: &str) -> Result<HeaderName, Refused> {
    let shown: String = text.chars().take(60).collect();
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        Refused::invalid(format!("{shown:?} is no name of a header; use letters, digits and -"))
    })?;
    if FORBIDDEN.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
        return Err(Refused::invalid(format!(
            "the header {name} says how a request is carried, which the host does; remove it"
        )));
    }
    Ok(name)
}

fn value_of(name: &str, text: &str) -> Result<HeaderValue, Refused> {
    header_value(text).ok_or_else(|| {
        let name: String = name.chars().take(60).collect();
        Refused::invalid(format!(
            "the header {name:?} has line ends, other control characters or letters beyond ASCII in \
             its value; remove them"
        ))
    })
}

/// `None` for what could be read as more than one value, or in two ways.
fn header_value(text: &str) -> Option<HeaderValue> {
    text.is_ascii().then(|| HeaderValue::from_str(text).ok()).flatten()
}

/// What to add, in each of the places where it is missing.
fn not_granted(method: &Method, origin: &Origin, lets: [bool; 3]) -> Refused {
    let lines = [
        format!("in [package.metadata.segno] of the component's Cargo.toml, http = [\"{origin}\"]"),
        format!("in the step of the workflow, grants: {{ http: [\"{origin}\"] }}"),
        format!("at the operator's command line, segno server --grant-http {origin}"),
    ];
    let missing = lines.into_iter().zip(lets).filter(|(_, let_go)| !let_go);
    let missing: Vec<_> = missing.map(|(line, _)| line).collect();
    Refused::denied(format!("{method} {origin} is not granted; add {}", missing.join("; and ")))
}
