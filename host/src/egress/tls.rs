//! Encryption: which authorities are trusted, and the handshake.

use super::Refused;
use anyhow::{Context as _, bail};
use segno_engine::grant::{Origin, Scheme};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whether any of these places is encrypted.
pub(super) fn needed(allowed: &[Origin]) -> bool {
    allowed.iter().any(|origin| origin.scheme() == Scheme::Https)
}

/// Trusts the authorities that this system trusts, so that operators can add
/// their own.
pub(super) fn of_system() -> anyhow::Result<Arc<ClientConfig>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        bail!(
            "this system trusts no certificate authority{why}, so no https origin can be granted: \
             install its ca-certificates, or name a file with SSL_CERT_FILE"
        );
    }
    trusting(roots)
}

/// Trusts these authorities.
pub(super) fn trusting(roots: RootCertStore) -> anyhow::Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Encrypts a connection to a host that proves to be `host`.
pub(super) async fn wrap(
    stream: TcpStream,
    config: Option<&Arc<ClientConfig>>,
    host: &str,
    place: &str,
) -> Result<TlsStream<TcpStream>, Refused> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (Some(config), Ok(name)) = (config, ServerName::try_from(bare)) else {
        return Err(Refused::unreachable(format!(
            "{place} cannot be encrypted to; use another name"
        )));
    };
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(|error| {
        Refused::unreachable(format!(
            "{place} could not be encrypted to: {error}; check its certificate, and whether this \
             host trusts who signed it"
        ))
    })
}
