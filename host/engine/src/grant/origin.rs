//! Where requests may go: a scheme, a host or all below a name, and a port.
//! Paths are no part of it: what lies behind one host is one place.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest name of a host, by the rules of DNS.
const HOST_BYTES_MAX: usize = 253;

/// The longest part of one between dots.
const LABEL_BYTES_MAX: usize = 63;

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Encrypted, to a host that proves its name.
    Https,
}

impl Scheme {
    /// As it stands before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port where a URL names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A pattern for where requests may go: `https://api.example.com`,
/// `https://*.example.com:8443`, `http://localhost:*`, `https://*`.
///
/// `*.` stands for one name or more below that one, not for that one itself. A
/// port that is not named is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: Port,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Host {
    Any,
    /// Everything that ends with a dot and this.
    Below(String),
    Exact(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Port {
    Any,
    Number(u16),
}

/// A text that is no origin; the remedy stands after a `;`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct BadOrigin {
    message: String,
    remedy: String,
}

impl BadOrigin {
    fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

impl Origin {
    /// The origin of one place: nothing but `host`, in its normal form, at `port`.
    pub fn exact(scheme: Scheme, host: &str, port: u16) -> Self {
        Self { scheme, host: Host::Exact(host.to_owned()), port: Port::Number(port) }
    }

    /// Whether a request to this place is meant. `host` is in its normal form,
    /// as [`normal_host`] gives it.
    pub fn covers(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        let fits_host = match &self.host {
            Host::Any => true,
            Host::Below(parent) => host
                .strip_suffix(parent.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty()),
            Host::Exact(exact) => exact == host,
        };
        let fits_port = match self.port {
            Port::Any => true,
            Port::Number(number) => number == port,
        };
        self.scheme == scheme && fits_host && fits_port
    }

    /// The one host that it names, `None` if there is a `*` in its place.
    pub fn host(&self) -> Option<&str> {
        match &self.host {
            Host::Exact(host) => Some(host),
            Host::Any | Host::Below(_) => None,
        }
    }

    /// Its scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// The form in which hosts are compared: lower case, no dot at the end, numbers
/// of addresses in their usual form, those of IPv6 in brackets.
///
/// # Errors
/// It is no host: letters beyond ASCII, a part that is empty or too long, an
/// address in an unusual form.
pub fn normal_host(text: &str) -> Result<String, BadOrigin> {
    let example = "name a host, as in \"api.example.com\"";
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| {
            BadOrigin::new(
                format!("{text:?} is no IPv6 address"),
                "write it as in \"[2001:db8::1]\"",
            )
        })?;
        return Ok(format!("[{address}]"));
    }
    if !text.is_ascii() {
        return Err(BadOrigin::new(
            format!("{text:?} has letters beyond ASCII, and some look like others"),
            "write its form for DNS, which begins with \"xn--\"",
        ));
    }
    let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_part = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=LABEL_BYTES_MAX).contains(&part.len()) && part.bytes().all(fits)
    };
    if host.len() > HOST_BYTES_MAX || !host.split('.').all(is_part) {
        return Err(BadOrigin::new(format!("{text:?} is no host"), example));
    }
    // Whoever reads a URL takes a host with such an end for an address.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        let remedy = "write an IPv4 address as in \"192.0.2.1\"";
        return Err(BadOrigin::new(format!("{text:?} is no host"), remedy));
    }
    Ok(host)
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let example = "write it as in \"https://api.example.com\"";
        let text = text.trim();
        let shown: String = text.chars().take(100).collect();
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(BadOrigin::new(format!("{shown:?} has no scheme"), example));
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => {
                return Err(BadOrigin::new(
                    format!("{shown:?} is neither http nor https"),
                    example,
                ));
            }
        };
        if rest.contains('@') {
            let remedy = "remove them; a secret header carries credentials";
            return Err(BadOrigin::new(format!("{shown:?} has credentials in it"), remedy));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '\\']) {
            let remedy = "end it after the host or port: a grant is for a whole host";
            return Err(BadOrigin::new(format!("{shown:?} has a path"), remedy));
        }
        let (host, port) = split_port(rest);
        Ok(Self { scheme, host: read_host(host)?, port: read_port(port, scheme)? })
    }
}

