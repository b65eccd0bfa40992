//! Requests that steps send into the world. [`Egress::check`] says whether one
//! may be sent, without a socket; [`Egress::send`] looks its host up once,
//! checks every address, connects to one of those very addresses and gives back
//! what it answers. Nothing is followed, unpacked or kept open, and no proxy or
//! environment has a say.

mod address;
mod permission;
mod redaction;
mod resolver;
mod tls;
mod vault;
mod wire;

#[cfg(test)]
mod tests;

pub use self::permission::Checked;
pub use self::vault::{Vault, VaultError};

use self::address::Reach;
use self::resolver::Resolver;
use crate::config::Config;
use segno_engine::grant::{Origin, Scheme};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

/// What a request may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take in all where it says nothing, in milliseconds.
    pub timeout_ms: u64,
    /// How long it may ask for at most, in milliseconds.
    pub timeout_max_ms: u64,
    /// The body of a request.
    pub request_bytes: u64,
    /// The body of an answer.
    pub response_bytes: u64,
    /// All headers of a request, and those of an answer; hyper reads no less
    /// than 8 KiB.
    pub header_bytes: u32,
    /// How many headers a request or an answer may have.
    pub headers: u32,
    /// How many requests are under way at once; the rest wait.
    pub concurrent: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            timeout_max_ms: 120_000,
            request_bytes: 1 << 20,
            response_bytes: 1 << 20,
            header_bytes: 32 << 10,
            headers: 100,
            concurrent: 64,
        }
    }
}

/// A request as a step makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Headers that end in a secret: the header's name, what comes before the
    /// secret, the secret's name.
    pub secret_headers: Vec<(String, String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
    /// The longest wait for the whole answer; the host's own where it is absent
    /// or longer.
    pub timeout_ms: Option<u64>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// As it was sent: what came compressed is compressed.
    pub body: Vec<u8>,
}

/// Why a request was not sent, or has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// One of the codes of `refusal` in the contract.
    pub code: &'static str,
    /// One line for a person, with the remedy.
    pub message: String,
}

impl Refused {
    fn denied(message: impl Into<String>) -> Self {
        Self { code: "denied", message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self { code: "invalid", message: message.into() }
    }

    fn limit(message: impl Into<String>) -> Self {
        Self { code: "limit", message: message.into() }
    }

    fn unreachable(message: impl Into<String>) -> Self {
        Self { code: "unreachable", message: message.into() }
    }
}

/// The way out. Clones share their limits.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    /// Where the operator lets requests go.
    allowed: Vec<Origin>,
    limits: Limits,
    resolver: Resolver,
    /// How far an address reaches; tests have a world of their own.
    reach: fn(IpAddr) -> Reach,
    /// `None` if nothing encrypted is allowed.
    tls: Option<Arc<ClientConfig>>,
    slots: Semaphore,
}

impl Egress {
    /// The way out that an operator set up.
    ///
    /// # Errors
    /// Encrypted requests are allowed, and this system trusts no authority.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let allowed = config.grant_http.clone();
        let tls = tls::needed(&allowed).then(tls::of_system).transpose()?;
        Ok(Self(Arc::new(Inner {
            allowed,
            limits: config.egress,
            resolver: Resolver::System,
            reach: address::reach,
            tls,
            slots: Semaphore::new(config.egress.concurrent as usize),
        })))
    }

    /// Whether a request may be sent: its component has to ask for the host,
    /// its workflow to grant it, the operator to allow it. Opens no socket.
    ///
    /// # Errors
    /// `denied`, with what to add where; `invalid`, `limit`.
    pub fn check(
        &self,
        request: &Request,
        requested: &[Origin],
        granted: &[Origin],
    ) -> Result<Checked, Refused> {
        permission::check(&self.0, request, [requested, granted])
    }

    /// Sends a request that was checked, and reads the whole answer. `secrets`
    /// are the values of secrets by name: of those in its headers, and of any
    /// other that must not come back in the answer. A caller that stops waiting
    /// ends the request.
    ///
    /// # Errors
    /// `denied` if its name leads where it may not go, `not-found` if a secret
    /// has no value, `timeout`, `limit`, `unreachable`, `invalid`.
    pub async fn send(
        &self,
        checked: Checked,
        idempotency_key: &str,
        secrets: &HashMap<String, String>,
    ) -> Result<Response, Refused> {
        let place = checked.place();
        let whole = checked.timeout;
        // Nothing closes it; were it closed, the request would go without.
        let _slot = timeout(whole, self.0.slots.acquire())
            .await
            .map_err(|_| Refused { code: "timeout", message: crowded(&place, whole) })?;
        let answer = self.exchange(checked, idempotency_key, secrets);
        let response = timeout(whole, answer)
            .await
            .map_err(|_| Refused { code: "timeout", message: timed_out(&place, whole) })??;
        redaction::redact(response, secrets, self.0.limits.response_bytes)
    }

    async fn exchange(
        &self,
        checked: Checked,
        idempotency_key: &str,
        secrets: &HashMap<String, String>,
    ) -> Result<Response, Refused> {
        let Inner { limits, resolver, reach, tls, .. } = &*self.0;
        let addresses = resolver.addresses(&checked, *reach).await?;
        let place = checked.place();
        let name = (checked.scheme, checked.host.clone());
        let request = checked.into_wire(idempotency_key, secrets)?;
        let stream = wire::connect(&addresses, &place).await?;
        match name {
            (Scheme::Http, _) => wire::exchange(stream, request, limits, &place).await,
            (Scheme::Https, host) => {
                let stream = tls::wrap(stream, tls.as_ref(), &host, &place).await?;
                wire::exchange(stream, request, limits, &place).await
            }
        }
    }
}

/// Whoever waits for a place has sent nothing.
fn crowded(place: &str, whole: Duration) -> String {
    format!(
        "nothing was sent to {place}: for {} ms as many requests were under way as may be at \
         once. Try again later",
        whole.as_millis()
    )
}

fn timed_out(place: &str, whole: Duration) -> String {
    format!(
        "{place} did not answer whole within {} ms; what was sent may have had its effect. Ask \
         for a longer timeout, or try again later",
        whole.as_millis()
    )
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { allowed, limits, .. } = &*self.0;
        f.debug_struct("Egress").field("allowed", allowed).field("limits", limits).finish()
    }
}
