//! Signals over HTTP: so many connections publish at once, and the sequences of
//! each name have no gap.

use super::Signals;
use crate::api;
use crate::bench::{Spread, histogram};
use crate::driver::Driver;
use anyhow::{Context as _, Result, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};

/// Publications of one connection.
const EACH: u64 = 20;

/// Names that the connections share.
const NAMES: u64 = 10;

/// The tenant that has only these signals.
const TENANT: &str = "http";

/// What was measured over HTTP.
#[derive(Debug, Serialize)]
pub struct HttpFigures {
    /// Connections that publish at once.
    pub connections: u32,
    /// How many publications there were; the sequences of each name are dense.
    pub publications: u64,
    /// Of them in a second.
    pub per_s: f64,
    /// From the request to its answer.
    pub publication: Spread,
}

type Sender = SendRequest<Full<bytes::Bytes>>;

/// Serves the host on a port of its own and publishes from every connection.
pub(super) async fn run(driver: &Driver, bench: &Signals) -> Result<HttpFigures> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let serving = axum::serve(listener, api::router(driver.clone()));
    let serving = tokio::task::JoinSet::from_iter([async move { serving.await }]);
    let mut senders = Vec::new();
    for _ in 0..bench.connections {
        senders.push(connect(address).await.context(
            "there are too few file descriptors for so many connections; raise `ulimit -n`, or \
             give fewer",
        )?);
    }
    let begin = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for (number, sender) in (0_u64..).zip(senders) {
        clients.spawn(publish_all(sender, number));
    }
    let mut times = histogram();
    let mut sequences: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    while let Some(client) = clients.join_next().await {
        for (name, sequence, nanos) in client?? {
            times.saturating_record(nanos);
            sequences.entry(name).or_default().push(sequence);
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    drop(serving);
    for (name, mut found) in sequences {
        found.sort_unstable();
        let dense = (1..).zip(&found).all(|(expected, sequence)| expected == *sequence);
        ensure!(dense, "the sequences of {} have a gap", super::name(name));
    }
    Ok(HttpFigures {
        connections: bench.connections,
        publications: times.len(),
        per_s: times.len() as f64 / seconds,
        publication: (&times).into(),
    })
}

#[expect(clippy::disallowed_methods, reason = "a connection goes on by itself until it is closed")]
async fn connect(address: SocketAddr) -> Result<Sender> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Name, sequence and nanoseconds of each publication of a connection.
async fn publish_all(mut sender: Sender, client: u64) -> Result<Vec<(u64, u64, u64)>> {
    let mut all = Vec::new();
    for number in 0..EACH {
        let name = (client + number) % NAMES;
        let body = json!({ "name": super::name(name), "params": { "client": client } });
        let request = Request::post(format!("/v1/tenants/{TENANT}/signals"))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        let begin = Instant::now();
        sender.ready().await?;
        let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        let nanos = begin.elapsed().as_nanos() as u64;
        let answer: Value = serde_json::from_slice(&answer)?;
        let sequence = answer["sequence"].as_u64();
        let sequence = sequence.with_context(|| format!("a signal was not taken: {answer}"))?;
        all.push((name, sequence, nanos));
    }
    Ok(all)
}