/// The host, and the port if there is one. The colons of an IPv6 address stand
/// in brackets.
fn split_port(rest: &str) -> (&str, Option<&str>) {
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    }
}

fn read_host(host: &str) -> Result<Host, BadOrigin> {
    if host == "*" {
        return Ok(Host::Any);
    }
    let Some(parent) = host.strip_prefix("*.") else {
        if host.contains('*') {
            let remedy = "put it only at the beginning, as in \"https://*.example.com\"";
            return Err(BadOrigin::new(format!("{host:?} has a * inside"), remedy));
        }
        return normal_host(host).map(Host::Exact);
    };
    let parent = normal_host(parent)?;
    if parent.starts_with('[') || parent.parse::<Ipv4Addr>().is_ok() {
        let remedy = "name each address";
        return Err(BadOrigin::new(format!("{host:?}: there is nothing below an address"), remedy));
    }
    Ok(Host::Below(parent))
}

fn read_port(port: Option<&str>, scheme: Scheme) -> Result<Port, BadOrigin> {
    match port {
        None => Ok(Port::Number(scheme.default_port())),
        Some("*") => Ok(Port::Any),
        Some(text) => {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text);
            let number = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port > 0);
            number.map(Port::Number).ok_or_else(|| {
                BadOrigin::new(format!("{text:?} is no port"), "write 1 to 65535, or * for any")
            })
        }
    }
}

impl TryFrom<String> for Origin {
    type Error = BadOrigin;

    fn try_from(text: String) -> Result<Self, BadOrigin> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

/// The one way to write it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.name())?;
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Below(parent) => write!(f, "*.{parent}")?,
            Host::Exact(host) => f.write_str(host)?,
        }
        match self.port {
            Port::Any => f.write_str(":*"),
            Port::Number(port) if port == self.scheme.default_port() => Ok(()),
            Port::Number(port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    #[test]
    fn an_origin_has_one_form() {
        for (text, normal) in [
            ("https://API.Example.com.", "https://api.example.com"),
            ("HTTPS://api.example.com:443/", "https://api.example.com"),
            ("http://api.example.com:443", "http://api.example.com:443"),
            ("https://*.example.com:8443", "https://*.example.com:8443"),
            ("https://*", "https://*"),
            ("http://localhost:*", "http://localhost:*"),
            ("http://[0:0::1]:80", "http://[::1]"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin(text).to_string(), normal);
            assert_eq!(origin(normal), origin(text));
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_a_remedy() {
        for wrong in [
            "",
            "api.example.com",
            "ftp://api.example.com",
            "https://",
            "https://a b",
            "https://user@api.example.com",
            "https://api.example.com/v1",
            "https://api.example.com?x",
            "https://api.example.com\\@evil.example",
            "https://a*.example.com",
            "https://a.*.com",
            "https://*.",
            "https://*.10.0.0.1",
            "https://b\u{fc}cher.example",
            "https://2130706433",
            "https://0x7f.1",
            "https://127.1",
            "https://a..b",
            "https://::1",
            "https://[::1",
            "https://[::1%25eth0]",
            "https://api.example.com:0",
            "https://api.example.com:65536",
            "https://api.example.com:+1",
            "https://api.example.com:",
        ] {
            let refused = wrong.parse::<Origin>().expect_err(wrong).to_string();
            assert!(refused.contains("; "), "{refused}");
        }
    }

    #[test]
    fn it_covers_a_scheme_a_host_and_a_port() {
        use Scheme::{Http, Https};
        let one = origin("https://api.example.com");
        assert!(one.covers(Https, "api.example.com", 443));
        assert!(!one.covers(Http, "api.example.com", 443));
        assert!(!one.covers(Https, "api.example.com", 8443));
        assert!(!one.covers(Https, "a.api.example.com", 443));
        let below = origin("https://*.example.com");
        assert!(below.covers(Https, "a.b.example.com", 443));
        for other in ["example.com", ".example.com", "evilexample.com", "example.com.evil.test"] {
            assert!(!below.covers(Https, other, 443), "{other}");
        }
        assert!(origin("https://*").covers(Https, "anything.test", 443));
        assert!(!origin("https://*").covers(Https, "anything.test", 444));
        assert!(origin("http://localhost:*").covers(Http, "localhost", 49_152));
        assert_eq!((one.host(), below.host()), (Some("api.example.com"), None));
    }
}
