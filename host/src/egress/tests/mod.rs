//! Requests over real sockets to servers in this process, which show what was
//! said to them byte by byte.

mod answers;
mod headers;
mod network;
mod urls;

use super::address::{self, Reach};
use super::resolver::Resolver;
use super::{Checked, Egress, Inner, Limits, Refused, Request, Response};
use segno_engine::grant::Origin;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A short answer, after which the connection is closed.
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What the idempotency key is where a test does not care.
const KEY: &str = "run_1/pay/7";

fn origins(texts: &[&str]) -> Vec<Origin> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A way out whose operator allows these.
fn inner(allowed: &[&str]) -> Inner {
    Inner {
        allowed: origins(allowed),
        limits: Limits { timeout_ms: 20_000, ..Limits::default() },
        resolver: Resolver::System,
        reach: address::reach,
        tls: None,
        slots: Semaphore::new(8),
    }
}

impl Inner {
    fn out(self) -> Egress {
        Egress(Arc::new(self))
    }

    fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self.slots = Semaphore::new(self.limits.concurrent as usize);
        self
    }

    /// With names that stand for what `find` says.
    fn resolving(mut self, find: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        self.resolver = Resolver::Fixed(Box::new(find));
        self
    }

    fn reaching(mut self, reach: fn(IpAddr) -> Reach) -> Self {
        self.reach = reach;
        self
    }
}

fn get(url: &str) -> Request {
    Request { method: "GET".to_owned(), url: url.to_owned(), ..Request::default() }
}

/// Checks a request whose component and workflow ask for and grant everything.
fn check(egress: &Egress, request: &Request) -> Result<Checked, Refused> {
    let all = origins(&["http://*:*", "https://*:*"]);
    egress.check(request, &all, &all)
}

async fn send(egress: &Egress, request: &Request) -> Result<Response, Refused> {
    egress.send(check(egress, request)?, KEY, &HashMap::new()).await
}

/// A server at this address, port 0 for any, and the origin that it has.
async fn listen(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Takes one connection, answers its request, and returns that as it was sent.
async fn serve(listener: &TcpListener, answer: &[u8]) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    answer_one(stream, answer).await
}

async fn answer_one(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> String {
    let heard = hear(&mut stream).await;
    // The other side may hang up before it has heard all.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
    heard
}

/// One request, head and body.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut heard = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let length = lines.filter(|(name, _)| *name == "content-length");
            let length: usize = length.map(|(_, value)| value.parse::<usize>().unwrap()).sum();
            if body.len() >= length {
                return text;
            }
        }
        let count = stream.read_buf(&mut heard).await.unwrap();
        assert!(count > 0, "the request ends early: {text:?}");
    }
}

/// Sends a request to a server on this machine, which the operator has named.
/// Returns what the server heard, and what it was told.
async fn ask(
    request: Request,
    secrets: &HashMap<String, String>,
    answer: &[u8],
) -> (String, Result<Response, Refused>) {
    let (listener, address) = listen("127.0.0.1:0").await;
    let origin = format!("http://{address}");
    let egress = inner(&[&origin]).out();
    let request = Request { url: format!("{origin}{}", request.url), ..request };
    let checked = check(&egress, &request).unwrap();
    tokio::join!(serve(&listener, answer), egress.send(checked, KEY, secrets))
}
